#include "script_play.h"

/* Pipelines deeper than the conversation holds: until they are answered only their Syncs count,
 * then everything is paired again. */

enum { DEEP = WIRE_MAX_REQUESTS / 2 + 1 }; /* Bind and Execute, so often that one is too many */

static void start(struct script *s)
{
    script_init(s);
    server_startup(s);
    client_parse(s, "insert", "INSERT INTO books VALUES (1)");
    client_sync(s);
    server_bare(s, '1');
    server_ready(s, 'I');
}

static void client_inserts(struct script *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        client_run(s, "insert", NULL);
}

static void server_inserts(struct script *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        server_runs(s, false, "INSERT 0 1");
}

static void select_after(struct script *s)
{
    client_query(s, "SELECT id FROM after_all");
    server_answers_select(s, "1", 'I');
}

/* Whole and in random pieces: byte by byte would take long and cuts at no other places. */
static void play(const struct script *s, struct played *p)
{
    struct played random;
    play_once(s, PLAY_RANDOM, 3, false, &random);
    play_once(s, PLAY_WHOLE, 0, false, p);
    assert_int_equal(random.n, p->n);
    assert_int_equal(played_opaque(&random), played_opaque(p));
    played_fini(&random);
}

static void assert_unread(const struct played *p, uint64_t statements,
                          enum wire_opaque_reason reason)
{
    assert_int_equal(played_count(p, RECORD_UNREAD), 1);
    const struct record_unread *r = played_record(p, RECORD_UNREAD, 0);
    assert_int_equal(r->session, PLAY_SESSION);
    assert_int_equal(r->statements, statements);
    assert_int_equal(r->reason, reason);
}

static void test_skim_deep_pipeline_is_counted_and_what_follows_is_paired(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, DEEP);
    client_sync(&s);
    server_inserts(&s, DEEP);
    server_ready(&s, 'I');
    client_run(&s, "insert", NULL);
    client_sync(&s);
    server_inserts(&s, 1);
    server_ready(&s, 'I');
    select_after(&s);
    play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_unread(&p, DEEP, WIRE_OPAQUE_PIPELINE_TOO_DEEP);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_exchange(&p, 0, "insert into books values (?)", 'I', 'I');
    assert_exchange(&p, 1, "select id from after_all", 'I', 'I');
    played_fini(&p);
    script_fini(&s);
}

static void test_skim_what_was_answered_before_is_no_loss(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, 10);
    server_inserts(&s, 10);
    client_inserts(&s, DEEP);
    client_sync(&s);
    server_inserts(&s, DEEP);
    server_ready(&s, 'I');
    play(&s, &p);
    assert_unread(&p, DEEP, WIRE_OPAQUE_PIPELINE_TOO_DEEP);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 10);
    played_fini(&p);
    script_fini(&s);
}

static void test_skim_ends_only_when_nothing_stands_behind_the_last_sync(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, DEEP);
    client_sync(&s);
    client_inserts(&s, 1); /* on its way when the first Sync is answered */
    server_inserts(&s, DEEP);
    server_ready(&s, 'I');
    client_sync(&s);
    server_inserts(&s, 1);
    server_ready(&s, 'I');
    select_after(&s);
    play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_unread(&p, DEEP + 1, WIRE_OPAQUE_PIPELINE_TOO_DEEP);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 1);
    played_fini(&p);
    script_fini(&s);
}

static void test_skim_error_keeps_step_and_the_names_that_nobody_changed(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, DEEP);
    client_sync(&s);
    server_inserts(&s, 5);
    server_error(&s, "23505");
    server_ready(&s, 'E');
    client_run(&s, "insert", NULL);
    client_sync(&s);
    server_inserts(&s, 1);
    server_ready(&s, 'I');
    play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 1);
    assert_exchange(&p, 0, "insert into books values (?)", 'E', 'I');
    played_fini(&p);
    script_fini(&s);
}

