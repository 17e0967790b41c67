#include "config_testing.h"

static void refuse(const char *yaml, int result, const char *message)
{
    assert_refused(load_yaml(yaml), result, message);
}

static void test_yaml_nested_mapping_sets_options_and_lines(void **state)
{
    (void)state;
    struct loaded l = load_yaml("# a comment\n"
                                "listen: 0.0.0.0:7000\n"
                                "explain:\n"
                                "  dsn: postgres://u@h/d\n"
                                "  interval_ms: 2s\n"
                                "  enabled: no\n"
                                "report: {dir: 'out', interval_s: 0}\n");
    assert_loaded(&l);
    assert_string_equal(l.options.listen, "0.0.0.0:7000");
    assert_string_equal(l.options.explain_dsn, "postgresql://u@h/d");
    assert_int_equal(l.options.explain_interval_ms, 2000);
    assert_false(l.options.explain_enabled);
    assert_string_equal(l.options.report_dir, "out");
    assert_int_equal(l.options.report_interval_s, 0);
    assert_int_equal(l.options.origins[CFG_ID_explain_interval_ms].line, 5);
    assert_int_equal(l.options.origins[CFG_ID_report_dir].line, 7);
    assert_int_equal(l.options.origins[CFG_ID_workers].kind, CFG_FROM_DEFAULT);
    cfg_options_fini(&l.options);
}

static void test_yaml_without_content_sets_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "# only\n",   "---\n",
                                        "{}", "---\n...\n", "explain:\n# dsn: x\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded l = load_yaml(texts[i]);
        assert_loaded(&l);
        cfg_options_fini(&l.options);
    }
}

static void test_yaml_dotted_key_is_the_same_option(void **state)
{
    (void)state;
    struct loaded l = load_yaml("explain.min_mean_ms: 2.5\n");
    assert_loaded(&l);
    assert_true(l.options.explain_min_mean_ms == 2.5);
    cfg_options_fini(&l.options);
    refuse("explain.dsn: a\nexplain: {dsn: b}\n", CFG_E_DUPLICATE,
           "f.yaml:2:11: duplicate key \"explain.dsn\", first on line 1");
}

static void test_yaml_unknown_key_is_refused_with_the_nearest(void **state)
{
    (void)state;
    refuse("listen: a\n\nlog:\n  level: info\nupstrem: x\n", CFG_E_UNKNOWN,
           "f.yaml:5:1: unknown key \"upstrem\"; did you mean \"upstream\"?");
    refuse("explain:\n  dns: x\n", CFG_E_UNKNOWN,
           "f.yaml:2:3: unknown key \"explain.dns\"; did you mean \"explain.dsn\"?");
    refuse("explian:\n  dsn: x\n", CFG_E_UNKNOWN,
           "f.yaml:1:1: unknown key \"explian\"; did you mean \"explain\"?");
    refuse("max-sessions: 3\n", CFG_E_UNKNOWN,
           "f.yaml:1:1: unknown key \"max-sessions\"; did you mean \"max_sessions\"?");
    refuse("zebra: 1\n", CFG_E_UNKNOWN, "f.yaml:1:1: unknown key \"zebra\"");
    refuse("explain: {\"\": 1}\n", CFG_E_UNKNOWN,
           "f.yaml:1:11: unknown key \"explain.\"; did you mean \"explain\"?");
    refuse("\"\": 1\n", CFG_E_UNKNOWN, "f.yaml:1:1: unknown key \"\"");
    refuse("<<: {listen: a}\n", CFG_E_UNKNOWN, "f.yaml:1:1: unknown key \"...\"");
    refuse("\"listen\\0x\": a\n", CFG_E_UNKNOWN,
           "f.yaml:1:1: unknown key \"listen\"; did you mean \"listen\"?");
}

