/* Where units of work begin and end. */
#include "detectors/traffic.h"

#define A "SELECT a FROM ta WHERE id = $1"
#define B "SELECT b FROM tb WHERE id = $1"
#define C "SELECT c FROM tc WHERE id = $1"

static const struct endpoint *only_endpoint(const struct result *r)
{
    assert_int_equal(r->n_endpoints, 1);
    return r->endpoints[0].endpoint;
}

static void test_psycopg_transactions_are_units(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 5; i++) {
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, A, i, 1);
        traffic_by_id(t, B, i, 1);
        traffic_plain(t, i % 2 == 0 ? "ROLLBACK" : "COMMIT");
    }
    const struct result *r = traffic_result(t);
    const struct endpoint *e = only_endpoint(r);
    assert_int_equal(r->units, 5);
    assert_int_equal(e->confidence, UNIT_BY_TRANSACTION);
    assert_int_equal(e->statements, 10);
    assert_int_equal(e->chatter, 10);
    assert_int_equal(r->chatter, 10);
    traffic_free(t);
}

static void test_gap_in_a_transaction_does_not_split(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    traffic_by_id(t, A, 1, 1);
    traffic_wait(t, 5000);
    traffic_by_id(t, B, 1, 1);
    traffic_plain(t, "COMMIT");
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 1);
    assert_true(only_endpoint(r)->wall_us > 5000000);
    assert_true(only_endpoint(r)->db_us < 1000);
    traffic_free(t);
}

static void test_gap_outside_a_transaction_splits(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, A, 1, 1);
    traffic_by_id(t, B, 1, 1);
    traffic_wait(t, 150);
    traffic_by_id(t, A, 2, 1);
    traffic_by_id(t, B, 2, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 2);
    assert_int_equal(only_endpoint(r)->confidence, UNIT_BY_GAP);
    assert_string_equal(only_endpoint(r)->name, "select ta -> ta, tb");
    traffic_free(t);
}

static void test_asyncpg_reset_ends_units_and_overrides_the_others(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, A, 0, 1);
    traffic_asyncpg_reset(t); /* from here on the pool is known */
    for (int i = 0; i < 3; i++) {
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, A, i, 1);
        traffic_plain(t, "COMMIT");
        traffic_wait(t, 200);
        traffic_by_id(t, B, i, 1);
        traffic_asyncpg_reset(t);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 4);
    assert_int_equal(r->n_endpoints, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(r->endpoints[i].endpoint->confidence, UNIT_BY_MARKER);
        assert_int_equal(r->endpoints[i].endpoint->asyncpg_units, r->endpoints[i].endpoint->units);
    }
    traffic_free(t);
}

static void test_pings_begin_units(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 4; i++) {
        traffic_plain(t, i % 2 == 0 ? "SELECT 1" : "");
        traffic_by_id(t, A, i, 1);
        traffic_by_id(t, B, i, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 4);
    assert_int_equal(r->statements, 8);
    assert_int_equal(r->chatter, 4);
    traffic_free(t);
}

static void test_ping_does_not_vouch_for_what_came_before_it(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 10; i++) {
        traffic_by_id(t, A, i, 1);
        traffic_by_id(t, B, i, 1);
    }
    traffic_plain(t, "SELECT 1"); /* a health check that happens to pass by */
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 10);
    assert_int_equal(only_endpoint(r)->confidence, UNIT_BY_GAP);
    traffic_free(t);
}

static void test_chatter_alone_is_no_unit(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "SELECT 1");
    traffic_plain(t, "SET search_path = x");
    traffic_plain(t, "BEGIN");
    traffic_plain(t, "ROLLBACK");
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 0);
    assert_int_equal(r->n_endpoints, 0);
    assert_int_equal(r->chatter, 4);
    traffic_free(t);
}

static void test_tag_of_another_route_splits_and_of_another_line_does_not(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/a", "a.py", "1");
    traffic_by_id(t, A, 1, 1);
    traffic_tag(t, "GET", "/a", "a.py", "2");
    traffic_by_id(t, B, 1, 1);
    traffic_tag(t, "POST", "/a", "a.py", "3");
    traffic_by_id(t, C, 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 2);
    assert_int_equal(r->tagged_units, 2);
    assert_int_equal(r->n_endpoints, 2);
    assert_string_equal(r->endpoints[0].endpoint->name, "GET /a");
    assert_int_equal(r->endpoints[0].endpoint->statements, 2);
    assert_int_equal(r->endpoints[0].endpoint->confidence, UNIT_EXACT);
    assert_string_equal(r->endpoints[0].endpoint->usages->tag->value[SQL_TAG_LINE], "1");
    traffic_free(t);
}

static void test_connection_is_a_border(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (uint64_t s = 1; s <= 3; s++) {
        traffic_connect(t, s);
        traffic_by_id(t, A, 1, 1);
        traffic_by_id(t, B, 1, 1);
        traffic_disconnect(t, s);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 3);
    assert_int_equal(r->sessions, 3);
    assert_int_equal(only_endpoint(r)->confidence, UNIT_BY_CONNECTION);
    assert_int_equal(only_endpoint(r)->new_connections, 3);
    traffic_free(t);
}

static void test_sequence_that_begins_anew_is_cut(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 6; i++) {
        traffic_by_id(t, A, i, 1);
        for (int k = 0; k <= i % 3; k++)
            traffic_by_id(t, B, k, 1);
        traffic_by_id(t, C, i, 1);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 6);
    assert_int_equal(only_endpoint(r)->usages->calls, 6);
    traffic_free(t);
}

