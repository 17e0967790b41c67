/* Records of every type, in any order, within bounds. */
#include "detectors/traffic.h"

static void test_run_records_tell_of_the_run(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_run_start *start = (void *)t->out.bytes;
    start->wall_us = 1700000000000000;
    start->version_len = 5;
    start->explain_state = RECORD_EXPLAIN_ON;
    traffic_send(t, RECORD_RUN_START, sizeof(*start),
                 traffic_tail(t, sizeof(*start), 0, "0.1.0", 5));
    traffic_by_id(t, "SELECT a FROM b WHERE c = $1", 1, 1);
    struct record_run_end *end = (void *)t->out.bytes;
    end->time_us = 5000000;
    end->dropped = 3;
    end->refused = 2;
    end->parser_restarts = 1;
    traffic_send(t, RECORD_RUN_END, sizeof(*end), 0);
    const struct result *r = traffic_result(t);
    assert_string_equal(r->version, "0.1.0");
    assert_int_equal(r->started_wall_us, 1700000000000000);
    assert_int_equal(r->ended_wall_us, 1700000005000000);
    assert_int_equal(r->explain, RECORD_EXPLAIN_ON);
    assert_int_equal(r->dropped_records, 3);
    assert_int_equal(r->refused_sessions, 2);
    assert_int_equal(r->parser_restarts, 1);
    traffic_free(t);
}

static void test_opaque_sessions_are_counted_by_reason(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 3; i++) {
        struct record_session_opaque *o = (void *)t->out.bytes;
        o->session = 1;
        o->reason = 2;
        traffic_send(t, RECORD_SESSION_OPAQUE, sizeof(*o), 0);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_opaque, 1);
    assert_int_equal(r->opaque[0].sessions, 3);
    assert_string_equal(r->opaque[0].reason, "message length out of bounds");
    traffic_free(t);
}

static void test_exchange_without_its_statement_is_counted(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_exchange *x = (void *)t->out.bytes;
    x->session = 9;
    x->verb = SQL_VERB_SELECT;
    x->rows = 4;
    x->tx_before = x->tx_after = 'I';
    x->exchange_flags = EXCHANGE_UNKNOWN;
    traffic_send(t, RECORD_EXCHANGE, sizeof(*x), 0);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 1);
    assert_int_equal(r->statements, 1);
    assert_int_equal(r->overflow[OVERFLOW_statements], 0);
    traffic_free(t);
}

static void test_unknown_tag_and_late_text_are_borne(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT a FROM b WHERE c = $1";
    struct record_exchange *x = (void *)t->out.bytes;
    x->session = 1;
    x->id = traffic_id(sql);
    x->tag = 12345;
    x->verb = SQL_VERB_SELECT;
    x->tx_before = x->tx_after = 'I';
    traffic_send(t, RECORD_EXCHANGE, sizeof(*x), 0);
    traffic_statement(t, sql);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->tagged_units, 0);
    assert_string_equal(r->endpoints[0].endpoint->name, "select b -> b");
    traffic_free(t);
}

static void test_chatter_is_known_by_its_verb_before_its_text(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_exchange *x = (void *)t->out.bytes;
    x->session = 1;
    x->id = (struct sql_id){3, 4};
    x->verb = SQL_VERB_ROLLBACK;
    x->tx_before = 'T';
    x->tx_after = 'I';
    traffic_send(t, RECORD_EXCHANGE, sizeof(*x), 0);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->chatter, 1);
    assert_int_equal(r->units, 0);
    traffic_free(t);
}

static void test_mark_of_time_closes_what_was_silent(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, "SELECT id FROM t WHERE id = $1", 1, 1);
    assert_null(audit_endpoints(t->audit));
    traffic_wait(t, 5000);
    struct record_mark *mark = (void *)t->out.bytes;
    mark->time_us = t->now_us;
    traffic_send(t, RECORD_MARK, sizeof(*mark), 0);
    assert_non_null(audit_endpoints(t->audit));
    traffic_free(t);
}

static void test_endpoints_over_their_cap_are_counted(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < AUDIT_MAX_ENDPOINTS + 10; i++) {
        char route[32];
        (void)snprintf(route, sizeof(route), "/r/%d", i);
        traffic_tag(t, "GET", route, NULL, NULL);
        traffic_by_id(t, "SELECT a FROM b WHERE c = $1", i, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, AUDIT_MAX_ENDPOINTS);
    assert_int_equal(r->overflow[OVERFLOW_endpoints], 10);
    assert_int_equal(r->units, AUDIT_MAX_ENDPOINTS + 10);
    traffic_free(t);
}

static void test_controller_and_action_name_an_endpoint(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_tag *tag = (void *)t->out.bytes;
    tag->id = 7;
    tag->len[SQL_TAG_CONTROLLER] = 5;
    tag->len[SQL_TAG_ACTION] = 4;
    traffic_send(t, RECORD_TAG, sizeof(*tag), traffic_tail(t, sizeof(*tag), 0, "usersshow", 9));
    t->tag = 7;
    traffic_by_id(t, "SELECT a FROM b WHERE c = $1", 1, 1);
    assert_string_equal(traffic_result(t)->endpoints[0].endpoint->name, "users#show");
    traffic_free(t);
}

