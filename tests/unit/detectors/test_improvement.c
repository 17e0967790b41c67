/* Gains by Amdahl's law, and the severity that they ask for. */
#include "traffic.h"

#define LIST "SELECT id FROM authors WHERE id > $1 LIMIT 100"
#define ITEM "SELECT title FROM books WHERE author_id = $1"
#define SAME "SELECT name FROM settings WHERE id = $1"

/* Requests of one list, `n` items of it and the same question `same` times. */
static const struct result *requests(struct traffic *t, int times, unsigned n, int same)
{
    const int64_t *ids = traffic_ids(n);
    uint64_t one = traffic_int(1);
    traffic_tag(t, "GET", "/slow", NULL, NULL);
    traffic_facts(t, SAME, FACT_WHERE, "settings", "id");
    for (int k = 0; k < times; k++) {
        traffic_plain(t, "BEGIN");
        traffic_page(t, LIST, 0, ids, n);
        for (unsigned i = 0; i < n; i++)
            traffic_by_id(t, ITEM, ids[i], 3);
        for (int i = 0; i < same; i++)
            traffic_exchange(t, SAME, &one, 1, (struct reply){.rows = 1});
        traffic_plain(t, "ROLLBACK");
    }
    return traffic_result(t);
}

static void test_gain_of_a_finding_is_its_share_of_the_requests_time(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 1000;
    t->think_us = 1000;
    (void)requests(t, 40, 20, 0);
    const struct finding *f = traffic_finding(t->result, "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->kind, GAIN_ESTIMATED);
    assert_int_equal(f->removable, 40 * 19);
    assert_true(f->avoidable > 0.35 && f->avoidable < 0.5); /* 19 of 45 ms or so */
    assert_true(f->after_ms < f->before_ms);
    assert_true(f->after_gap_ms < f->after_ms);
    assert_true(f->ci_known);
    assert_true(f->ci_low <= f->before_ms / f->after_ms + 0.01);
    assert_true(f->ci_high >= f->before_ms / f->after_ms - 0.01);
    assert_non_null(strstr(f->expected_improvement, "x faster GET /slow (estimated, 95 % CI"));
    traffic_free(t);
}

static void test_gain_of_few_requests_has_no_interval(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    (void)requests(t, 12, 20, 0);
    const struct finding *f = traffic_finding(t->result, "n_plus_one");
    assert_non_null(f);
    assert_false(f->ci_known);
    assert_null(strstr(f->expected_improvement, "CI"));
    traffic_free(t);
}

static void test_gains_of_one_endpoint_are_a_union(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const struct result *r = requests(t, 12, 20, 6);
    const struct finding *loop = traffic_finding(r, "n_plus_one");
    const struct finding *same = traffic_finding(r, "duplicate_query");
    assert_non_null(loop);
    assert_non_null(same);
    const struct improvement *both = &r->endpoints[0].gain;
    assert_true(both->saved_ms > loop->saved_ms + same->saved_ms - 0.01);
    assert_true(both->saved_ms < loop->saved_ms + same->saved_ms + 0.01);
    assert_int_equal(both->statements, 12 * (19 + 5));
    assert_true(r->speedup == improvement_speedup(both->saved_ms, both->wall_ms));
    traffic_free(t);
}

static void test_avoidable_share_of_slow_requests_raises_severity(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 30000;
    const struct finding *f = traffic_finding(requests(t, 6, 10, 0), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_CRITICAL);
    assert_non_null(strstr(f->severity_by, "of the time of requests that take 100 ms"));
    traffic_free(t);
}

static void test_avoidable_share_of_quick_requests_raises_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 5000;
    const struct finding *f = traffic_finding(requests(t, 6, 6, 0), "n_plus_one");
    assert_non_null(f);
    assert_true(f->avoidable > 0.5);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->severity_by, "round trips too many"));
    traffic_free(t);
}

static void test_gain_of_a_modelled_finding_says_so_and_raises_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *all = "SELECT id FROM orders";
    t->query_us = 200000;
    traffic_tag(t, "GET", "/orders", NULL, NULL);
    traffic_facts(t, all, 0, "orders", NULL);
    for (int i = 0; i < 6; i++) {
        traffic_exchange(t, all, NULL, 0, (struct reply){.rows = 1000});
        traffic_wait(t, 500);
    }
    const struct result *r = traffic_result(t);
    const struct finding *f = traffic_finding(r, "unbounded_result");
    assert_non_null(f);
    assert_int_equal(f->kind, GAIN_MODELLED);
    assert_int_equal(f->severity, SEVERITY_LOW);
    assert_true(f->avoidable > 0.9);
    assert_int_equal(r->endpoints[0].gain.kind, GAIN_MODELLED);
    assert_non_null(strstr(r->estimated_improvement, "(modelled)"));
    traffic_free(t);
}

static void test_speedup_is_never_without_end(void **state)
{
    (void)state;
    assert_true(improvement_speedup(5, 10) == 2);
    assert_true(improvement_speedup(10, 10) < 101);
    assert_true(improvement_speedup(5, 0) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gain_of_a_finding_is_its_share_of_the_requests_time),
        cmocka_unit_test(test_gain_of_few_requests_has_no_interval),
        cmocka_unit_test(test_gains_of_one_endpoint_are_a_union),
        cmocka_unit_test(test_avoidable_share_of_slow_requests_raises_severity),
        cmocka_unit_test(test_avoidable_share_of_quick_requests_raises_nothing),
        cmocka_unit_test(test_gain_of_a_modelled_finding_says_so_and_raises_nothing),
        cmocka_unit_test(test_speedup_is_never_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
