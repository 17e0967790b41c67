#include "report/markdown.h"

#include "rendered.h"

static void test_rpt_markdown_matches_golden(void **state)
{
    (void)state;
    rendered_is_golden(rpt_markdown, "report.md");
}

static void test_rpt_markdown_at_the_limits(void **state)
{
    (void)state;
    rendered_at_the_limits(rpt_markdown);
}

static void test_rpt_markdown_of_an_endpoint_has_no_table_of_endpoints(void **state)
{
    (void)state;
    static struct sample sample;
    const struct result *r = sample_result(&sample);
    json_t *tree = rpt_tree_endpoint(r, &r->endpoints[0]);
    struct strbuf out = rendered(rpt_markdown, tree);
    assert_null(strstr(strbuf_text(&out), "| endpoint |"));
    assert_non_null(strstr(strbuf_text(&out), "<b>CRITICAL</b> PA001"));
    strbuf_fini(&out);
    json_decref(tree);
}

/* The worst that prose can be made of: every word becomes a code span. */
static void worst_case(const char *words)
{
    static char text[60000];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = words[i % strlen(words)];
    json_t *tree = tree_with("critical", 300, text);
    json_object_set_new(tree, "estimated_improvement", json_string(text));
    json_object_set_new(tree, "coverage",
                        json_pack("{s:i, s:[{s:s, s:i}]}", "opaque_sessions", 1, "opaque", "reason",
                                  text, "sessions", 1));
    struct strbuf out = rendered(rpt_markdown, tree);
    assert_true(out.len <= RPT_MARKDOWN_MAX);
    assert_true(out.len > RPT_MARKDOWN_MAX / 2);
    assert_non_null(strstr(strbuf_text(&out), " more in the report.\n"));
    assert_non_null(strstr(strbuf_text(&out), "\nWritten by pgsleuth "));
    strbuf_fini(&out);
    json_decref(tree);
}

static void test_rpt_markdown_never_passes_the_limit_of_a_comment(void **state)
{
    (void)state;
    worst_case("word ");
    worst_case("<");
    worst_case("& ");
    worst_case("`` ");
    worst_case("`a`");
    worst_case("a` ");
}

static void test_rpt_markdown_worst_endpoints_come_first(void **state)
{
    (void)state;
    json_t *rows = json_array();
    for (int i = 0; i < 12; i++)
        json_array_append_new(rows,
                              json_pack("{s:s++, s:{s:i}}", "name", "GET /", i < 11 ? "a" : "worst",
                                        "", "issues", "high", i == 11));
    json_t *tree = json_pack("{s:o}", "endpoints", rows);
    struct strbuf out = rendered(rpt_markdown, tree);
    assert_non_null(strstr(strbuf_text(&out), "---:|\n| `GET /worst` |"));
    assert_non_null(strstr(strbuf_text(&out), "\nThe 10 worst of 12 endpoints.\n"));
    strbuf_fini(&out);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_markdown_matches_golden),
        cmocka_unit_test(test_rpt_markdown_at_the_limits),
        cmocka_unit_test(test_rpt_markdown_of_an_endpoint_has_no_table_of_endpoints),
        cmocka_unit_test(test_rpt_markdown_never_passes_the_limit_of_a_comment),
        cmocka_unit_test(test_rpt_markdown_worst_endpoints_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
