#include "script_play.h"

/* Scenarios of the simple and the extended protocol; errors in a pipeline are in
 * test_conversation_errors.c, COPY, faults and limits in test_tap.c. Each is played whole, byte by
 * byte and in random pieces (script_play.h). */

static void start(struct script *s)
{
    script_init(s);
    server_startup(s);
}

/* --- simple protocol */

static void test_query_one_statement_gives_one_exchange(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT id FROM users WHERE id = 42");
    server_answers_select(&s, "42", 'I');
    client_terminate(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 1);
    assert_exchange(&p, 0, "select id from users where id = ?", 'I', 'I');
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_int_equal(x->exchange_flags, EXCHANGE_FIRST_OF_CONNECTION);
    assert_int_equal(x->session, PLAY_SESSION);
    assert_int_equal(x->verb, SQL_VERB_SELECT);
    assert_int_equal(x->rows, 1);
    assert_int_equal(x->affected, 1);
    assert_int_equal(x->bytes, 2 + 4 + 2);
    assert_int_equal(x->batch_count, 1);
    assert_int_equal(x->portal, 0);
    assert_int_equal(x->n_values, 1);
    assert_true(exchange_values(x)[0] == wire_value_hash_text(span_of_text("42")));
    assert_true(x->result_hash != 0);
    const struct record_session_end *end = played_record(&p, RECORD_SESSION_END, 0);
    assert_int_equal(end->terminate, 1);
    assert_int_equal(end->reason, 3);
    assert_int_equal(end->bytes_from_client, 1);
    assert_int_equal(end->bytes_from_server, 2);
    played_fini(&p);
}

static void test_session_first_record_says_who_it_is(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    script_play(&s, &p);
    assert_int_equal(p.n, 2);
    const struct record_session_start *r = played_record(&p, RECORD_SESSION_START, 0);
    assert_true(span_is(record_tail(&r->h, sizeof(*r), 0, 18), "bobshopweb10.0.0.7"));
    assert_int_equal(r->user_len, 3);
    assert_int_equal(r->database_len, 4);
    assert_int_equal(r->application_len, 3);
    assert_int_equal(r->client_len, 8);
    const struct record_session_end *end = played_record(&p, RECORD_SESSION_END, 0);
    assert_int_equal(end->terminate, 0);
    assert_int_equal(end->stopped, 1);
    assert_int_equal(end->startup_us, 5 * PLAY_STEP_US);
    played_fini(&p);
}

static void test_query_times_are_of_request_first_reply_and_end(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1"); /* step 6 */
    server_notice(&s);
    server_id_field(&s); /* step 8 */
    server_text_row(&s, "1");
    server_complete(&s, "SELECT 1"); /* step 10 */
    server_ready(&s, 'I');
    play_once(&s, PLAY_WHOLE, 0, false, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_int_equal(x->start_us, 6 * PLAY_STEP_US);
    assert_int_equal(x->first_us, 2 * PLAY_STEP_US);
    assert_int_equal(x->total_us, 4 * PLAY_STEP_US);
    script_fini(&s);
    played_fini(&p);
}

static void test_query_without_rows_has_no_result_hash(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT id FROM users WHERE false");
    server_id_field(&s);
    server_complete(&s, "SELECT 0");
    server_ready(&s, 'I');
    client_query(&s, "SELECT FROM users"); /* no columns: rows all the same */
    server_fields(&s, 0, NULL);
    server_row(&s, 0, NULL);
    server_row(&s, 0, NULL);
    server_complete(&s, "SELECT 2");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_true(played_exchange(&p, 0)->result_hash == 0);
    assert_int_equal(played_exchange(&p, 0)->rows, 0);
    assert_int_equal(played_exchange(&p, 1)->rows, 2);
    assert_true(played_exchange(&p, 1)->result_hash != 0);
    played_fini(&p);
}

static void test_query_several_statements_are_told_apart(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "BEGIN; UPDATE t SET a = 1;; SELECT id FROM t; COMMIT;");
    server_complete(&s, "BEGIN");
    server_complete(&s, "UPDATE 7");
    server_id_field(&s);
    server_text_row(&s, "5");
    server_text_row(&s, "6");
    server_complete(&s, "SELECT 2");
    server_complete(&s, "COMMIT");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 4);
    assert_exchange(&p, 0, "begin", 'I', 0);
    assert_exchange(&p, 1, "update t set a = ?", 'I', 0);
    assert_exchange(&p, 2, "select id from t", 'I', 0);
    assert_exchange(&p, 3, "commit", 'I', 'I');
    for (unsigned i = 0; i < 4; i++) {
        const struct record_exchange *x = played_exchange(&p, i);
        assert_int_equal(x->batch_index, i);
        assert_int_equal(x->batch_count, 4);
        assert_true(exchange_has(x, EXCHANGE_BATCH));
        assert_false(exchange_has(x, EXCHANGE_PIPELINED));
        assert_int_equal(x->round_trip, 1);
    }
    assert_int_equal(played_exchange(&p, 1)->affected, 7);
    assert_int_equal(played_exchange(&p, 1)->rows, 0);
    assert_int_equal(played_exchange(&p, 2)->rows, 2);
    played_fini(&p);
}

