#include "report/text.h"

#include "cmocka_all.h"
#include "golden.h"
#include "report/error.h"
#include "report/screen.h"
#include "report/tree.h"
#include "report/utf8.h"
#include "sample_result.h"

enum { ROOM = 1024 * 1024 };

static struct sample sample;

static struct strbuf summary_of(const json_t *tree, unsigned width, bool color)
{
    struct strbuf b;
    strbuf_init(&b, ROOM);
    assert_int_equal(rpt_text_summary(tree, &b, (struct rpt_text_options){width, color}), RPT_OK);
    return b;
}

static void test_rpt_text_summary_matches_golden(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    struct strbuf wide = summary_of(tree, 0, false), narrow = summary_of(tree, 60, false);
    struct strbuf color = summary_of(tree, 100, true);
    golden_check("summary.txt", strbuf_span(&wide));
    golden_check("summary_60.txt", strbuf_span(&narrow));
    golden_check("summary_color.txt", strbuf_span(&color));
    strbuf_fini(&wide);
    strbuf_fini(&narrow);
    strbuf_fini(&color);
    json_decref(tree);
}

static void expect_lines_within(struct span text, unsigned width)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        assert_non_null(end);
        struct span line = span_head(text, (size_t)(end - text.data)), left = line;
        uint32_t code;
        assert_true(rpt_text_columns(line) <= width);
        while (rpt_utf8_next(&left, &code))
            assert_false(rpt_is_control(code));
        text = span_skip(text, line.len + 1);
    }
}

static void test_rpt_text_summary_no_line_passes_the_width(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    json_t *tree = rpt_tree(r), *one = rpt_tree_endpoint(r, &r->endpoints[1]);
    for (unsigned width = 1; width < 180; width++) {
        unsigned most = width < RPT_TEXT_MIN_WIDTH ? RPT_TEXT_MIN_WIDTH : width;
        struct strbuf b = summary_of(tree, width, false);
        expect_lines_within(strbuf_span(&b), most);
        strbuf_fini(&b);
        b = summary_of(one, width, false);
        expect_lines_within(strbuf_span(&b), most);
        strbuf_fini(&b);
    }
    json_decref(tree);
    json_decref(one);
}

static void test_rpt_text_summary_styles_end_on_their_line(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    struct strbuf b = summary_of(tree, 50, true);
    bool styled = false;
    for (const char *at = strbuf_text(&b); *at != '\0'; at++) {
        if (*at == '\n')
            assert_false(styled);
        if (*at == '\033')
            styled = strncmp(at, "\033[0m", 4) != 0;
    }
    assert_non_null(strstr(strbuf_text(&b), "\033[1;31mCRITICAL\033[0m"));
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_text_summary_many_findings_are_counted(void **state)
{
    (void)state;
    json_t *list = json_array();
    for (int i = 0; i < 14; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "issue", "x", "id", "PA001"));
    json_t *tree = json_pack("{s:{s:o}}", "issues", "high", list);
    struct strbuf b = summary_of(tree, 80, false);
    assert_non_null(strstr(strbuf_text(&b), "and 4 more in report.yaml"));
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_text_summary_empty_map_is_survived(void **state)
{
    (void)state;
    json_t *tree = json_object();
    struct strbuf b = summary_of(tree, 80, false);
    assert_non_null(strstr(strbuf_text(&b), "No findings."));
    assert_int_equal(rpt_text_summary(NULL, &b, (struct rpt_text_options){0}), RPT_E_EMIT);
    strbuf_fini(&b);
    strbuf_init(&b, 10);
    assert_int_equal(rpt_text_summary(tree, &b, (struct rpt_text_options){0}), RPT_E_NO_MEMORY);
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_screen_wide_text_is_cut_by_columns(void **state)
{
    (void)state;
    struct strbuf b;
    struct rpt_screen s;
    strbuf_init(&b, ROOM);
    rpt_screen_init(&s, &b, 6, false);
    rpt_screen_put(&s, RPT_STYLE_NONE, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2");
    rpt_screen_end(&s);
    rpt_screen_paragraph(&s, "one two three fourteen", 1, 9);
    rpt_screen_fini(&s);
    assert_string_equal(strbuf_text(&b), "\xe6\xbc\xa2\xe6\xbc\xa2\xe2\x80\xa6\n"
                                         " one\n two\n three\n fourt\n een\n");
    strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_text_summary_matches_golden),
        cmocka_unit_test(test_rpt_text_summary_no_line_passes_the_width),
        cmocka_unit_test(test_rpt_text_summary_styles_end_on_their_line),
        cmocka_unit_test(test_rpt_text_summary_many_findings_are_counted),
        cmocka_unit_test(test_rpt_text_summary_empty_map_is_survived),
        cmocka_unit_test(test_rpt_screen_wide_text_is_cut_by_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
