#include "script_play.h"

/* Errors in a pipeline: the server skips everything up to Sync, and names mean what they did. */

static void start(struct script *s)
{
    script_init(s);
    server_startup(s);
}

/* Two good statements after the error must be the next that are known. */
static void finish_after_error(struct script *s)
{
    server_ready(s, 'I');
    client_query(s, "SELECT after_error");
    server_answers_select(s, "1", 'I');
}

static void test_error_in_parse_skips_to_sync_and_restores_the_name(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "s1", "SELECT old");
    client_sync(&s);
    server_bare(&s, '1');
    server_ready(&s, 'I');
    client_run(&s, "s1", "SELECT new"); /* 42P05: the name is taken */
    client_query(&s, "SELECT swallowed");
    client_close(&s, 'S', "s1");
    client_sync(&s);
    server_error(&s, "42P05");
    server_ready(&s, 'I');
    client_run(&s, "s1", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    finish_after_error(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 3);
    assert_exchange(&p, 0, "select new", 'I', 'I');
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_true(exchange_has(x, EXCHANGE_ERROR | EXCHANGE_EXTENDED));
    assert_memory_equal(x->sqlstate, "42P05", 5);
    assert_exchange(&p, 1, "select old", 'I', 'I');
    assert_exchange(&p, 2, "select after_error", 'I', 'I');
    played_fini(&p);
}

static void test_error_in_bind_is_the_statements_own(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "s1", "SELECT $1::int");
    client_sync(&s);
    server_bare(&s, '1');
    server_ready(&s, 'I');
    client_run(&s, "s1", NULL); /* Bind is step 10 */
    client_sync(&s);
    server_error(&s, "22P02"); /* step 13 */
    finish_after_error(&s);
    play_once(&s, PLAY_WHOLE, 0, false, &p);
    assert_int_equal(played_exchange(&p, 0)->first_us, 3 * PLAY_STEP_US);
    assert_int_equal(played_exchange(&p, 0)->total_us, 3 * PLAY_STEP_US);
    played_fini(&p);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_ERROR | EXCHANGE_EXTENDED));
    assert_memory_equal(played_exchange(&p, 0)->sqlstate, "22P02", 5);
    played_fini(&p);
}

static void test_error_in_execute_skips_the_rest_of_the_pipeline(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_run(&s, "", "INSERT INTO t VALUES (1)");
    client_run(&s, "", "INSERT INTO t VALUES (2, 3)");
    client_run(&s, "later", "INSERT INTO t VALUES (4, 5, 6)");
    client_close(&s, 'S', "later");
    client_sync(&s);
    client_run(&s, "", "SELECT second_pipeline");
    client_sync(&s);
    server_runs(&s, true, "INSERT 0 1");
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_error(&s, "23505");
    server_ready(&s, 'I');
    server_runs(&s, true, "SELECT 0");
    finish_after_error(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 4);
    assert_exchange(&p, 1, "insert into t values (?, ...)", 'I', 'I');
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_ERROR | EXCHANGE_PIPELINED));
    assert_exchange(&p, 2, "select second_pipeline", 'I', 'I');
    assert_false(exchange_has(played_exchange(&p, 2), EXCHANGE_PIPELINED));
    assert_int_equal(p.prepared, 0); /* "later" was never made, the Query dropped the unnamed one */
    played_fini(&p);
}

/* What the client sends when the error is already there, before its Sync, is ignored as well. */
static void test_error_messages_sent_after_it_are_ignored_up_to_sync(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "bad", "SELEC");
    client_flush(&s);
    server_error(&s, "42601");
    client_query(&s, "SELECT ignored");
    client_run(&s, "x", "SELECT ignored_too");
    client_function_call(&s);
    client_copy_done(&s);
    client_copy_data(&s, "junk");
    client_flush(&s);
    client_sync(&s);
    finish_after_error(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_exchange(&p, 0, "selec", 'I', 'I');
    assert_exchange(&p, 1, "select after_error", 'I', 'I');
    assert_int_equal(p.prepared, 0);
    played_fini(&p);
}

