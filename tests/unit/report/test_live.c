#include "report/live.h"

#include "cmocka_all.h"

#include "check_reports.h"

#define STATUS                                                                                     \
    "version: 0.1.0\nuptime_s: 12.4\nstatements: 30\nrecords_dropped: 0\nsessions: {open: 2}\n"    \
    "run: {name: load}\n"

#define CALLED(id, n)                                                                              \
    "- {id: \"" id "\", endpoint: \"GET /a\", endpoint_key: k, calls: " #n                         \
    ", errors: 0, ms: {p95: 1.5}, sql: \"select 1\"}\n"

static void assert_top(const char *endpoints, unsigned height, const char *expected)
{
    json_t *status = read_yaml(STATUS);
    json_t *rows = read_yaml(endpoints);
    struct strbuf out;
    strbuf_init(&out, 65536);
    assert_int_equal(rpt_live_top(status, rows, height, &out, (struct rpt_text_options){0}), 0);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_fini(&out);
    json_decref(rows);
    json_decref(status);
}

#define STATE "pgsleuth 0.1.0  up 12 s  2 connections  30 statements  run load\n"

static void test_top_tells_the_state_and_that_nothing_was_seen(void **state)
{
    (void)state;
    assert_top("endpoints: []", 0, STATE "No endpoint was seen yet.\n");
}

static void test_top_is_cut_to_the_height_of_the_screen(void **state)
{
    (void)state;
    static const char rows[] = "endpoints:\n" ROW("GET /a", 1, 1) ROW("GET /b", 1, 1);
    assert_top(rows, 1, STATE);
    json_t *status = read_yaml(STATUS);
    json_t *endpoints = read_yaml(rows);
    struct strbuf out;
    strbuf_init(&out, 65536);
    assert_int_equal(rpt_live_top(status, endpoints, 0, &out, (struct rpt_text_options){0}), 0);
    assert_non_null(strstr(strbuf_text(&out), "\nGET /b "));
    strbuf_fini(&out);
    json_decref(endpoints);
    json_decref(status);
}

static void assert_tail(const char *before, const char *now, const char *expected)
{
    json_t *earlier = before != NULL ? read_yaml(before) : NULL;
    json_t *later = read_yaml(now);
    struct strbuf out;
    strbuf_init(&out, 65536);
    assert_int_equal(rpt_live_tail(earlier, later, &out, (struct rpt_text_options){0}), 0);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_fini(&out);
    json_decref(later);
    json_decref(earlier);
}

#define LINE(n) "      " n "    1.50 ms  GET /a                        select 1\n"

static void test_tail_prints_what_was_called_since(void **state)
{
    (void)state;
    assert_tail(NULL, "statements:\n" CALLED("a", 3), LINE("3x"));
    assert_tail("statements:\n" CALLED("a", 3), "statements:\n" CALLED("a", 5) CALLED("b", 1),
                LINE("2x") LINE("1x"));
    assert_tail("statements:\n" CALLED("a", 3), "statements:\n" CALLED("a", 3), "");
}

static void test_tail_of_another_run_begins_anew(void **state)
{
    (void)state;
    assert_tail("statements:\n" CALLED("a", 9), "statements:\n" CALLED("a", 2), LINE("2x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_tells_the_state_and_that_nothing_was_seen),
        cmocka_unit_test(test_top_is_cut_to_the_height_of_the_screen),
        cmocka_unit_test(test_tail_prints_what_was_called_since),
        cmocka_unit_test(test_tail_of_another_run_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
