#include "report/assertions.h"

#include "cmocka_all.h"

#include "check_reports.h"

#define A "000000000000000a"
#define B "000000000000000b"
#define C "000000000000000c"

#define ROWS "endpoints:\n" ROW("GET /a", 40, 9) ROW("GET /b,c", 4, 3)

static const char one_each[] =
    HEAD(50) ROWS "issues:\n  critical:\n" ISSUE(A, "n_plus_one", "GET /a", 9) "  high:\n" ISSUE(
        B, "write_loop", "GET /a", 4) "  medium: []\n  low:\n" ISSUE(C, "chatty", "GET /b,c", 2);

struct expected {
    enum rpt_verdict verdict;
    size_t failures;
    size_t unjudged;
};

static void assert_checked_on(const char *yaml, const char *baseline, const char *today,
                              struct rpt_criteria criteria, struct expected e)
{
    json_t *report = read_yaml(yaml);
    json_t *known = baseline != NULL ? read_yaml(baseline) : NULL;
    json_t *checked = rpt_check(report, known, today, &criteria);
    assert_non_null(checked);
    assert_int_equal(rpt_check_verdict(checked), e.verdict);
    assert_int_equal(json_array_size(json_object_get(checked, "failures")), e.failures);
    assert_int_equal(json_array_size(json_object_get(checked, "unjudged")), e.unjudged);
    json_decref(checked);
    json_decref(known);
    json_decref(report);
}

static void assert_checked(const char *yaml, struct rpt_criteria criteria, enum rpt_verdict verdict,
                           size_t failures)
{
    assert_checked_on(yaml, NULL, "2026-01-01", criteria,
                      (struct expected){.verdict = verdict, .failures = failures});
}

static void test_severity_decides_which_findings_count(void **state)
{
    (void)state;
    static const size_t counted[] = {
        [RPT_FAIL_ON_STATUS] = 1, [RPT_FAIL_ON_CRITICAL] = 1, [RPT_FAIL_ON_HIGH] = 2,
        [RPT_FAIL_ON_MEDIUM] = 2, [RPT_FAIL_ON_LOW] = 3,      [RPT_FAIL_ON_NEVER] = 0};
    for (int f = RPT_FAIL_ON_STATUS; f <= RPT_FAIL_ON_NEVER; f++)
        assert_checked(one_each, (struct rpt_criteria){.fail_on = (enum rpt_fail_on)f},
                       counted[f] > 0 ? RPT_VERDICT_FINDINGS : RPT_VERDICT_OK, counted[f]);
}

static void test_status_counts_three_high_ones_or_one_without_a_plan(void **state)
{
    (void)state;
    static const struct rpt_criteria status = {.fail_on = RPT_FAIL_ON_STATUS};
    assert_checked(HEAD(5) "issues:\n  high:\n" ISSUE(A, "r", "e", 1) ISSUE(B, "r", "e", 1), status,
                   RPT_VERDICT_OK, 0);
    assert_checked(HEAD(5) "issues:\n  high:\n" ISSUE(A, "r", "e", 1) ISSUE(B, "r", "e", 1)
                       ISSUE(C, "r", "e", 1),
                   status, RPT_VERDICT_FINDINGS, 3);
    assert_checked(HEAD(5) "issues:\n  high:\n  - {issue: i, fingerprint: \"" A
                           "\", optimized_code: x, confidence: 0.6}\n",
                   status, RPT_VERDICT_FINDINGS, 1);
}

static void test_rules_and_endpoints_narrow_and_widen(void **state)
{
    (void)state;
    assert_checked(one_each, (struct rpt_criteria){.fail_on = RPT_FAIL_ON_NEVER, .rules = "cha*"},
                   RPT_VERDICT_FINDINGS, 1);
    assert_checked(one_each,
                   (struct rpt_criteria){.fail_on = RPT_FAIL_ON_LOW, .endpoints = "GET /b*"},
                   RPT_VERDICT_FINDINGS, 1);
    assert_checked_on(one_each, NULL, "2026-01-01",
                      (struct rpt_criteria){.fail_on = RPT_FAIL_ON_LOW, .endpoints = "GET /z"},
                      (struct expected){.verdict = RPT_VERDICT_TOO_LITTLE, .unjudged = 1});
}

