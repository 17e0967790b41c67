#include "config_testing.h"

static size_t distance(const char *a, const char *b)
{
    return cfg_edit_distance(span_of_text(a), span_of_text(b));
}

static void test_edit_distance_one_edit_of_each_kind_is_one(void **state)
{
    (void)state;
    assert_int_equal(distance("upstream", "upstream"), 0);
    assert_int_equal(distance("upstrem", "upstream"), 1);
    assert_int_equal(distance("upsttream", "upstream"), 1);
    assert_int_equal(distance("upstreem", "upstream"), 1);
    assert_int_equal(distance("upsrteam", "upstream"), 1);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("ca", "abc"), 3);
    assert_int_equal(distance("kitten", "sitting"), 3);
}

static void test_edit_distance_is_symmetric(void **state)
{
    (void)state;
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        for (size_t j = 0; j < CFG_OPTION_COUNT; j++)
            assert_int_equal(distance(cfg_option_table[i].name, cfg_option_table[j].name),
                             distance(cfg_option_table[j].name, cfg_option_table[i].name));
}

static void test_edit_distance_over_the_longest_name_is_infinite(void **state)
{
    (void)state;
    char text[CFG_SUGGEST_MAX + 2];
    memset(text, 'a', sizeof(text));
    struct span longest = span_of(text, CFG_SUGGEST_MAX);
    struct span longer = span_of(text, CFG_SUGGEST_MAX + 1);
    assert_int_equal(cfg_edit_distance(longest, longest), 0);
    assert_true(cfg_edit_distance(longer, longest) == SIZE_MAX);
    assert_true(cfg_edit_distance(longest, longer) == SIZE_MAX);
}

static void test_nearest_offers_takes_the_first_of_the_nearest(void **state)
{
    (void)state;
    struct cfg_nearest nearest;
    cfg_nearest_init(&nearest, span_of_text("lissen"));
    cfg_nearest_offer(&nearest, "workers");
    assert_false(cfg_nearest_found(&nearest));
    cfg_nearest_offer(&nearest, "listen");
    cfg_nearest_offer(&nearest, "lassen");
    assert_string_equal(nearest.name, "listen");
}

static void test_nearest_other_word_finds_nothing(void **state)
{
    (void)state;
    struct cfg_nearest nearest;
    cfg_nearest_init(&nearest, span_of_text("zebra"));
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        cfg_nearest_offer(&nearest, cfg_option_table[i].name);
    assert_false(cfg_nearest_found(&nearest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_distance_one_edit_of_each_kind_is_one),
        cmocka_unit_test(test_edit_distance_is_symmetric),
        cmocka_unit_test(test_edit_distance_over_the_longest_name_is_infinite),
        cmocka_unit_test(test_nearest_offers_takes_the_first_of_the_nearest),
        cmocka_unit_test(test_nearest_other_word_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
