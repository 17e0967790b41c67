#include "cmocka_all.h"
#include "common/span.h"

static const struct span nothing = {.data = NULL, .len = 0};

static void test_find_byte_gives_the_first_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(span_find_byte(span_of_text("a=b=c"), '='), 1);
    assert_int_equal(span_find_byte(span_of_text("a=b"), 'b'), 2);
    assert_int_equal(span_find_byte(span_of_text("a=b"), 'x'), 3);
    assert_int_equal(span_find_byte(nothing, 'x'), 0);
}

static void test_find_gives_the_first_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(span_find(span_of_text("a set b set "), " set "), 1);
    assert_int_equal(span_find(span_of_text("a set"), " set "), 5);
    assert_int_equal(span_find(nothing, " set "), 0);
}

static void test_starts_looks_at_no_byte_behind_the_end(void **state)
{
    (void)state;
    assert_true(span_starts(span_of_text("select 1"), "select"));
    assert_true(span_starts(span_of_text("select"), "select"));
    assert_false(span_starts(span_of("select", 5), "select"));
    assert_false(span_starts(nothing, "select"));
    assert_true(span_starts(nothing, ""));
}

static void test_cut_end_cuts_what_is_there_alone(void **state)
{
    (void)state;
    struct span s = span_of_text("placed_at DESC");
    assert_false(span_cut_end(&s, " ASC"));
    assert_int_equal(s.len, 14);
    assert_true(span_cut_end(&s, " DESC"));
    assert_true(span_is(s, "placed_at"));
    s = span_of_text("DESC");
    assert_true(span_cut_end(&s, "DESC"));
    assert_int_equal(s.len, 0);
    s = nothing;
    assert_false(span_cut_end(&s, "DESC"));
    assert_true(span_cut_end(&s, ""));
}

static void test_head_and_skip_stay_within(void **state)
{
    (void)state;
    struct span s = span_of_text("abc");
    assert_true(span_is(span_head(s, 2), "ab"));
    assert_true(span_is(span_head(s, 9), "abc"));
    assert_true(span_is(span_skip(s, 2), "c"));
    assert_int_equal(span_skip(s, 3).len, 0);
    assert_int_equal(span_skip(s, SIZE_MAX).len, 0);
    assert_int_equal(span_skip(nothing, 1).len, 0);
    assert_true(span_equal(nothing, span_skip(s, 3)));
    assert_false(span_equal(nothing, s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_byte_gives_the_first_or_the_length),
        cmocka_unit_test(test_find_gives_the_first_or_the_length),
        cmocka_unit_test(test_starts_looks_at_no_byte_behind_the_end),
        cmocka_unit_test(test_cut_end_cuts_what_is_there_alone),
        cmocka_unit_test(test_head_and_skip_stay_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