static void test_query_tag_behind_the_last_statement_is_of_all(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1; SELECT 2 /*route='%2Fa'*/; SELECT 3 /*route='%2Fb'*/;");
    for (int i = 0; i < 3; i++) {
        server_id_field(&s);
        server_complete(&s, "SELECT 0");
    }
    server_ready(&s, 'I');
    script_play(&s, &p);
    uint64_t first = played_exchange(&p, 0)->tag;
    assert_true(first != 0);
    assert_true(first == played_exchange(&p, 2)->tag);
    assert_true(first != played_exchange(&p, 1)->tag);
    assert_int_equal(played_count(&p, RECORD_TAG), 2);
    played_fini(&p);
}

static void test_query_empty_texts_are_answered_without_a_tag(void **state)
{
    (void)state;
    static const char *const texts[] = {"", ";", " ; ;", "-- nothing\n", "/* only */"};
    struct script s;
    struct played p;
    start(&s);
    for (size_t i = 0; i < 5; i++) {
        client_query(&s, texts[i]);
        server_bare(&s, 'I');
        server_ready(&s, 'I');
    }
    client_query(&s, ";;select 1;");
    server_answers_select(&s, "1", 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 6);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(played_exchange(&p, i)->verb, SQL_VERB_EMPTY);
        assert_int_equal(played_exchange(&p, i)->batch_count, 1);
    }
    assert_exchange(&p, 5, "select ?", 'I', 'I');
    played_fini(&p);
}

static void test_query_error_in_the_middle_ends_the_batch(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1; SELECT nope; SELECT 3");
    server_id_field(&s);
    server_text_row(&s, "1");
    server_complete(&s, "SELECT 1");
    server_error(&s, "42703");
    server_ready(&s, 'I');
    client_query(&s, "SELECT 4");
    server_answers_select(&s, "4", 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 3);
    assert_exchange(&p, 1, "select nope", 'I', 'I');
    const struct record_exchange *x = played_exchange(&p, 1);
    assert_true(exchange_has(x, EXCHANGE_ERROR | EXCHANGE_BATCH));
    assert_memory_equal(x->sqlstate, "42703", 5);
    assert_int_equal(x->batch_index, 1);
    assert_int_equal(played_exchange(&p, 2)->batch_index, 0);
    assert_false(exchange_has(played_exchange(&p, 2), EXCHANGE_BATCH));
    played_fini(&p);
}

static void test_query_error_after_rows_keeps_the_rows(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1/(3-id) FROM t");
    server_id_field(&s);
    server_text_row(&s, "1");
    server_error(&s, "22012");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_exchange(&p, 0)->rows, 1);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_ERROR));
    played_fini(&p);
}

