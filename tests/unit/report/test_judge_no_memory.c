#include "report/baseline.h"
#include "report/compare.h"

#include "cmocka_all.h"

#include "check_reports.h"
#include "failing_memory.h"

#include <stdlib.h>

#define A "000000000000000a"
#define B "000000000000000b"

static const char before[] =
    HEAD(50) "endpoints:\n" ROW("GET /a", 40, 36) "issues:\n  critical:\n" ISSUE(
        A, "n_plus_one", "GET /a", 36) "  low:\n" ISSUE(B, "chatty", "GET /b", 2);
static const char after[] =
    HEAD(0) "endpoints:\n" ROW("GET /a", 4, 2) "issues:\n  high:\n" ISSUE(B, "chatty", "GET /b", 9);

typedef json_t *make_tree(const json_t *one, const json_t *other);

static json_t *make_check(const json_t *one, const json_t *other)
{
    const struct rpt_criteria criteria = {.fail_on = RPT_FAIL_ON_LOW,
                                          .budgets = "*=1,GET /z=1",
                                          .endpoints = "*,GET /y",
                                          .min_score = 90};
    (void)one;
    return rpt_check(other, NULL, "2026-01-01", &criteria);
}

static json_t *make_diff(const json_t *one, const json_t *other)
{
    return rpt_diff(one, other);
}

static json_t *make_baseline(const json_t *one, const json_t *other)
{
    const struct rpt_acknowledgement by = {.reason = "r", .owner = "o", .expires = ""};
    (void)other;
    return rpt_baseline_of(one, NULL, &by);
}

static void check(make_tree *make, const json_t *one, const json_t *other)
{
    json_t *whole = make(one, other);
    assert_non_null(whole);
    unsigned long absent = 0;
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        memory_fail_at(n);
        json_t *tree = make(one, other);
        failed = memory_well();
        absent += tree == NULL;
        assert_true(tree != NULL || failed);
        if (tree != NULL)
            assert_true(json_equal(tree, whole));
        json_decref(tree);
    }
    assert_true(absent > 10);
    json_decref(whole);
}

static void test_verdicts_without_memory_are_whole_or_absent(void **state)
{
    (void)state;
    static make_tree *const makers[] = {make_check, make_diff, make_baseline};
    json_t *one = read_yaml(before);
    json_t *other = read_yaml(after);
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        check(makers[i], one, other);
    json_decref(one);
    json_decref(other);
}

static void test_yaml_without_memory_is_whole_or_refused(void **state)
{
    (void)state;
    json_t *whole = read_yaml(before);
    unsigned long refused = 0;
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        struct rpt_yaml_error error;
        memory_fail_at(n);
        json_t *tree = rpt_yaml_read(span_of_text(before), &error);
        failed = memory_well();
        refused += tree == NULL;
        assert_int_equal(tree == NULL, error.text[0] != '\0');
        if (tree != NULL)
            assert_true(json_equal(tree, whole));
        json_decref(tree);
    }
    assert_true(refused > 10);
    json_decref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_without_memory_are_whole_or_absent),
        cmocka_unit_test(test_yaml_without_memory_is_whole_or_refused),
    };
    json_set_alloc_funcs(malloc, free); /* ours, and so the failing ones */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
