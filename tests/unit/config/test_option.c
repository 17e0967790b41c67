/* What must hold of every row of options.def. */
#include "config_testing.h"

#include "common/log.h"

static void test_table_names_differ_in_every_spelling(void **state)
{
    (void)state;
    char a[CFG_NAME_MAX];
    char b[CFG_NAME_MAX];
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *left = &cfg_option_table[i];
        for (size_t j = i + 1; j < CFG_OPTION_COUNT; j++) {
            const struct cfg_option *right = &cfg_option_table[j];
            assert_string_not_equal(left->name, right->name);
            assert_string_not_equal(cfg_cli_name(left, a), cfg_cli_name(right, b));
            assert_string_not_equal(cfg_env_name(left, a), cfg_env_name(right, b));
            assert_true(left->letter == 0 || left->letter != right->letter);
        }
        assert_null(cfg_option_group(left->name));
        assert_ptr_equal(cfg_option_by_name(left->name), left);
        assert_int_not_equal(left->letter, 'h');
        assert_string_not_equal(cfg_cli_name(left, a), "help");
        assert_true(strncmp(cfg_cli_name(left, a), "no-", 3) != 0);
    }
}

static void test_table_fields_end_in_their_unit(void **state)
{
    (void)state;
    static const char *const endings[] = {[CFG_UNIT_NONE] = "",
                                          [CFG_UNIT_MS] = "_ms",
                                          [CFG_UNIT_S] = "_s",
                                          [CFG_UNIT_BYTES] = "_bytes"};
    static const char *const fields[] = {
#define CFG_OPTION(field, ...) #field,
#include "config/options.def"
#undef CFG_OPTION
    };
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const char *ending = endings[cfg_option_table[i].unit];
        size_t len = strlen(fields[i]);
        assert_true(len > strlen(ending));
        assert_string_equal(fields[i] + len - strlen(ending), ending);
        enum cfg_type type = cfg_option_table[i].type;
        enum cfg_unit unit = cfg_option_table[i].unit;
        assert_true(type != CFG_TYPE_BYTES || unit == CFG_UNIT_BYTES);
        assert_true(type != CFG_TYPE_DURATION || unit == CFG_UNIT_MS || unit == CFG_UNIT_S);
        for (size_t c = 0; c <= len; c++)
            assert_int_equal(fields[i][c], cfg_option_table[i].name[c] == '.'
                                               ? '_'
                                               : cfg_option_table[i].name[c]);
    }
}

static void test_table_bounds_and_choices_fit_the_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        bool number = option->type >= CFG_TYPE_INTEGER && option->type != CFG_TYPE_LEVELS;
        assert_true(number ? option->min < option->max : option->min == 0 && option->max == 0);
        assert_true((option->type == CFG_TYPE_ENUM) == (option->choices != NULL));
        assert_true((option->scope & CFG_ALL) == option->scope && option->scope != 0);
        assert_true(option->help[strlen(option->help) - 1] == '.');
        assert_null(strpbrk(option->help, "|\n"));
        assert_true((option->flags & CFG_SECRET) != 0 || option->type != CFG_TYPE_URL);
    }
}

static void test_table_groups_stand_together(void **state)
{
    (void)state;
    char group[CFG_NAME_MAX];
    char before[CFG_NAME_MAX] = "";
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        cfg_option_group_name(option, group);
        bool first = group[0] != '\0' && cfg_option_group(group) == option;
        assert_true(first || group[0] == '\0' || strcmp(group, before) == 0);
        assert_null(strchr(group, '.')); /* cfg_describe writes one level */
        snprintf(before, sizeof(before), "%s", group);
    }
}

static void test_defaults_parse_and_are_as_documented(void **state)
{
    (void)state;
    struct loaded l = load_yaml("");
    const struct cfg_options *o = &l.options;
    assert_loaded(&l);
    assert_string_equal(o->config, "");
    assert_string_equal(o->listen, "127.0.0.1:6432");
    assert_string_equal(o->upstream, "");
    assert_int_equal(o->workers, 1);
    assert_string_equal(o->capture, "");
    assert_string_equal(o->report_dir, "pgsleuth-report");
    assert_int_equal(o->report_interval_s, 30);
    assert_int_equal(o->log_level, LOG_LEVEL_INFO);
    assert_true(o->explain_enabled);
    assert_string_equal(o->explain_dsn, "");
    assert_int_equal(o->explain_interval_ms, 1000);
    assert_int_equal(o->explain_recheck_s, 3600);
    assert_int_equal(o->explain_statement_timeout_ms, 5000);
    assert_int_equal(o->explain_lock_timeout_ms, 500);
    assert_int_equal(o->explain_min_total_ms, 250);
    assert_true(o->explain_min_mean_ms == 5.0);
    assert_int_equal(o->connect_timeout_ms, 5000);
    assert_int_equal(o->max_sessions, 10000);
    assert_int_equal(o->spill_max_bytes, 256 * 1024);
    assert_int_equal(o->ring_bytes, 8 * 1024 * 1024);
    assert_int_equal(o->unit_gap_ms, 100);
    assert_true(o->assumed_rtt_ms == 1.0);
    assert_int_equal(o->n_plus_one_min_count, 5);
    assert_int_equal(o->n_plus_one_min_distinct, 3);
    assert_true(o->n_plus_one_min_distinct_ratio == 0.6);
    assert_int_equal(o->select_star_min_columns, 20);
    assert_int_equal(o->select_star_min_bytes, 65536);
    assert_int_equal(o->unbounded_min_rows, 500);
    assert_int_equal(o->unbounded_medium_rows, 2000);
    assert_int_equal(o->unbounded_high_rows, 10000);
    assert_int_equal(o->unbounded_critical_rows, 100000);
    assert_int_equal(o->missing_index_min_rows, 10000);
    assert_true(o->missing_index_max_selectivity == 0.10);
    assert_true(o->missing_index_min_cost == 100.0);
    cfg_options_fini(&l.options);
}

static void test_log_level_index_is_the_level_of_common_log(void **state)
{
    (void)state;
    const char *choices = cfg_option_table[CFG_ID_log_level].choices;
    assert_true(span_is(cfg_choice(choices, LOG_LEVEL_ERROR), "error"));
    assert_true(span_is(cfg_choice(choices, LOG_LEVEL_WARNING), "warning"));
    assert_true(span_is(cfg_choice(choices, LOG_LEVEL_INFO), "info"));
    assert_true(span_is(cfg_choice(choices, LOG_LEVEL_DEBUG), "debug"));
    assert_int_equal(cfg_choice(choices, 4).len, 0);
    assert_int_equal(cfg_choice(choices, 5).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_names_differ_in_every_spelling),
        cmocka_unit_test(test_table_fields_end_in_their_unit),
        cmocka_unit_test(test_table_bounds_and_choices_fit_the_type),
        cmocka_unit_test(test_table_groups_stand_together),
        cmocka_unit_test(test_defaults_parse_and_are_as_documented),
        cmocka_unit_test(test_log_level_index_is_the_level_of_common_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
