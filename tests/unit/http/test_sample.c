#include "cmocka_all.h"
#include "http/sample.h"

#include <stdlib.h>

static int one, other;

static void add(struct http_sample *s, const void *owner, const char *text)
{
    http_sample_add(s, owner, span_of_text(text));
}

static void test_sample_of_repeated_text_is_much_smaller(void **state)
{
    (void)state;
    struct http_sample *s = http_sample_new();
    uint32_t in, out;
    assert_non_null(s);
    assert_true(http_sample_begin(s, &one, 0));
    for (int i = 0; i < 100; i++)
        add(s, &one, "{\"id\": 1, \"title\": \"a book\"},");
    http_sample_end(s, &one, &in, &out);
    assert_int_equal(in, 2900);
    assert_in_range(out, 20, 200);
    http_sample_free(s);
}

static void test_sample_takes_no_more_than_its_part_and_noise_stays_large(void **state)
{
    (void)state;
    struct http_sample *s = http_sample_new();
    uint32_t in, out, noise = 1;
    static uint8_t bytes[3 * SAMPLE_MAX_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        noise = noise * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(noise >> 24);
    }
    assert_true(http_sample_begin(s, &one, 0));
    for (size_t at = 0; at < sizeof(bytes); at += 5000)
        http_sample_add(s, &one, span_head(span_skip(span_of(bytes, sizeof(bytes)), at), 5000));
    http_sample_end(s, &one, &in, &out);
    assert_int_equal(in, SAMPLE_MAX_BYTES);
    assert_in_range(out, SAMPLE_MAX_BYTES, SAMPLE_MAX_BYTES + 100);
    http_sample_free(s);
}

static void test_sample_is_of_one_owner_at_a_time_and_seldom(void **state)
{
    (void)state;
    struct http_sample *s = http_sample_new();
    uint32_t in, out;
    assert_true(http_sample_begin(s, &one, 1000));
    assert_false(http_sample_begin(s, &other, 1000 + SAMPLE_EVERY_US));
    add(s, &one, "text");
    add(s, &other, "of somebody else");
    http_sample_end(s, &other, &in, &out);
    assert_int_equal(in, 0);
    http_sample_end(s, &one, &in, &out);
    assert_int_equal(in, 4);
    assert_false(http_sample_begin(s, &other, 1000 + SAMPLE_EVERY_US - 1));
    assert_true(http_sample_begin(s, &other, 1000 + SAMPLE_EVERY_US));
    http_sample_end(s, &other, &in, &out);
    assert_int_equal(in, 0);
    assert_int_equal(out, 0);
    http_sample_free(s);
}

static void test_without_a_sample_nothing_happens(void **state)
{
    (void)state;
    uint32_t in = 1, out = 1;
    assert_false(http_sample_begin(NULL, &one, 0));
    add(NULL, &one, "text");
    http_sample_end(NULL, &one, &in, &out);
    assert_int_equal(in + out, 0);
    http_sample_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_of_repeated_text_is_much_smaller),
        cmocka_unit_test(test_sample_takes_no_more_than_its_part_and_noise_stays_large),
        cmocka_unit_test(test_sample_is_of_one_owner_at_a_time_and_seldom),
        cmocka_unit_test(test_without_a_sample_nothing_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
