#include "config_testing.h"

static int64_t parsed(enum cfg_id id, const char *text)
{
    struct cfg_value value;
    struct cfg_error err = {{0}};
    int result = cfg_value_parse(&cfg_option_table[id], text, "here", &value, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(result, CFG_OK);
    return value.number;
}

static void refused(enum cfg_id id, const char *text, int expected, const char *message)
{
    struct cfg_value value;
    struct cfg_error err = {{0}};
    int result = cfg_value_parse(&cfg_option_table[id], text, "here", &value, &err);
    assert_string_equal(err.text, message);
    assert_int_equal(result, expected);
    assert_null(value.text);
}

static void test_integer_in_range_is_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed(CFG_ID_workers, "1"), 1);
    assert_int_equal(parsed(CFG_ID_workers, "64"), 64);
    assert_int_equal(parsed(CFG_ID_workers, "+08"), 8);
    assert_int_equal(parsed(CFG_ID_unbounded_min_rows, "1000000000000"), 1000000000000);
}

static void test_integer_of_another_form_is_refused(void **state)
{
    (void)state;
    refused(CFG_ID_workers, "two", CFG_E_TYPE, "here: \"two\" is not an integer (1..64)");
    refused(CFG_ID_workers, "", CFG_E_TYPE, "here: \"\" is not an integer (1..64)");
    refused(CFG_ID_workers, " 2", CFG_E_TYPE, "here: \" 2\" is not an integer (1..64)");
    refused(CFG_ID_workers, "2 ", CFG_E_TYPE, "here: \"2 \" is not an integer (1..64)");
    refused(CFG_ID_workers, "0x2", CFG_E_TYPE, "here: \"0x2\" is not an integer (1..64)");
    refused(CFG_ID_workers, "2.0", CFG_E_TYPE, "here: \"2.0\" is not an integer (1..64)");
    refused(CFG_ID_workers, "-", CFG_E_TYPE, "here: \"-\" is not an integer (1..64)");
    refused(CFG_ID_workers, "a\nb", CFG_E_TYPE, "here: \"a?b\" is not an integer (1..64)");
}

static void test_integer_out_of_range_is_refused(void **state)
{
    (void)state;
    refused(CFG_ID_workers, "0", CFG_E_RANGE, "here: 0 is out of range 1..64");
    refused(CFG_ID_workers, "65", CFG_E_RANGE, "here: 65 is out of range 1..64");
    refused(CFG_ID_workers, "-1", CFG_E_RANGE, "here: -1 is out of range 1..64");
    refused(CFG_ID_workers, "99999999999999999999", CFG_E_RANGE,
            "here: 99999999999999999999 is out of range 1..64");
}

static void test_long_value_is_cut_in_the_message(void **state)
{
    (void)state;
    refused(CFG_ID_workers,
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa9yyyyyyyyyyy",
            CFG_E_TYPE,
            "here: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is not an "
            "integer (1..64)");
}

static void test_url_given_to_another_option_is_not_quoted(void **state)
{
    (void)state;
    refused(CFG_ID_workers, "postgresql://u:hunter2@h", CFG_E_TYPE,
            "here: the value is not an integer (1..64)");
    refused(CFG_ID_log_level, "u:hunter2@h", CFG_E_TYPE,
            "here: the value is not one of error, warning, info, debug");
}

static void test_duration_is_taken_in_the_unit_of_the_option(void **state)
{
    (void)state;
    assert_int_equal(parsed(CFG_ID_connect_timeout_ms, "250ms"), 250);
    assert_int_equal(parsed(CFG_ID_connect_timeout_ms, "5s"), 5000);
    assert_int_equal(parsed(CFG_ID_connect_timeout_ms, "2m"), 120000);
    assert_int_equal(parsed(CFG_ID_explain_interval_ms, "1h"), 3600000);
    assert_int_equal(parsed(CFG_ID_connect_timeout_ms, "700"), 700);
    assert_int_equal(parsed(CFG_ID_report_interval_s, "30"), 30);
    assert_int_equal(parsed(CFG_ID_report_interval_s, "2m"), 120);
    assert_int_equal(parsed(CFG_ID_report_interval_s, "1h"), 3600);
    assert_int_equal(parsed(CFG_ID_report_interval_s, "3000ms"), 3);
    assert_int_equal(parsed(CFG_ID_report_interval_s, "0"), 0);
}

