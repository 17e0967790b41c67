#include "detectors/traffic.h"

#include "failing_memory.h"

#define AUTHORS "SELECT id, name FROM authors WHERE id > $1 ORDER BY id LIMIT 50"
#define BOOKS   "SELECT title FROM books WHERE author_id = $1 ORDER BY id"
#define STAR    "SELECT * FROM orders WHERE status = $1"

static void know(struct traffic *t)
{
    traffic_tag(t, "GET", "/authors", "app/orm.py", "39");
    traffic_statement(t, AUTHORS);
    traffic_statement(t, BOOKS);
    traffic_statement(t, STAR);
    traffic_columns(t, AUTHORS, "id name", WIRE_OID_INT8);
    traffic_facts(t, AUTHORS, FACT_LIMIT | FACT_ORDER_BY | FACT_WHERE, "authors", "");
    traffic_facts(t, BOOKS, FACT_ORDER_BY | FACT_WHERE, "books", "author_id");
    traffic_facts(t, STAR, FACT_STAR | FACT_WHERE, "orders", "status");
}

static void request(struct traffic *t)
{
    const int64_t *ids = traffic_ids(12);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 12);
    for (unsigned i = 0; i < 12; i++)
        traffic_by_id(t, BOOKS, ids[i], 3);
    traffic_plain(t, "ROLLBACK");
    traffic_by_id(t, STAR, 7, 20000);
    traffic_wait(t, 500);
}

/* Everything that a ledger takes in, with all that was found; the audit's own memory may be short.
 */
static void run(struct traffic *t)
{
    traffic_connect(t, 1);
    know(t);
    for (int i = 0; i < 12; i++)
        request(t);
    traffic_sample(t, STAR);
    traffic_plan(t, STAR, "orders", 100000, 5, "status", "");
    request(t);
    traffic_disconnect(t, 1);
    audit_finish(t->audit);
}

static void test_audit_new_without_memory_gives_nothing(void **state)
{
    (void)state;
    struct det_settings settings = traffic_settings();
    unsigned long n = 1;
    bool failed = true;
    for (; failed; n++) {
        memory_fail_at(n);
        struct audit *a = audit_new(&settings);
        failed = memory_well();
        assert_true((a == NULL) == failed);
        audit_free(a);
    }
    assert_true(n > 2);
}

static void test_audit_without_memory_goes_on_and_counts_no_more_than_there_was(void **state)
{
    (void)state;
    struct traffic *whole = traffic_new();
    run(whole);
    const struct result *all = traffic_result(whole);
    assert_true(all->n_findings >= 2);
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        struct traffic *t = traffic_new();
        memory_fail_at(n);
        run(t);
        failed = memory_well();
        const struct result *r = traffic_result(t);
        assert_true(r->statements <= all->statements);
        assert_true(r->units <= all->units + 1); /* one that was cut in two */
        assert_true(r->n_endpoints <= all->n_endpoints + 2);
        if (!failed)
            assert_int_equal(r->n_findings, all->n_findings);
        traffic_free(t);
    }
    traffic_free(whole);
}

/* A result is whole or there is none: one with a finding less would say that all is well. */
static void test_result_without_memory_is_whole_or_absent(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    run(t);
    struct result *all = result_new(t->audit);
    assert_non_null(all);
    unsigned long absent = 0;
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        memory_fail_at(n);
        struct result *r = result_new(t->audit);
        failed = memory_well();
        absent += r == NULL;
        assert_true(r != NULL || failed);
        if (r == NULL)
            continue;
        assert_int_equal(r->n_findings, all->n_findings);
        assert_int_equal(r->n_endpoints, all->n_endpoints);
        assert_int_equal(r->n_recommendations, all->n_recommendations);
        assert_int_equal(r->n_profiling_commands, all->n_profiling_commands);
        for (size_t i = 0; i < r->n_findings; i++) {
            assert_string_equal(r->findings[i]->issue, all->findings[i]->issue);
            assert_string_equal(r->findings[i]->impact, all->findings[i]->impact);
            assert_string_equal(r->findings[i]->optimized_code, all->findings[i]->optimized_code);
        }
        result_free(r);
    }
    assert_true(absent > 5);
    result_free(all);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_new_without_memory_gives_nothing),
        cmocka_unit_test(test_audit_without_memory_goes_on_and_counts_no_more_than_there_was),
        cmocka_unit_test(test_result_without_memory_is_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
