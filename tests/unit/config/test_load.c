#include "config_testing.h"

static void assert_origin(const struct loaded *l, enum cfg_id id, const char *expected)
{
    struct strbuf text;
    strbuf_init(&text, 256);
    cfg_origin_text(&l->options, id, &text);
    assert_string_equal(strbuf_text(&text), expected);
    strbuf_fini(&text);
}

/* Load with a file of this text, named by --config. The words outlive the options. */
static struct loaded load_file(const char *yaml, const char *argument, const char *variable)
{
    char path[32];
    write_file(path, yaml, strlen(yaml));
    struct words arguments = WORDS("--config", path, argument);
    struct words environment = WORDS("DATABASE_URL=postgresql://fallback", variable);
    struct loaded l = load_scoped(&arguments, &environment, CFG_RUN);
    unlink(path);
    return l;
}

static void assert_upstream(struct loaded l, const char *url, enum cfg_origin_kind origin)
{
    assert_loaded(&l);
    assert_string_equal(l.options.upstream, url);
    assert_int_equal(l.options.origins[CFG_ID_upstream].kind, origin);
    cfg_options_fini(&l.options);
}

static void test_load_stronger_source_wins(void **state)
{
    (void)state;
    static const char file[] = "upstream: postgresql://file\n";
    static const char env[] = "PGSLEUTH_UPSTREAM=postgresql://env";
    static const char cli[] = "--upstream=postgresql://cli";
    assert_upstream(load_file(file, cli, env), "postgresql://cli", CFG_FROM_COMMAND_LINE);
    assert_upstream(load_file(file, NULL, env), "postgresql://env", CFG_FROM_ENVIRONMENT);
    assert_upstream(load_file(file, NULL, NULL), "postgresql://file", CFG_FROM_FILE);
    assert_upstream(load_file("", NULL, NULL), "postgresql://fallback", CFG_FROM_DATABASE_URL);
    assert_upstream(load_words(NONE_OF, NONE_OF), "", CFG_FROM_DEFAULT);
}

static void test_load_losing_value_is_checked_all_the_same(void **state)
{
    (void)state;
    struct loaded l = load_file("workers: 0\n", "--workers=2", NULL);
    assert_int_equal(l.result, CFG_E_RANGE);
    assert_non_null(strstr(l.err.text, ":1:10: workers: 0 is out of range 1..64"));
    cfg_options_fini(&l.options);
    assert_refused(load_words(WORDS("--workers=2"), WORDS("PGSLEUTH_WORKERS=x")), CFG_E_TYPE,
                   "PGSLEUTH_WORKERS: \"x\" is not an integer (1..64)");
}

static void test_load_origin_text_names_the_place(void **state)
{
    (void)state;
    char path[32];
    char expected[64];
    static const char yaml[] = "log:\n  level: debug\n";
    write_file(path, yaml, strlen(yaml));
    char variable[64];
    snprintf(variable, sizeof(variable), "PGSLEUTH_CONFIG=%s", path);
    struct words arguments = WORDS("-w2");
    struct words environment =
        WORDS("PGSLEUTH_UNIT_GAP_MS=5", variable, "DATABASE_URL=postgresql://h");
    struct loaded l = load_scoped(&arguments, &environment, CFG_RUN);
    unlink(path);
    assert_loaded(&l);
    snprintf(expected, sizeof(expected), "%s:2", path);
    assert_origin(&l, CFG_ID_log_level, expected);
    assert_origin(&l, CFG_ID_workers, "--workers");
    assert_origin(&l, CFG_ID_unit_gap_ms, "PGSLEUTH_UNIT_GAP_MS");
    assert_origin(&l, CFG_ID_config, "PGSLEUTH_CONFIG");
    assert_origin(&l, CFG_ID_upstream, "DATABASE_URL");
    assert_origin(&l, CFG_ID_listen, "default");
    cfg_options_fini(&l.options);
}

static void test_load_every_option_round_trips_the_command_line(void **state)
{
    (void)state;
    char name[CFG_NAME_MAX];
    for (size_t i = CFG_ID_config + 1; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        struct strbuf text;
        strbuf_init(&text, 256);
        strbuf_printf(&text, "--%s=", cfg_cli_name(option, name));
        sample_text(option, &text);
        if (option->type == CFG_TYPE_BOOL) {
            strbuf_reset(&text);
            bool on = strcmp(option->fallback, "true") == 0;
            strbuf_printf(&text, on ? "--no-%s" : "--%s", name);
        }
        struct words arguments = WORDS(strbuf_text(&text));
        struct words environment = NONE_OF;
        struct loaded l = load_scoped(&arguments, &environment, CFG_ALL);
        assert_loaded(&l);
        assert_sample(&l.options, option, CFG_FROM_COMMAND_LINE);
        cfg_options_fini(&l.options);
        strbuf_fini(&text);
    }
}