static void test_duration_of_another_form_is_refused(void **state)
{
    (void)state;
    refused(CFG_ID_unit_gap_ms, "5x", CFG_E_TYPE,
            "here: \"5x\" is not a duration such as 250ms, 5s, 2m or 1h (1ms..1m)");
    refused(CFG_ID_unit_gap_ms, "1.5s", CFG_E_TYPE,
            "here: \"1.5s\" is not a duration such as 250ms, 5s, 2m or 1h (1ms..1m)");
    refused(CFG_ID_unit_gap_ms, "s", CFG_E_TYPE,
            "here: \"s\" is not a duration such as 250ms, 5s, 2m or 1h (1ms..1m)");
    refused(CFG_ID_report_interval_s, "1500ms", CFG_E_TYPE,
            "here: \"1500ms\" is not a whole number of seconds");
}

static void test_duration_out_of_range_is_refused(void **state)
{
    (void)state;
    refused(CFG_ID_explain_interval_ms, "99", CFG_E_RANGE, "here: 99 is out of range 100ms..1h");
    refused(CFG_ID_explain_interval_ms, "2h", CFG_E_RANGE, "here: 2h is out of range 100ms..1h");
    refused(CFG_ID_report_interval_s, "-1s", CFG_E_RANGE, "here: -1s is out of range 0s..24h");
    refused(CFG_ID_report_interval_s, "9223372036854775807h", CFG_E_RANGE,
            "here: 9223372036854775807h is out of range 0s..24h");
}

static void test_bytes_with_and_without_suffix_are_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed(CFG_ID_spill_max_bytes, "65537"), 65537);
    assert_int_equal(parsed(CFG_ID_spill_max_bytes, "65537B"), 65537);
    assert_int_equal(parsed(CFG_ID_spill_max_bytes, "64KiB"), 65536);
    assert_int_equal(parsed(CFG_ID_ring_bytes, "1MiB"), 1048576);
    assert_int_equal(parsed(CFG_ID_ring_bytes, "1GiB"), 1073741824);
}

static void test_bytes_of_another_form_or_range_are_refused(void **state)
{
    (void)state;
    refused(CFG_ID_spill_max_bytes, "64KB", CFG_E_TYPE,
            "here: \"64KB\" is not a size such as 4096, 64KiB or 1MiB (16KiB..16MiB)");
    refused(CFG_ID_spill_max_bytes, "MiB", CFG_E_TYPE,
            "here: \"MiB\" is not a size such as 4096, 64KiB or 1MiB (16KiB..16MiB)");
    refused(CFG_ID_spill_max_bytes, "1GiB", CFG_E_RANGE, "here: 1GiB is out of range 16KiB..16MiB");
    refused(CFG_ID_spill_max_bytes, "9223372036854775807GiB", CFG_E_RANGE,
            "here: 9223372036854775807GiB is out of range 16KiB..16MiB");
    refused(CFG_ID_ring_bytes, "96KiB", CFG_E_RANGE, "here: \"96KiB\" is not a power of two");
    refused(CFG_ID_ring_bytes, "32KiB", CFG_E_RANGE, "here: 32KiB is out of range 64KiB..1GiB");
    refused(CFG_ID_ring_bytes, "2GiB", CFG_E_RANGE, "here: 2GiB is out of range 64KiB..1GiB");
    refused(CFG_ID_ring_bytes, "-9223372036854775808", CFG_E_RANGE,
            "here: -9223372036854775808 is out of range 64KiB..1GiB");
}

static double parsed_real(const char *text)
{
    struct cfg_value value;
    struct cfg_error err = {{0}};
    const struct cfg_option *option = &cfg_option_table[CFG_ID_n_plus_one_min_distinct_ratio];
    assert_int_equal(cfg_value_parse(option, text, "here", &value, &err), CFG_OK);
    return value.real;
}

static void test_real_in_range_is_taken(void **state)
{
    (void)state;
    assert_true(parsed_real("0") == 0.0);
    assert_true(parsed_real("1") == 1.0);
    assert_true(parsed_real(".25") == 0.25);
    assert_true(parsed_real("5e-1") == 0.5);
}

static void test_real_of_another_form_or_range_is_refused(void **state)
{
    (void)state;
    enum cfg_id id = CFG_ID_n_plus_one_min_distinct_ratio;
    refused(id, "half", CFG_E_TYPE, "here: \"half\" is not a number (0..1)");
    refused(id, "", CFG_E_TYPE, "here: \"\" is not a number (0..1)");
    refused(id, "nan", CFG_E_TYPE, "here: \"nan\" is not a number (0..1)");
    refused(id, "0x1", CFG_E_TYPE, "here: \"0x1\" is not a number (0..1)");
    refused(id, "e", CFG_E_TYPE, "here: \"e\" is not a number (0..1)");
    refused(id, "0.5.5", CFG_E_TYPE, "here: \"0.5.5\" is not a number (0..1)");
    refused(id, "1.01", CFG_E_RANGE, "here: 1.01 is out of range 0..1");
    refused(id, "-0.1", CFG_E_RANGE, "here: -0.1 is out of range 0..1");
    refused(id, "1e999", CFG_E_RANGE, "here: 1e999 is out of range 0..1");
}

