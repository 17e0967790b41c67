#include "cmocka_all.h"
#include "common/random.h"
#include "common/ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 4096, ENTRIES = 1000000, MODEL_STEPS = 300000 };

/* An entry: length, sequence number, then bytes that follow from the number. */
static bool push(struct ring *r, size_t len, uint32_t number)
{
    uint8_t *entry = ring_reserve(r, len);
    if (entry == NULL)
        return false;
    uint32_t head[2] = {(uint32_t)len, number};
    memcpy(entry, head, sizeof(head));
    memset(entry + 8, (int)(number & 0xff), len - 8);
    ring_commit(r);
    return true;
}

/* True when the oldest entry is this one, whole. */
static bool is_next(struct ring *r, size_t len, uint32_t number)
{
    const uint8_t *entry = ring_peek(r);
    if (entry == NULL || (uintptr_t)entry % 8 != 0)
        return false;
    uint32_t head[2];
    memcpy(head, entry, sizeof(head));
    for (size_t i = 8; i < len; i++) {
        if (entry[i] != (uint8_t)number)
            return false;
    }
    return head[0] == len && head[1] == number;
}

static bool pop(struct ring *r, size_t len, uint32_t number)
{
    bool good = is_next(r, len, number);
    if (good)
        ring_release(r);
    return good;
}

static void test_ring_new_is_empty(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_null(ring_peek(r));
    assert_int_equal(ring_dropped(r), 0);
    assert_false(ring_wants_wake(r));
    ring_free(r);
    ring_free(NULL);
}

static void test_ring_peek_twice_gives_the_same_entry(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_true(push(r, 24, 1));
    assert_true(push(r, 8, 2));
    assert_ptr_equal(ring_peek(r), ring_peek(r));
    assert_true(pop(r, 24, 1));
    assert_true(pop(r, 8, 2));
    assert_null(ring_peek(r));
    ring_free(r);
}

static void test_ring_reserved_and_not_committed_is_unseen(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_non_null(ring_reserve(r, 64));
    assert_null(ring_peek(r));
    assert_true(push(r, 16, 7));
    assert_true(pop(r, 16, 7));
    assert_null(ring_peek(r));
    ring_free(r);
}

static void test_ring_exact_fit_fills_and_one_more_is_dropped(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_true(push(r, SMALL / 2, 1));
    assert_true(push(r, SMALL / 2, 2));
    assert_false(push(r, 8, 3));
    assert_int_equal(ring_dropped(r), 1);
    assert_true(pop(r, SMALL / 2, 1));
    assert_true(push(r, SMALL / 2, 4));
    assert_false(push(r, 8, 5));
    assert_int_equal(ring_dropped(r), 2);
    assert_true(pop(r, SMALL / 2, 2));
    assert_true(pop(r, SMALL / 2, 4));
    assert_null(ring_peek(r));
    ring_free(r);
}

static void test_ring_entry_over_half_is_dropped_even_when_empty(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_false(push(r, SMALL / 2 + 8, 1));
    assert_int_equal(ring_dropped(r), 1);
    assert_true(push(r, SMALL / 2, 2));
    ring_free(r);
}

/* Every offset at which an entry may have to go round the end, with every size that matters there.
 */
static void test_ring_wrap_at_every_offset_keeps_entries_whole(void **state)
{
    (void)state;
    for (size_t before = 8; before <= SMALL - 8; before += 8) {
        for (size_t len = 8; len <= 48; len += 8) {
            struct ring *r = ring_new(SMALL);
            for (size_t at = 0; at < before;) {
                size_t n = before - at > SMALL / 2 ? SMALL / 2 : before - at;
                assert_true(push(r, n, 9) && pop(r, n, 9));
                at += n;
            }
            assert_true(push(r, len, 1));
            assert_true(push(r, 16, 2));
            assert_true(pop(r, len, 1));
            assert_true(pop(r, 16, 2));
            assert_null(ring_peek(r));
            ring_free(r);
        }
    }
}

static void test_ring_wrap_that_would_reach_the_tail_is_dropped(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    assert_true(push(r, 1024, 1));
    assert_true(push(r, 2040, 2));
    assert_true(pop(r, 1024, 1));
    /* 1032 bytes are left at the end and 1024 at the start. */
    assert_false(push(r, 1040, 3));
    assert_true(push(r, 1032, 4));
    assert_true(push(r, 1024, 5));
    assert_false(push(r, 8, 6));
    assert_true(pop(r, 2040, 2));
    assert_true(pop(r, 1032, 4));
    assert_true(pop(r, 1024, 5));
    assert_int_equal(ring_dropped(r), 2);
    ring_free(r);
}

