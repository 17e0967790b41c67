#include "common/clock.h"
#include "proxy/parser.h"

#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <setjmp.h>

#include <cmocka.h>

enum { MAX_SEEN = 6000 };

struct bench {
    struct event_base *base;
    struct parser *parser;
    size_t seen;
    uint8_t status[MAX_SEEN]; /* by id.lo */
    uint32_t flags[MAX_SEEN];
    uint8_t times[MAX_SEEN];
    size_t crashed;
    int kill_at; /* kill the child when that many were seen */
    bool ask_more;
};

static void ask(struct bench *b, uint64_t n, const char *sql);

static void on_answer(void *context, const struct record_facts *facts)
{
    struct bench *b = context;
    uint64_t n = facts->id.lo;
    assert_true(n < MAX_SEEN);
    b->status[n] = facts->status;
    b->flags[n] = facts->fact_flags;
    b->times[n]++;
    b->seen++;
    b->crashed += facts->status == FACTS_CRASHED;
    if (b->kill_at > 0 && b->seen == (size_t)b->kill_at)
        kill(parser_pid(b->parser), SIGKILL);
    if (b->ask_more && n < 100)
        ask(b, n + 1, "SELECT * FROM t");
}

static void ask(struct bench *b, uint64_t n, const char *sql)
{
    parser_ask(b->parser, (struct sql_id){7, n}, span_of_text(sql), span_of(NULL, 0));
}

static void run_until(struct bench *b, size_t seen, int seconds)
{
    int64_t end = clock_monotonic_us() + (int64_t)seconds * 1000000;
    while (b->seen < seen && clock_monotonic_us() < end) {
        struct timeval tick = {.tv_usec = 20000};
        event_base_loopexit(b->base, &tick);
        event_base_loop(b->base, EVLOOP_ONCE);
    }
}

static struct bench *open_bench(void)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->base = event_base_new();
    b->parser = parser_new(b->base, on_answer, b);
    assert_non_null(b->parser);
    return b;
}

static void close_bench(struct bench *b)
{
    parser_free(b->parser);
    event_base_free(b->base);
    free(b);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie, no orphan */
}

static void test_parser_asked_facts_come_back(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(parser_pid(b->parser), 0);
    ask(b, 1, "select * from t limit 1");
    ask(b, 2, "selec");
    ask(b, 3, "select count(*) from t");
    parser_ask(b->parser, (struct sql_id){7, 4},
               span_of_text("select a from t where b in (\x01\x02)"), span_of_text("n"));
    assert_int_equal(parser_waiting(b->parser), 4);
    run_until(b, 4, 20);
    assert_int_equal(b->seen, 4);
    assert_int_equal(parser_waiting(b->parser), 0);
    assert_int_equal(b->status[1], FACTS_OK);
    assert_int_equal(b->flags[1], FACT_STAR | FACT_LIMIT);
    assert_int_equal(b->status[2], FACTS_REFUSED);
    assert_true(b->flags[3] & FACT_COUNT);
    assert_true(b->flags[4] & FACT_MANY_KEYS);
    assert_int_equal(parser_restarts(b->parser), 0);
    close_bench(b);
}

static void test_parser_asked_in_the_callback_answers(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    b->ask_more = true;
    ask(b, 0, "SELECT * FROM t");
    run_until(b, 101, 20);
    assert_int_equal(b->seen, 101);
    close_bench(b);
}

static void test_parser_child_killed_loses_at_most_one(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    b->kill_at = 500;
    for (uint64_t i = 0; i < 3000; i++)
        ask(b, i, "SELECT t.a, t.b FROM t WHERE t.id = 1 ORDER BY t.c LIMIT 3");
    run_until(b, 3000, 60);
    assert_int_equal(b->seen, 3000);
    assert_true(b->crashed <= 1);
    assert_int_equal(parser_restarts(b->parser), 1);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(b->times[i], 1);
    close_bench(b);
}

static void test_parser_child_killed_idle_loses_none(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    ask(b, 1, "SELECT 1");
    run_until(b, 1, 20);
    kill(parser_pid(b->parser), SIGKILL);
    run_until(b, 2, 1);
    assert_int_equal(parser_pid(b->parser), 0);
    ask(b, 2, "SELECT 1");
    run_until(b, 2, 20);
    assert_int_equal(b->status[2], FACTS_OK);
    assert_int_equal(b->times[2], 1);
    close_bench(b);
}

static void test_parser_child_silent_is_killed(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    ask(b, 1, "SELECT 1");
    run_until(b, 1, 20);
    kill(parser_pid(b->parser), SIGSTOP);
    ask(b, 2, "SELECT 1");
    ask(b, 3, "SELECT 1");
    run_until(b, 3, 12);
    assert_int_equal(b->status[2], FACTS_CRASHED);
    assert_int_equal(b->status[3], FACTS_OK);
    assert_int_equal(parser_restarts(b->parser), 1);
    close_bench(b);
}

