/* Marks beside the SQL: whose statements they name, and when they must name none. */
#include "detectors/traffic.h"

#include "detectors/request_marks.h"

#define ASK "SELECT a FROM b WHERE c = $1"

enum { PEER = 1000 }; /* session n comes from address PEER + n */

static void announce(struct traffic *t, uint64_t session)
{
    struct record_peer *r = (void *)t->out.bytes;
    r->session = session;
    r->peer = PEER + session;
    r->time_us = t->now_us;
    traffic_send(t, RECORD_PEER, sizeof(*r), 0);
}

static void connect(struct traffic *t, uint64_t session)
{
    traffic_connect(t, session);
    announce(t, session);
}

/* The session is used for a request of this route from now on; NULL for none. */
static void mark(struct traffic *t, uint64_t session, uint64_t request, const char *route)
{
    traffic_tag(t, "GET", route, NULL, NULL);
    struct record_request *r = (void *)t->out.bytes;
    r->peer = PEER + session;
    r->request = request;
    r->tag = t->tag;
    r->time_us = t->now_us;
    t->tag = 0;
    traffic_send(t, RECORD_REQUEST, sizeof(*r), 0);
}

static void lose_marks(struct traffic *t)
{
    struct record_request *r = (void *)t->out.bytes;
    r->time_us = t->now_us;
    traffic_send(t, RECORD_REQUEST, sizeof(*r), 0);
}

static void ask(struct traffic *t, uint64_t session, int times)
{
    t->session = session;
    for (int i = 0; i < times; i++)
        traffic_by_id(t, ASK, i + 1, 1);
}

static const struct endpoint *endpoint(const struct result *r, const char *name)
{
    for (size_t i = 0; i < r->n_endpoints; i++) {
        if (strcmp(r->endpoints[i].endpoint->name, name) == 0)
            return r->endpoints[i].endpoint;
    }
    return NULL;
}

static uint64_t statements(const struct result *r, const char *name)
{
    const struct endpoint *e = endpoint(r, name);
    return e != NULL ? e->statements : 0;
}

static void test_mark_names_what_follows_on_its_connection(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    connect(t, 2);
    for (uint64_t i = 0; i < 5; i++) {
        mark(t, 1, 2 * i + 1, "/one");
        mark(t, 2, 2 * i + 2, "/three");
        ask(t, 2, 2);
        ask(t, 1, 1);
        ask(t, 2, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 5);
    assert_int_equal(statements(r, "GET /three"), 15);
    const struct endpoint *e = endpoint(r, "GET /three");
    assert_int_equal(e->units, 5);
    assert_int_equal(e->attribution, ATTRIBUTION_MARK);
    assert_int_equal(e->confidence, UNIT_EXACT);
    assert_int_equal(r->marked_statements, 20);
    assert_int_equal(r->lost_marks, 0);
    traffic_free(t);
}

static void test_mark_gathers_the_connections_of_a_request(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    connect(t, 2);
    mark(t, 1, 9, "/both");
    mark(t, 2, 9, "/both");
    ask(t, 1, 2);
    ask(t, 2, 3);
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /both")->units, 1);
    assert_int_equal(statements(r, "GET /both"), 5);
    traffic_free(t);
}

static void test_mark_of_no_request_ends_the_one_before(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    mark(t, 1, 1, "/one");
    ask(t, 1, 2);
    mark(t, 1, 0, NULL);
    ask(t, 1, 4);
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 2);
    assert_int_equal(r->marked_statements, 2);
    traffic_free(t);
}

/* The auditor reads marks before it takes statements: later marks are there already. */
static void test_mark_of_the_next_request_does_not_name_the_one_before(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    int64_t began_us = t->now_us;
    mark(t, 1, 1, "/one");
    traffic_wait(t, 10);
    mark(t, 1, 2, "/two");
    t->now_us = began_us + 1000;
    ask(t, 1, 1);
    t->now_us = began_us + 12000;
    ask(t, 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 1);
    assert_int_equal(statements(r, "GET /two"), 1);
    traffic_free(t);
}

static void test_mark_that_came_before_the_session_was_announced_counts(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_connect(t, 1);
    t->now_us += 5000;
    mark(t, 1, 1, "/one");
    t->now_us -= 5000;
    announce(t, 1);
    t->now_us += 6000;
    ask(t, 1, 1);
    assert_int_equal(statements(traffic_result(t), "GET /one"), 1);
    traffic_free(t);
}

