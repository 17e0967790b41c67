/* Which connection of a client nobody has used for longest. */
#include "cmocka_all.h"

#include "detectors/pool_order.h"

enum { CLIENT = 7 };

static void test_pool_order_tells_the_other_that_is_idle_for_longest(void **state)
{
    (void)state;
    struct pool_order o;
    struct pool_place a = {.line = NULL};
    struct pool_place b = {.line = NULL};
    struct pool_place c = {.line = NULL};
    pool_order_init(&o);
    pool_order_enter(&o, &a, CLIENT, 10);
    assert_int_equal(pool_order_idle_since(&a), INT64_MAX);
    pool_order_enter(&o, &b, CLIENT, 20);
    pool_order_enter(&o, &c, CLIENT + 1, 5);
    assert_int_equal(pool_order_idle_since(&a), 20);
    assert_int_equal(pool_order_idle_since(&b), 10);
    pool_order_use(&a, 30);
    assert_int_equal(pool_order_idle_since(&b), 30);
    assert_int_equal(pool_order_idle_since(&a), 20);
    assert_int_equal(pool_order_idle_since(&c), INT64_MAX);
    pool_order_leave(&o, &b);
    assert_int_equal(pool_order_idle_since(&a), INT64_MAX);
    assert_int_equal(pool_order_idle_since(&b), 0);
    pool_order_leave(&o, &a);
    pool_order_leave(&o, &c);
    assert_int_equal(o.by_client.count, 0);
    pool_order_fini(&o);
}

static void test_pool_order_past_the_cap_of_clients_knows_nothing(void **state)
{
    (void)state;
    static struct pool_place places[POOL_ORDER_MAX_CLIENTS + 1];
    struct pool_order o;
    pool_order_init(&o);
    for (uint64_t i = 0; i <= POOL_ORDER_MAX_CLIENTS; i++)
        pool_order_enter(&o, &places[i], i, 1);
    assert_int_equal(pool_order_idle_since(&places[0]), INT64_MAX);
    assert_int_equal(pool_order_idle_since(&places[POOL_ORDER_MAX_CLIENTS]), 0);
    pool_order_use(&places[POOL_ORDER_MAX_CLIENTS], 2);
    pool_order_leave(&o, &places[POOL_ORDER_MAX_CLIENTS]);
    pool_order_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_order_tells_the_other_that_is_idle_for_longest),
        cmocka_unit_test(test_pool_order_past_the_cap_of_clients_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
