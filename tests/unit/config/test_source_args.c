#include "config_testing.h"

static void refuse(struct words arguments, int result, const char *message)
{
    assert_refused(load_words(arguments, NONE_OF), result, message);
}

static void test_args_every_form_of_value_is_taken(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("--workers", "4", "--report-dir=a=b", "-l", "host:1",
                                       "-upostgres://h/d", "--unit-gap-ms=1s"),
                                 NONE_OF);
    assert_loaded(&l);
    assert_int_equal(l.options.workers, 4);
    assert_string_equal(l.options.report_dir, "a=b");
    assert_string_equal(l.options.listen, "host:1");
    assert_string_equal(l.options.upstream, "postgresql://h/d");
    assert_int_equal(l.options.unit_gap_ms, 1000);
    cfg_options_fini(&l.options);
}

static void test_args_last_of_two_values_wins(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("-w4", "--workers=5"), NONE_OF);
    assert_loaded(&l);
    assert_int_equal(l.options.workers, 5);
    cfg_options_fini(&l.options);
}

static void test_args_repeatable_option_adds(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("-oa.json", "-o", "-", "--output=b.yaml"),
                                 WORDS("PGSLEUTH_OUTPUT=lost.json"));
    assert_loaded(&l);
    assert_string_equal(l.options.output, "a.json,-,b.yaml");
    cfg_options_fini(&l.options);
}

static void test_args_bool_has_three_forms(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("--no-explain-enabled"), NONE_OF);
    assert_loaded(&l);
    assert_false(l.options.explain_enabled);
    cfg_options_fini(&l.options);
    l = load_words(WORDS("--no-explain-enabled", "--explain-enabled", "no"), NONE_OF);
    assert_loaded(&l);
    assert_true(l.options.explain_enabled);
    assert_int_equal(l.options.positional_count, 1);
    cfg_options_fini(&l.options);
    l = load_words(WORDS("--explain-enabled=off"), NONE_OF);
    assert_loaded(&l);
    assert_false(l.options.explain_enabled);
    cfg_options_fini(&l.options);
    refuse(WORDS("--no-explain-enabled=yes"), CFG_E_SYNTAX, "--no-explain-enabled: takes no value");
    refuse(WORDS("--no-workers"), CFG_E_UNKNOWN,
           "--no-workers: unknown option; did you mean --workers?");
}

static void test_args_positional_arguments_are_returned_in_order(void **state)
{
    (void)state;
    struct loaded l =
        load_words(WORDS("a.cap", "-w", "2", "-", "--", "--workers", "-h", "--"), NONE_OF);
    static const char *const expected[] = {"a.cap", "-", "--workers", "-h", "--"};
    assert_loaded(&l);
    assert_int_equal(l.options.workers, 2);
    assert_false(l.options.help_requested);
    assert_int_equal(l.options.positional_count, 5);
    assert_int_equal(l.options.command_at, 2);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(l.options.positional[i], expected[i]);
    cfg_options_fini(&l.options);
}

static void test_args_empty_argument_is_positional(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("", "--capture="), NONE_OF);
    assert_loaded(&l);
    assert_int_equal(l.options.positional_count, 1);
    assert_string_equal(l.options.positional[0], "");
    cfg_options_fini(&l.options);
}

static void test_args_help_stops_and_ignores_a_broken_environment(void **state)
{
    (void)state;
    static const char *const forms[] = {"-h", "--help"};
    for (size_t i = 0; i < 2; i++) {
        struct loaded l =
            load_words(WORDS("x", forms[i], "--bogus"), WORDS("PGSLEUTH_WORKERS=two"));
        assert_loaded(&l);
        assert_true(l.options.help_requested);
        assert_int_equal(l.options.positional_count, 1);
        cfg_options_fini(&l.options);
    }
}

static void test_args_unknown_option_is_refused_with_the_nearest(void **state)
{
    (void)state;
    refuse(WORDS("--workres", "4"), CFG_E_UNKNOWN,
           "--workres: unknown option; did you mean --workers?");
    refuse(WORDS("--unit.gap_ms=4"), CFG_E_UNKNOWN,
           "--unit.gap_ms: unknown option; did you mean --unit-gap-ms?");
    refuse(WORDS("--zebra"), CFG_E_UNKNOWN, "--zebra: unknown option");
    refuse(WORDS("-x5"), CFG_E_UNKNOWN, "-x: unknown option");
    refuse(WORDS("-\n"), CFG_E_UNKNOWN, "-...: unknown option");
    refuse(WORDS("-help"), CFG_E_UNKNOWN, "-h: unknown option");
}

