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
        cmocka_unit_test(test_plan_read_garbage_is_refused),
        cmocka_unit_test(test_plan_read_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
