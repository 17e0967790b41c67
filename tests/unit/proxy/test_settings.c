#include "cmocka_all.h"

#include "proxy/settings.h"

#include <math.h>
#include <stdlib.h>

static struct cfg_options load(int argc, char **argv)
{
    struct cfg_options options;
    struct cfg_error error;
    struct cfg_input in = {.argc = argc, .argv = argv, .scope = CFG_REPORT};
    assert_int_equal(cfg_load(&in, &options, &error), CFG_OK);
    return options;
}

/* A run's first record that carries `settings`; the caller frees it. */
static struct record_run_start *run_with(const struct det_settings *settings, size_t len)
{
    struct record_run_start *run = calloc(1, record_size(sizeof(*run), 3 + len));
    assert_non_null(run);
    run->version_len = 3;
    run->settings_len = (uint16_t)len;
    memcpy((char *)(run + 1) + 3, settings, len);
    return run;
}

static void test_settings_of_run_win_over_defaults(void **state)
{
    (void)state;
    struct cfg_options options = load(0, NULL);
    struct det_settings of_run = settings_of_options(&options);
    struct det_settings out;
    of_run.n_plus_one_min_count = 77;
    struct record_run_start *run = run_with(&of_run, sizeof(of_run));
    assert_int_equal(settings_of_run(run, &options, &out), 0);
    assert_memory_equal(&out, &of_run, sizeof(out));
    free(run);
    cfg_options_fini(&options);
}

static void test_settings_given_now_win_over_run(void **state)
{
    (void)state;
    char name[] = "--n-plus-one-min-count";
    char value[] = "9";
    char *argv[] = {name, value};
    struct cfg_options options = load(2, argv);
    struct det_settings of_run = settings_of_options(&options);
    struct det_settings out;
    of_run.n_plus_one_min_count = 77;
    of_run.unbounded_min_rows = 1234;
    struct record_run_start *run = run_with(&of_run, sizeof(of_run));
    assert_int_equal(settings_of_run(run, &options, &out), 0);
    assert_int_equal(out.n_plus_one_min_count, 9);
    assert_int_equal(out.unbounded_min_rows, 1234);
    free(run);
    cfg_options_fini(&options);
}

static void test_settings_of_another_version_are_refused(void **state)
{
    (void)state;
    struct cfg_options options = load(0, NULL);
    struct det_settings of_run = settings_of_options(&options);
    struct det_settings out;
    struct record_run_start *run = run_with(&of_run, sizeof(of_run) - 8);
    assert_int_equal(settings_of_run(run, &options, &out), -1);
    free(run);
    cfg_options_fini(&options);
}

/* One setting of a run made `bad`: the whole is refused. */
#define assert_refused(field, bad)                                                                 \
    do {                                                                                           \
        struct det_settings changed = settings_of_options(&options);                               \
        changed.field = (bad);                                                                     \
        struct record_run_start *run = run_with(&changed, sizeof(changed));                        \
        assert_int_equal(settings_of_run(run, &options, &out), -1);                                \
        free(run);                                                                                 \
    } while (0)

static void test_settings_that_no_option_could_have_been_are_refused(void **state)
{
    (void)state;
    struct cfg_options options = load(0, NULL);
    struct det_settings out;
    assert_refused(unit_gap_ms, INT64_MIN);
    assert_refused(unit_gap_ms, INT64_MAX);
    assert_refused(explain_recheck_s, -1);
    assert_refused(assumed_rtt_ms, (double)NAN);
    assert_refused(assumed_rtt_ms, (double)INFINITY);
    assert_refused(n_plus_one_min_distinct_ratio, -1e300);
    assert_refused(chatty.low, (double)NAN);
    assert_refused(chatty.medium, -1);
    assert_refused(chatty.critical, (double)INFINITY);
    assert_refused(chatty.low, (double)INFINITY);
    cfg_options_fini(&options);
}

static void test_settings_of_a_rule_that_is_off_are_taken(void **state)
{
    (void)state;
    struct cfg_options options = load(0, NULL);
    struct det_settings of_run = settings_of_options(&options);
    struct det_settings out;
    of_run.chatty = (struct levels){INFINITY, INFINITY, INFINITY, INFINITY};
    struct record_run_start *run = run_with(&of_run, sizeof(of_run));
    assert_int_equal(settings_of_run(run, &options, &out), 0);
    free(run);
    cfg_options_fini(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_of_run_win_over_defaults),
        cmocka_unit_test(test_settings_given_now_win_over_run),
        cmocka_unit_test(test_settings_of_another_version_are_refused),
        cmocka_unit_test(test_settings_that_no_option_could_have_been_are_refused),
        cmocka_unit_test(test_settings_of_a_rule_that_is_off_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