static void test_mark_of_the_session_before_on_this_port_is_not_taken_over(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    mark(t, 1, 1, "/one");
    ask(t, 1, 1);
    traffic_disconnect(t, 1);
    traffic_wait(t, 10);
    traffic_connect(t, 3);
    struct record_peer *r = (void *)t->out.bytes;
    r->session = 3;
    r->peer = PEER + 1;
    r->time_us = t->now_us;
    traffic_send(t, RECORD_PEER, sizeof(*r), 0);
    ask(t, 3, 4);
    const struct result *result = traffic_result(t);
    assert_int_equal(statements(result, "GET /one"), 1);
    assert_int_equal(result->marked_statements, 1);
    traffic_free(t);
}

static void test_lost_marks_leave_statements_without_a_name(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    mark(t, 1, 1, "/one");
    ask(t, 1, 1);
    traffic_wait(t, 1);
    lose_marks(t); /* one of them may have been this connection's */
    traffic_wait(t, 1);
    ask(t, 1, 3);
    mark(t, 1, 2, "/two");
    ask(t, 1, 2);
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 1);
    assert_int_equal(statements(r, "GET /two"), 2);
    assert_int_equal(r->marked_statements, 3);
    assert_int_equal(r->lost_marks, 1);
    traffic_free(t);
}

static void test_sql_with_the_line_and_mark_with_the_route_make_one_tag(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    for (uint64_t i = 1; i <= 3; i++) {
        mark(t, 1, i, "/books");
        struct record_tag *r = (void *)t->out.bytes;
        r->id = t->tag = 4711;
        r->len[SQL_TAG_FILE] = 6;
        size_t tail = traffic_tail(t, sizeof(*r), 0, "app.py", 6);
        traffic_send(t, RECORD_TAG, sizeof(*r), tail);
        ask(t, 1, 6);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /books")->units, 3);
    assert_true(r->n_findings > 0);
    assert_non_null(r->findings[0]->tag);
    assert_string_equal(r->findings[0]->tag->value[SQL_TAG_FILE], "app.py");
    assert_string_equal(r->findings[0]->tag->value[SQL_TAG_ROUTE], "/books");
    traffic_free(t);
}

/* Anybody on this host may send datagrams. */
static void test_marks_of_connections_that_nobody_has_take_bounded_room(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    for (uint64_t i = 0; i < REQUEST_MARKS_MAX_PEERS + 100; i++)
        mark(t, 1000 + i, i + 1, "/none");
    mark(t, 1, 7, "/one");
    ask(t, 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 1);
    assert_int_equal(r->lost_marks, 0);
    traffic_free(t);
}

/* Their statements are on their way, in a ring that is emptied later. */
static void test_marks_that_are_ahead_of_their_statements_wait_for_them(void **state)
{
    (void)state;
    enum { REQUESTS = REQUEST_MARKS_OF_PEER / 2 };
    struct traffic *t = traffic_new();
    connect(t, 1);
    int64_t began_us = t->now_us;
    for (uint64_t i = 0; i < REQUESTS; i++) {
        t->now_us = began_us + (int64_t)i * 1000;
        mark(t, 1, i + 1, i % 2 == 0 ? "/even" : "/odd");
    }
    for (int64_t i = 0; i < REQUESTS; i++) {
        t->now_us = began_us + i * 1000 + 200;
        ask(t, 1, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /even")->units, REQUESTS / 2);
    assert_int_equal(endpoint(r, "GET /odd")->units, REQUESTS / 2);
    traffic_free(t);
}

static void test_more_marks_than_are_kept_leave_statements_without_a_name(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    connect(t, 1);
    int64_t began_us = t->now_us;
    for (uint64_t i = 0; i < REQUEST_MARKS_OF_PEER + 10; i++) {
        t->now_us = began_us + (int64_t)i * 1000;
        mark(t, 1, i + 1, "/one");
    }
    for (int64_t i = 0; i < 20; i++) {
        t->now_us = began_us + i * 1000 + 200;
        ask(t, 1, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(statements(r, "GET /one"), 10);
    assert_int_equal(r->marked_statements, 10);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mark_names_what_follows_on_its_connection),
        cmocka_unit_test(test_mark_gathers_the_connections_of_a_request),
        cmocka_unit_test(test_mark_of_no_request_ends_the_one_before),
        cmocka_unit_test(test_mark_of_the_next_request_does_not_name_the_one_before),
        cmocka_unit_test(test_mark_that_came_before_the_session_was_announced_counts),
        cmocka_unit_test(test_mark_of_the_session_before_on_this_port_is_not_taken_over),
        cmocka_unit_test(test_lost_marks_leave_statements_without_a_name),
        cmocka_unit_test(test_sql_with_the_line_and_mark_with_the_route_make_one_tag),
        cmocka_unit_test(test_marks_of_connections_that_nobody_has_take_bounded_room),
        cmocka_unit_test(test_marks_that_are_ahead_of_their_statements_wait_for_them),
        cmocka_unit_test(test_more_marks_than_are_kept_leave_statements_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
