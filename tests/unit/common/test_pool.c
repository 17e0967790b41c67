#include "cmocka_all.h"
#include "common/pool.h"

#include <string.h>

static void test_pool_object_given_back_is_handed_out_again(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, 64, 4, 100);
    void *a = pool_get(&p);
    assert_non_null(a);
    memset(a, 0xff, 64);
    pool_put(&p, a);
    assert_ptr_equal(pool_get(&p), a);
    pool_put(&p, a);
    pool_fini(&p);
}

static void test_pool_refuses_past_its_maximum(void **state)
{
    (void)state;
    struct pool p;
    void *held[3];
    pool_init(&p, 16, 8, 3);
    for (int i = 0; i < 3; i++)
        assert_non_null(held[i] = pool_get(&p));
    assert_null(pool_get(&p));
    pool_put(&p, held[1]);
    assert_non_null(held[1] = pool_get(&p));
    for (int i = 0; i < 3; i++)
        pool_put(&p, held[i]);
    assert_int_equal(p.n_used, 0);
    pool_fini(&p);
}

static void test_pool_keeps_no_more_than_told(void **state)
{
    (void)state;
    struct pool p;
    void *held[20];
    pool_init(&p, 32, 5, 100);
    for (int i = 0; i < 20; i++)
        held[i] = pool_get(&p);
    for (int i = 0; i < 20; i++)
        pool_put(&p, held[i]);
    assert_int_equal(p.n_free, 5);
    pool_fini(&p);
    assert_int_equal(p.n_free, 0);
}

static void test_pool_objects_in_use_are_distinct(void **state)
{
    (void)state;
    struct pool p;
    int *held[50];
    pool_init(&p, sizeof(void *), 10, 50);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            held[i] = pool_get(&p);
            *held[i] = i;
        }
        for (int i = 0; i < 50; i++) {
            assert_int_equal(*held[i], i);
            pool_put(&p, held[i]);
        }
    }
    pool_fini(&p);
}

static void test_pool_put_null_is_nothing(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, 8, 1, 1);
    pool_put(&p, NULL);
    assert_int_equal(p.n_free, 0);
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_object_given_back_is_handed_out_again),
        cmocka_unit_test(test_pool_refuses_past_its_maximum),
        cmocka_unit_test(test_pool_keeps_no_more_than_told),
        cmocka_unit_test(test_pool_objects_in_use_are_distinct),
        cmocka_unit_test(test_pool_put_null_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