static void test_budgets_hold_for_the_worst_request(void **state)
{
    (void)state;
    static const struct {
        const char *budgets;
        enum rpt_verdict verdict;
        size_t failures;
        size_t unjudged;
    } cases[] = {
        {"GET /a=9", RPT_VERDICT_OK, 0, 0},
        {"GET /a=8", RPT_VERDICT_FINDINGS, 1, 0},
        {"*=2", RPT_VERDICT_FINDINGS, 2, 0},
        {"*=100,GET /z=1", RPT_VERDICT_TOO_LITTLE, 0, 1},
        {"*=2,GET /z=1", RPT_VERDICT_FINDINGS, 2, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_checked_on(
            one_each, NULL, "2026-01-01",
            (struct rpt_criteria){.fail_on = RPT_FAIL_ON_NEVER, .budgets = cases[i].budgets},
            (struct expected){.verdict = cases[i].verdict,
                              .failures = cases[i].failures,
                              .unjudged = cases[i].unjudged});
    assert_true(rpt_budgets_are_good("GET /a?x=y=3,*=0"));
    static const char *const bad[] = {"5", "=5", "a=", "a=x", "a=-1", "a=9999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(rpt_budgets_are_good(bad[i]));
}

static void test_score_is_too_low_or_not_known(void **state)
{
    (void)state;
    struct rpt_criteria c = {.fail_on = RPT_FAIL_ON_NEVER, .min_score = 80};
    assert_checked(one_each, c, RPT_VERDICT_OK, 0);
    c.min_score = 81;
    assert_checked(one_each, c, RPT_VERDICT_FINDINGS, 1);
    assert_checked_on("schema_version: \"1.0\"\nscore: {value: null}\nrun: {statements: 1}\n"
                      "issues: {}\n",
                      NULL, "2026-01-01", c,
                      (struct expected){.verdict = RPT_VERDICT_TOO_LITTLE, .unjudged = 1});
}

static void test_known_findings_do_not_count_until_they_expire(void **state)
{
    (void)state;
    static const char known[] = "version: 1\nfindings:\n- {fingerprint: \"" A
                                "\", expires: 2027-01-31}\n- {fingerprint: \"" B "\"}\n";
    static const struct rpt_criteria low = {.fail_on = RPT_FAIL_ON_LOW};
    assert_checked_on(one_each, known, "2027-01-31", low,
                      (struct expected){.verdict = RPT_VERDICT_FINDINGS, .failures = 1});
    assert_checked_on(one_each, known, "2027-02-01", low,
                      (struct expected){.verdict = RPT_VERDICT_FINDINGS, .failures = 2});
}

static void test_nothing_seen_is_too_little_to_judge(void **state)
{
    (void)state;
    static const struct expected little = {.verdict = RPT_VERDICT_TOO_LITTLE, .unjudged = 1};
    assert_checked_on(HEAD(0) "issues: {}\n", NULL, "2026-01-01", (struct rpt_criteria){0}, little);
    assert_checked(HEAD(0) "issues: {}\n", (struct rpt_criteria){.fail_on = RPT_FAIL_ON_NEVER},
                   RPT_VERDICT_OK, 0);
}

static void test_text_names_severity_place_and_verdict(void **state)
{
    (void)state;
    struct rpt_criteria c = {.fail_on = RPT_FAIL_ON_CRITICAL, .budgets = "GET /z=1"};
    json_t *report = read_yaml(one_each);
    json_t *checked = rpt_check(report, NULL, "2026-01-01", &c);
    struct strbuf text;
    strbuf_init(&text, 65536);
    assert_int_equal(rpt_check_text(checked, &text, (struct rpt_text_options){0}), 0);
    assert_string_equal(strbuf_text(&text), "critical  n_plus_one in GET /a\n"
                                            "          a.py:3  n_plus_one 000000000000000a\n"
                                            "unknown   no request of GET /z was seen\n"
                                            "FAIL: 1 counted, 0 known, 2 not counted\n");
    strbuf_fini(&text);
    json_decref(checked);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_severity_decides_which_findings_count),
        cmocka_unit_test(test_status_counts_three_high_ones_or_one_without_a_plan),
        cmocka_unit_test(test_rules_and_endpoints_narrow_and_widen),
        cmocka_unit_test(test_budgets_hold_for_the_worst_request),
        cmocka_unit_test(test_score_is_too_low_or_not_known),
        cmocka_unit_test(test_known_findings_do_not_count_until_they_expire),
        cmocka_unit_test(test_nothing_seen_is_too_little_to_judge),
        cmocka_unit_test(test_text_names_severity_place_and_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