static void test_ring_random_use_keeps_order_and_loses_only_what_it_counts(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    uint64_t seed = 3;
    static size_t len_of[MODEL_STEPS];
    static uint32_t number_of[MODEL_STEPS];
    size_t in = 0;
    size_t out = 0;
    uint64_t refused = 0;
    for (uint32_t i = 0; i < MODEL_STEPS; i++) {
        size_t len = 8 * (1 + (size_t)random_below(&seed, 60));
        if (random_below(&seed, 2) == 0 && push(r, len, i)) {
            len_of[in] = len;
            number_of[in++] = i;
        } else if (out < in) {
            assert_true(pop(r, len_of[out], number_of[out]));
            out++;
        } else {
            assert_null(ring_peek(r));
        }
        assert_true(ring_dropped(r) >= refused);
        refused = ring_dropped(r);
    }
    for (; out < in; out++)
        assert_true(pop(r, len_of[out], number_of[out]));
    assert_null(ring_peek(r));
    ring_free(r);
}

static void test_ring_wake_comes_once_each_time_it_passes_half(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    for (int round = 0; round < 5; round++) {
        int wakes = 0;
        for (uint32_t i = 0; i < 7; i++) {
            assert_true(push(r, 512, i));
            wakes += ring_wants_wake(r);
            assert_int_equal(wakes, i >= 4);
        }
        for (uint32_t i = 0; i < 7; i++)
            assert_true(pop(r, 512, i));
        assert_false(ring_wants_wake(r));
    }
    ring_free(r);
}

static void test_ring_wake_is_not_wanted_while_the_consumer_keeps_up(void **state)
{
    (void)state;
    struct ring *r = ring_new(SMALL);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(push(r, 512, i));
        assert_false(ring_wants_wake(r));
        assert_true(pop(r, 512, i));
    }
    ring_free(r);
}

struct produced {
    struct ring *ring;
    uint64_t sum;
    uint64_t refused;
    unsigned wakes;
    atomic_bool done;
};

static void *produce(void *arg)
{
    struct produced *p = arg;
    uint64_t seed = 11;
    for (uint32_t i = 0; i < ENTRIES;) {
        size_t len = 8 * (1 + (size_t)random_below(&seed, 24));
        if (push(p->ring, len, i)) {
            p->sum += (uint64_t)len * (i + 1);
            p->wakes += ring_wants_wake(p->ring);
            i++;
        } else {
            p->refused++;
            sched_yield();
        }
    }
    atomic_store(&p->done, true);
    return NULL;
}

static void test_ring_threads_pass_a_million_entries_whole_and_in_order(void **state)
{
    (void)state;
    struct produced p = {.ring = ring_new(1 << 14)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
    uint64_t sum = 0;
    uint32_t next = 0;
    while (next < ENTRIES) {
        const uint8_t *entry = ring_peek(p.ring);
        if (entry == NULL) {
            sched_yield();
            continue;
        }
        uint32_t len;
        memcpy(&len, entry, sizeof(len));
        if (!is_next(p.ring, len, next))
            fail_msg("entry %u is not whole", next);
        sum += (uint64_t)len * (next + 1);
        next++;
        ring_release(p.ring);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&p.done));
    assert_null(ring_peek(p.ring));
    assert_true(sum == p.sum);
    assert_int_equal(ring_dropped(p.ring), p.refused);
    ring_free(p.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_new_is_empty),
        cmocka_unit_test(test_ring_peek_twice_gives_the_same_entry),
        cmocka_unit_test(test_ring_reserved_and_not_committed_is_unseen),
        cmocka_unit_test(test_ring_exact_fit_fills_and_one_more_is_dropped),
        cmocka_unit_test(test_ring_entry_over_half_is_dropped_even_when_empty),
        cmocka_unit_test(test_ring_wrap_at_every_offset_keeps_entries_whole),
        cmocka_unit_test(test_ring_wrap_that_would_reach_the_tail_is_dropped),
        cmocka_unit_test(test_ring_random_use_keeps_order_and_loses_only_what_it_counts),
        cmocka_unit_test(test_ring_wake_comes_once_each_time_it_passes_half),
        cmocka_unit_test(test_ring_wake_is_not_wanted_while_the_consumer_keeps_up),
        cmocka_unit_test(test_ring_threads_pass_a_million_entries_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