static void test_bool_words_are_taken_in_any_case(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "True", "YES", "on", "1"};
    static const char *const no[] = {"false", "False", "no", "OFF", "0"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(parsed(CFG_ID_explain_enabled, yes[i]), 1);
        assert_int_equal(parsed(CFG_ID_explain_enabled, no[i]), 0);
    }
    refused(CFG_ID_explain_enabled, "maybe", CFG_E_TYPE, "here: \"maybe\" is not true or false");
    refused(CFG_ID_explain_enabled, "", CFG_E_TYPE, "here: \"\" is not true or false");
}

static void test_enum_takes_its_choices_only(void **state)
{
    (void)state;
    assert_int_equal(parsed(CFG_ID_log_level, "error"), 0);
    assert_int_equal(parsed(CFG_ID_log_level, "debug"), 3);
    refused(CFG_ID_log_level, "loud", CFG_E_TYPE,
            "here: \"loud\" is not one of error, warning, info, debug");
    refused(CFG_ID_log_level, "", CFG_E_TYPE,
            "here: \"\" is not one of error, warning, info, debug");
    refused(CFG_ID_log_level, "error|warning", CFG_E_TYPE,
            "here: \"error|warning\" is not one of error, warning, info, debug");
}

static void test_text_with_control_character_is_refused(void **state)
{
    (void)state;
    refused(CFG_ID_capture, "a\tb", CFG_E_TYPE, "here: \"a?b\" has a control character in it");
    refused(CFG_ID_upstream, "hunter2\n", CFG_E_TYPE,
            "here: the value has a control character in it");
}

static void test_text_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char text[CFG_TEXT_MAX + 2];
    memset(text, 's', CFG_TEXT_MAX + 1);
    refused(CFG_ID_upstream, text, CFG_E_RANGE, "here: the value is longer than 4096 bytes");
    text[CFG_TEXT_MAX] = '\0';
    struct cfg_value value;
    struct cfg_error err;
    const struct cfg_option *option = &cfg_option_table[CFG_ID_upstream];
    assert_int_equal(cfg_value_parse(option, text, "here", &value, &err), CFG_OK);
    assert_string_equal(value.text, text);
    free(value.text);
}

static void test_format_of_every_default_parses_to_the_same(void **state)
{
    (void)state;
    struct cfg_error err = {{0}};
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        struct cfg_value value;
        struct cfg_value again;
        struct strbuf text;
        strbuf_init(&text, 256);
        assert_int_equal(cfg_value_parse(option, option->fallback, "x", &value, &err), CFG_OK);
        cfg_value_format(option, value, &text);
        assert_int_equal(cfg_value_parse(option, strbuf_text(&text), "x", &again, &err), CFG_OK);
        assert_true(value.number == again.number);
        assert_true(value.real == again.real);
        if (value.text != NULL)
            assert_string_equal(value.text, again.text);
        free(value.text);
        free(again.text);
        strbuf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_in_range_is_taken),
        cmocka_unit_test(test_integer_of_another_form_is_refused),
        cmocka_unit_test(test_integer_out_of_range_is_refused),
        cmocka_unit_test(test_long_value_is_cut_in_the_message),
        cmocka_unit_test(test_url_given_to_another_option_is_not_quoted),
        cmocka_unit_test(test_duration_is_taken_in_the_unit_of_the_option),
        cmocka_unit_test(test_duration_of_another_form_is_refused),
        cmocka_unit_test(test_duration_out_of_range_is_refused),
        cmocka_unit_test(test_bytes_with_and_without_suffix_are_taken),
        cmocka_unit_test(test_bytes_of_another_form_or_range_are_refused),
        cmocka_unit_test(test_real_in_range_is_taken),
        cmocka_unit_test(test_real_of_another_form_or_range_is_refused),
        cmocka_unit_test(test_bool_words_are_taken_in_any_case),
        cmocka_unit_test(test_enum_takes_its_choices_only),
        cmocka_unit_test(test_text_with_control_character_is_refused),
        cmocka_unit_test(test_text_over_the_limit_is_refused),
        cmocka_unit_test(test_format_of_every_default_parses_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
