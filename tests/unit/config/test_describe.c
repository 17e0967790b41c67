#include "config_testing.h"

static void describe(const struct cfg_options *options, struct strbuf *out)
{
    strbuf_init(out, 65536);
    cfg_describe(options, out);
    assert_false(out->failed);
}

static void test_describe_shows_value_and_origin_under_its_group(void **state)
{
    (void)state;
    struct strbuf out;
    struct loaded l =
        load_words(WORDS("-w3", "--report-dir=a \"b\"\\c"), WORDS("PGSLEUTH_EXPLAIN_RECHECK_S=2m"));
    assert_loaded(&l);
    describe(&l.options, &out);
    const char *text = strbuf_text(&out);
    assert_non_null(strstr(text, "# config: \"\"  # default\n"));
    assert_non_null(strstr(text, "\nworkers: 3  # --workers\n"));
    assert_non_null(strstr(text, "\nreport:\n  dir: \"a \\\"b\\\"\\\\c\"  # --report-dir\n"));
    assert_non_null(strstr(text, "\n  recheck_s: 2m  # PGSLEUTH_EXPLAIN_RECHECK_S\n"));
    assert_non_null(strstr(text, "\nlog:\n  level: info  # default\n"));
    assert_non_null(strstr(text, "\nring_bytes: 8MiB  # default\n"));
    strbuf_fini(&out);
    cfg_options_fini(&l.options);
}

static void test_describe_hides_passwords(void **state)
{
    (void)state;
    struct strbuf out;
    struct loaded l = load_words(WORDS("--explain-dsn=host=h password='hunter2 x'"),
                                 WORDS("DATABASE_URL=postgresql+asyncpg://u:hunter2@h:5/d",
                                       "PGSLEUTH_ADMIN_TOKEN=hunter2hunter2hunter2"));
    assert_loaded(&l);
    describe(&l.options, &out);
    const char *text = strbuf_text(&out);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "upstream: \"postgresql://u:***@h:5/d\"  # DATABASE_URL\n"));
    assert_non_null(strstr(text, "  dsn: \"host=h password=***\"  # --explain-dsn\n"));
    assert_non_null(strstr(text, "  token: \"***\"  # PGSLEUTH_ADMIN_TOKEN\n"));
    assert_non_null(strstr(text, "  read_token: \"\"  # default\n"));
    strbuf_fini(&out);
    cfg_options_fini(&l.options);
}

static void test_describe_output_loads_as_a_file_with_the_same_values(void **state)
{
    (void)state;
    struct strbuf first;
    struct words arguments =
        WORDS("--capture=/sample: \"#text\" \\ x", "--no-explain-enabled", "--ring-bytes=1GiB",
              "--assumed-rtt-ms=0.125", "-l", "h:1", "--report-interval-s=0", "--log-level=error");
    struct loaded l = load_words(arguments, NONE_OF);
    assert_loaded(&l);
    describe(&l.options, &first);
    struct loaded again = load_yaml(strbuf_text(&first));
    assert_loaded(&again);
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        struct cfg_value a = cfg_get(&l.options, option);
        struct cfg_value b = cfg_get(&again.options, option);
        assert_true(a.number == b.number && a.real == b.real);
        if (a.text != NULL)
            assert_string_equal(a.text, b.text);
    }
    strbuf_fini(&first);
    cfg_options_fini(&l.options);
    cfg_options_fini(&again.options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_shows_value_and_origin_under_its_group),
        cmocka_unit_test(test_describe_hides_passwords),
        cmocka_unit_test(test_describe_output_loads_as_a_file_with_the_same_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