static void test_args_missing_value_is_refused(void **state)
{
    (void)state;
    refuse(WORDS("--workers"), CFG_E_SYNTAX, "--workers: needs a value");
    refuse(WORDS("--capture", "--workers", "3"), CFG_E_SYNTAX, "--capture: needs a value");
    refuse(WORDS("-w"), CFG_E_SYNTAX, "--workers: needs a value");
}

static void test_args_wrong_value_is_refused(void **state)
{
    (void)state;
    refuse(WORDS("--workers", "0"), CFG_E_RANGE, "--workers: 0 is out of range 1..64");
    refuse(WORDS("-w", "-1"), CFG_E_RANGE, "--workers: -1 is out of range 1..64");
    refuse(WORDS("--workers="), CFG_E_TYPE, "--workers: \"\" is not an integer (1..64)");
}

static void test_args_option_of_another_command_is_refused(void **state)
{
    (void)state;
    struct words none = NONE_OF;
    struct words workers = WORDS("--workers=2");
    struct words listen = WORDS("--listen=a:1", "--log-level=debug");
    assert_refused(load_scoped(&workers, &none, CFG_REPORT), CFG_E_UNKNOWN,
                   "--workers: not an option of this command");
    struct loaded l = load_scoped(&listen, &none, CFG_HEALTH);
    assert_loaded(&l);
    cfg_options_fini(&l.options);
}

static void test_args_every_option_is_of_exactly_its_commands(void **state)
{
    (void)state;
    static const unsigned scopes[] = {CFG_RUN, CFG_REPORT, CFG_HEALTH};
    char name[CFG_NAME_MAX];
    char argument[256];
    for (size_t i = 0; i < 3 * CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i / 3];
        if (option == &cfg_option_table[CFG_ID_config])
            continue;
        struct words none = NONE_OF;
        snprintf(argument, sizeof(argument), "--%s=%s", cfg_cli_name(option, name),
                 option->fallback);
        struct words words = WORDS(argument);
        struct loaded l = load_scoped(&words, &none, scopes[i % 3]);
        bool expected = (option->scope & scopes[i % 3]) != 0;
        assert_int_equal(l.result, expected ? CFG_OK : CFG_E_UNKNOWN);
        cfg_options_fini(&l.options);
    }
}

static void test_args_secret_is_never_in_the_message(void **state)
{
    (void)state;
    const struct words all[] = {
        WORDS("--upstream=hunter2\n"),
        WORDS("--upstrem=hunter2"),
        WORDS("--postgresql://u:hunter2@h"),
        WORDS("-postgresql://u:hunter2@h"),
        WORDS("-u", "hunter2\x7f"),
        WORDS("--workers=postgresql://u:hunter2@h/d"),
        WORDS("--log-level", "u:hunter2@h"),
        WORDS("--explain-dsn", "hunter2\t"),
        WORDS("--config", "postgresql://u:hunter2@h"),
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct loaded l = load_words(all[i], NONE_OF);
        assert_true(l.result < 0);
        assert_null(strstr(l.err.text, "hunter2"));
        cfg_options_fini(&l.options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_args_every_form_of_value_is_taken),
        cmocka_unit_test(test_args_last_of_two_values_wins),
        cmocka_unit_test(test_args_repeatable_option_adds),
        cmocka_unit_test(test_args_bool_has_three_forms),
        cmocka_unit_test(test_args_positional_arguments_are_returned_in_order),
        cmocka_unit_test(test_args_empty_argument_is_positional),
        cmocka_unit_test(test_args_help_stops_and_ignores_a_broken_environment),
        cmocka_unit_test(test_args_unknown_option_is_refused_with_the_nearest),
        cmocka_unit_test(test_args_missing_value_is_refused),
        cmocka_unit_test(test_args_wrong_value_is_refused),
        cmocka_unit_test(test_args_option_of_another_command_is_refused),
        cmocka_unit_test(test_args_every_option_is_of_exactly_its_commands),
        cmocka_unit_test(test_args_secret_is_never_in_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
