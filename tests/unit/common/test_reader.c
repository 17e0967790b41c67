#include "cmocka_all.h"
#include "common/reader.h"
#include "guard.h"

static const uint8_t fields[] = {0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07, 'a', 'b',
                                 0,    0,    0xff, 0xff, 0xff, 0xff, 1,    2,   3,
                                 4,    5,    6,    7,    8,    'x',  'y'};

/* Reads every kind of field in one order; gives how many reads went well. */
static int read_all(struct reader *r)
{
    int good = 0;
    good += (reader_u8(r), !r->failed);
    good += (reader_u16(r), !r->failed);
    good += (reader_u32(r), !r->failed);
    good += (reader_cstring(r), !r->failed);
    good += (reader_cstring(r), !r->failed);
    good += (reader_i32(r), !r->failed);
    good += (reader_u64(r), !r->failed);
    good += (reader_bytes(r, 2), !r->failed);
    return good;
}

static void test_reader_fields_are_read_in_network_order(void **state)
{
    (void)state;
    struct span copy = guard_copy(span_of(fields, sizeof(fields)));
    struct reader r = reader_of(copy);
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_u16(&r), 0x0203);
    assert_int_equal(reader_u32(&r), 0x84050607U);
    assert_true(span_is(reader_cstring(&r), "ab"));
    assert_int_equal(reader_cstring(&r).len, 0);
    assert_int_equal(reader_i32(&r), -1);
    assert_true(reader_u64(&r) == UINT64_C(0x0102030405060708));
    assert_false(reader_done(&r));
    assert_true(span_is(reader_bytes(&r, 2), "xy"));
    assert_true(reader_done(&r));
    guard_free(copy);
}

static void test_reader_truncated_anywhere_fails_and_stays_failed(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(fields); n++) {
        struct span copy = guard_copy(span_of(fields, n));
        struct reader r = reader_of(copy);
        assert_true(read_all(&r) < 8);
        assert_true(r.failed);
        assert_false(reader_done(&r));
        assert_int_equal(reader_u8(&r), 0);
        assert_true(reader_u64(&r) == 0);
        assert_int_equal(reader_bytes(&r, 0).len, 0);
        assert_null(reader_cstring(&r).data);
        guard_free(copy);
    }
}

static void test_reader_hostile_length_fails_without_moving(void **state)
{
    (void)state;
    struct reader r = reader_of(span_of("abc", 3));
    assert_null(reader_bytes(&r, SIZE_MAX).data);
    assert_true(r.failed);
    assert_int_equal(r.left, 3);
}

static void test_reader_empty_span_is_done_at_once(void **state)
{
    (void)state;
    struct reader r = reader_of(span_of(NULL, 0));
    assert_true(reader_done(&r));
    assert_int_equal(reader_bytes(&r, 0).len, 0);
    assert_true(reader_done(&r));
    assert_int_equal(reader_cstring(&r).len, 0);
    assert_true(r.failed);
}

static void test_reader_cstring_without_nul_fails(void **state)
{
    (void)state;
    struct span copy = guard_copy(span_of("abcdef", 6));
    struct reader r = reader_of(copy);
    assert_null(reader_cstring(&r).data);
    assert_true(r.failed);
    guard_free(copy);
}

static void test_span_helpers_stay_in_bounds(void **state)
{
    (void)state;
    struct span s = span_of("hello", 5);
    assert_int_equal(span_head(s, 99).len, 5);
    assert_true(span_is(span_head(s, 2), "he"));
    assert_true(span_is(span_skip(s, 2), "llo"));
    assert_int_equal(span_skip(s, 5).len, 0);
    assert_int_equal(span_skip(s, SIZE_MAX).len, 0);
    assert_int_equal(span_of_text(NULL).len, 0);
    assert_true(span_equal(span_of(NULL, 0), span_of("x", 0)));
    assert_false(span_is(s, "hellp"));
    assert_false(span_is(s, "hell"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_fields_are_read_in_network_order),
        cmocka_unit_test(test_reader_truncated_anywhere_fails_and_stays_failed),
        cmocka_unit_test(test_reader_hostile_length_fails_without_moving),
        cmocka_unit_test(test_reader_empty_span_is_done_at_once),
        cmocka_unit_test(test_reader_cstring_without_nul_fails),
        cmocka_unit_test(test_span_helpers_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
