#include "config_testing.h"

static void test_help_no_line_is_over_80_columns(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 65536);
    cfg_help(&out, CFG_ALL);
    assert_false(out.failed);
    for (const char *line = strbuf_text(&out); *line != '\0';) {
        size_t len = strcspn(line, "\n");
        assert_true(len <= 80);
        assert_true(len > 0 && line[len - 1] != ' ');
        assert_int_equal(line[len], '\n');
        line += len + 1;
    }
    strbuf_fini(&out);
}

static void test_help_row_tells_default_range_and_variable(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 65536);
    cfg_help(&out, CFG_RUN);
    const char *text = strbuf_text(&out);
    assert_true(strncmp(text, "Options:\n", 9) == 0);
    assert_non_null(strstr(text, "  -w, --workers INTEGER\n"
                                 "        Threads that relay connections. [default: 1; range: "
                                 "1..64;\n        PGSLEUTH_WORKERS]\n"));
    assert_non_null(strstr(text, "  --explain-enabled, --no-explain-enabled\n"));
    assert_non_null(strstr(text, "one of: error,"));
    assert_non_null(strstr(text, "DATABASE_URL]"));
    assert_non_null(strstr(text, "a power of two in"));
    assert_non_null(strstr(text, "  -h, --help\n"));
    strbuf_fini(&out);
}

static void test_help_shows_the_rows_of_its_scope_only(void **state)
{
    (void)state;
    static const unsigned scopes[] = {CFG_RUN, CFG_REPORT, CFG_HEALTH};
    char name[CFG_NAME_MAX];
    char wanted[CFG_NAME_MAX + 3];
    for (size_t s = 0; s < 3; s++) {
        struct strbuf out;
        strbuf_init(&out, 65536);
        cfg_help(&out, scopes[s]);
        for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
            const struct cfg_option *option = &cfg_option_table[i];
            snprintf(wanted, sizeof(wanted), "--%s%s", cfg_cli_name(option, name),
                     option->type == CFG_TYPE_BOOL ? "," : " ");
            bool found = strstr(strbuf_text(&out), wanted) != NULL;
            assert_int_equal(found, (option->scope & scopes[s]) != 0);
        }
        strbuf_fini(&out);
    }
}

static void test_reference_has_one_row_of_eight_cells_for_each_option(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 65536);
    cfg_reference(&out);
    assert_false(out.failed);
    size_t lines = 0;
    size_t bars = 0;
    for (const char *c = strbuf_text(&out); *c != '\0'; c++) {
        bars += *c == '|';
        if (*c != '\n')
            continue;
        assert_int_equal(bars, 9);
        bars = 0;
        lines++;
    }
    assert_int_equal(lines, CFG_OPTION_COUNT + 2);
    assert_non_null(strstr(strbuf_text(&out),
                           "| `workers` | `--workers`, `-w` | `PGSLEUTH_WORKERS` "
                           "| integer | `1` | 1..64 | run | Threads"));
    strbuf_fini(&out);
}

static void test_man_text_is_taken_for_no_request(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 256);
    cfg_man_text(".x\n'y\na.b --c \\d", &out);
    assert_string_equal(strbuf_text(&out), "\\&.x\n\\&'y\na.b \\-\\-c \\ed");
    strbuf_fini(&out);
}

static void test_man_has_a_paragraph_for_each_option(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 1024 * 1024);
    cfg_man(&out);
    assert_false(out.failed);
    size_t paragraphs = 0;
    for (const char *at = strbuf_text(&out); (at = strstr(at, ".TP\n")) != NULL; at++)
        paragraphs++;
    assert_int_equal(paragraphs, CFG_OPTION_COUNT);
    assert_non_null(strstr(strbuf_text(&out), ".B \\-w, \\-\\-workers \\fIINTEGER\\fR\nThreads"));
    strbuf_fini(&out);
}

static void test_word_is_of_its_scope(void **state)
{
    (void)state;
    struct cfg_word w;
    assert_true(cfg_word(CFG_ID_log_level, CFG_RUN, &w));
    assert_string_equal(w.name, "log-level");
    assert_string_equal(w.choices, "error|warning|info|debug");
    assert_true(cfg_word(CFG_ID_explain_enabled, CFG_RUN, &w));
    assert_null(w.value);
    assert_false(cfg_word(CFG_ID_explain_enabled, CFG_REPORT, &w));
    assert_false(cfg_word(CFG_ID_explain_enabled, 0, &w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_no_line_is_over_80_columns),
        cmocka_unit_test(test_help_row_tells_default_range_and_variable),
        cmocka_unit_test(test_help_shows_the_rows_of_its_scope_only),
        cmocka_unit_test(test_reference_has_one_row_of_eight_cells_for_each_option),
        cmocka_unit_test(test_man_text_is_taken_for_no_request),
        cmocka_unit_test(test_man_has_a_paragraph_for_each_option),
        cmocka_unit_test(test_word_is_of_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