static void test_yaml_long_unknown_key_is_cut(void **state)
{
    (void)state;
    refuse(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1\n",
        CFG_E_UNKNOWN,
        "f.yaml:1:1: unknown key "
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void test_yaml_value_out_of_range_is_refused_at_the_value(void **state)
{
    (void)state;
    refuse("workers: 0\n", CFG_E_RANGE, "f.yaml:1:10: workers: 0 is out of range 1..64");
    refuse("\nexplain:\n    interval_ms:   10\n", CFG_E_RANGE,
           "f.yaml:3:20: explain.interval_ms: 10 is out of range 100ms..1h");
    refuse("ring_bytes: 96KiB\n", CFG_E_RANGE,
           "f.yaml:1:13: ring_bytes: \"96KiB\" is not a power of two");
}

static void test_yaml_value_of_wrong_type_is_refused_at_the_value(void **state)
{
    (void)state;
    refuse("workers: two\n", CFG_E_TYPE, "f.yaml:1:10: workers: \"two\" is not an integer (1..64)");
    refuse("workers: \"4\"\n", CFG_E_TYPE,
           "f.yaml:1:10: workers: wants an integer, not a text in quotes");
    refuse("assumed_rtt_ms: '1.0'\n", CFG_E_TYPE,
           "f.yaml:1:17: assumed_rtt_ms: wants a number, not a text in quotes");
    refuse("explain: {enabled: 'yes'}\n", CFG_E_TYPE,
           "f.yaml:1:20: explain.enabled: wants true or false, not a text in quotes");
    refuse("workers: {a: 1}\n", CFG_E_TYPE, "f.yaml:1:10: workers: wants one value, not a mapping");
    refuse("workers: [1]\n", CFG_E_TYPE, "f.yaml:1:10: workers: wants one value, not a list");
    refuse("workers:\n", CFG_E_TYPE, "f.yaml:1:9: workers: has no value");
    refuse("listen: ~\n", CFG_E_TYPE, "f.yaml:1:9: listen: has no value");
    refuse("listen: null\n", CFG_E_TYPE, "f.yaml:1:9: listen: has no value");
    refuse("listen: \"a\\0b\"\n", CFG_E_TYPE, "f.yaml:1:9: listen: has a NUL byte in it");
    refuse("explain: 5\n", CFG_E_TYPE, "f.yaml:1:10: explain: wants a mapping of options");
    refuse("explain: [dsn]\n", CFG_E_TYPE, "f.yaml:1:10: explain: wants a mapping of options");
}

static void test_yaml_quotes_are_allowed_where_text_is_meant(void **state)
{
    (void)state;
    struct loaded l = load_yaml("capture: ''\nunit: {gap_ms: \"50ms\"}\nring_bytes: '1MiB'\n"
                                "log: {level: \"debug\"}\nlisten: 5\n");
    assert_loaded(&l);
    assert_string_equal(l.options.capture, "");
    assert_int_equal(l.options.unit_gap_ms, 50);
    assert_int_equal(l.options.ring_bytes, 1048576);
    assert_int_equal(l.options.log_level, 3);
    assert_string_equal(l.options.listen, "5");
    cfg_options_fini(&l.options);
}

static void test_yaml_root_that_is_no_mapping_is_refused(void **state)
{
    (void)state;
    refuse("- a\n", CFG_E_TYPE, "f.yaml:1:1: the file must be a mapping of options");
    refuse("\n text\n", CFG_E_TYPE, "f.yaml:2:2: the file must be a mapping of options");
    refuse("''\n", CFG_E_TYPE, "f.yaml:1:1: the file must be a mapping of options");
}

static void test_yaml_duplicate_key_is_refused(void **state)
{
    (void)state;
    refuse("workers: 1\nlisten: a\nworkers: 2\n", CFG_E_DUPLICATE,
           "f.yaml:3:1: duplicate key \"workers\", first on line 1");
    refuse("explain: {dsn: a}\nexplain: {enabled: no}\n", CFG_E_DUPLICATE,
           "f.yaml:2:1: duplicate key \"explain\", first on line 1");
    refuse("explain:\n  dsn: a\n  dsn: a\n", CFG_E_DUPLICATE,
           "f.yaml:3:3: duplicate key \"explain.dsn\", first on line 2");
}

static void test_yaml_anchor_alias_and_tag_are_refused(void **state)
{
    (void)state;
    refuse("listen: &a x\n", CFG_E_SYNTAX, "f.yaml:1:9: anchors are not allowed here");
    refuse("listen: *a\n", CFG_E_SYNTAX, "f.yaml:1:9: aliases are not allowed here");
    refuse("&a listen: x\n", CFG_E_SYNTAX, "f.yaml:1:1: anchors are not allowed here");
    refuse("explain: &a {dsn: x}\n", CFG_E_SYNTAX, "f.yaml:1:10: anchors are not allowed here");
    refuse("listen: &a [x]\n", CFG_E_SYNTAX, "f.yaml:1:9: anchors are not allowed here");
    refuse("workers: !!str 1\n", CFG_E_SYNTAX, "f.yaml:1:10: tags are not allowed here");
    refuse("&r {listen: x}\n", CFG_E_SYNTAX, "f.yaml:1:1: anchors are not allowed here");
}

static void test_yaml_key_that_is_no_scalar_is_refused(void **state)
{
    (void)state;
    refuse("? [a]\n: 1\n", CFG_E_SYNTAX, "f.yaml:1:3: a key is the name of an option");
    refuse("{{a: b}: c}\n", CFG_E_SYNTAX, "f.yaml:1:2: a key is the name of an option");
}

static void test_yaml_second_document_is_refused(void **state)
{
    (void)state;
    refuse("listen: a\n---\nlisten: b\n", CFG_E_SYNTAX,
           "f.yaml:2:1: a second document is not allowed");
}

static void test_yaml_deep_nesting_is_refused_where_it_leaves_the_table(void **state)
{
    (void)state;
    char deep[4096];
    memset(deep, '[', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    refuse(deep, CFG_E_TYPE, "f.yaml:1:1: the file must be a mapping of options");
    refuse("explain: {dsn: {a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}}}\n", CFG_E_TYPE,
           "f.yaml:1:16: explain.dsn: wants one value, not a mapping");
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        int depth = 1;
        for (const char *c = cfg_option_table[i].name; *c != '\0'; c++)
            depth += *c == '.';
        assert_true(depth <= CFG_YAML_DEPTH_MAX);
    }
}

static void test_yaml_broken_syntax_is_refused_at_its_place(void **state)
{
    (void)state;
    refuse("listen: a\n  workers: 1\n", CFG_E_SYNTAX,
           "f.yaml:2:10: mapping values are not allowed in this context");
    refuse("a: 'x\n", CFG_E_UNKNOWN, "f.yaml:1:1: unknown key \"a\"");
    refuse("listen: 'x\n", CFG_E_SYNTAX, "f.yaml:2:1: found unexpected end of stream");
    refuse("listen: \"\\q\"\n", CFG_E_SYNTAX, "f.yaml:1:10: found unknown escape character");
    refuse("listen: a\n\tworkers: 1\n", CFG_E_SYNTAX,
           "f.yaml:2:1: found a tab character that violates indentation");
    refuse("{listen: a\n", CFG_E_SYNTAX, "f.yaml:2:1: did not find expected ',' or '}'");
}

static void test_yaml_broken_encoding_is_refused(void **state)
{
    (void)state;
    refuse("listen: a\xff\n", CFG_E_SYNTAX, "f.yaml: invalid leading UTF-8 octet at byte 9");
    refuse("listen: a\x01\n", CFG_E_SYNTAX, "f.yaml: control characters are not allowed at byte 9");
}

static void test_yaml_config_key_is_refused(void **state)
{
    (void)state;
    refuse("config: other.yaml\n", CFG_E_UNKNOWN, "f.yaml:1:1: config: cannot be set in the file");
}

static void test_yaml_over_the_size_limit_is_refused(void **state)
{
    (void)state;
    char *text = malloc(CFG_FILE_MAX_BYTES + 1);
    assert_non_null(text);
    memset(text, '\n', CFG_FILE_MAX_BYTES + 1);
    struct loaded l = load_yaml("");
    struct span most = span_of(text, CFG_FILE_MAX_BYTES);
    struct span more = span_of(text, CFG_FILE_MAX_BYTES + 1);
    assert_int_equal(cfg_load_yaml_bytes(most, "f.yaml", &l.options, &l.err), CFG_OK);
    l.result = cfg_load_yaml_bytes(more, "f.yaml", &l.options, &l.err);
    assert_refused(l, CFG_E_IO, "f.yaml: larger than 1 MiB");
    free(text);
}

static void test_yaml_secret_is_never_in_the_message(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "upstream: \"hunter2\\n\"\n",
        "upstream: {hunter2: 1}\n",
        "upstream: [hunter2]\n",
        "upstream: hunter2: 1\n",
        "workers: postgresql://u:hunter2@h\n",
        "postgresql://u:hunter2@h/d: 1\n",
        "upstream:postgresql://u:hunter2@h\n",
        "upstream: 'hunter2\n",
        "upstream: \"hunter2\\q\"\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded l = load_yaml(texts[i]);
        assert_true(l.result < 0);
        assert_null(strstr(l.err.text, "hunter2"));
        cfg_options_fini(&l.options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_nested_mapping_sets_options_and_lines),
        cmocka_unit_test(test_yaml_without_content_sets_nothing),
        cmocka_unit_test(test_yaml_dotted_key_is_the_same_option),
        cmocka_unit_test(test_yaml_unknown_key_is_refused_with_the_nearest),
        cmocka_unit_test(test_yaml_long_unknown_key_is_cut),
        cmocka_unit_test(test_yaml_value_out_of_range_is_refused_at_the_value),
        cmocka_unit_test(test_yaml_value_of_wrong_type_is_refused_at_the_value),
        cmocka_unit_test(test_yaml_quotes_are_allowed_where_text_is_meant),
        cmocka_unit_test(test_yaml_root_that_is_no_mapping_is_refused),
        cmocka_unit_test(test_yaml_duplicate_key_is_refused),
        cmocka_unit_test(test_yaml_anchor_alias_and_tag_are_refused),
        cmocka_unit_test(test_yaml_key_that_is_no_scalar_is_refused),
        cmocka_unit_test(test_yaml_second_document_is_refused),
        cmocka_unit_test(test_yaml_deep_nesting_is_refused_where_it_leaves_the_table),
        cmocka_unit_test(test_yaml_broken_syntax_is_refused_at_its_place),
        cmocka_unit_test(test_yaml_broken_encoding_is_refused),
        cmocka_unit_test(test_yaml_config_key_is_refused),
        cmocka_unit_test(test_yaml_over_the_size_limit_is_refused),
        cmocka_unit_test(test_yaml_secret_is_never_in_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