/* Whether the Parse took place is not known: a name must not stand for the wrong statement. */
static void test_skim_names_changed_meanwhile_are_unknown_afterwards(void **state)
{
    (void)state;
    for (int error = 0; error < 2; error++) {
        struct script s;
        struct played p;
        start(&s);
        client_inserts(&s, DEEP);
        client_parse(&s, "other", "SELECT 1");
        client_close(&s, 'S', "insert");
        client_sync(&s);
        if (error == 0) {
            server_inserts(&s, DEEP);
            server_bare(&s, '1');
            server_bare(&s, '3');
        } else {
            server_error(&s, "23505");
        }
        server_ready(&s, 'I');
        client_run(&s, error == 0 ? "other" : "insert", NULL);
        client_sync(&s);
        server_inserts(&s, 1);
        server_ready(&s, 'I');
        play(&s, &p);
        assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
        assert_int_equal(played_count(&p, RECORD_EXCHANGE), 1);
        assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_UNKNOWN));
        assert_int_equal(p.prepared, 0);
        played_fini(&p);
        script_fini(&s);
    }
}

static void test_skim_is_refused_where_syncs_cannot_be_counted(void **state)
{
    (void)state;
    enum { QUERY_BEFORE, QUERY_BEHIND, COPY_BEHIND, CASES };
    for (int i = 0; i < CASES; i++) {
        struct script s;
        struct played p;
        start(&s);
        if (i == QUERY_BEFORE)
            client_query(&s, "SELECT 1");
        client_inserts(&s, DEEP);
        if (i == QUERY_BEHIND)
            client_query(&s, "SELECT 1");
        client_sync(&s);
        if (i == COPY_BEHIND)
            server_copy_response(&s, 'G');
        play(&s, &p);
        assert_int_equal(played_opaque(&p), WIRE_OPAQUE_PIPELINE_TOO_DEEP);
        played_fini(&p);
        script_fini(&s);
    }
}

static void test_skim_answer_without_a_sync_is_a_fault(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, DEEP);
    server_ready(&s, 'I');
    play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_BAD_BODY);
    played_fini(&p);
    script_fini(&s);
}

static void test_skim_session_that_ends_meanwhile_tells_what_was_unread(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_inserts(&s, DEEP);
    play(&s, &p);
    assert_unread(&p, DEEP, WIRE_OPAQUE_PIPELINE_TOO_DEEP);
    played_fini(&p);
    script_fini(&s);
}

/* The account refuses long before the queue is full; when the pipeline is over, what it held is
 * free again. */
static void test_skim_pipeline_over_the_share_of_memory_goes_on_afterwards(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct script s;
    struct played p;
    struct player *player = malloc(sizeof(*player));
    assert_non_null(player);
    start(&s);
    client_inserts(&s, N);
    client_sync(&s);
    server_inserts(&s, N);
    server_ready(&s, 'I');
    select_after(&s);
    player_init(player, &p, false);
    player->ctx.budget.max = (size_t)128 * 1024 * WIRE_SESSION_SHARE;
    player_begin(player);
    player_run(player, &s, PLAY_WHOLE, 0);
    player_end(player, 1);
    player_fini(player);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_unread(&p, N, WIRE_OPAQUE_MEMORY_CAP);
    assert_exchange(&p, 0, "select id from after_all", 'I', 'I');
    played_fini(&p);
    script_fini(&s);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_skim_deep_pipeline_is_counted_and_what_follows_is_paired),
        T(test_skim_what_was_answered_before_is_no_loss),
        T(test_skim_ends_only_when_nothing_stands_behind_the_last_sync),
        T(test_skim_error_keeps_step_and_the_names_that_nobody_changed),
        T(test_skim_names_changed_meanwhile_are_unknown_afterwards),
        T(test_skim_is_refused_where_syncs_cannot_be_counted),
        T(test_skim_answer_without_a_sync_is_a_fault),
        T(test_skim_session_that_ends_meanwhile_tells_what_was_unread),
        T(test_skim_pipeline_over_the_share_of_memory_goes_on_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
