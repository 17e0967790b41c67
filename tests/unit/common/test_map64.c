#include "cmocka_all.h"
#include "common/map64.h"
#include "common/random.h"

enum { KEYS = 700, MAX = 500 };

static int marks[KEYS]; /* values are addresses in here */

/* The plain model: slot k says what key k maps to. */
struct model {
    void *value[KEYS];
    size_t count;
};

/* Keys that are hashes, small numbers, and numbers that meet in one home slot. */
static uint64_t key_of(unsigned kind, unsigned k)
{
    if (kind == 0)
        return k;
    if (kind == 1)
        return k * UINT64_C(0x9e3779b97f4a7c15) ^ 0x1234567;
    return (uint64_t)k << 44;
}

static void check_same(const struct map64 *m, const struct model *model, unsigned kind)
{
    assert_int_equal(m->count, model->count);
    for (unsigned k = 0; k < KEYS; k++)
        assert_ptr_equal(map64_get(m, key_of(kind, k)), model->value[k]);
    size_t at = 0;
    size_t seen = 0;
    uint64_t key;
    void *value;
    while ((value = map64_next(m, &at, &key)) != NULL) {
        assert_ptr_equal(map64_get(m, key), value);
        seen++;
    }
    assert_int_equal(seen, model->count);
}

static void step(struct map64 *m, struct model *model, unsigned kind, uint64_t *seed)
{
    unsigned k = random_below(seed, KEYS);
    if (random_below(seed, 100) < 55) {
        void *value = &marks[random_below(seed, KEYS)];
        bool full = model->value[k] == NULL && model->count == MAX;
        assert_int_equal(map64_put(m, key_of(kind, k), value), full ? MAP64_FULL : MAP64_OK);
        if (full)
            return;
        model->count += model->value[k] == NULL;
        model->value[k] = value;
    } else {
        assert_ptr_equal(map64_remove(m, key_of(kind, k)), model->value[k]);
        model->count -= model->value[k] != NULL;
        model->value[k] = NULL;
    }
}

static void test_map64_random_operations_agree_with_model(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct map64 m;
        struct model model = {.count = 0};
        uint64_t seed = 77 + kind;
        map64_init(&m, MAX);
        for (int i = 0; i < 40000; i++) {
            step(&m, &model, kind, &seed);
            if (i % 500 == 0)
                check_same(&m, &model, kind);
        }
        check_same(&m, &model, kind);
        map64_fini(&m);
    }
}

static void test_map64_empty_gives_nothing(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 10);
    size_t at = 0;
    assert_null(map64_get(&m, 0));
    assert_null(map64_remove(&m, 0));
    assert_null(map64_next(&m, &at, NULL));
    map64_fini(&m);
}

static void test_map64_full_refuses_new_and_replaces_old(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 2);
    assert_int_equal(map64_put(&m, 1, &marks[1]), MAP64_OK);
    assert_int_equal(map64_put(&m, 2, &marks[2]), MAP64_OK);
    assert_int_equal(map64_put(&m, 3, &marks[3]), MAP64_FULL);
    assert_int_equal(map64_put(&m, 2, &marks[9]), MAP64_OK);
    assert_ptr_equal(map64_get(&m, 2), &marks[9]);
    assert_ptr_equal(map64_remove(&m, 1), &marks[1]);
    assert_int_equal(map64_put(&m, 3, &marks[3]), MAP64_OK);
    assert_int_equal(m.count, 2);
    map64_fini(&m);
}

static void test_map64_max_zero_takes_nothing(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 0);
    assert_int_equal(map64_put(&m, 1, &marks[1]), MAP64_FULL);
    map64_fini(&m);
}

static void test_map64_key_zero_is_a_key(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 4);
    assert_int_equal(map64_put(&m, 0, &marks[5]), MAP64_OK);
    assert_ptr_equal(map64_get(&m, 0), &marks[5]);
    assert_ptr_equal(map64_remove(&m, 0), &marks[5]);
    assert_null(map64_get(&m, 0));
    map64_fini(&m);
}

static void test_map64_names_that_come_and_go_do_not_grow_it(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 1000);
    for (uint64_t k = 0; k < 100000; k++) {
        assert_int_equal(map64_put(&m, k, &marks[0]), MAP64_OK);
        if (k >= 10)
            assert_non_null(map64_remove(&m, k - 10));
    }
    assert_int_equal(m.count, 10);
    assert_true(m.mask < 64);
    map64_fini(&m);
}

static void test_map64_clear_forgets_all_and_keeps_a_small_table(void **state)
{
    (void)state;
    int value;
    struct map64 m;
    map64_init(&m, 1000);
    map64_clear(&m);
    assert_null(m.slots);
    assert_int_equal(map64_put(&m, 1, &value), MAP64_OK);
    const struct map64_slot *slots = m.slots;
    map64_clear(&m);
    assert_ptr_equal(m.slots, slots);
    assert_int_equal(m.count, 0);
    assert_null(map64_get(&m, 1));
    for (uint64_t key = 0; key < 100; key++)
        assert_int_equal(map64_put(&m, key, &value), MAP64_OK);
    map64_clear(&m);
    assert_null(m.slots);
    assert_null(map64_get(&m, 1));
    assert_int_equal(map64_put(&m, 1, &value), MAP64_OK);
    map64_fini(&m);
}

static void test_map64_used_again_after_fini(void **state)
{
    (void)state;
    struct map64 m;
    map64_init(&m, 3);
    assert_int_equal(map64_put(&m, 7, &marks[7]), MAP64_OK);
    map64_fini(&m);
    assert_null(map64_get(&m, 7));
    assert_int_equal(map64_put(&m, 8, &marks[8]), MAP64_OK);
    assert_int_equal(m.count, 1);
    map64_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map64_random_operations_agree_with_model),
        cmocka_unit_test(test_map64_empty_gives_nothing),
        cmocka_unit_test(test_map64_full_refuses_new_and_replaces_old),
        cmocka_unit_test(test_map64_max_zero_takes_nothing),
        cmocka_unit_test(test_map64_key_zero_is_a_key),
        cmocka_unit_test(test_map64_names_that_come_and_go_do_not_grow_it),
        cmocka_unit_test(test_map64_clear_forgets_all_and_keeps_a_small_table),
        cmocka_unit_test(test_map64_used_again_after_fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