static void test_query_batch_longer_than_is_told_apart_is_counted(void **state)
{
    (void)state;
    enum { MANY = WIRE_MAX_BATCH + 20 };
    struct script s;
    struct played p;
    start(&s);
    script_begin(&s, WIRE_FROM_CLIENT, 'Q');
    for (int i = 0; i < MANY; i++)
        strbuf_puts(&s.bytes, "SELECT 1;");
    script_string(&s, "");
    script_end(&s);
    for (int i = 0; i < MANY; i++)
        server_complete(&s, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), MANY);
    const struct record_exchange *last = played_exchange(&p, MANY - 1);
    assert_int_equal(last->batch_count, MANY);
    assert_int_equal(last->batch_index, MANY - 1);
    assert_true(exchange_has(last, EXCHANGE_UNKNOWN));
    assert_false(exchange_has(played_exchange(&p, WIRE_MAX_BATCH - 1), EXCHANGE_UNKNOWN));
    played_fini(&p);
}

static void test_transaction_states_are_those_around_each_statement(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "BEGIN");
    server_complete(&s, "BEGIN");
    server_ready(&s, 'T');
    client_query(&s, "SELECT 1");
    server_answers_select(&s, "1", 'T');
    client_query(&s, "SELECT nope");
    server_error(&s, "42703");
    server_ready(&s, 'E');
    client_query(&s, "ROLLBACK");
    server_complete(&s, "ROLLBACK");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_exchange(&p, 0, "begin", 'I', 'T');
    assert_exchange(&p, 1, "select ?", 'T', 'T');
    assert_exchange(&p, 2, "select nope", 'T', 'E');
    assert_exchange(&p, 3, "rollback", 'E', 'I');
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(played_exchange(&p, i)->round_trip, i + 1);
    played_fini(&p);
}

/* --- extended protocol */

static void test_extended_unnamed_gives_one_exchange(void **state)
{
    (void)state;
    static const uint32_t types[] = {WIRE_OID_INT4};
    static const struct script_value value = {"\0\0\0\x2a", 4, 1};
    struct script s;
    struct played p;
    start(&s);
    client_parse_types(&s, "", "SELECT id FROM users WHERE id = $1", 1, types);
    client_bind_values(&s, "", "", 1, &value, 0);
    client_describe(&s, 'P', "");
    client_execute(&s, "", 0);
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_id_field(&s);
    server_text_row(&s, "42");
    server_complete(&s, "SELECT 1");
    server_ready(&s, 'I');
    client_query(&s, "SELECT id FROM users WHERE id = 42");
    server_answers_select(&s, "42", 'I');
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    const struct record_exchange *literal = played_exchange(&p, 1);
    assert_exchange(&p, 0, "select id from users where id = ?", 'I', 'I');
    assert_int_equal(x->exchange_flags, EXCHANGE_FIRST_OF_CONNECTION | EXCHANGE_EXTENDED);
    assert_int_equal(x->n_keys, 1);
    assert_int_equal(exchange_keys(x)->table_oid, 16384);
    assert_true(x->portal != 0);
    /* A bound value is the same as one in the text. */
    assert_true(sql_id_equal(x->id, literal->id));
    assert_true(exchange_values(x)[0] == exchange_values(literal)[0]);
    assert_true(x->values_hash == literal->values_hash);
    assert_true(exchange_values(x)[0] == exchange_key_hashes(x)[0]);
    assert_int_equal(played_count(&p, RECORD_STATEMENT), 1);
    assert_int_equal(played_count(&p, RECORD_COLUMNS), 1);
    played_fini(&p);
}

