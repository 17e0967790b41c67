#include "report/value.h"

#include "cmocka_all.h"
#include "report/utf8.h"

static void expect_text(json_t *got, const char *want)
{
    assert_non_null(got);
    assert_string_equal(json_string_value(got), want);
    json_decref(got);
}

static void test_rpt_time_known_dates_give_rfc3339(void **state)
{
    (void)state;
    expect_text(rpt_time(0), "1970-01-01T00:00:00.000Z");
    expect_text(rpt_time(INT64_C(951782399999999)), "2000-02-28T23:59:59.999Z");
    expect_text(rpt_time(INT64_C(951782400000000)), "2000-02-29T00:00:00.000Z");
    expect_text(rpt_time(INT64_C(951868800000000)), "2000-03-01T00:00:00.000Z");
    expect_text(rpt_time(INT64_C(4107542400000000)), "2100-03-01T00:00:00.000Z");
    expect_text(rpt_time(INT64_C(1735689599123456)), "2024-12-31T23:59:59.123Z");
    expect_text(rpt_time(INT64_C(253402300799999999)), "9999-12-31T23:59:59.999Z");
}

static void test_rpt_time_out_of_range_gives_null(void **state)
{
    (void)state;
    assert_true(json_is_null(rpt_time(-1)));
    assert_true(json_is_null(rpt_time(INT64_C(253402300800000000))));
    assert_true(json_is_null(rpt_time(INT64_MIN)));
    assert_true(json_is_null(rpt_time(INT64_MAX)));
}

static void expect_number(json_t *got, double want)
{
    assert_true(json_is_real(got));
    assert_true(json_real_value(got) >= want && json_real_value(got) <= want);
    json_decref(got);
}

static void test_rpt_number_rounds_to_three_decimals(void **state)
{
    (void)state;
    expect_number(rpt_number(0.0004), 0);
    expect_number(rpt_number(-0.0004), 0);
    expect_number(rpt_number(12.3456), 12.346);
    expect_number(rpt_number(-12.3456), -12.346);
    expect_number(rpt_number(1.2345678901234567e15), 1.23456789012346e15);
    expect_number(rpt_ms(1234567), 1234.567);
    expect_number(rpt_ratio(1, 3), 0.333);
}

static void test_rpt_number_unknown_gives_null(void **state)
{
    (void)state;
    assert_true(json_is_null(rpt_number(1.0 / (double)0)));
    assert_true(json_is_null(rpt_number(__builtin_nan(""))));
    assert_true(json_is_null(rpt_known(-1)));
    assert_true(json_is_null(rpt_ratio(1, 0)));
    json_t *huge = rpt_number(1.7976931348623157e308);
    assert_true(json_is_null(huge) || json_is_real(huge));
    json_decref(huge);
}

static void test_rpt_count_past_int64_is_capped(void **state)
{
    (void)state;
    json_t *n = rpt_count(UINT64_MAX);
    assert_true(json_integer_value(n) == INT64_MAX);
    json_decref(n);
}

static void test_rpt_text_invalid_utf8_becomes_replacement(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *want;
    } cases[] = {
        {"plain", "plain"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff z", "a\xef\xbf\xbd z"},
        {"\xc3", "\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\x80x", "\xef\xbf\xbdx"},
        {"\xed\xa0\x80x", "\xef\xbf\xbdx"},
        {"\xf4\x90\x80\x80x", "\xef\xbf\xbdx"},
        {"\xf0\x9f\x98x", "\xef\xbf\xbdx"},
        {"\x1b[0m\x7f", "\xef\xbf\xbd[0m\xef\xbf\xbd"},
        {"\xc2\x9b\xe2\x80\xae", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\r\n\tb", "a\n\tb"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_text(rpt_string(cases[i].in), cases[i].want);
    expect_text(rpt_text(span_of("a\0b", 3)), "a\xef\xbf\xbd"
                                              "b");
    assert_true(json_is_null(rpt_string(NULL)));
}

static void test_rpt_text_every_code_point_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        struct strbuf b;
        uint32_t back = 0;
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        strbuf_init(&b, 8);
        rpt_utf8_put(&b, code);
        struct span in = strbuf_span(&b);
        assert_true(rpt_utf8_next(&in, &back));
        assert_int_equal(back, code);
        assert_int_equal(in.len, 0);
        strbuf_fini(&b);
    }
}

static void test_rpt_text_too_long_is_cut_and_marked(void **state)
{
    (void)state;
    enum { LEN = RPT_TEXT_MAX + 1 };
    static uint8_t bytes[LEN];
    memset(bytes, 0xFF, sizeof bytes);
    json_t *text = rpt_text(span_of(bytes, LEN));
    assert_non_null(text);
    assert_int_equal(json_string_length(text), RPT_TEXT_MAX * 3 + 3);
    json_decref(text);
}

static void test_rpt_code_is_trimmed_and_dedented(void **state)
{
    (void)state;
    expect_text(rpt_code("\n\n    a  \r\n\t\tb\n\n  \t\n    c"), "a\n    b\n\n\nc\n");
    expect_text(rpt_code("x\ty"), "x   y\n");
    expect_text(rpt_code("   \n\t\n"), "");
    expect_text(rpt_code(""), "");
    expect_text(rpt_code("one"), "one\n");
    assert_true(json_is_null(rpt_code(NULL)));
}

static void test_rpt_put_without_memory_frees_everything(void **state)
{
    (void)state;
    json_t *map = json_object();
    rpt_put(&map, "a", json_string("kept"));
    rpt_put(&map, "b", NULL);
    assert_null(map);
    rpt_put(&map, "c", json_string("dropped"));
    json_t *list = json_array();
    rpt_add(&list, NULL);
    assert_null(list);
    rpt_add(&list, json_string("dropped"));
    assert_null(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_time_known_dates_give_rfc3339),
        cmocka_unit_test(test_rpt_time_out_of_range_gives_null),
        cmocka_unit_test(test_rpt_number_rounds_to_three_decimals),
        cmocka_unit_test(test_rpt_number_unknown_gives_null),
        cmocka_unit_test(test_rpt_count_past_int64_is_capped),
        cmocka_unit_test(test_rpt_text_invalid_utf8_becomes_replacement),
        cmocka_unit_test(test_rpt_text_every_code_point_survives_a_round_trip),
        cmocka_unit_test(test_rpt_text_too_long_is_cut_and_marked),
        cmocka_unit_test(test_rpt_code_is_trimmed_and_dedented),
        cmocka_unit_test(test_rpt_put_without_memory_frees_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
