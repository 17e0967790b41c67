#include "cmocka_all.h"
#include "common/strbuf.h"

#include <stdlib.h>

static void test_strbuf_new_is_empty_text(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 10);
    assert_string_equal(strbuf_text(&b), "");
    assert_int_equal(strbuf_span(&b).len, 0);
    assert_null(b.data);
    strbuf_fini(&b);
}

static void test_strbuf_appends_keep_text_terminated(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 1000);
    strbuf_puts(&b, "ab");
    strbuf_putc(&b, 'c');
    strbuf_add(&b, "de", 2);
    strbuf_add_span(&b, span_of_text("fg"));
    strbuf_add_span(&b, span_of(NULL, 0));
    strbuf_printf(&b, "%d-%s", 42, "x");
    assert_string_equal(strbuf_text(&b), "abcdefg42-x");
    assert_int_equal(b.len, 11);
    assert_false(b.failed);
    strbuf_fini(&b);
}

static void test_strbuf_holds_nul_bytes(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 8);
    strbuf_add(&b, "a\0b", 3);
    assert_true(span_equal(strbuf_span(&b), span_of("a\0b", 3)));
    strbuf_fini(&b);
}

static void test_strbuf_exactly_max_fits_and_one_more_fails(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 4);
    strbuf_puts(&b, "abcd");
    assert_false(b.failed);
    strbuf_putc(&b, 'e');
    assert_true(b.failed);
    assert_string_equal(strbuf_text(&b), "abcd");
    strbuf_fini(&b);
}

static void test_strbuf_failure_sticks_until_reset(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 4);
    strbuf_puts(&b, "abcde");
    strbuf_putc(&b, 'x');
    strbuf_printf(&b, "%d", 1);
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    strbuf_reset(&b);
    strbuf_puts(&b, "ok");
    assert_false(b.failed);
    assert_string_equal(strbuf_text(&b), "ok");
    strbuf_fini(&b);
}

static void test_strbuf_hostile_length_fails_without_wrapping(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 100);
    strbuf_puts(&b, "abc");
    strbuf_add(&b, "x", SIZE_MAX);
    assert_true(b.failed);
    assert_string_equal(strbuf_text(&b), "abc");
    strbuf_fini(&b);
}

static void test_strbuf_max_zero_takes_only_nothing(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 0);
    strbuf_puts(&b, "");
    assert_false(b.failed);
    strbuf_putc(&b, 'a');
    assert_true(b.failed);
    strbuf_fini(&b);
}

static void test_strbuf_grows_through_many_appends(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < 50000; i++)
        strbuf_printf(&b, "%05d", i);
    assert_false(b.failed);
    assert_int_equal(b.len, 250000);
    assert_memory_equal(b.data + 249995, "49999", 6);
    strbuf_fini(&b);
}

static void test_strbuf_printf_at_the_limit_fits(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 5);
    strbuf_printf(&b, "%s", "12345");
    assert_false(b.failed);
    strbuf_reset(&b);
    strbuf_printf(&b, "%s", "123456");
    assert_true(b.failed);
    assert_string_equal(strbuf_text(&b), "");
    strbuf_fini(&b);
}

static void test_strbuf_take_hands_over_and_empties(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 100);
    strbuf_puts(&b, "mine");
    char *text = strbuf_take(&b);
    assert_string_equal(text, "mine");
    free(text);
    assert_int_equal(b.len, 0);
    char *empty = strbuf_take(&b);
    assert_string_equal(empty, "");
    free(empty);
    strbuf_fini(&b);
}

static void test_strbuf_take_of_failed_is_null(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 3);
    strbuf_puts(&b, "abc");
    strbuf_puts(&b, "abc");
    assert_null(strbuf_take(&b));
    assert_null(b.data);
    strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strbuf_new_is_empty_text),
        cmocka_unit_test(test_strbuf_appends_keep_text_terminated),
        cmocka_unit_test(test_strbuf_holds_nul_bytes),
        cmocka_unit_test(test_strbuf_exactly_max_fits_and_one_more_fails),
        cmocka_unit_test(test_strbuf_failure_sticks_until_reset),
        cmocka_unit_test(test_strbuf_hostile_length_fails_without_wrapping),
        cmocka_unit_test(test_strbuf_max_zero_takes_only_nothing),
        cmocka_unit_test(test_strbuf_grows_through_many_appends),
        cmocka_unit_test(test_strbuf_printf_at_the_limit_fits),
        cmocka_unit_test(test_strbuf_take_hands_over_and_empties),
        cmocka_unit_test(test_strbuf_take_of_failed_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
