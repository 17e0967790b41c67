#include "report/baseline.h"

#include "cmocka_all.h"

#include "check_reports.h"

#define A "0123456789abcdef"
#define B "fedcba9876543210"

static void test_find_tells_new_known_and_expired(void **state)
{
    (void)state;
    json_t *baseline = read_yaml("version: 1\nfindings:\n- {fingerprint: \"" A
                                 "\", expires: 2027-01-31}\n- {fingerprint: \"" B
                                 "\", expires: null, reason: r}\n");
    char error[200];
    assert_true(rpt_baseline_is_good(baseline, error, sizeof(error)));
    assert_int_equal(rpt_baseline_find(baseline, A, "2027-01-31"), RPT_KNOWN);
    assert_int_equal(rpt_baseline_find(baseline, A, "2027-02-01"), RPT_EXPIRED);
    assert_int_equal(rpt_baseline_find(baseline, B, "9999-12-31"), RPT_KNOWN);
    assert_int_equal(rpt_baseline_find(baseline, "0000000000000000", "2026-01-01"), RPT_NEW);
    assert_int_equal(rpt_baseline_find(NULL, A, "2026-01-01"), RPT_NEW);
    json_decref(baseline);
}

static void assert_bad(const char *yaml, const char *message)
{
    char error[200] = "";
    json_t *tree = read_yaml(yaml);
    assert_false(rpt_baseline_is_good(tree, error, sizeof(error)));
    assert_string_equal(error, message);
    json_decref(tree);
}

static void test_bad_files_are_told_by_their_entry(void **state)
{
    (void)state;
    assert_bad("[]", "it does not say version: 1");
    assert_bad("version: 2", "it does not say version: 1");
    assert_bad("version: 1\nfindings: x", "there is no list of findings");
    assert_bad("version: 1\nfindings: [x]", "finding 1: it is no mapping");
    assert_bad("version: 1\nfindings: [{fingerprint: \"" A "\"}, {expire: x}]",
               "finding 2: a key is none of fingerprint, rule, endpoint, issue, reason, owner, "
               "expires");
    assert_bad("version: 1\nfindings: [{fingerprint: 1234567890123456}]",
               "finding 1: a value is no text; write it in quotes");
    assert_bad("version: 1\nfindings: [{fingerprint: abc}]",
               "finding 1: fingerprint is 16 hexadecimal digits in quotes");
    assert_bad("version: 1\nfindings: [{fingerprint: \"" A "\", expires: 2027-13-01}]",
               "finding 1: expires is a day such as 2027-01-31");
}

static void test_day_is_one_of_the_calendar(void **state)
{
    (void)state;
    assert_true(rpt_is_day("2027-01-31"));
    assert_true(rpt_is_day("2028-02-29"));
    static const char *const none[] = {"",           "2027-1-31",  "2027-00-10", "2027-04-31",
                                       "2027-01-32", "2027/01/31", "20270-1-31", "2027-01-3-"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(rpt_is_day(none[i]));
}

static void test_written_baseline_keeps_what_was_said_and_drops_what_is_gone(void **state)
{
    (void)state;
    json_t *report = read_yaml(HEAD(5) "issues:\n  critical:\n" ISSUE(
        A, "n_plus_one", "GET /a", 9) "  low:\n" ISSUE("00000000000000aa", "chatty", "GET /b", 2));
    json_t *old = read_yaml("version: 1\nfindings:\n- {fingerprint: \"" A
                            "\", reason: ours, owner: me, expires: \"2027-01-31\"}\n"
                            "- {fingerprint: \"" B "\", reason: gone}\n");
    const struct rpt_acknowledgement by = {.reason = "later", .owner = "", .expires = ""};
    json_t *written = rpt_baseline_of(report, old, &by);
    char error[200];
    assert_true(rpt_baseline_is_good(written, error, sizeof(error)));
    const json_t *list = json_object_get(written, "findings");
    assert_int_equal(json_array_size(list), 2);
    const json_t *first = json_array_get(list, 0);
    const json_t *second = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(first, "reason")), "ours");
    assert_string_equal(json_string_value(json_object_get(first, "expires")), "2027-01-31");
    assert_string_equal(json_string_value(json_object_get(second, "reason")), "later");
    assert_string_equal(json_string_value(json_object_get(second, "endpoint")), "GET /b");
    assert_true(json_is_null(json_object_get(second, "expires")));
    json_decref(written);
    json_decref(old);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_tells_new_known_and_expired),
        cmocka_unit_test(test_bad_files_are_told_by_their_entry),
        cmocka_unit_test(test_day_is_one_of_the_calendar),
        cmocka_unit_test(test_written_baseline_keeps_what_was_said_and_drops_what_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
