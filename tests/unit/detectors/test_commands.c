/* The commands that would confirm what was found. */
#include "traffic.h"

static bool has(const char *const *commands, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strstr(commands[i], text) != NULL)
            return true;
    }
    return false;
}

static bool says(const struct result *r, const char *text)
{
    return has(r->profiling_commands, r->n_profiling_commands, text);
}

/* Three lists of 1000 rows by one statement. */
static const struct result *lists(struct traffic *t, const char *sql)
{
    uint64_t value = traffic_int(7);
    traffic_facts(t, sql, FACT_WHERE, "orders", "a");
    for (int i = 0; i < 3; i++) {
        traffic_exchange(t, sql, &value, 1, (struct reply){.rows = 1000});
        traffic_wait(t, 500);
    }
    return traffic_result(t);
}

static void test_commands_for_a_large_list_are_a_plan_and_memory(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/orders", NULL, NULL);
    const struct result *r = lists(t, "SELECT id FROM orders WHERE a = $1 AND b > 5");
    assert_true(says(r, "select id from orders where a = $1 and b > $2' -c"));
    assert_true(says(r, "EXPLAIN EXECUTE pgsleuth(NULL, NULL)'"));
    assert_true(says(r, "memray run"));
    assert_true(says(r, "request GET /orders"));
    assert_false(says(r, "locust"));
    assert_false(says(r, "pg_stat_activity"));
    assert_false(says(r, "> 5"));
    traffic_free(t);
}

static void test_commands_leave_out_a_plan_that_cannot_be_pasted(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const struct result *r =
        lists(t, "SELECT id FROM orders WHERE a = $1 AND at > now() - interval '1 day'");
    assert_int_equal(r->n_findings, 1);
    assert_false(says(r, "EXPLAIN"));
    assert_true(says(r, "memray run"));
    traffic_free(t);
}

static void test_commands_for_calls_are_those_of_the_stack(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *item;
        const char *tool;
        const char *other;
    } cases[] = {
        {"SELECT \"a\".\"id\" FROM \"a\" LIMIT 21",
         "SELECT \"b\".\"t\" FROM \"b\" WHERE \"b\".\"a_id\" = $1", "django-silk", "cProfile"},
        {"SELECT a.id FROM a LIMIT 21", "SELECT b.t FROM b WHERE b.a_id = $1", "cProfile",
         "django-silk"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic *t = traffic_new();
        const int64_t *ids = traffic_ids(20);
        traffic_plain(t, "BEGIN");
        traffic_page(t, cases[i].list, 0, ids, 20);
        for (int k = 0; k < 20; k++)
            traffic_by_id(t, cases[i].item, ids[k], 1);
        traffic_plain(t, "COMMIT");
        const struct result *r = traffic_result(t);
        assert_non_null(traffic_finding(r, "n_plus_one"));
        assert_true(says(r, cases[i].tool));
        assert_false(says(r, cases[i].other));
        traffic_free(t);
    }
}

static void test_commands_without_findings_look_at_the_busiest_endpoint(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/one", NULL, NULL);
    traffic_by_id(t, "SELECT name FROM people WHERE id = $1", 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 0);
    assert_int_equal(r->n_profiling_commands, 1);
    assert_true(says(r, "py-spy record"));
    assert_true(says(r, "while GET /one is requested"));
    traffic_free(t);
}

static void test_commands_of_an_endpoint_are_its_own(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/quiet", NULL, NULL);
    traffic_by_id(t, "SELECT name FROM people WHERE id = $1", 1, 1);
    traffic_wait(t, 500);
    traffic_tag(t, "GET", "/orders", NULL, NULL);
    const struct result *r = lists(t, "SELECT id FROM orders WHERE a = $1");
    assert_int_equal(r->n_endpoints, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct endpoint_result *e = &r->endpoints[i];
        bool quiet = strcmp(e->endpoint->name, "GET /quiet") == 0;
        assert_true(has(e->profiling_commands, e->n_profiling_commands, e->endpoint->name));
        assert_int_equal(has(e->profiling_commands, e->n_profiling_commands, "memray"), !quiet);
    }
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_for_a_large_list_are_a_plan_and_memory),
        cmocka_unit_test(test_commands_leave_out_a_plan_that_cannot_be_pasted),
        cmocka_unit_test(test_commands_for_calls_are_those_of_the_stack),
        cmocka_unit_test(test_commands_without_findings_look_at_the_busiest_endpoint),
        cmocka_unit_test(test_commands_of_an_endpoint_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