static void test_extended_named_statement_is_reused_over_round_trips(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_run(&s, "s1", "SELECT 1");
    client_sync(&s);
    server_runs(&s, true, "SELECT 1");
    server_ready(&s, 'I');
    for (int i = 0; i < 2; i++) {
        client_run(&s, "s1", NULL);
        client_sync(&s);
        server_runs(&s, false, "SELECT 1");
        server_ready(&s, 'I');
    }
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 3);
    assert_false(exchange_has(played_exchange(&p, 0), EXCHANGE_REUSED));
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_REUSED));
    assert_true(exchange_has(played_exchange(&p, 2), EXCHANGE_REUSED));
    for (uint32_t i = 0; i < 3; i++) {
        assert_exchange(&p, i, "select ?", 'I', 'I');
        assert_int_equal(played_exchange(&p, i)->portal, i + 1);
        assert_int_equal(played_exchange(&p, i)->round_trip, i + 1);
        assert_false(exchange_has(played_exchange(&p, i), EXCHANGE_PIPELINED));
    }
    played_fini(&p);
}

/* asyncpg prepares with Flush, without Sync, and its results are binary. */
static void test_extended_asyncpg_flow_keys_and_values_are_canonical(void **state)
{
    (void)state;
    static const uint32_t types[] = {WIRE_OID_INT4};
    static const struct script_value value = {"\0\0\0\x07", 4, 1};
    static const struct script_value row = {"\0\0\0\x07", 4, 1};
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "__asyncpg_stmt_1__", "SELECT id FROM t WHERE id = $1");
    client_describe(&s, 'S', "__asyncpg_stmt_1__");
    client_flush(&s);
    server_bare(&s, '1');
    server_parameter_description(&s, 1, types);
    server_id_field(&s);
    for (int i = 0; i < 2; i++) {
        client_bind_values(&s, "", "__asyncpg_stmt_1__", 1, &value, 1);
        client_execute(&s, "", 0);
        client_sync(&s);
        server_bare(&s, '2');
        server_row(&s, 1, &row);
        server_complete(&s, "SELECT 1");
        server_ready(&s, 'I');
    }
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 1);
    uint64_t seven = wire_value_hash_text(span_of_text("7"));
    assert_true(exchange_has(x, EXCHANGE_EXTENDED | EXCHANGE_REUSED));
    assert_true(exchange_values(x)[0] == seven);
    assert_int_equal(x->n_keys, 1);
    assert_true(exchange_key_hashes(x)[0] == seven);
    played_fini(&p);
}

/* asyncpg with a full cache: what goes is closed, and waited for, between Parse and the first Bind.
 */
static void test_extended_first_bind_after_another_round_trip_reuses_nothing(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "s2", "SELECT 2");
    client_sync(&s);
    server_bare(&s, '1');
    server_ready(&s, 'I');
    for (int i = 0; i < 2; i++) {
        client_run(&s, "s2", NULL);
        client_sync(&s);
        server_runs(&s, false, "SELECT 1");
        server_ready(&s, 'I');
    }
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 2);
    assert_false(exchange_has(played_exchange(&p, 0), EXCHANGE_REUSED));
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_REUSED));
    played_fini(&p);
}

static void test_extended_pipeline_of_five_shares_one_round_trip(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 0");
    server_answers_select(&s, "0", 'I');
    client_run(&s, "_pg3_0", "INSERT INTO t VALUES (1)");
    for (int i = 0; i < 4; i++)
        client_run(&s, "_pg3_0", NULL);
    client_sync(&s);
    server_runs(&s, true, "INSERT 0 1");
    for (int i = 0; i < 4; i++)
        server_runs(&s, false, "INSERT 0 1");
    server_ready(&s, 'I');
    client_query(&s, "SELECT 1");
    server_answers_select(&s, "1", 'I');
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 7);
    for (unsigned i = 1; i <= 5; i++) {
        const struct record_exchange *x = played_exchange(&p, i);
        assert_int_equal(x->round_trip, 2);
        assert_int_equal(exchange_has(x, EXCHANGE_PIPELINED), i > 1);
        assert_int_equal(exchange_has(x, EXCHANGE_REUSED), i > 1);
        assert_int_equal(x->tx_after, i == 5 ? 'I' : 0);
        assert_int_equal(x->affected, 1);
    }
    assert_false(exchange_has(played_exchange(&p, 6), EXCHANGE_PIPELINED));
    assert_int_equal(played_exchange(&p, 6)->round_trip, 3);
    played_fini(&p);
}

