/* The law by which a quantity grows with the rows. */
#include "cmocka_all.h"

#include "detectors/growth.h"

#include <string.h>

static void test_growth_of_a_line_gives_its_slope_and_exponent_one(void **state)
{
    (void)state;
    struct growth_point p[10];
    for (int i = 0; i < 10; i++)
        p[i] = (struct growth_point){10 + 10 * i, 2.0 * (10 + 10 * i)};
    p[4].value = 900; /* one odd request */
    struct growth g = growth_of(p, 10);
    assert_true(g.known);
    assert_true(g.slope > 1.99 && g.slope < 2.01);
    assert_true(g.base > -0.1 && g.base < 0.1);
    assert_true(g.exponent > 0.95 && g.exponent < 1.05);
    assert_true(g.from == 10 && g.to == 100);
    assert_string_equal(growth_class(&g), "O(n)");
}

static void test_growth_of_squares_and_of_constants_has_its_class(void **state)
{
    (void)state;
    struct growth_point square[8];
    struct growth_point flat[8];
    for (int i = 0; i < 8; i++) {
        double rows = 5 * (i + 1);
        square[i] = (struct growth_point){rows, rows * rows};
        flat[i] = (struct growth_point){rows, 7};
    }
    struct growth g = growth_of(square, 8);
    assert_string_equal(growth_class(&g), "O(n^2)");
    g = growth_of(flat, 8);
    assert_true(g.known);
    assert_string_equal(growth_class(&g), "O(1)");
}

static void test_growth_between_the_classes_has_no_name(void **state)
{
    (void)state;
    struct growth_point p[8];
    for (int i = 0; i < 8; i++)
        p[i] = (struct growth_point){1 << i, (double)(1 << (i / 2))};
    struct growth g = growth_of(p, 8);
    assert_true(g.known);
    assert_string_equal(growth_class(&g), "");
}

static void test_growth_over_two_sizes_is_not_known(void **state)
{
    (void)state;
    struct growth_point p[12];
    for (int i = 0; i < 12; i++)
        p[i] = (struct growth_point){i % 2 == 0 ? 10 : 20, i % 2 == 0 ? 10 : 20};
    struct growth g = growth_of(p, 12);
    assert_false(g.known);
    assert_string_equal(growth_class(&g), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_of_a_line_gives_its_slope_and_exponent_one),
        cmocka_unit_test(test_growth_of_squares_and_of_constants_has_its_class),
        cmocka_unit_test(test_growth_between_the_classes_has_no_name),
        cmocka_unit_test(test_growth_over_two_sizes_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
