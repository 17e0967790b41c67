#include "report/format.h"

#include "cmocka_all.h"

static void read_as(const char *text, const char *format, const char *path)
{
    struct rpt_output output;
    if (format == NULL) {
        assert_false(rpt_output_read(span_of_text(text), &output));
        return;
    }
    assert_true(rpt_output_read(span_of_text(text), &output));
    assert_string_equal(output.format->name, format);
    assert_true(span_is(output.path, path));
}

static void test_endings(void **state)
{
    (void)state;
    read_as("report.yaml", "yaml", "report.yaml");
    read_as("out/report.yml", "yml", "out/report.yml");
    read_as("a.b.json", "json", "a.b.json");
    read_as("/x/summary.txt", "text", "/x/summary.txt");
    read_as("comment.md", "markdown", "comment.md");
    read_as("report.sarif", "sarif", "report.sarif");
    read_as("junit.xml", "junit", "junit.xml");
    read_as("report.html", "html", "report.html");
}

static void test_format_in_front(void **state)
{
    (void)state;
    read_as("json:-", "json", "-");
    read_as("yaml:report.txt", "yaml", "report.txt");
    read_as("github:-", "github", "-");
    read_as("-", "text", "-");
    read_as("C:report.json", "json", "C:report.json"); /* not a format: part of the name */
}

static void test_not_known(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",        "report", ".json",   "out/.json", "json:",
                                        "xls:r.x", "r.JSON", "json:a/", "a.json/",   "yaml"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        read_as(wrong[i], NULL, NULL);
}

static void test_names(void **state)
{
    (void)state;
    struct strbuf names;
    struct rpt_output output;
    strbuf_init(&names, 1024);
    rpt_format_names(&names);
    assert_non_null(strstr(strbuf_text(&names), "yaml, json, "));
    assert_null(strstr(strbuf_text(&names), "yml"));
    struct span rest = strbuf_span(&names);
    while (rest.len > 0) {
        char text[64];
        size_t n = span_find(rest, ", ");
        snprintf(text, sizeof(text), "%.*s:-", (int)n, (const char *)rest.data);
        assert_true(rpt_output_read(span_of_text(text), &output));
        rest = span_skip(rest, n + 2);
    }
    strbuf_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_format_in_front),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
