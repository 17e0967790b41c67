#include "report/annotations.h"

#include "rendered.h"

static void test_rpt_annotations_match_golden(void **state)
{
    (void)state;
    rendered_is_golden(rpt_annotations, "annotations.txt");
}

static void test_rpt_annotations_at_the_limits(void **state)
{
    (void)state;
    rendered_at_the_limits(rpt_annotations);
}

static void one_is(const json_t *issue, const char *want)
{
    json_t *tree = json_pack("{s:{s:[O]}}", "issues", "medium", issue);
    struct strbuf out = rendered(rpt_annotations, tree);
    assert_string_equal(strbuf_text(&out), want);
    strbuf_fini(&out);
    json_decref(tree);
}

static void test_rpt_annotations_place_and_escapes(void **state)
{
    (void)state;
    json_t *issue = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "issue", "100 %\n::error::x:,y",
                              "id", "PA002", "rule", "a:b,c%", "file", "a,b.py", "line", 7,
                              "impact", "\x1b[1m::stop-commands::x");
    one_is(issue, "::warning file=a%2Cb.py,line=7,title=PA002 a%3Ab%2Cc%25::100 %25%0A::error::x:,y"
                  "%0A [1m::stop-commands::x\n");
    json_object_set_new(issue, "file", json_string("/etc/passwd"));
    one_is(issue, "::warning title=PA002 a%3Ab%2Cc%25::100 %25%0A::error::x:,y"
                  "%0A [1m::stop-commands::x\n");
    json_decref(issue);
}

static size_t lines_that_begin(struct span text, const char *start)
{
    size_t n = 0;
    while (text.len > 0) {
        n += span_starts(text, start);
        text = span_skip(text, span_find_byte(text, '\n') + 1);
    }
    return n;
}

static void test_rpt_annotations_past_the_cap_are_counted(void **state)
{
    (void)state;
    json_t *tree = tree_with("critical", 8, "x");
    json_t *issues = json_object_get(tree, "issues");
    json_t *others = tree_with("high", 5, "y"), *low = tree_with("low", 11, "z");
    json_object_update(issues, json_object_get(others, "issues"));
    json_object_update(issues, json_object_get(low, "issues"));
    struct strbuf out = rendered(rpt_annotations, tree);
    assert_int_equal(lines_that_begin(strbuf_span(&out), "::error "), RPT_ANNOTATIONS_OF_A_LEVEL);
    assert_int_equal(lines_that_begin(strbuf_span(&out), "::notice "), RPT_ANNOTATIONS_OF_A_LEVEL);
    assert_non_null(
        strstr(strbuf_text(&out), "\npgsleuth: not annotated: 3 more errors, 1 more notice\n"));
    strbuf_fini(&out);
    json_decref(others);
    json_decref(low);
    json_decref(tree);
}

static void test_rpt_annotations_long_text_is_cut(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'x', sizeof text - 1);
    json_t *tree = tree_with("high", 1, text);
    struct strbuf out = rendered(rpt_annotations, tree);
    assert_true(out.len < 5000);
    assert_non_null(strstr(strbuf_text(&out), "x\xe2\x80\xa6\n"));
    strbuf_fini(&out);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_annotations_match_golden),
        cmocka_unit_test(test_rpt_annotations_at_the_limits),
        cmocka_unit_test(test_rpt_annotations_place_and_escapes),
        cmocka_unit_test(test_rpt_annotations_past_the_cap_are_counted),
        cmocka_unit_test(test_rpt_annotations_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