static void test_extended_suspended_portal_goes_on_under_its_number(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "BEGIN");
    server_complete(&s, "BEGIN");
    server_ready(&s, 'T');
    client_parse(&s, "", "SELECT id FROM t");
    client_bind(&s, "c1", "");
    for (int i = 0; i < 3; i++) {
        client_execute(&s, "c1", 2);
        client_sync(&s);
        if (i == 0) {
            server_bare(&s, '1');
            server_bare(&s, '2');
        }
        server_text_row(&s, "1");
        if (i < 2)
            server_text_row(&s, "2");
        if (i < 2)
            server_bare(&s, 's');
        else
            server_complete(&s, "SELECT 1");
        server_ready(&s, 'T');
    }
    script_play(&s, &p);
    for (unsigned i = 1; i <= 3; i++) {
        const struct record_exchange *x = played_exchange(&p, i);
        assert_exchange(&p, i, "select id from t", 'T', 'T');
        assert_int_equal(x->portal, played_exchange(&p, 1)->portal);
        assert_int_equal(exchange_has(x, EXCHANGE_SUSPENDED), i < 3);
        assert_int_equal(x->max_rows, 2);
        assert_int_equal(x->rows, i < 3 ? 2 : 1);
        assert_int_equal(x->round_trip, i + 1);
    }
    assert_int_equal(p.portals, 1);
    played_fini(&p);
}

static void test_extended_portals_are_forgotten_after_commit(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_run(&s, "", "SELECT 1");
    client_sync(&s);
    server_runs(&s, true, "SELECT 1");
    server_ready(&s, 'I');
    client_execute(&s, "", 0); /* the portal is gone: the server refuses */
    client_sync(&s);
    server_error(&s, "34000");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_int_equal(p.portals, 0);
    assert_true(exchange_has(played_exchange(&p, 1), EXCHANGE_UNKNOWN | EXCHANGE_ERROR));
    assert_string_equal(exchange_sql(&p, played_exchange(&p, 1)), "");
    played_fini(&p);
}

static void test_extended_unknown_statement_is_counted_without_identity(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_run(&s, "made_by_sql_prepare", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_true(exchange_has(x, EXCHANGE_UNKNOWN | EXCHANGE_EXTENDED));
    assert_false(exchange_has(x, EXCHANGE_REUSED));
    assert_true(x->id.hi == 0 && x->id.lo == 0);
    assert_int_equal(x->verb, SQL_VERB_OTHER);
    played_fini(&p);
}

static void test_extended_names_are_compared_by_their_first_63_bytes(void **state)
{
    (void)state;
    char one[400];
    char other[400];
    memset(one, 'n', sizeof(one) - 1);
    one[sizeof(one) - 1] = '\0';
    memcpy(other, one, sizeof(one));
    other[100] = 'x';
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, one, "SELECT 1");
    client_bind(&s, one, other);
    client_describe(&s, 'P', other);
    client_execute(&s, other, 0); /* longer than what is kept of an Execute */
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_bare(&s, 'n');
    server_complete(&s, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_exchange(&p, 0, "select ?", 'I', 'I');
    played_fini(&p);
}

static void test_extended_close_forgets_the_name(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_parse(&s, "a", "SELECT 1");
    client_bind(&s, "pa", "a");
    client_close(&s, 'S', "a");
    client_close(&s, 'P', "pa");
    client_close(&s, 'S', "never_there");
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    for (int i = 0; i < 3; i++)
        server_bare(&s, '3');
    server_ready(&s, 'T');
    script_play(&s, &p);
    assert_int_equal(p.prepared, 0);
    assert_int_equal(p.portals, 0);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    played_fini(&p);
}

static void test_deallocate_all_forgets_every_name(void **state)
{
    (void)state;
    static const char *const texts[] = {"DEALLOCATE ALL", "DISCARD ALL"};
    for (int i = 0; i < 4; i++) {
        struct script s;
        struct played p;
        bool extended = i >= 2;
        start(&s);
        client_parse(&s, "a", "SELECT 1");
        client_parse(&s, "b", "SELECT 2");
        client_sync(&s);
        server_bare(&s, '1');
        server_bare(&s, '1');
        server_ready(&s, 'I');
        if (extended) {
            client_run(&s, "", texts[i % 2]);
            client_sync(&s);
            server_runs(&s, true, texts[i % 2]);
        } else {
            client_query(&s, texts[i % 2]);
            server_complete(&s, texts[i % 2]);
        }
        server_ready(&s, 'I');
        script_play(&s, &p);
        assert_int_equal(p.prepared, 0);
        played_fini(&p);
    }
}

static void test_many_named_statements_stay_bounded_and_used_ones_known(void **state)
{
    (void)state;
    enum { NAMES = 5000 };
    struct script s;
    struct played p;
    char name[32];
    start(&s);
    client_run(&s, "hot", "SELECT id FROM hot");
    client_sync(&s);
    server_runs(&s, true, "SELECT 0");
    server_ready(&s, 'I');
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "_pg3_%d", i);
        client_run(&s, name, "SELECT 1");
        if (i % 1000 == 999)
            client_run(&s, "hot", NULL);
        client_sync(&s);
        server_runs(&s, true, "SELECT 0");
        if (i % 1000 == 999)
            server_runs(&s, false, "SELECT 0");
        server_ready(&s, 'I');
    }
    play_once(&s, PLAY_WHOLE, 0, false, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_true(p.prepared <= WIRE_MAX_NAMES);
    size_t known = 0;
    for (unsigned i = 0; i < NAMES + 6; i++)
        known += !exchange_has(played_exchange(&p, i), EXCHANGE_UNKNOWN);
    assert_true(known >= NAMES + 5);
    assert_exchange(&p, NAMES + 5, "select id from hot", 'I', 'I');
    script_fini(&s);
    played_fini(&p);
}

