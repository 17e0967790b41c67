#include "wire/record_shift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEADER(name, kind)                                                                         \
    {                                                                                              \
        .len = sizeof(struct kind), .type = RECORD_##name                                          \
    }

static void test_shift_moves_time_and_tells_sessions_of_runs_apart(void **state)
{
    (void)state;
    struct record_exchange first = {
        .h = HEADER(EXCHANGE, record_exchange), .session = 7, .start_us = 40};
    struct record_exchange second = first;
    assert_true(record_shift(&first.h, 0, 0));
    assert_true(record_shift(&second.h, 1000, 1));
    assert_int_equal(first.session, 7);
    assert_int_equal(first.start_us, 40);
    assert_true(second.session != 7);
    assert_int_equal(record_time(&second.h), 1040);
}

static void test_shift_changes_both_ids_of_a_request(void **state)
{
    (void)state;
    struct record_http r = {
        .h = HEADER(HTTP, record_http), .request = 1, .connection = 1, .start_us = 5};
    assert_true(record_shift(&r.h, 5, 63));
    assert_true(r.request != 1 && r.connection == r.request);
    assert_int_equal(r.start_us, 10);
}

static void test_shift_leaves_records_without_time_alone(void **state)
{
    (void)state;
    struct record_statement r = {.h = HEADER(STATEMENT, record_statement), .id = {.hi = 1}};
    struct record_statement before = r;
    assert_true(record_shift(&r.h, 77, 3));
    assert_memory_equal(&r, &before, sizeof(r));
    assert_int_equal(record_time(&r.h), 0);
}

static void test_shift_refuses_a_time_beyond_all_times(void **state)
{
    (void)state;
    struct record_mark r = {.h = HEADER(MARK, record_mark), .time_us = RECORD_TIME_MAX_US - 1};
    assert_true(record_shift(&r.h, 1, 0));
    assert_false(record_shift(&r.h, 1, 0));
    assert_int_equal(r.time_us, RECORD_TIME_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift_moves_time_and_tells_sessions_of_runs_apart),
        cmocka_unit_test(test_shift_changes_both_ids_of_a_request),
        cmocka_unit_test(test_shift_leaves_records_without_time_alone),
        cmocka_unit_test(test_shift_refuses_a_time_beyond_all_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
