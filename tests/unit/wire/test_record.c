#include "cmocka_all.h"
#include "common/random.h"
#include "guard.h"
#include "record_samples.h"
#include "record_touch.h"

#include <stdlib.h>

static volatile uint64_t sink;

/* Check against a guard page; what passes is read whole. `bytes.len` is a multiple of 8, so that
 * the copy is aligned. */
static bool check_guarded(struct span bytes)
{
    struct span copy = guard_copy(bytes);
    bool good = record_check(copy);
    if (good)
        sink = record_touch(copy);
    guard_free(copy);
    return good;
}

static void set_len(struct sample *s, uint32_t len)
{
    memcpy(s->bytes, &len, sizeof(len));
}

static void test_record_one_of_each_type_passes(void **state)
{
    (void)state;
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++) {
        struct sample s;
        sample_make(&s, (enum record_type)type);
        if (!check_guarded(sample_span(&s)))
            fail_msg("type %d does not pass", type);
    }
}

static void test_record_truncated_at_every_byte_is_refused(void **state)
{
    (void)state;
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++) {
        struct sample s;
        sample_make(&s, (enum record_type)type);
        struct span all = sample_span(&s);
        for (size_t n = 0; n < all.len; n++) {
            /* On the heap, since only multiples of 8 can end at a page and be aligned. */
            uint8_t *copy = malloc(n > 0 ? n : 1);
            assert_non_null(copy);
            memcpy(copy, all.data, n);
            assert_false(record_check(span_of(copy, n)));
            free(copy);
            if (n % RECORD_ALIGN == 0)
                assert_false(check_guarded(span_head(all, n)));
        }
    }
}

static void test_record_longer_or_shorter_than_its_parts_is_refused(void **state)
{
    (void)state;
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++) {
        struct sample s;
        sample_make(&s, (enum record_type)type);
        uint32_t len = (uint32_t)sample_span(&s).len;
        for (uint32_t other = 0; other <= len + 64; other++) {
            set_len(&s, other);
            assert_int_equal(record_check(span_of(s.bytes, SAMPLE_BYTES)), other == len);
        }
    }
}

static void test_record_hostile_length_is_refused(void **state)
{
    (void)state;
    static const uint32_t lens[] = {0,          1,          2,          3,
                                    4,          5,          6,          7,
                                    8,          0x7fffffff, 0x7ffffff8, 0x80000000,
                                    0xffffffff, 0xfffffff8, 0xfffffffc, RECORD_MAX_BYTES + 8};
    for (int type = 0; type <= RECORD_TYPE_COUNT; type++) {
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            struct sample s;
            sample_make(&s, (enum record_type)type);
            uint16_t wire_type = (uint16_t)type;
            memcpy(s.bytes + 4, &wire_type, sizeof(wire_type));
            set_len(&s, lens[i]);
            assert_false(check_guarded(span_of(s.bytes, SAMPLE_BYTES)));
        }
    }
}

static void test_record_unknown_type_is_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, RECORD_RUN_END);
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        uint16_t wire_type = (uint16_t)type;
        memcpy(s.bytes + 4, &wire_type, sizeof(wire_type));
        if (type == RECORD_NONE || type >= RECORD_TYPE_COUNT)
            assert_false(record_check(sample_span(&s)));
        else
            record_check(sample_span(&s));
    }
}

/* Every 16-bit and 32-bit word of every record set to the edges: what passes must be readable. */
static void test_record_every_word_at_its_edges_stays_in_bounds(void **state)
{
    (void)state;
    static const uint32_t edges[] = {0,      1,      2,      3,          7,          8,
                                     9,      15,     16,     17,         127,        128,
                                     129,    255,    256,    4095,       4096,       4097,
                                     0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++) {
        struct sample s;
        sample_make(&s, (enum record_type)type);
        struct span all = sample_span(&s);
        for (size_t at = 6; at + 4 <= all.len; at++) {
            for (size_t e = 0; e < sizeof(edges) / sizeof(edges[0]); e++) {
                for (size_t width = 1; width <= 4; width *= 2) {
                    sample_make(&s, (enum record_type)type);
                    memcpy(s.bytes + at, &edges[e], width);
                    if (record_check(all))
                        sink = record_touch(all);
                }
            }
        }
    }
}

