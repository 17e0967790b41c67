#include "cmocka_all.h"
#include "common/arena.h"

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

static void test_arena_memory_is_zeroed_aligned_and_distinct(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *last = NULL;
    for (size_t size = 1; size < 500; size++) {
        uint8_t *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_true(all_zero(p, size));
        memset(p, 0xee, size);
        assert_true(last == NULL || last[0] == 0xee);
        last = p;
    }
    assert_int_equal(a.refused, 0);
    arena_fini(&a);
}

static void test_arena_never_takes_more_than_its_maximum(void **state)
{
    (void)state;
    static const size_t maxima[] = {0, 1, 31, 32, 33, 64, 16384, 16416, 32768, 65536, 100001};
    for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
        size_t max = maxima[m];
        struct arena a;
        arena_init(&a, max);
        for (size_t i = 0; i < 3000; i++)
            arena_alloc(&a, 1 + i % 100);
        assert_true(a.used <= max);
        assert_true(a.refused > 0);
        arena_fini(&a);
        assert_int_equal(a.used, 0);
    }
}

static void test_arena_small_maximum_still_serves_what_fits(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    assert_non_null(arena_alloc(&a, 100));
    assert_null(arena_alloc(&a, 2000));
    assert_int_equal(a.refused, 1);
    arena_fini(&a);
}

static void test_arena_hostile_size_is_refused_and_counted(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    assert_null(arena_alloc(&a, SIZE_MAX / 2 + 1));
    assert_int_equal(a.refused, 3);
    assert_non_null(arena_alloc(&a, 8));
    arena_fini(&a);
}

static void test_arena_object_larger_than_a_chunk_has_its_own(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *small = arena_alloc(&a, 10);
    uint8_t *big = arena_alloc(&a, 200000);
    assert_non_null(small);
    assert_non_null(big);
    assert_true(all_zero(big, 200000));
    arena_fini(&a);
}

static void test_arena_large_objects_leave_the_room_for_small_ones(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100 * (20000 + 64 + 2 * 16) + 16384);
    for (int i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(&a, 16));
        assert_non_null(arena_alloc(&a, 20000));
    }
    assert_int_equal(a.refused, 0);
    arena_fini(&a);
}

static void test_arena_of_little_takes_little(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_non_null(arena_alloc(&a, 16));
    assert_true(a.used <= 2048);
    arena_fini(&a);
}

static void test_arena_reset_gives_zeroed_memory_again(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100000);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 300; i++) {
            uint8_t *p = arena_alloc(&a, 64);
            assert_non_null(p);
            assert_true(all_zero(p, 64));
            memset(p, 0x55, 64);
        }
        arena_reset(&a);
        assert_true(a.used <= 100000);
    }
    assert_int_equal(a.refused, 0);
    arena_fini(&a);
    arena_reset(&a);
}

static void test_arena_text_is_a_terminated_copy(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    char source[] = "abc";
    char *text = arena_text(&a, span_of_text(source));
    source[0] = 'x';
    assert_string_equal(text, "abc");
    assert_string_equal(arena_text(&a, span_of(NULL, 0)), "");
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_memory_is_zeroed_aligned_and_distinct),
        cmocka_unit_test(test_arena_never_takes_more_than_its_maximum),
        cmocka_unit_test(test_arena_small_maximum_still_serves_what_fits),
        cmocka_unit_test(test_arena_hostile_size_is_refused_and_counted),
        cmocka_unit_test(test_arena_object_larger_than_a_chunk_has_its_own),
        cmocka_unit_test(test_arena_large_objects_leave_the_room_for_small_ones),
        cmocka_unit_test(test_arena_of_little_takes_little),
        cmocka_unit_test(test_arena_reset_gives_zeroed_memory_again),
        cmocka_unit_test(test_arena_text_is_a_terminated_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
