/* Requests that wait for one of 40 threads, and those that wait for something else. */
#include "http_traffic.h"

#include <stdlib.h>

static const struct http report = {.route = "/report"};

enum { SERVICE_MS = 100, MOST = 4000 };

/* The route alone: what it takes when nothing is in its way. */
static struct traffic *usual(void)
{
    struct traffic *t = traffic_new();
    for (int i = 0; i < 30; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &report);
        traffic_wait(t, SERVICE_MS);
        struct http about = report;
        about.first_us = SERVICE_MS * 1000;
        http_end_request(t, id, start_us, &about);
        traffic_wait(t, 10);
    }
    return t;
}

/* `clients` ask again at once for some seconds; `servers` of them are served at a time. */
static void press(struct traffic *t, int clients, int servers, int seconds)
{
    int64_t free_us[MOST] = {0};
    int64_t ask_us[MOST] = {0};
    int64_t began_us = t->now_us;
    for (int i = 0; i < servers; i++)
        free_us[i] = began_us;
    for (int i = 0; i < clients; i++)
        ask_us[i] = began_us + i;
    for (int n = 0;; n++) {
        int c = 0; /* who asked first */
        for (int i = 1; i < clients; i++)
            c = ask_us[i] < ask_us[c] ? i : c;
        int s = 0; /* who is free first */
        for (int i = 1; i < servers; i++)
            s = free_us[i] < free_us[s] ? i : s;
        int64_t start_us = ask_us[c];
        int64_t from_us = free_us[s] > start_us ? free_us[s] : start_us;
        int64_t end_us = from_us + SERVICE_MS * 1000;
        if (end_us - began_us > seconds * INT64_C(1000000))
            break;
        free_us[s] = end_us;
        ask_us[c] = end_us + 1;
        t->now_us = start_us;
        uint64_t id = http_begin_request(t, &report);
        t->now_us = end_us;
        struct http about = report;
        about.first_us = (uint32_t)(end_us - start_us);
        http_end_request(t, id, start_us, &about);
    }
}

static const struct finding *found(struct traffic *t)
{
    struct record_mark *mark = (void *)t->out.bytes;
    traffic_wait(t, 20000);
    mark->time_us = t->now_us;
    traffic_send(t, RECORD_MARK, sizeof(*mark), 0);
    return traffic_finding(traffic_result(t), "thread_pool");
}

static bool is_found(int clients, int servers, int seconds)
{
    struct traffic *t = usual();
    press(t, clients, servers, seconds);
    bool is = found(t) != NULL;
    traffic_free(t);
    return is;
}

static void test_more_requests_than_threads_wait_for_one(void **state)
{
    (void)state;
    struct traffic *t = usual();
    press(t, 100, 40, 8);
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_string_equal(f->endpoint->name, "GET /report");
    assert_true(f->wasted_ms_p95 >= 100 && f->wasted_ms_p95 <= 210);
    traffic_free(t);
}

static void test_as_many_requests_as_threads_wait_for_nothing(void **state)
{
    (void)state;
    assert_false(is_found(40, 40, 8));
    assert_false(is_found(45, 40, 8));
}

static void test_requests_that_are_all_served_at_once_wait_for_nothing(void **state)
{
    (void)state;
    assert_false(is_found(100, 100, 8));
    assert_false(is_found(200, 200, 8));
}

static void test_pool_of_another_size_is_another_pool(void **state)
{
    (void)state;
    assert_false(is_found(100, 10, 8));
    assert_false(is_found(100, 25, 8));
    assert_false(is_found(100, 60, 8));
}

static void test_short_rush_is_no_plateau(void **state)
{
    (void)state;
    assert_false(is_found(100, 40, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_requests_than_threads_wait_for_one),
        cmocka_unit_test(test_as_many_requests_as_threads_wait_for_nothing),
        cmocka_unit_test(test_requests_that_are_all_served_at_once_wait_for_nothing),
        cmocka_unit_test(test_pool_of_another_size_is_another_pool),
        cmocka_unit_test(test_short_rush_is_no_plateau),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