static void test_many_sessions_come_and_go(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (uint64_t i = 0; i < 3000; i++) {
        traffic_connect(t, i % TRAFFIC_MAX_SESSIONS);
        traffic_by_id(t, "SELECT a FROM b WHERE c = $1", 1, 1);
        traffic_disconnect(t, i % TRAFFIC_MAX_SESSIONS);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->sessions, 3000);
    assert_int_equal(r->units, 3000);
    assert_int_equal(
        audit_usage(t->audit, r->endpoints[0].endpoint, r->endpoints[0].endpoint->anchor)->calls,
        3000);
    traffic_free(t);
}

static void name_moment(struct traffic *t, const char *name)
{
    struct record_moment *r = (void *)t->out.bytes;
    r->time_us = t->now_us;
    r->name_len = (uint16_t)strlen(name);
    traffic_send(t, RECORD_MOMENT, sizeof(*r), traffic_tail(t, sizeof(*r), 0, name, strlen(name)));
}

static void test_moments_are_kept_in_order_up_to_their_cap(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < RECORD_MAX_MOMENTS + 5; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "moment %d", i);
        traffic_wait(t, 10);
        name_moment(t, name);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_moments, RECORD_MAX_MOMENTS);
    assert_string_equal(r->moments[0].name, "moment 0");
    assert_string_equal(r->moments[RECORD_MAX_MOMENTS - 1].name, "moment 99");
    assert_true(r->moments[1].at_us - r->moments[0].at_us == 10000);
    traffic_free(t);
}

/* Everything of the run before is forgotten but what its start told. */
static void begin_run(struct traffic *t, const char *name)
{
    struct {
        struct record_run_begin r;
        char name[RECORD_NAME_MAX];
    } begin = {.r = {.h = {.type = RECORD_RUN_BEGIN}, .time_us = t->now_us, .run = 2}};
    begin.r.name_len = (uint16_t)strlen(name);
    memcpy(begin.name, name, strlen(name));
    struct audit *next = audit_next_run(t->audit, &begin.r);
    assert_non_null(next);
    audit_free(t->audit);
    t->audit = next;
}

static void test_next_run_forgets_all_but_the_start(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_run_start *start = (void *)t->out.bytes;
    start->wall_us = 1000000;
    start->explain_state = RECORD_EXPLAIN_ON;
    start->version_len = 3;
    traffic_send(t, RECORD_RUN_START, sizeof(*start), traffic_tail(t, sizeof(*start), 0, "1.2", 3));
    traffic_connect(t, 1);
    traffic_by_id(t, "SELECT a FROM b WHERE c = $1", 1, 1);
    name_moment(t, "before");
    traffic_wait(t, 5000);
    begin_run(t, "load test");
    traffic_by_id(t, "SELECT a FROM d WHERE c = $1", 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 1);
    assert_int_equal(r->statements, 1);
    assert_int_equal(r->sessions, 1); /* whose start nobody told it */
    assert_int_equal(r->n_moments, 0);
    assert_int_equal(r->run.id, 2);
    assert_string_equal(r->run.name, "load test");
    assert_string_equal(r->version, "1.2");
    assert_int_equal(r->explain, RECORD_EXPLAIN_ON);
    assert_true(r->started_wall_us == 1000000 + r->run.began_us);
    assert_true(r->run.began_us >= 5000000);
    assert_true(r->ended_wall_us > r->started_wall_us);
    traffic_free(t);
}

static void test_session_older_than_the_run_is_no_new_connection(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int older = 0; older <= 1; older++) {
        struct record_session_start *r = (void *)t->out.bytes;
        r->session = 1;
        r->time_us = t->now_us;
        r->h.flags = older ? SESSION_OLDER : 0;
        traffic_send(t, RECORD_SESSION_START, sizeof(*r), 0);
        traffic_tag(t, "GET", older ? "/older" : "/fresh", NULL, NULL);
        traffic_by_id(t, "SELECT a FROM b WHERE c = $1", 1, 1);
        traffic_disconnect(t, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->sessions, 2);
    assert_int_equal(r->n_endpoints, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct endpoint *e = r->endpoints[i].endpoint;
        assert_int_equal(e->new_connections, strcmp(e->route, "/fresh") == 0);
    }
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_records_tell_of_the_run),
        cmocka_unit_test(test_opaque_sessions_are_counted_by_reason),
        cmocka_unit_test(test_exchange_without_its_statement_is_counted),
        cmocka_unit_test(test_unknown_tag_and_late_text_are_borne),
        cmocka_unit_test(test_chatter_is_known_by_its_verb_before_its_text),
        cmocka_unit_test(test_mark_of_time_closes_what_was_silent),
        cmocka_unit_test(test_endpoints_over_their_cap_are_counted),
        cmocka_unit_test(test_controller_and_action_name_an_endpoint),
        cmocka_unit_test(test_many_sessions_come_and_go),
        cmocka_unit_test(test_moments_are_kept_in_order_up_to_their_cap),
        cmocka_unit_test(test_next_run_forgets_all_but_the_start),
        cmocka_unit_test(test_session_older_than_the_run_is_no_new_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