static void test_loop_after_its_parent_is_not_cut(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, C, 1, 5);
    for (int i = 0; i < 5; i++) {
        traffic_by_id(t, A, i, 1);
        traffic_by_id(t, B, i, 1);
    }
    assert_int_equal(traffic_result(t)->units, 1);
    traffic_free(t);
}

static void test_first_statement_in_a_loop_is_not_cut(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, A, 1, 1); /* the current user */
    traffic_by_id(t, B, 1, 9);
    for (int i = 0; i < 9; i++)
        traffic_by_id(t, A, i, 1); /* the user of each row */
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 1);
    traffic_free(t);
}

static void test_busy_connection_is_cut_while_it_is_busy(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->think_us = 10;
    for (int i = 0; i < 5000; i++) {
        traffic_by_id(t, A, i, 1);
        traffic_by_id(t, B, i, 1);
    }
    assert_non_null(audit_endpoints(t->audit));
    assert_true(audit_endpoints(t->audit)->units > 4000);
    assert_int_equal(traffic_result(t)->units, 5000);
    traffic_free(t);
}

static void test_silent_session_is_closed_by_the_time_of_others(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, A, 1, 1);
    t->session = 2;
    traffic_wait(t, 500);
    traffic_by_id(t, B, 1, 1);
    assert_null(audit_endpoints(t->audit));
    traffic_wait(t, 700);
    traffic_by_id(t, B, 1, 1);
    assert_non_null(audit_endpoints(t->audit));
    traffic_free(t);
}

static void test_trace_gathers_over_connections_and_ends_by_silence(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->trace = 5;
    traffic_by_id(t, A, 1, 1);
    t->session = 2;
    traffic_wait(t, 1500);
    traffic_by_id(t, B, 1, 1);
    t->trace = 0;
    t->session = 3;
    traffic_wait(t, 2500);
    traffic_by_id(t, C, 1, 1);
    const struct endpoint *e = audit_endpoints(t->audit);
    assert_non_null(e);
    assert_int_equal(e->statements, 2);
    assert_int_equal(e->confidence, UNIT_EXACT);
    traffic_free(t);
}

static void test_executes_of_one_portal_are_one_statement(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    t->portal = 9;
    for (int i = 0; i < 4; i++)
        traffic_exchange(t, C, NULL, 0,
                         (struct reply){.rows = 50, .max_rows = 50, .suspended = i < 3});
    t->portal = 0;
    traffic_plain(t, "COMMIT");
    const struct endpoint *e = only_endpoint(traffic_result(t));
    assert_int_equal(e->statements, 1);
    assert_int_equal(e->usages->rows, 200);
    assert_int_equal(e->usages->suspended, 1);
    assert_int_equal(e->usages->limited, 1);
    traffic_free(t);
}

static void test_unit_over_its_cap_is_counted_in_sums(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->think_us = 1;
    t->query_us = 1;
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < AUDIT_MAX_UNIT_EXCHANGES + 100; i++)
        traffic_by_id(t, A, i, 2);
    traffic_plain(t, "COMMIT");
    const struct result *r = traffic_result(t);
    assert_int_equal(r->overflow[OVERFLOW_requests], 1);
    assert_int_equal(r->statements, AUDIT_MAX_UNIT_EXCHANGES + 100);
    assert_int_equal(only_endpoint(r)->rows_each.max, 2 * (AUDIT_MAX_UNIT_EXCHANGES + 100));
    traffic_free(t);
}

static void test_pipelined_time_is_not_counted_twice(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 1000;
    t->think_us = 0;
    traffic_by_id(t, A, 1, 1);
    t->now_us -= 900; /* sent while the first was still running */
    t->pipelined = true;
    traffic_by_id(t, B, 1, 1);
    const struct endpoint *e = only_endpoint(traffic_result(t));
    assert_int_equal(e->db_us, 1100);
    assert_int_equal(e->wall_us, 1100);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psycopg_transactions_are_units),
        cmocka_unit_test(test_gap_in_a_transaction_does_not_split),
        cmocka_unit_test(test_gap_outside_a_transaction_splits),
        cmocka_unit_test(test_asyncpg_reset_ends_units_and_overrides_the_others),
        cmocka_unit_test(test_pings_begin_units),
        cmocka_unit_test(test_ping_does_not_vouch_for_what_came_before_it),
        cmocka_unit_test(test_chatter_alone_is_no_unit),
        cmocka_unit_test(test_tag_of_another_route_splits_and_of_another_line_does_not),
        cmocka_unit_test(test_connection_is_a_border),
        cmocka_unit_test(test_sequence_that_begins_anew_is_cut),
        cmocka_unit_test(test_loop_after_its_parent_is_not_cut),
        cmocka_unit_test(test_first_statement_in_a_loop_is_not_cut),
        cmocka_unit_test(test_busy_connection_is_cut_while_it_is_busy),
        cmocka_unit_test(test_silent_session_is_closed_by_the_time_of_others),
        cmocka_unit_test(test_trace_gathers_over_connections_and_ends_by_silence),
        cmocka_unit_test(test_executes_of_one_portal_are_one_statement),
        cmocka_unit_test(test_unit_over_its_cap_is_counted_in_sums),
        cmocka_unit_test(test_pipelined_time_is_not_counted_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
