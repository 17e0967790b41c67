#include "report/compare.h"

#include "cmocka_all.h"

#include "check_reports.h"

#define A "000000000000000a"
#define B "000000000000000b"
#define C "000000000000000c"
#define D "000000000000000d"
#define E "000000000000000e"

static const char base[] = HEAD(50) "endpoints:\n" ROW("GET /a", 40, 36) ROW("GET /b", 4, 3)
    ROW("GET /gone", 4, 3) "issues:\n  critical:\n" ISSUE(A, "n_plus_one", "GET /a", 36) ISSUE(
        B, "chatty", "GET /gone", 9) "  high: []\n  medium:\n" ISSUE(C, "write_loop", "GET /b", 8)
        ISSUE(D, "same", "GET /b", 8);
static const char head[] =
    HEAD(50) "endpoints:\n" ROW("GET /a", 10, 2) ROW("GET /b", 4, 3) "issues:\n  high:\n" ISSUE(
        C, "write_loop", "GET /b",
        8) "  medium:\n" ISSUE(D, "same", "GET /b", 9) "  low:\n" ISSUE(E, "fresh", "GET /b", 2);

static json_t *diff_of(const char *before, const char *after)
{
    json_t *one = read_yaml(before);
    json_t *two = read_yaml(after);
    json_t *diff = rpt_diff(one, two);
    json_decref(one);
    json_decref(two);
    assert_non_null(diff);
    return diff;
}

static const json_t *only(const json_t *diff, enum rpt_diff_list list, const char *fingerprint)
{
    const json_t *items = rpt_diff_list(diff, list);
    assert_int_equal(json_array_size(items), 1);
    const json_t *one = json_array_get(items, 0);
    assert_string_equal(json_string_value(json_object_get(one, "fingerprint")), fingerprint);
    return one;
}

static double number(const json_t *one, const char *key, const char *inner)
{
    return json_number_value(json_object_get(json_object_get(one, key), inner));
}

static void test_diff_sorts_findings_by_what_became_of_them(void **state)
{
    (void)state;
    json_t *diff = diff_of(base, head);
    only(diff, RPT_DIFF_NEW, E);
    only(diff, RPT_DIFF_WORSE, C);
    only(diff, RPT_DIFF_FIXED, A);
    only(diff, RPT_DIFF_NOT_SEEN, B);
    assert_int_equal(json_array_size(rpt_diff_list(diff, RPT_DIFF_BETTER)), 0);
    assert_int_equal(json_integer_value(json_object_get(diff, "unchanged")), 1);
    json_decref(diff);
    diff = diff_of(head, base);
    only(diff, RPT_DIFF_BETTER, C);
    json_decref(diff);
}

static void test_fixed_finding_has_what_was_promised_and_what_was_measured(void **state)
{
    (void)state;
    json_t *diff = diff_of(base, head);
    const json_t *fixed = only(diff, RPT_DIFF_FIXED, A);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(fixed, "promised"), "kind")), "modelled");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(fixed, "measured"), "kind")), "measured");
    assert_true(number(fixed, "promised", "after_ms") == 8);
    assert_true(number(fixed, "measured", "before_ms") == 40);
    assert_true(number(fixed, "measured", "after_ms") == 10);
    assert_true(number(fixed, "measured", "speedup") == 4);
    assert_true(number(fixed, "measured", "queries_before") == 36);
    assert_true(number(fixed, "measured", "queries_after") == 2);
    json_decref(diff);
}

static void test_count_that_grew_is_worse_and_noise_is_not(void **state)
{
    (void)state;
    static const char nine[] = HEAD(5) "issues:\n  low:\n" ISSUE(A, "r", "e", 9);
    static const char eleven[] = HEAD(5) "issues:\n  low:\n" ISSUE(A, "r", "e", 11);
    static const char twelve[] = HEAD(5) "issues:\n  low:\n" ISSUE(A, "r", "e", 12);
    json_t *diff = diff_of(nine, eleven);
    assert_int_equal(json_integer_value(json_object_get(diff, "unchanged")), 1);
    json_decref(diff);
    diff = diff_of(nine, twelve);
    only(diff, RPT_DIFF_WORSE, A);
    json_decref(diff);
}

static void test_finding_by_plans_is_not_fixed_where_no_plan_was_asked_for(void **state)
{
    (void)state;
    static const char found[] =
        HEAD(5) "endpoints:\n" ROW("e", 1, 1) "issues:\n  low:\n  - {issue: i,"
                                              " fingerprint: \"" A
                                              "\", endpoint: e, confidence_basis: plan}\n";
    static const char off[] = "schema_version: \"1.0\"\nrun: {statements: 3, sources: {explain: "
                              "\"off\"}}\nendpoints:\n" ROW("e", 1, 1) "issues: {}\n";
    json_t *diff = diff_of(found, off);
    only(diff, RPT_DIFF_NOT_SEEN, A);
    json_decref(diff);
}

static void test_failures_are_new_or_worse_and_not_known(void **state)
{
    (void)state;
    static const char day[] = "2026-01-01";
    json_t *diff = diff_of(base, head);
    json_t *known = read_yaml("version: 1\nfindings:\n- {fingerprint: \"" C "\"}\n");
    assert_int_equal(rpt_diff_failures(diff, NULL, day, RPT_FAIL_ON_STATUS), 2);
    assert_int_equal(rpt_diff_failures(diff, known, day, RPT_FAIL_ON_STATUS), 1);
    assert_int_equal(rpt_diff_failures(diff, NULL, day, RPT_FAIL_ON_HIGH), 1);
    assert_int_equal(rpt_diff_failures(diff, NULL, day, RPT_FAIL_ON_NEVER), 0);
    json_decref(known);
    json_decref(diff);
}

static void test_text_shows_promised_beside_measured(void **state)
{
    (void)state;
    struct strbuf text;
    json_t *diff = diff_of(base, head);
    strbuf_init(&text, 65536);
    assert_int_equal(rpt_diff_text(diff, &text, (struct rpt_text_options){0}), 0);
    assert_non_null(
        strstr(strbuf_text(&text),
               "Fixed (1)\n"
               "critical  n_plus_one in GET /a\n"
               "          promised  40.00 -> 8.00 ms (5.0x, modelled), 36 -> 2 statements\n"
               "          measured  40.00 -> 10.00 ms (4.0x, measured), 36 -> 2 statements\n"));
    assert_non_null(strstr(strbuf_text(&text), "was medium\n"));
    assert_non_null(
        strstr(strbuf_text(&text), "1 new, 1 worse, 0 better, 1 fixed, 1 not_seen, 1 unchanged\n"));
    strbuf_fini(&text);
    json_decref(diff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff_sorts_findings_by_what_became_of_them),
        cmocka_unit_test(test_fixed_finding_has_what_was_promised_and_what_was_measured),
        cmocka_unit_test(test_count_that_grew_is_worse_and_noise_is_not),
        cmocka_unit_test(test_finding_by_plans_is_not_fixed_where_no_plan_was_asked_for),
        cmocka_unit_test(test_failures_are_new_or_worse_and_not_known),
        cmocka_unit_test(test_text_shows_promised_beside_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