static void test_parser_too_many_crashes_rests(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    for (uint64_t i = 0; i < 20; i++) {
        ask(b, i, "SELECT 1");
        run_until(b, i + 1, 20);
        kill(parser_pid(b->parser), SIGKILL);
        while (parser_pid(b->parser) != 0)
            event_base_loop(b->base, EVLOOP_ONCE);
    }
    assert_int_equal(parser_restarts(b->parser), 19);
    assert_int_equal(b->crashed, 0);
    ask(b, 100, "SELECT 1");
    run_until(b, 21, 1);
    assert_int_equal(b->seen, 20); /* it rests: the question waits */
    assert_int_equal(parser_pid(b->parser), 0);
    assert_int_equal(parser_waiting(b->parser), 1);
    close_bench(b);
}

static void test_parser_too_long_or_too_many_answers_at_once(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    static char sql[16 * 1024 + 2];
    memset(sql, ' ', sizeof(sql) - 1);
    ask(b, 1, sql);
    assert_int_equal(b->seen, 1);
    assert_int_equal(b->status[1], FACTS_TOO_LONG);
    for (uint64_t i = 0; i < 4097; i++)
        ask(b, 1000 + i, "SELECT 1");
    assert_int_equal(b->seen, 2);
    assert_int_equal(b->status[1000 + 4096], FACTS_TOO_LONG);
    run_until(b, 4098, 60);
    assert_int_equal(b->seen, 4098);
    assert_int_equal(b->crashed, 0);
    close_bench(b);
}

static char *repeated(const char *head, const char *part, const char *tail, size_t max)
{
    char *sql = malloc(max + 1);
    assert_non_null(sql);
    size_t at = (size_t)snprintf(sql, max + 1, "%s", head);
    while (at + strlen(part) + strlen(tail) <= max)
        at += (size_t)snprintf(sql + at, max + 1 - at, "%s", part);
    snprintf(sql + at, max + 1 - at, "%s", tail);
    return sql;
}

static void test_parser_nasty_statements_leave_the_rest_unharmed(void **state)
{
    (void)state;
    static const char *const parts[][3] = {
        {"SELECT 1", "+1", ""},
        {"SELECT ", "(", ""},
        {"SELECT ", "NOT ", "true"},
        {"SELECT a ", "UNION SELECT a ", ""},
        {"SELECT ", "[", ""},
        {"SELECT ", "CASE WHEN ", ""},
        {"SELECT * FROM a", ",b", ""},
        {"SELECT ", "-", "1"},
        {"", "(SELECT ", ""},
        {"SELECT a", "::int", ""},
        {"SELECT a WHERE ", "a AND ", "a"},
        {"", ";", "SELECT 1"},
        {"SELECT a FROM t WHERE ", "a=1 OR ", "a=1"},
        {"SELECT ", "\xe2\x82", ""},
        {"", "WITH x AS (", ""},
    };
    enum { N = sizeof(parts) / sizeof(parts[0]) };
    struct bench *b = open_bench();
    for (uint64_t i = 0; i < N; i++) {
        char *sql = repeated(parts[i][0], parts[i][1], parts[i][2], (size_t)16 * 1024);
        ask(b, 2 * i, sql);
        ask(b, 2 * i + 1, "SELECT * FROM t");
        free(sql);
    }
    run_until(b, (size_t)2 * N, 60);
    assert_int_equal(b->seen, 2 * N);
    for (int i = 0; i < N; i++)
        assert_int_equal(b->status[2 * i + 1], FACTS_OK);
    print_message("%zu of %d nasty statements crashed the child\n", b->crashed, N);
    close_bench(b);
}

static void test_parser_freed_while_waiting(void **state)
{
    (void)state;
    struct bench *b = open_bench();
    for (uint64_t i = 0; i < 100; i++)
        ask(b, i, "SELECT 1");
    run_until(b, 3, 20);
    close_bench(b);
    parser_free(NULL);
}

int main(int argc, char **argv)
{
    /* The child is /proc/self/exe, which here is this test. */
    if (argc > 1 && strcmp(argv[1], "parser-helper") == 0)
        return parser_helper_serve(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser_asked_facts_come_back),
        cmocka_unit_test(test_parser_asked_in_the_callback_answers),
        cmocka_unit_test(test_parser_child_killed_loses_at_most_one),
        cmocka_unit_test(test_parser_child_killed_idle_loses_none),
        cmocka_unit_test(test_parser_child_silent_is_killed),
        cmocka_unit_test(test_parser_too_many_crashes_rests),
        cmocka_unit_test(test_parser_too_long_or_too_many_answers_at_once),
        cmocka_unit_test(test_parser_nasty_statements_leave_the_rest_unharmed),
        cmocka_unit_test(test_parser_freed_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