static void test_record_random_damage_stays_in_bounds(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 60000; i++) {
        struct sample s;
        sample_make(&s, (enum record_type)(1 + i % (RECORD_TYPE_COUNT - 1)));
        struct span all = sample_span(&s);
        for (unsigned n = 1 + random_below(&seed, 4); n > 0; n--)
            s.bytes[4 + random_below(&seed, (unsigned)all.len - 4)] = (uint8_t)random_next(&seed);
        check_guarded(all);
    }
}

static void test_record_limits_of_an_exchange_are_kept(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, RECORD_EXCHANGE);
    struct record_exchange *r = (void *)s.bytes;
    r->verb = SQL_VERB_COUNT;
    assert_false(record_check(sample_span(&s)));
    sample_make(&s, RECORD_EXCHANGE);
    r->n_values = SQL_MAX_VALUES + 1;
    sample_head(&s, RECORD_EXCHANGE, sizeof(*r),
                ((size_t)SQL_MAX_VALUES + 1 + 8) * sizeof(uint64_t) +
                    2 * sizeof(struct record_key));
    assert_false(record_check(sample_span(&s)));
    sample_make(&s, RECORD_EXCHANGE);
    ((struct record_key *)(void *)(s.bytes + sizeof(*r) + 24))[1].count = 5;
    assert_false(record_check(sample_span(&s)));
}

static void test_record_facts_of_a_table_that_is_not_there_are_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, RECORD_FACTS);
    uint8_t *tail = s.bytes + sizeof(struct record_facts);
    assert_int_equal(tail[12], 0);
    tail[12] = 2;
    assert_false(record_check(sample_span(&s)));
    tail[12] = 1;
    assert_true(record_check(sample_span(&s)));
    tail[11] = PREDICATE_OTHER + 1;
    assert_false(record_check(sample_span(&s)));
}

static void test_record_param_length_below_minus_one_is_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, RECORD_SAMPLE);
    int32_t len = -2;
    memcpy(s.bytes + sizeof(struct record_sample) + 12 + 8 + 8, &len, sizeof(len));
    assert_false(record_check(sample_span(&s)));
}

static void test_record_only_samples_and_epochs_are_kept_out_of_files(void **state)
{
    (void)state;
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++)
        assert_int_equal(record_is_captured((enum record_type)type),
                         type != RECORD_SAMPLE && type != RECORD_EPOCH);
    assert_false(record_is_captured(RECORD_NONE));
    assert_false(record_is_captured(RECORD_TYPE_COUNT));
}

static void test_record_fixed_parts_leave_tails_aligned(void **state)
{
    (void)state;
#define RECORD(name, type, captured) assert_int_equal(sizeof(struct type) % 2, 0);
#include "wire/record_types.def"
#undef RECORD
    assert_int_equal(sizeof(struct record_exchange) % 8, 0);
    assert_int_equal(sizeof(struct record_key) % 8, 0);
    assert_int_equal(sizeof(struct record_columns) % 8, 0);
    assert_int_equal(record_size(16, 0), 16);
    assert_int_equal(record_size(16, 1), 24);
    assert_int_equal(record_size(16, 8), 24);
}

/* Where a record of each type has its time. */
static size_t time_at(enum record_type type)
{
    switch (type) {
    case RECORD_RUN_START:
        return offsetof(struct record_run_start, wall_us);
    case RECORD_SESSION_START:
        return offsetof(struct record_session_start, time_us);
    case RECORD_SESSION_END:
        return offsetof(struct record_session_end, time_us);
    case RECORD_SESSION_OPAQUE:
        return offsetof(struct record_session_opaque, time_us);
    case RECORD_EXCHANGE:
        return offsetof(struct record_exchange, start_us);
    case RECORD_PLAN:
        return offsetof(struct record_plan, time_us);
    case RECORD_MARK:
        return offsetof(struct record_mark, time_us);
    case RECORD_RUN_END:
        return offsetof(struct record_run_end, time_us);
    case RECORD_MOMENT:
        return offsetof(struct record_moment, time_us);
    case RECORD_RUN_BEGIN:
        return offsetof(struct record_run_begin, time_us);
    default:
        return 0;
    }
}

