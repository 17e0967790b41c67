#include "report/markdown_text.h"

#include "cmocka_all.h"

enum { ROOM = 4096, MOST = 1000 };

static void prose_is(const char *text, enum rpt_markdown where, const char *want)
{
    struct strbuf b;
    strbuf_init(&b, ROOM);
    rpt_markdown_prose(&b, text, where, MOST);
    assert_string_equal(strbuf_text(&b), want);
    strbuf_fini(&b);
}

static void line_is(const char *text, const char *want)
{
    prose_is(text, RPT_MARKDOWN_LINE, want);
}

static void test_rpt_markdown_prose_words_stay_words(void **state)
{
    (void)state;
    line_is("N+1 query: 101 statements (p95; at most 3.5), 100 %.",
            "N+1 query: 101 statements (p95; at most 3.5), 100 %.");
    line_is("the client's round-trips, 1,000 of them...",
            "the client's round-trips, 1,000 of them...");
    line_is("gr\xc3\xb6\xc3\x9f"
            "er \xe2\x80\xa6",
            "gr\xc3\xb6\xc3\x9f"
            "er \xe2\x80\xa6");
}

static void test_rpt_markdown_prose_all_else_is_code(void **state)
{
    (void)state;
    line_is("GET /a/{id}: 3", "GET `/a/{id}`: 3");
    line_is("by @user, in #12 or GH-12", "by `@user`, in `#12` or `GH-12`");
    line_is("www.x.example http://x", "`www.x.example` `http://x`");
    line_is("[a](b) ![a](b) <b> &amp; \\* **x** _y_ ~z~ :smile: a|b $x$",
            "`[a](b)` `![a](b)` `<b>` `&amp`; `\\*` `**x**` `_y_` `~z~` `:smile`: `a|b` `$x$`");
    line_is("commit 0123abc and 012345", "commit `0123abc` and 012345");
    line_is("count(*) (a.b)", "`count(*)` (`a.b`)");
    line_is("- 1. # >", "`-` 1. `#` `>`");
}

static void test_rpt_markdown_prose_backticks_stay_code(void **state)
{
    (void)state;
    line_is("`select a from b` runs", "`select a from b` runs");
    line_is("`a``b` c", "`a` `b` c");
    line_is("`alone", "`` `alone ``");
    line_is("a`b x```y", "``a`b`` ````x```y````");
    line_is("``", "``` `` ```");
    line_is("` `x", "x");
}

static void test_rpt_markdown_prose_is_one_line_without_control_bytes(void **state)
{
    (void)state;
    line_is("  a\n\n# b\tc\r\n", "a `#` b c");
    line_is("a\x1b[31m \xff", "`a\xef\xbf\xbd[31m` \xef\xbf\xbd");
    line_is("", "");
    line_is(" \n ", "");
}

static void test_rpt_markdown_cells_keep_their_pipes(void **state)
{
    (void)state;
    prose_is("a|b", RPT_MARKDOWN_CELL, "`a\\|b`");
    prose_is("a\\|b", RPT_MARKDOWN_CELL, "`a\\\\|b`");
}

static void test_rpt_markdown_html_is_escaped(void **state)
{
    (void)state;
    prose_is("a <b> & \"c\" 'd' `x<y`", RPT_MARKDOWN_HTML,
             "a <code>&#60;b&#62;</code> <code>&#38;</code> <code>&#34;c&#34;</code> "
             "<code>&#39;d&#39;</code> <code>x&#60;y</code>");
}

static void test_rpt_markdown_long_text_is_cut_between_code_points(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, ROOM);
    rpt_markdown_prose(&b, "\xc3\xb6\xc3\xb6\xc3\xb6", RPT_MARKDOWN_LINE, 3);
    assert_string_equal(strbuf_text(&b), "\xc3\xb6\xc3\xb6\xe2\x80\xa6");
    strbuf_reset(&b);
    rpt_markdown_code(&b, "abcdef", RPT_MARKDOWN_LINE, 3);
    assert_string_equal(strbuf_text(&b), "`abc`\xe2\x80\xa6");
    strbuf_fini(&b);
}

static void block_is(const char *text, size_t lines, const char *want)
{
    struct strbuf b;
    strbuf_init(&b, ROOM);
    rpt_markdown_block(&b, "sql", text, MOST, lines);
    assert_string_equal(strbuf_text(&b), want);
    strbuf_fini(&b);
}

static void test_rpt_markdown_block_fence_is_longer_than_what_it_holds(void **state)
{
    (void)state;
    block_is("a\nb\n", 9, "```sql\na\nb\n```\n");
    block_is("a", 9, "```sql\na\n```\n");
    block_is("```\nb", 9, "````sql\n```\nb\n````\n");
    block_is("x `````\n", 9, "``````sql\nx `````\n``````\n");
    block_is("a\nb\nc\n", 2, "```sql\na\nb\n\xe2\x80\xa6\n```\n");
    block_is("a\nb\n", 2, "```sql\na\nb\n```\n");
    block_is("", 9, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_markdown_prose_words_stay_words),
        cmocka_unit_test(test_rpt_markdown_prose_all_else_is_code),
        cmocka_unit_test(test_rpt_markdown_prose_backticks_stay_code),
        cmocka_unit_test(test_rpt_markdown_prose_is_one_line_without_control_bytes),
        cmocka_unit_test(test_rpt_markdown_cells_keep_their_pipes),
        cmocka_unit_test(test_rpt_markdown_html_is_escaped),
        cmocka_unit_test(test_rpt_markdown_long_text_is_cut_between_code_points),
        cmocka_unit_test(test_rpt_markdown_block_fence_is_longer_than_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
