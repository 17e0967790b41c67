#include "detectors/traffic.h"

#define SHELF "SELECT id, title FROM books WHERE genre = $1 ORDER BY id"

static const struct finding *judge(struct traffic *t, unsigned flags, struct reply reply)
{
    traffic_facts(t, SHELF, FACT_WHERE | FACT_ORDER_BY | flags, "books", "genre");
    uint64_t value = traffic_int(7);
    traffic_exchange(t, SHELF, &value, 1, reply);
    return traffic_finding(traffic_result(t), "unbounded_result");
}

struct row {
    uint64_t rows;
    uint64_t bytes;
    int severity; /* -1: none */
};

static void test_rows_and_bytes_make_the_severity(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {499, 0, -1},
        {500, 0, SEVERITY_LOW},
        {2000, 0, SEVERITY_MEDIUM},
        {10000, 0, SEVERITY_HIGH},
        {100000, 0, SEVERITY_CRITICAL},
        {200, 2 * 1024 * 1024, SEVERITY_MEDIUM},
        {200, 20 * 1024 * 1024, SEVERITY_HIGH},
        {1, 20 * 1024 * 1024, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct traffic *t = traffic_new();
        const struct finding *f =
            judge(t, 0, (struct reply){.rows = rows[i].rows, .bytes = rows[i].bytes});
        assert_int_equal(f != NULL ? (int)f->severity : -1, rows[i].severity);
        traffic_free(t);
    }
}

static void test_finding_tells_rows_and_pages(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_columns(t, SHELF, "id title", WIRE_OID_INT8);
    const struct finding *f = judge(t, 0, (struct reply){.rows = 2500});
    assert_non_null(f);
    assert_int_equal(f->occurrences.p95, 2500);
    assert_non_null(strstr(f->issue, "No LIMIT on books"));
    assert_non_null(strstr(f->sqlalchemy, "order_by(Book.id).limit(limit)"));
    assert_non_null(strstr(f->asyncpg, "SELECT id, title FROM books WHERE id > $1 ORDER BY id"));
    assert_non_null(f->expected_improvement);
    traffic_free(t);
}

static void test_bounded_results_are_nothing(void **state)
{
    (void)state;
    static const unsigned flags[] = {FACT_LIMIT, FACT_ONLY_AGGREGATES, FACT_ONLY_CATALOG,
                                     FACT_NO_FROM, FACT_MANY_KEYS};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct traffic *t = traffic_new();
        assert_null(judge(t, flags[i], (struct reply){.rows = 5000}));
        traffic_free(t);
    }
}

static void test_many_keys_with_very_many_rows_are_unbounded(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    assert_non_null(judge(t, FACT_MANY_KEYS, (struct reply){.rows = 20000}));
    traffic_free(t);
}

static void test_row_limit_of_the_protocol_is_a_limit(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    assert_null(judge(t, 0, (struct reply){.rows = 5000, .max_rows = 5000}));
    traffic_free(t);
    t = traffic_new();
    assert_null(judge(t, 0, (struct reply){.rows = 5000, .suspended = true}));
    traffic_free(t);
}

static void test_failed_statement_is_no_evidence(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    assert_null(judge(t, 0, (struct reply){.rows = 5000, .sqlstate = "57014"}));
    traffic_free(t);
}

static void test_without_facts_there_is_no_verdict(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_exchange(t, SHELF, NULL, 0, (struct reply){.rows = 5000});
    assert_int_equal(traffic_result(t)->n_findings, 0);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_bytes_make_the_severity),
        cmocka_unit_test(test_finding_tells_rows_and_pages),
        cmocka_unit_test(test_bounded_results_are_nothing),
        cmocka_unit_test(test_many_keys_with_very_many_rows_are_unbounded),
        cmocka_unit_test(test_row_limit_of_the_protocol_is_a_limit),
        cmocka_unit_test(test_failed_statement_is_no_evidence),
        cmocka_unit_test(test_without_facts_there_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
