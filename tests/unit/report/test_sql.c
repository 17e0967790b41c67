#include "report/sql.h"

#include "cmocka_all.h"

static void expect_block(const char *masked, const char *want)
{
    struct strbuf b;
    strbuf_init(&b, 64 * 1024);
    rpt_sql_block(&b, span_of_text(masked));
    assert_string_equal(strbuf_text(&b), want);
    strbuf_fini(&b);
}

static void test_rpt_sql_block_breaks_at_clauses(void **state)
{
    (void)state;
    expect_block("select a,b from t left outer join u on t.id=u.id where t.x=\x01 order by a",
                 "select a, b\nfrom t\nleft outer join u on t.id=u.id\nwhere t.x=?\norder by a\n");
    expect_block("update t set a=\x01 where b in(\x01\x02)",
                 "update t\nset a=?\nwhere b in(?, ...)\n");
}

static void test_rpt_sql_block_keeps_parentheses_and_quotes_together(void **state)
{
    (void)state;
    expect_block("select ( select x from y where z ) from \"a from b, c\"",
                 "select ( select x from y where z )\nfrom \"a from b, c\"\n");
    expect_block("select \"open", "select \"open\n");
    expect_block("", "\n");
    expect_block("select ) ) from t", "select ) )\nfrom t\n");
}

static void test_rpt_sql_block_wraps_long_lists(void **state)
{
    (void)state;
    struct strbuf in, out;
    strbuf_init(&in, 4096);
    strbuf_init(&out, 64 * 1024);
    strbuf_puts(&in, "select ");
    for (int i = 0; i < 60; i++)
        strbuf_printf(&in, "column_%d,", i);
    rpt_sql_block(&out, strbuf_span(&in));
    for (const char *line = strbuf_text(&out); *line != '\0';) {
        size_t len = strcspn(line, "\n");
        assert_true(len <= 100);
        line += len + 1;
    }
    strbuf_fini(&in);
    strbuf_fini(&out);
}

static void test_rpt_sql_line_too_long_is_cut_at_a_character(void **state)
{
    (void)state;
    struct strbuf in;
    strbuf_init(&in, 64 * 1024);
    strbuf_puts(&in, "\"");
    while (in.len < 8000)
        strbuf_puts(&in, "\xe2\x82\xac");
    json_t *line = rpt_sql_line(strbuf_span(&in));
    const char *text = json_string_value(line);
    assert_non_null(text);
    assert_null(strstr(text, "\xef\xbf\xbd"));
    assert_string_equal(text + strlen(text) - 6, "\xe2\x82\xac\xe2\x80\xa6");
    assert_true(strlen(text) <= RPT_SQL_MAX + 3);
    json_decref(line);
    strbuf_fini(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_sql_block_breaks_at_clauses),
        cmocka_unit_test(test_rpt_sql_block_keeps_parentheses_and_quotes_together),
        cmocka_unit_test(test_rpt_sql_block_wraps_long_lists),
        cmocka_unit_test(test_rpt_sql_line_too_long_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