static void test_record_plan_of_unknown_kinds_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t first_bad;
    } bytes[] = {
        {offsetof(struct record_plan, status), PLAN_NO_CONNECTION + 1},
        {offsetof(struct record_plan, reason), PLAN_REASONS},
        {offsetof(struct record_plan, source), PLAN_SOURCES},
    };
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        struct sample s;
        sample_make(&s, RECORD_PLAN);
        s.bytes[bytes[i].at] = (uint8_t)(bytes[i].first_bad - 1);
        assert_true(check_guarded(sample_span(&s)));
        s.bytes[bytes[i].at] = bytes[i].first_bad;
        assert_false(check_guarded(sample_span(&s)));
    }
}

static void test_record_name_is_good_when_short_and_plain(void **state)
{
    (void)state;
    char longest[RECORD_NAME_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    assert_true(record_name_is_good(span_of_text("Load test 1.0_a-b")));
    assert_true(record_name_is_good(span_of(longest, RECORD_NAME_MAX)));
    assert_false(record_name_is_good(span_of(longest, RECORD_NAME_MAX + 1)));
    assert_false(record_name_is_good(span_of_text("")));
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        bool plain = strchr(" ._-", c) != NULL && c != 0;
        bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        assert_int_equal(record_name_is_good(span_of(&byte, 1)), plain || letter);
    }
}

static void test_record_moment_with_a_name_that_is_none_is_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_make(&s, RECORD_MOMENT);
    s.bytes[sizeof(struct record_moment) + 3] = '\n';
    assert_false(check_guarded(sample_span(&s)));
}

static void test_record_time_out_of_bounds_is_refused(void **state)
{
    (void)state;
    static const int64_t bad[] = {INT64_MIN, -RECORD_TIME_MAX_US - 1, RECORD_TIME_MAX_US + 1,
                                  INT64_MAX};
    static const int64_t good[] = {0, 1, RECORD_TIME_MAX_US};
    for (int type = RECORD_NONE + 1; type < RECORD_TYPE_COUNT; type++) {
        struct sample s;
        size_t at = time_at((enum record_type)type);
        if (at == 0)
            continue;
        sample_make(&s, (enum record_type)type);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            memcpy(s.bytes + at, &bad[i], sizeof(bad[i]));
            assert_false(check_guarded(sample_span(&s)));
        }
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
            memcpy(s.bytes + at, &good[i], sizeof(good[i]));
            assert_true(check_guarded(sample_span(&s)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_one_of_each_type_passes),
        cmocka_unit_test(test_record_truncated_at_every_byte_is_refused),
        cmocka_unit_test(test_record_longer_or_shorter_than_its_parts_is_refused),
        cmocka_unit_test(test_record_hostile_length_is_refused),
        cmocka_unit_test(test_record_unknown_type_is_refused),
        cmocka_unit_test(test_record_plan_of_unknown_kinds_is_refused),
        cmocka_unit_test(test_record_name_is_good_when_short_and_plain),
        cmocka_unit_test(test_record_moment_with_a_name_that_is_none_is_refused),
        cmocka_unit_test(test_record_time_out_of_bounds_is_refused),
        cmocka_unit_test(test_record_every_word_at_its_edges_stays_in_bounds),
        cmocka_unit_test(test_record_random_damage_stays_in_bounds),
        cmocka_unit_test(test_record_limits_of_an_exchange_are_kept),
        cmocka_unit_test(test_record_facts_of_a_table_that_is_not_there_are_refused),
        cmocka_unit_test(test_record_param_length_below_minus_one_is_refused),
        cmocka_unit_test(test_record_only_samples_and_epochs_are_kept_out_of_files),
        cmocka_unit_test(test_record_fixed_parts_leave_tails_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
