#include "cmocka_all.h"

#include "common/sketch.h"

#include <stdlib.h>
#include <string.h>

static void test_sketch_empty_gives_zero(void **state)
{
    (void)state;
    struct sketch s = {.count = 0};
    assert_int_equal(sketch_percentile(&s, 0.5), 0);
}

static void test_sketch_small_values_are_exact(void **state)
{
    (void)state;
    struct sketch s = {.count = 0};
    for (uint64_t v = 1; v <= 15; v++)
        sketch_add(&s, v);
    assert_int_equal(sketch_percentile(&s, 0), 1);
    assert_int_equal(sketch_percentile(&s, 0.5), 8);
    assert_int_equal(sketch_percentile(&s, 1), 15);
    assert_int_equal(s.sum, 120);
    assert_int_equal(s.min, 1);
}

static void test_sketch_large_values_are_at_most_a_quarter_too_high(void **state)
{
    (void)state;
    for (uint64_t v = 1; v < UINT64_C(1) << 39; v = v * 3 / 2 + 1) {
        struct sketch s = {.count = 0};
        sketch_add(&s, v);
        sketch_add(&s, UINT64_C(1) << 50);
        uint64_t p = sketch_percentile(&s, 0.5);
        assert_true(p >= v);
        assert_true(p <= v + v / 4);
    }
}

static void test_sketch_never_exceeds_the_largest_value(void **state)
{
    (void)state;
    struct sketch s = {.count = 0};
    sketch_add(&s, 1000);
    assert_int_equal(sketch_percentile(&s, 0.99), 1000);
    sketch_add(&s, UINT64_MAX);
    assert_true(sketch_percentile(&s, 1) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sketch_empty_gives_zero),
        cmocka_unit_test(test_sketch_small_values_are_exact),
        cmocka_unit_test(test_sketch_large_values_are_at_most_a_quarter_too_high),
        cmocka_unit_test(test_sketch_never_exceeds_the_largest_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
