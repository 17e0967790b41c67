#include "proxy/http_gate.h"

#include "cmocka_all.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void test_http_gate_off_lets_everybody_in(void **state)
{
    (void)state;
    struct http_gate g;
    http_gate_init(&g, false);
    assert_true(http_gate_enter(&g));
    assert_true(http_gate_enter(&g));
    http_gate_leave(&g);
}

static void test_http_gate_on_lets_one_in_and_wakes_at_its_end(void **state)
{
    (void)state;
    struct http_gate g;
    uint64_t count = 0;
    int fd = eventfd(0, EFD_NONBLOCK);
    http_gate_init(&g, true);
    http_gate_add(&g, fd);
    assert_true(http_gate_enter(&g));
    assert_false(http_gate_enter(&g));
    assert_int_equal(read(fd, &count, sizeof(count)), -1);
    http_gate_leave(&g);
    assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
    assert_true(http_gate_enter(&g));
    close(fd);
}

static void test_http_gate_tickets_are_in_order_and_never_0(void **state)
{
    (void)state;
    struct http_gate g;
    http_gate_init(&g, true);
    assert_int_equal(http_gate_ticket(&g), 1);
    assert_int_equal(http_gate_ticket(&g), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_gate_off_lets_everybody_in),
        cmocka_unit_test(test_http_gate_on_lets_one_in_and_wakes_at_its_end),
        cmocka_unit_test(test_http_gate_tickets_are_in_order_and_never_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
