/* Pools that leak, that are too large, too small or refused, and traffic that only looks so. */
#include "traffic.h"

#define PRICE "SELECT price FROM items WHERE id = $1"

static struct traffic *start(void)
{
    struct traffic *t = traffic_new();
    traffic_facts(t, PRICE, FACT_WHERE, "items", "id");
    traffic_tag(t, "GET", "/price", NULL, NULL);
    return t;
}

/* One request on a connection, followed by silence. */
static void serve(struct traffic *t, uint64_t session, int64_t silent_ms)
{
    t->session = session;
    traffic_plain(t, "BEGIN");
    traffic_by_id(t, PRICE, (int64_t)session, 1);
    traffic_plain(t, "COMMIT");
    traffic_wait(t, silent_ms);
}

static const struct finding *found(struct traffic *t)
{
    return traffic_finding(traffic_result(t), "pool_size");
}

/* A connection every 5 s that serves one request and stays. */
static void leak(struct traffic *t, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        traffic_connect(t, i);
        serve(t, i, 5000);
    }
}

static void test_connections_never_given_back_are_a_leak(void **state)
{
    (void)state;
    struct traffic *t = start();
    leak(t, 24);
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM); /* 18 of them: low, and growing */
    for (unsigned i = 1; i <= 24; i++)
        traffic_stop(t, i); /* that gives none of them back */
    f = found(t);
    assert_non_null(f);
    assert_non_null(strstr(f->issue, "not given back"));
    assert_non_null(strstr(f->severity_by, "only grows"));
    assert_non_null(strstr(f->asyncpg, "pool.acquire()"));
    traffic_free(t);
}

static void test_connections_that_are_closed_again_are_no_leak(void **state)
{
    (void)state;
    struct traffic *t = start();
    for (unsigned i = 1; i <= 24; i++) {
        traffic_connect(t, i);
        serve(t, i, 5000);
        traffic_disconnect(t, i);
    }
    assert_null(found(t));
    traffic_free(t);
}

static void test_pool_filled_at_the_start_and_then_kept_is_no_leak(void **state)
{
    (void)state;
    struct traffic *t = start();
    for (unsigned i = 1; i <= 12; i++) {
        traffic_connect(t, i);
        serve(t, i, 10);
    }
    for (int i = 0; i < 90; i++)
        serve(t, 1 + (uint64_t)i % 2, 1000);
    const struct finding *f = found(t);
    assert_true(f == NULL || strstr(f->issue, "not given back") == NULL);
    traffic_free(t);
}

/* `open` connections, of which `busy` are in a transaction at the same time. */
static void rounds(struct traffic *t, unsigned open, unsigned busy, int times, int64_t pause_ms)
{
    for (unsigned i = 1; i <= open; i++)
        traffic_connect(t, i);
    for (int k = 0; k < times; k++) {
        for (unsigned i = 1; i <= busy; i++) {
            t->session = i;
            traffic_plain(t, "BEGIN");
            traffic_by_id(t, PRICE, (int64_t)i, 1);
        }
        for (unsigned i = 1; i <= busy; i++) {
            t->session = i;
            traffic_plain(t, "COMMIT");
        }
        traffic_wait(t, pause_ms);
    }
}

static void test_pool_much_larger_than_its_use(void **state)
{
    (void)state;
    struct traffic *t = start();
    rounds(t, 40, 3, 60, 1000);
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->impact, "40 connections were open at once and never more than 3"));
    traffic_free(t);
}

static void test_pool_that_is_used_or_small_or_hardly_seen_is_not_too_large(void **state)
{
    (void)state;
    struct traffic *t = start();
    rounds(t, 40, 16, 60, 1000);
    assert_null(found(t));
    traffic_free(t);
    t = start();
    rounds(t, 10, 1, 200, 1000); /* asyncpg's usual minimum, and one user */
    assert_null(found(t));
    traffic_free(t);
    t = start();
    rounds(t, 40, 3, 60, 10); /* over before anything can be said */
    assert_null(found(t));
    traffic_free(t);
}

/* All connections work, and each is taken again `pause_ms` after it became free. */
static void saturate(struct traffic *t, unsigned open, int times, int64_t pause_ms)
{
    for (unsigned i = 1; i <= open; i++) {
        traffic_connect(t, i);
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, PRICE, (int64_t)i, 1);
    }
    for (int k = 0; k < times; k++) {
        t->session = 1 + (uint64_t)k % open;
        traffic_plain(t, "COMMIT");
        traffic_wait(t, pause_ms);
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, PRICE, k, 1);
    }
}

static void test_connections_taken_as_soon_as_they_are_free_are_possibly_too_few(void **state)
{
    (void)state;
    struct traffic *t = start();
    saturate(t, 6, 400, 0);
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_LOW);
    assert_true(f->confidence < 0.5);
    assert_non_null(strstr(f->issue, "Possibly"));
    traffic_free(t);
}

static void test_connections_with_a_pause_or_two_workers_are_not_too_few(void **state)
{
    (void)state;
    struct traffic *t = start();
    saturate(t, 6, 400, 5);
    assert_null(found(t));
    traffic_free(t);
    t = start();
    saturate(t, 2, 400, 0);
    assert_null(found(t));
    traffic_free(t);
}

static void test_log_ins_refused_while_many_are_open(void **state)
{
    (void)state;
    struct traffic *t = start();
    rounds(t, 30, 20, 3, 10);
    for (unsigned i = 40; i < 43; i++) {
        traffic_connect(t, i);
        traffic_disconnect(t, i);
    }
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_non_null(strstr(f->impact, "3 log-ins failed while up to"));
    traffic_free(t);
}

static void test_log_ins_refused_with_few_open_are_something_else(void **state)
{
    (void)state;
    struct traffic *t = start();
    rounds(t, 4, 3, 3, 10);
    for (unsigned i = 40; i < 43; i++) {
        traffic_connect(t, i);
        traffic_disconnect(t, i);
    }
    assert_null(found(t));
    traffic_free(t);
}

/* Two workers tell of their sessions in no common order. */
static void test_leak_is_one_in_whatever_order_its_connections_are_told(void **state)
{
    (void)state;
    struct traffic *t = start();
    traffic_wait(t, 200 * 1000);
    for (unsigned i = 1; i <= 24; i++) {
        traffic_connect(t, i);
        serve(t, i, 0);
        traffic_wait(t, i % 2 == 1 ? -5000 - 5000 : 5000);
    }
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_non_null(strstr(f->issue, "not given back"));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_never_given_back_are_a_leak),
        cmocka_unit_test(test_connections_that_are_closed_again_are_no_leak),
        cmocka_unit_test(test_pool_filled_at_the_start_and_then_kept_is_no_leak),
        cmocka_unit_test(test_pool_much_larger_than_its_use),
        cmocka_unit_test(test_pool_that_is_used_or_small_or_hardly_seen_is_not_too_large),
        cmocka_unit_test(test_connections_taken_as_soon_as_they_are_free_are_possibly_too_few),
        cmocka_unit_test(test_connections_with_a_pause_or_two_workers_are_not_too_few),
        cmocka_unit_test(test_log_ins_refused_while_many_are_open),
        cmocka_unit_test(test_log_ins_refused_with_few_open_are_something_else),
        cmocka_unit_test(test_leak_is_one_in_whatever_order_its_connections_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
