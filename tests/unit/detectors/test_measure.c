/* From a measure to a severity, with its reason. */
#include "cmocka_all.h"

#include "detectors/rules/measure.h"

#include <math.h>
#include <string.h>

static struct arena arena;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct measure trips(double value)
{
    return (struct measure){
        .what = "trips", .value = value, .levels = {2, 5, 20, 100}, .confidence = 0.9};
}

static void test_measure_judge_takes_the_highest_level_reached(void **state)
{
    (void)state;
    static const struct {
        double value;
        enum severity severity;
        const char *by;
    } cases[] = {
        {2, SEVERITY_LOW, "2 trips: low from 2 on"},
        {4.9, SEVERITY_LOW, "4.9 trips: low from 2 on"},
        {5, SEVERITY_MEDIUM, "5 trips: medium from 5 on"},
        {99, SEVERITY_HIGH, "99 trips: high from 20 on"},
        {100, SEVERITY_CRITICAL, "100 trips: critical from 100 on"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct finding f = {.at_most = SEVERITY_CRITICAL};
        struct measure m = trips(cases[i].value);
        assert_true(measure_reached(&m));
        measure_judge(&arena, &f, &m);
        assert_int_equal(f.severity, cases[i].severity);
        assert_string_equal(f.severity_by, cases[i].by);
    }
}

static void test_measure_below_its_first_level_or_off_is_not_reached(void **state)
{
    (void)state;
    struct measure m = trips(1.9);
    assert_false(measure_reached(&m));
    m = trips(1e9);
    m.levels = (struct levels){INFINITY, INFINITY, INFINITY, INFINITY};
    assert_false(measure_reached(&m));
}

static void test_measure_highest_of_several_is_the_first_of_equals(void **state)
{
    (void)state;
    struct measure all[3] = {trips(1), trips(6), trips(7)};
    assert_ptr_equal(measure_highest(all, 3), &all[1]);
    all[2].value = 20;
    assert_ptr_equal(measure_highest(all, 3), &all[2]);
    assert_null(measure_highest(all, 1));
}

static void test_measure_raise_and_lower_stay_within_their_bounds(void **state)
{
    (void)state;
    struct finding f = {.at_most = SEVERITY_CRITICAL};
    struct measure m = trips(20);
    measure_judge(&arena, &f, &m);
    measure_cap(&f, SEVERITY_MEDIUM);
    assert_int_equal(f.severity, SEVERITY_MEDIUM);
    measure_raise(&arena, &f, "it matters");
    assert_int_equal(f.severity, SEVERITY_MEDIUM);
    measure_lower(&arena, &f, "it does not");
    assert_int_equal(f.severity, SEVERITY_LOW);
    assert_non_null(strstr(f.severity_by, "one level less since it does not"));
    measure_lower(&arena, &f, "it still does not");
    assert_int_equal(f.severity, SEVERITY_LOW);
    measure_raise(&arena, &f, "it matters");
    assert_int_equal(f.severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f.severity_by, "one level more since it matters"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_measure_judge_takes_the_highest_level_reached, start,
                                        stop),
        cmocka_unit_test(test_measure_below_its_first_level_or_off_is_not_reached),
        cmocka_unit_test(test_measure_highest_of_several_is_the_first_of_equals),
        cmocka_unit_test_setup_teardown(test_measure_raise_and_lower_stay_within_their_bounds,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