static void test_load_every_option_round_trips_the_environment(void **state)
{
    (void)state;
    char name[CFG_NAME_MAX];
    for (size_t i = CFG_ID_config + 1; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        struct strbuf text;
        strbuf_init(&text, 256);
        strbuf_printf(&text, "%s=", cfg_env_name(option, name));
        sample_text(option, &text);
        struct loaded l = load_words(NONE_OF, WORDS(strbuf_text(&text)));
        assert_loaded(&l);
        assert_sample(&l.options, option, CFG_FROM_ENVIRONMENT);
        cfg_options_fini(&l.options);
        strbuf_fini(&text);
    }
}

static void test_load_every_option_round_trips_the_file(void **state)
{
    (void)state;
    char group[CFG_NAME_MAX];
    for (size_t i = CFG_ID_config + 1; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        if ((option->flags & CFG_NOT_IN_FILE) != 0)
            continue;
        const char *quote = cfg_option_is_text(option) ? "'" : "";
        struct strbuf text;
        strbuf_init(&text, 256);
        cfg_option_group_name(option, group);
        if (group[0] != '\0')
            strbuf_printf(&text, "%s:\n  %s: %s", group, option->name + strlen(group) + 1, quote);
        else
            strbuf_printf(&text, "%s: %s", option->name, quote);
        sample_text(option, &text);
        strbuf_printf(&text, "%s\n", quote);
        struct loaded l = load_yaml(strbuf_text(&text));
        assert_loaded(&l);
        assert_sample(&l.options, option, CFG_FROM_FILE);
        assert_int_equal(l.options.origins[i].line, group[0] != '\0' ? 2 : 1);
        cfg_options_fini(&l.options);
        strbuf_fini(&text);
    }
}

static void test_load_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    assert_refused(load_words(WORDS("--config=/no/such.yaml"), NONE_OF), CFG_E_IO,
                   "--config: cannot read \"/no/such.yaml\": No such file or directory");
    assert_refused(load_words(NONE_OF, WORDS("PGSLEUTH_CONFIG=/tmp")), CFG_E_IO,
                   "PGSLEUTH_CONFIG: cannot read \"/tmp\": Is a directory");
}

static void test_load_file_too_large_is_refused(void **state)
{
    (void)state;
    char path[32];
    char expected[64];
    char *text = malloc(CFG_FILE_MAX_BYTES + 10);
    assert_non_null(text);
    memset(text, '\n', CFG_FILE_MAX_BYTES + 10);
    write_file(path, text, CFG_FILE_MAX_BYTES + 10);
    free(text);
    struct words arguments = WORDS("--config", path);
    struct words environment = NONE_OF;
    struct loaded l = load_scoped(&arguments, &environment, CFG_RUN);
    unlink(path);
    snprintf(expected, sizeof(expected), "%s: larger than 1 MiB", path);
    assert_refused(l, CFG_E_IO, expected);
}

static void test_load_thresholds_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_refused(load_words(WORDS("--unbounded-high-rows=200000"), NONE_OF), CFG_E_RANGE,
                   "unbounded.high_rows (--unbounded-high-rows) is above "
                   "unbounded.critical_rows (default)");
    assert_refused(load_words(WORDS("--unbounded-min-rows=5000"), NONE_OF), CFG_E_RANGE,
                   "unbounded.min_rows (--unbounded-min-rows) is above "
                   "unbounded.medium_rows (default)");
    assert_refused(load_words(NONE_OF, WORDS("PGSLEUTH_UNBOUNDED_MEDIUM_ROWS=10001")), CFG_E_RANGE,
                   "unbounded.medium_rows (PGSLEUTH_UNBOUNDED_MEDIUM_ROWS) is above "
                   "unbounded.high_rows (default)");
}

static void test_load_failure_leaves_nothing(void **state)
{
    (void)state;
    static const struct cfg_options empty;
    struct loaded l = load_words(WORDS("positional", "--upstream=x", "--zebra"), NONE_OF);
    assert_int_equal(l.result, CFG_E_UNKNOWN);
    assert_memory_equal(&l.options, &empty, sizeof(empty));
    cfg_options_fini(&l.options);
}

static void test_fini_twice_is_allowed(void **state)
{
    (void)state;
    struct loaded l = load_words(WORDS("a", "-w2"), NONE_OF);
    assert_loaded(&l);
    cfg_options_fini(&l.options);
    cfg_options_fini(&l.options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_stronger_source_wins),
        cmocka_unit_test(test_load_losing_value_is_checked_all_the_same),
        cmocka_unit_test(test_load_origin_text_names_the_place),
        cmocka_unit_test(test_load_every_option_round_trips_the_command_line),
        cmocka_unit_test(test_load_every_option_round_trips_the_environment),
        cmocka_unit_test(test_load_every_option_round_trips_the_file),
        cmocka_unit_test(test_load_file_that_cannot_be_read_is_refused),
        cmocka_unit_test(test_load_file_too_large_is_refused),
        cmocka_unit_test(test_load_thresholds_out_of_order_are_refused),
        cmocka_unit_test(test_load_failure_leaves_nothing),
        cmocka_unit_test(test_fini_twice_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
