#include "report/html_text.h"

#include "cmocka_all.h"

static struct strbuf out;

static const char *fresh(void)
{
    return strbuf_text(&out);
}

static int setup(void **state)
{
    (void)state;
    strbuf_init(&out, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    strbuf_fini(&out);
    return 0;
}

static void test_text_with_markup_is_escaped(void **state)
{
    (void)state;
    html_text(&out, "</script><img src=x onerror='a()'> & \"b\"\n\tc");
    assert_string_equal(fresh(), "&lt;/script&gt;&lt;img src=x onerror=&#39;a()&#39;&gt; &amp; "
                                 "&quot;b&quot;\n\tc");
}

static void test_text_that_acts_on_its_order_is_replaced(void **state)
{
    (void)state;
    html_text(&out, "a\xe2\x80\xae"
                    "b\x1b[1m\x7f"
                    "c\xff é");
    assert_string_equal(fresh(), "a\xef\xbf\xbd"
                                 "b\xef\xbf\xbd[1m\xef\xbf\xbd"
                                 "c\xef\xbf\xbd é");
}

static void test_text_cut_is_cut_between_characters(void **state)
{
    (void)state;
    html_text_cut(&out, "aé<", 2);
    assert_string_equal(fresh(), "a…");
    strbuf_reset(&out);
    html_text_cut(&out, "aé<", 3);
    assert_string_equal(fresh(), "aé…");
    strbuf_reset(&out);
    html_text_cut(&out, "aé<", 4);
    assert_string_equal(fresh(), "aé&lt;");
}

static void test_element_closes_what_it_opens(void **state)
{
    (void)state;
    html_element(&out, "p class=lead", "<b>");
    assert_string_equal(fresh(), "<p class=lead>&lt;b&gt;</p>");
}

static void test_prose_has_code_between_backticks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *html;
    } cases[] = {
        {"`a<b` runs `c`", "<code>a&lt;b</code> runs <code>c</code>"},
        {"one ` alone <", "one ` alone &lt;"},
        {"`", "`"},
        {"``", "<code></code>"},
        {"a`b`c`", "a<code>b</code>c`"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strbuf_reset(&out);
        html_prose(&out, cases[i].text);
        assert_string_equal(fresh(), cases[i].html);
    }
}

static void test_words_have_spaces(void **state)
{
    (void)state;
    html_words(&out, "value_lineage_<");
    assert_string_equal(fresh(), "value lineage &lt;");
}

static void show(const json_t *value, void (*how)(struct strbuf *, const json_t *),
                 const char *want)
{
    strbuf_reset(&out);
    how(&out, value);
    assert_string_equal(fresh(), want);
}

static void show_real(double v, void (*how)(struct strbuf *, const json_t *), const char *want)
{
    json_t *value = json_real(v);
    show(value, how, want);
    json_decref(value);
}

static void show_integer(json_int_t v, void (*how)(struct strbuf *, const json_t *),
                         const char *want)
{
    json_t *value = json_integer(v);
    show(value, how, want);
    json_decref(value);
}

static void test_numbers_are_for_readers(void **state)
{
    (void)state;
    show_integer(0, html_number, "0");
    show_integer(999, html_number, "999");
    show_integer(1000, html_number, "1,000");
    show_integer(1234567, html_number, "1,234,567");
    show_integer(INT64_MAX, html_number, "9,223,372,036,854,775,807");
    show_real(0.0, html_number, "0");
    show_real(0.0123, html_number, "0.012");
    show_real(0.5, html_number, "0.50");
    show_real(9.994, html_number, "9.99");
    show_real(9.996, html_number, "10.0");
    show_real(20.0, html_number, "20");
    show_real(99.94, html_number, "99.9");
    show_real(99.96, html_number, "100");
    show_real(12345.6, html_number, "12,346");
    show_real(1e300, html_number, "9,000,000,000,000,000");
    show(NULL, html_number, "–");
    show_integer(512, html_bytes, "512 B");
    show_integer(1536, html_bytes, "1.50 KiB");
    show_integer(INT64_MAX, html_bytes, "8,388,608 TiB");
    show(NULL, html_bytes, "–");
    show_real(0.876, html_percent, "88 %");
    show(NULL, html_percent, "–");
}

static void test_cell_has_the_value_that_it_is_sorted_by(void **state)
{
    (void)state;
    show_integer(1234, html_cell, "<td data-v=1234>1,234</td>");
    show_real(1234.5678, html_cell, "<td data-v=1234.568>1,235</td>");
    show(NULL, html_cell, "<td>–</td>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text_with_markup_is_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_that_acts_on_its_order_is_replaced, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_text_cut_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_element_closes_what_it_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prose_has_code_between_backticks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words_have_spaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_are_for_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cell_has_the_value_that_it_is_sorted_by, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
