#include "report/place.h"

#include "cmocka_all.h"

static void place_is(const char *file, json_int_t line, const char *want, json_int_t want_line)
{
    json_t *issue = json_pack("{s:s?, s:I}", "file", file, "line", line);
    struct rpt_place place = rpt_place_of(issue);
    if (want == NULL)
        assert_null(place.file);
    else
        assert_string_equal(place.file, want);
    assert_int_equal(place.line, want_line);
    json_decref(issue);
}

static void test_rpt_place_below_the_source_is_kept(void **state)
{
    (void)state;
    place_is("app/users.py", 45, "app/users.py", 45);
    place_is("a..b/..c/d...", 0, "a..b/..c/d...", 0);
    place_is("./a b?.py", -3, "./a b?.py", 0);
}

static void test_rpt_place_elsewhere_is_none(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {
        "",     "/etc/passwd", "../x.py",  "a/../../x", "a/..",         "..",      "C:\\x.py",
        "C:/x", "file:///x",   "//host/x", "a\\..\\x",  "javascript:x", "a\nb.py", "a\x7f",
    };
    place_is(NULL, 1, NULL, 0);
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
        place_is(elsewhere[i], 1, NULL, 0);
}

static void test_rpt_place_uri_is_a_relative_path(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 256);
    rpt_place_uri(&b, "app/a b#?%&\"\xc3\xb6.py");
    assert_string_equal(strbuf_text(&b), "app/a%20b%23%3F%25%26%22%C3%B6.py");
    strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_place_below_the_source_is_kept),
        cmocka_unit_test(test_rpt_place_elsewhere_is_none),
        cmocka_unit_test(test_rpt_place_uri_is_a_relative_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