/* Parse over Parse over Close of one name, none of them done: back to the first meaning. */
static void test_error_stacked_changes_of_a_name_are_all_undone(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "n", "SELECT first_meaning");
    client_sync(&s);
    server_bare(&s, '1');
    server_ready(&s, 'I');
    client_parse(&s, "broken", "SELEC");
    client_close(&s, 'S', "n");
    client_parse(&s, "n", "SELECT second_meaning");
    client_close(&s, 'S', "n");
    client_parse(&s, "n", "SELECT third_meaning");
    client_sync(&s);
    server_error(&s, "42601");
    server_ready(&s, 'I');
    client_run(&s, "n", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_exchange(&p, 1, "select first_meaning", 'I', 'I');
    assert_int_equal(p.prepared, 1);
    played_fini(&p);
}

static void test_error_at_sync_does_not_skip(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_run(&s, "", "INSERT INTO t VALUES (1)");
    client_sync(&s);
    server_runs(&s, true, "INSERT 0 1");
    server_error(&s, "23503"); /* a deferred constraint */
    finish_after_error(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_exchange(&p, 1, "select after_error", 'I', 'I');
    played_fini(&p);
}

/* --- the unnamed statement: the server drops it at every Query, and at a Parse even if that fails
 */

static void parse_unnamed(struct script *s)
{
    client_parse(s, "", "SELECT unnamed");
    client_sync(s);
    server_bare(s, '1');
    server_ready(s, 'I');
}

static void bind_unnamed_fails(struct script *s)
{
    client_run(s, "", NULL);
    client_sync(s);
    server_error(s, "26000");
    server_ready(s, 'I');
}

static void test_query_destroys_the_unnamed_statement(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    parse_unnamed(&s);
    client_query(&s, "SELECT between");
    server_complete(&s, "SELECT 0");
    server_ready(&s, 'I');
    bind_unnamed_fails(&s);
    script_play(&s, &p);
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_UNKNOWN | EXCHANGE_ERROR));
    played_fini(&p);
}

static void test_query_that_is_skipped_leaves_the_unnamed_statement(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    parse_unnamed(&s);
    client_run(&s, "nobody", NULL);
    client_query(&s, "SELECT skipped");
    client_sync(&s);
    server_error(&s, "26000");
    server_ready(&s, 'I');
    client_run(&s, "", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_exchange(&p, 1, "select unnamed", 'I', 'I');
    played_fini(&p);
}

static void test_parse_that_fails_destroys_the_unnamed_statement(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    parse_unnamed(&s);
    client_parse(&s, "", "SELEC");
    client_sync(&s);
    server_error(&s, "42601");
    server_ready(&s, 'I');
    bind_unnamed_fails(&s);
    script_play(&s, &p);
    assert_exchange(&p, 0, "selec", 'I', 'I');
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_UNKNOWN | EXCHANGE_ERROR));
    assert_int_equal(p.prepared, 0);
    played_fini(&p);
}

static void test_parse_that_is_skipped_leaves_the_unnamed_statement(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    parse_unnamed(&s);
    client_run(&s, "nobody", NULL);
    client_parse(&s, "", "SELECT skipped");
    client_sync(&s);
    server_error(&s, "26000");
    server_ready(&s, 'I');
    client_run(&s, "", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_exchange(&p, 1, "select unnamed", 'I', 'I');
    played_fini(&p);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_error_in_parse_skips_to_sync_and_restores_the_name),
        T(test_error_in_bind_is_the_statements_own),
        T(test_error_in_execute_skips_the_rest_of_the_pipeline),
        T(test_error_messages_sent_after_it_are_ignored_up_to_sync),
        T(test_error_stacked_changes_of_a_name_are_all_undone),
        T(test_error_at_sync_does_not_skip),
        T(test_query_destroys_the_unnamed_statement),
        T(test_query_that_is_skipped_leaves_the_unnamed_statement),
        T(test_parse_that_fails_destroys_the_unnamed_statement),
        T(test_parse_that_is_skipped_leaves_the_unnamed_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
