#include "detectors/advisor/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* The files were written by EXPLAIN (VERBOSE, FORMAT JSON) of PostgreSQL 15. */
static char text[65536];

static void read_file(const char *name, struct advisor_plan *plan)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/plans/%s.json", PGSLEUTH_TEST_DATA, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof(text), f);
    fclose(f);
    assert_int_equal(advisor_plan_read(span_of(text, len), plan), 0);
}

static void check_scan(const char *file, const char *table, const char *alias, double kept)
{
    struct advisor_plan plan;
    read_file(file, &plan);
    assert_true(plan.has_scan);
    assert_string_equal(plan.scan.schema, "shop");
    assert_string_equal(plan.scan.table, table);
    assert_string_equal(plan.scan.alias, alias);
    if (plan.scan.kept_rows < kept - 0.5 || plan.scan.kept_rows > kept + 0.5)
        fail_msg("%s keeps %f rows", file, plan.scan.kept_rows);
    assert_true(plan.scan.cost > 0 && plan.total_cost > 0);
    advisor_plan_fini(&plan);
}

static void test_plan_read_finds_the_filtering_scan(void **state)
{
    (void)state;
    check_scan("seq_scan", "users", "users", 1);
    check_scan("subplan", "orders", "orders", 15);
    check_scan("partitions", "part1", "part_1", 40);
}

static void test_plan_read_parallel_rows_are_of_all_workers(void **state)
{
    (void)state;
    check_scan("parallel", "orders", "o", 2 * 1.7);
    check_scan("join", "orders", "o", 296 * 1.7);
}

static void test_plan_read_other_plans_have_no_scan(void **state)
{
    (void)state;
    static const char *const files[] = {"index_scan", "catalog", "no_filter"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct advisor_plan plan;
        read_file(files[i], &plan);
        assert_false(plan.has_scan);
        assert_true(plan.total_cost > 0);
        advisor_plan_fini(&plan);
    }
}

static const char *sort_key(const struct advisor_plan *plan, size_t i)
{
    return json_string_value(json_array_get(plan->scan.sort_keys, i));
}

static void test_plan_read_sort_for_the_first_rows(void **state)
{
    (void)state;
    struct advisor_plan plan;
    read_file("sort_limit", &plan);
    assert_true(plan.has_scan);
    assert_string_equal(plan.scan.node, "Sort");
    assert_string_equal(plan.scan.filter, "(o.user_id = 5)");
    assert_int_equal(json_array_size(plan.scan.sort_keys), 2);
    assert_string_equal(sort_key(&plan, 0), "o.placed DESC");
    assert_int_equal((int)plan.scan.kept_rows, 5);
    assert_true(plan.scan.cost >= plan.total_cost - 1);
    advisor_plan_fini(&plan);
    read_file("sort_parallel", &plan);
    assert_string_equal(plan.scan.node, "Sort");
    assert_string_equal(plan.scan.filter, "");
    assert_string_equal(sort_key(&plan, 0), "o.placed");
    advisor_plan_fini(&plan);
    read_file("sort_of_index", &plan);
    assert_string_equal(plan.scan.node, "Sort");
    assert_string_equal(plan.scan.condition, "(o.status = 5)");
    advisor_plan_fini(&plan);
}

static void test_plan_read_sort_of_all_rows_or_of_a_join_is_none(void **state)
{
    (void)state;
    static const char *const files[] = {"sort_all", "sort_above_join"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct advisor_plan plan;
        read_file(files[i], &plan);
        assert_false(plan.has_scan);
        advisor_plan_fini(&plan);
    }
}

static void test_plan_read_sort_of_few_rows_is_left_to_the_scan(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"Plan\": {\"Node Type\": \"Limit\", \"Plan Rows\": 20, \"Total Cost\": 9, \"Plans\": ["
        "{\"Node Type\": \"Sort\", \"Sort Key\": [\"t.a\"], \"Total Cost\": 8, \"Plans\": ["
        "{\"Node Type\": \"%s\", \"Relation Name\": \"t\", \"Schema\": \"s\", \"Alias\": \"t\", "
        "\"Plan Rows\": %d, \"Total Cost\": 7, \"Filter\": \"(t.b = 1)\"}]}]}}]";
    static const struct {
        const char *node;
        int rows;
        const char *want; /* NULL: nothing */
    } cases[] = {
        {"Seq Scan", 20, "Seq Scan"},   {"Seq Scan", 21, "Sort"},
        {"Index Scan", 999, NULL},      {"Index Scan", 1000, "Sort"},
        {"Bitmap Heap Scan", 21, NULL}, {"Bitmap Heap Scan", 5000, "Sort"},
        {"CTE Scan", 5000, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct advisor_plan plan;
        int len = snprintf(text, sizeof(text), json, cases[i].node, cases[i].rows);
        assert_int_equal(advisor_plan_read(span_of(text, (size_t)len), &plan), 0);
        assert_int_equal(plan.has_scan, cases[i].want != NULL);
        if (plan.has_scan)
            assert_string_equal(plan.scan.node, cases[i].want);
        advisor_plan_fini(&plan);
    }
}

static void test_plan_read_tells_what_a_delete_deletes_from(void **state)
{
    (void)state;
    struct advisor_plan plan;
    read_file("delete", &plan);
    assert_string_equal(plan.deleted.schema, "shop");
    assert_string_equal(plan.deleted.table, "orders");
    advisor_plan_fini(&plan);
    read_file("seq_scan", &plan);
    assert_string_equal(plan.deleted.table, "");
    advisor_plan_fini(&plan);
}

static void test_plan_index_node_and_whole_reads(void **state)
{
    (void)state;
    struct advisor_plan plan;
    read_file("sort_of_index", &plan);
    assert_string_equal(advisor_plan_index_node(&plan, "orders_st"), "Bitmap Heap Scan");
    assert_null(advisor_plan_index_node(&plan, "<12>"));
    assert_false(advisor_plan_reads_whole(&plan, "orders", "o"));
    advisor_plan_fini(&plan);
    read_file("sort_limit", &plan);
    assert_true(advisor_plan_reads_whole(&plan, "orders", "o"));
    assert_false(advisor_plan_reads_whole(&plan, "orders", "p"));
    advisor_plan_fini(&plan);
}

static void test_plan_read_garbage_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[", "[]", "{}", "[1]", "[{\"Plan\": 3}]", "null"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct advisor_plan plan;
        assert_int_equal(advisor_plan_read(span_of_text(texts[i]), &plan), -1);
        advisor_plan_fini(&plan);
    }
}

static void test_plan_read_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct advisor_plan plan;
    read_file("join", &plan);
    advisor_plan_fini(&plan);
    for (size_t len = 0; len + 2 < strlen(text); len++) {
        assert_int_equal(advisor_plan_read(span_of(text, len), &plan), -1);
        advisor_plan_fini(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_read_finds_the_filtering_scan),
        cmocka_unit_test(test_plan_read_parallel_rows_are_of_all_workers),
        cmocka_unit_test(test_plan_read_other_plans_have_no_scan),
        cmocka_unit_test(test_plan_read_sort_for_the_first_rows),
        cmocka_unit_test(test_plan_read_sort_of_all_rows_or_of_a_join_is_none),
        cmocka_unit_test(test_plan_read_sort_of_few_rows_is_left_to_the_scan),
        cmocka_unit_test(test_plan_read_tells_what_a_delete_deletes_from),
        cmocka_unit_test(test_plan_index_node_and_whole_reads),
        cmocka_unit_test(test_plan_read_garbage_is_refused),
        cmocka_unit_test(test_plan_read_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
