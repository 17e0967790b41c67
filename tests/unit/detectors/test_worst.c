#include "detectors/worst.h"

#include "cmocka_all.h"

static struct arena arena;
static struct statement statements[3];
static struct unit_exchange exchanges[100];
static struct unit unit;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 16);
    memset(exchanges, 0, sizeof(exchanges));
    unit = (struct unit){.exchanges = exchanges, .start_us = 1000};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Each takes 100 us, 50 us after the one before. */
static void send(size_t statement, uint64_t session)
{
    int64_t start_us = 1000 + (int64_t)unit.n * 150;
    exchanges[unit.n++] = (struct unit_exchange){.statement = &statements[statement],
                                                 .session = session,
                                                 .start_us = start_us,
                                                 .end_us = start_us + 100,
                                                 .total_us = 100,
                                                 .rows = 2};
}

static void test_worst_runs_of_a_statement_are_one_step(void **state)
{
    (void)state;
    struct worst *w = NULL;
    send(0, 7);
    for (int i = 0; i < 5; i++)
        send(1, 7);
    send(0, 7);
    worst_note(&w, &arena, &unit, 5000);
    assert_non_null(w);
    assert_int_equal(w->n_steps, 3);
    assert_int_equal(w->statements, 7);
    assert_int_equal(w->left_out, 0);
    assert_ptr_equal(w->steps[1].statement, &statements[1]);
    assert_int_equal(w->steps[1].start_us, 150);
    assert_int_equal(w->steps[1].span_us, 4 * 150 + 100);
    assert_int_equal(w->steps[1].busy_us, 500);
    assert_int_equal(w->steps[1].times, 5);
    assert_int_equal(w->steps[1].rows, 10);
    assert_int_equal(w->steps[2].start_us, 6 * 150);
}

static void test_worst_connections_are_told_apart(void **state)
{
    (void)state;
    struct worst *w = NULL;
    send(0, 7);
    send(0, 9);
    send(0, 7);
    exchanges[2].sqlstate[0] = '4';
    worst_note(&w, &arena, &unit, 5000);
    assert_int_equal(w->n_steps, 3);
    assert_int_equal(w->steps[0].connection, 1);
    assert_int_equal(w->steps[1].connection, 2);
    assert_int_equal(w->steps[2].connection, 1);
    assert_int_equal(w->steps[1].errors, 0);
    assert_int_equal(w->steps[2].errors, 1);
}

static void test_worst_what_finds_no_step_is_counted(void **state)
{
    (void)state;
    struct worst *w = NULL;
    for (size_t i = 0; i < WORST_STEPS + 5; i++)
        send(i % 2, 7);
    send((WORST_STEPS - 1) % 2, 7); /* as the last step: it came after others all the same */
    unit.overflow.statements = 1000;
    worst_note(&w, &arena, &unit, 5000);
    assert_int_equal(w->n_steps, WORST_STEPS);
    assert_int_equal(w->left_out, 1006);
    assert_int_equal(w->statements, WORST_STEPS + 1006);
}

static void test_worst_the_slowest_stays(void **state)
{
    (void)state;
    struct worst *w = NULL;
    send(0, 7);
    worst_note(&w, &arena, &unit, 5000);
    const struct worst *kept = w;
    send(1, 7);
    worst_note(&w, &arena, &unit, 5000);
    assert_int_equal(w->n_steps, 1);
    worst_note(&w, &arena, &unit, 5001);
    assert_int_equal(w->n_steps, 2);
    assert_int_equal(w->wall_us, 5001);
    assert_ptr_equal(w, kept); /* no memory but the first */
}

static void test_worst_of_an_http_request_begins_with_it(void **state)
{
    (void)state;
    struct worst *w = NULL;
    struct http_route *route = (struct http_route *)(void *)&arena; /* only asked whether it is */
    unit.http = (struct http_join){.route = route, .start_us = 400};
    send(0, 7);
    worst_note(&w, &arena, &unit, 5000);
    assert_true(w->by_http);
    assert_int_equal(w->steps[0].start_us, 600);
}

static void test_worst_without_room_is_none(void **state)
{
    (void)state;
    struct worst *w = NULL;
    arena.max = 16;
    send(0, 7);
    worst_note(&w, &arena, &unit, 5000);
    assert_null(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_worst_runs_of_a_statement_are_one_step, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worst_connections_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worst_what_finds_no_step_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worst_the_slowest_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_worst_of_an_http_request_begins_with_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_worst_without_room_is_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