static void test_names_nobody_binds_make_room_for_new_ones(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    char name[32];
    start(&s);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        client_parse(&s, name, "SELECT 1");
        server_bare(&s, '1');
    }
    client_run(&s, "n4999", NULL);
    client_sync(&s);
    server_runs(&s, false, "SELECT 0");
    server_ready(&s, 'I');
    play_once(&s, PLAY_WHOLE, 0, false, &p);
    assert_true(p.prepared > 0 && p.prepared <= WIRE_MAX_NAMES);
    assert_exchange(&p, 0, "select ?", 'I', 'I');
    script_fini(&s);
    played_fini(&p);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_query_one_statement_gives_one_exchange),
        T(test_session_first_record_says_who_it_is),
        T(test_query_times_are_of_request_first_reply_and_end),
        T(test_query_without_rows_has_no_result_hash),
        T(test_query_several_statements_are_told_apart),
        T(test_query_tag_behind_the_last_statement_is_of_all),
        T(test_query_empty_texts_are_answered_without_a_tag),
        T(test_query_error_in_the_middle_ends_the_batch),
        T(test_query_error_after_rows_keeps_the_rows),
        T(test_query_batch_longer_than_is_told_apart_is_counted),
        T(test_transaction_states_are_those_around_each_statement),
        T(test_extended_unnamed_gives_one_exchange),
        T(test_extended_named_statement_is_reused_over_round_trips),
        T(test_extended_asyncpg_flow_keys_and_values_are_canonical),
        T(test_extended_first_bind_after_another_round_trip_reuses_nothing),
        T(test_extended_pipeline_of_five_shares_one_round_trip),
        T(test_extended_suspended_portal_goes_on_under_its_number),
        T(test_extended_portals_are_forgotten_after_commit),
        T(test_extended_unknown_statement_is_counted_without_identity),
        T(test_extended_names_are_compared_by_their_first_63_bytes),
        T(test_extended_close_forgets_the_name),
        T(test_deallocate_all_forgets_every_name),
        T(test_many_named_statements_stay_bounded_and_used_ones_known),
        T(test_names_nobody_binds_make_room_for_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
