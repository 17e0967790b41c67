#include "cmocka_all.h"
#include "common/histogram.h"
#include "common/random.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 20000 };

static struct arena arena;

static int fresh_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 1 << 20);
    return 0;
}

static bool close_enough(uint64_t got, uint64_t exact)
{
    return got >= exact && got - exact <= exact / 32;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_histogram_empty_gives_zero(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    assert_int_equal(histogram_percentile(&h, 0.5), 0);
    assert_true(histogram_mean(&h) == 0.0);
}

static void test_histogram_single_value_is_every_percentile(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 15, 16, 31, 32, 33, 63, 64, 65, 1000, 123456789};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct histogram h = {.count = 0};
        histogram_add(&h, &arena, values[i]);
        assert_int_equal(histogram_percentile(&h, 0.0), values[i]);
        assert_int_equal(histogram_percentile(&h, 0.5), values[i]);
        assert_int_equal(histogram_percentile(&h, 1.0), values[i]);
        assert_int_equal(h.min, values[i]);
        assert_int_equal(h.max, values[i]);
    }
}

static void test_histogram_small_values_are_exact(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    for (uint64_t v = 0; v < 64; v++)
        histogram_add(&h, &arena, v);
    for (uint64_t v = 0; v < 64; v++)
        assert_int_equal(histogram_percentile(&h, ((double)v + 1.0) / 64.0), v);
}

/* Around every power of two, the edges of buckets are. */
static void test_histogram_every_edge_is_within_the_bound(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 40; bit++) {
        for (int around = -2; around <= 2; around++) {
            uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)around;
            if (v >= UINT64_C(1) << 40)
                continue;
            struct histogram h = {.count = 0};
            histogram_add(&h, &arena, v);
            histogram_add(&h, &arena, UINT64_MAX / 2);
            assert_true(close_enough(histogram_percentile(&h, 0.5), v));
        }
    }
}

static void test_histogram_random_percentiles_are_within_the_bound(void **state)
{
    (void)state;
    static const double shares[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0};
    uint64_t *values = calloc(VALUES, sizeof(*values));
    assert_non_null(values);
    uint64_t seed = 5;
    struct histogram h = {.count = 0};
    uint64_t sum = 0;
    for (int i = 0; i < VALUES; i++) {
        values[i] = random_next(&seed) >> (24 + random_below(&seed, 40));
        sum += values[i];
        histogram_add(&h, &arena, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        size_t rank = (size_t)(shares[i] * VALUES + 0.999999);
        assert_true(close_enough(histogram_percentile(&h, shares[i]), values[rank - 1]));
    }
    assert_int_equal(h.sum, sum);
    assert_int_equal(h.min, values[0]);
    assert_int_equal(h.max, values[VALUES - 1]);
    free(values);
}

static void test_histogram_huge_values_are_reported_as_the_maximum(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    histogram_add(&h, &arena, 5);
    histogram_add(&h, &arena, UINT64_C(1) << 41);
    histogram_add(&h, &arena, UINT64_C(1) << 50);
    assert_int_equal(histogram_percentile(&h, 0.3), 5);
    assert_true(histogram_percentile(&h, 1.0) == UINT64_C(1) << 50);
    assert_true(histogram_percentile(&h, 0.66) >= UINT64_C(1) << 41);
}

static void test_histogram_mean_is_exact(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    histogram_add(&h, &arena, 1000);
    histogram_add(&h, &arena, 2001);
    assert_true(histogram_mean(&h) == 1500.5);
}

static void test_histogram_takes_memory_for_its_values_only(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    for (int i = 0; i < VALUES; i++)
        histogram_add(&h, &arena, (uint64_t)(i % 4));
    assert_int_equal(h.n_buckets, 4);
    assert_int_equal(h.size, 4);
    for (uint64_t v = 0; v < HISTOGRAM_BUCKETS * 2; v++)
        histogram_add(&h, &arena, v * v * v * v);
    assert_true(h.n_buckets <= HISTOGRAM_BUCKETS);
    for (uint32_t i = 1; i < h.n_buckets; i++)
        assert_true(h.buckets[i - 1].at < h.buckets[i].at);
}

/* Coarser, never too low, and never lost. */
static void test_histogram_without_room_counts_in_the_next_bucket_above(void **state)
{
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 64 + 4 * sizeof(struct histogram_bucket)); /* four buckets and no more */
    struct histogram h = {.count = 0};
    for (uint64_t v = 10; v <= 40; v += 10)
        histogram_add(&h, &arena, v);
    histogram_add(&h, &arena, 15);
    histogram_add(&h, &arena, 50);
    assert_int_equal(h.n_buckets, 4);
    assert_int_equal(arena.refused, 2);
    assert_int_equal(h.count, 6);
    assert_int_equal(histogram_percentile(&h, 2.0 / 6), 20); /* 15 */
    assert_int_equal(histogram_percentile(&h, 4.0 / 6), 30);
    assert_int_equal(histogram_percentile(&h, 5.0 / 6), 50); /* 40 */
    assert_int_equal(histogram_percentile(&h, 1), 50);
}

static void test_histogram_at_most_counts_whole_buckets_only(void **state)
{
    (void)state;
    struct histogram h = {.count = 0};
    assert_int_equal(histogram_at_most(&h, 5), 0);
    for (uint64_t v = 0; v < 10; v++)
        histogram_add(&h, &arena, v);
    histogram_add(&h, &arena, 1000);
    histogram_add(&h, &arena, UINT64_C(1) << 50);
    assert_int_equal(histogram_at_most(&h, 0), 1);
    assert_int_equal(histogram_at_most(&h, 8), 9);
    assert_int_equal(histogram_at_most(&h, 900), 10);
    assert_int_equal(histogram_at_most(&h, 1000), 10); /* its bucket reaches to 1007 */
    assert_int_equal(histogram_at_most(&h, 1007), 11);
    assert_int_equal(histogram_at_most(&h, UINT64_C(1) << 49), 11);
    assert_int_equal(histogram_at_most(&h, UINT64_C(1) << 50), 12);
}

static void test_histogram_without_any_memory_knows_its_extremes(void **state)
{
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 0);
    struct histogram h = {.count = 0};
    histogram_add(&h, &arena, 3);
    histogram_add(&h, &arena, 7);
    assert_int_equal(h.min, 3);
    assert_int_equal(histogram_percentile(&h, 0.5), 7);
    assert_true(histogram_mean(&h) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_histogram_empty_gives_zero, fresh_arena),
        cmocka_unit_test_setup(test_histogram_single_value_is_every_percentile, fresh_arena),
        cmocka_unit_test_setup(test_histogram_small_values_are_exact, fresh_arena),
        cmocka_unit_test_setup(test_histogram_every_edge_is_within_the_bound, fresh_arena),
        cmocka_unit_test_setup(test_histogram_random_percentiles_are_within_the_bound, fresh_arena),
        cmocka_unit_test_setup(test_histogram_huge_values_are_reported_as_the_maximum, fresh_arena),
        cmocka_unit_test_setup(test_histogram_mean_is_exact, fresh_arena),
        cmocka_unit_test_setup(test_histogram_takes_memory_for_its_values_only, fresh_arena),
        cmocka_unit_test_setup(test_histogram_without_room_counts_in_the_next_bucket_above,
                               fresh_arena),
        cmocka_unit_test_setup(test_histogram_at_most_counts_whole_buckets_only, fresh_arena),
        cmocka_unit_test_setup(test_histogram_without_any_memory_knows_its_extremes, fresh_arena),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
