#include "script_play.h"

/* A whole session through the tap: COPY, messages that come at any time, faults and limits. The
 * rules of pairing are in test_conversation.c, what rows leave behind in test_exchange.c. */

static void start(struct script *s)
{
    script_init(s);
    server_startup(s);
}

/* A statement behind what was tried, which shows that requests and replies are still paired. */
static void select_after(struct script *s)
{
    client_query(s, "SELECT id FROM after_all");
    server_answers_select(s, "1", 'I');
}

static void assert_still_paired(const struct played *p, size_t exchanges)
{
    assert_int_equal(played_opaque(p), WIRE_OPAQUE_NONE);
    assert_int_equal(played_count(p, RECORD_EXCHANGE), exchanges);
    assert_exchange(p, exchanges - 1, "select id from after_all", 'I', 'I');
}

/* --- COPY */

static void test_copy_in_simple_counts_bytes_and_rows(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "COPY t FROM STDIN");
    server_copy_response(&s, 'G');
    client_copy_data(&s, "1\n2\n");
    client_flush(&s);
    client_sync(&s); /* swallowed */
    client_copy_data(&s, "");
    client_copy_data(&s, "3\n");
    client_copy_done(&s);
    server_complete(&s, "COPY 3");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    const struct record_exchange *x = played_exchange(&p, 0);
    assert_true(exchange_has(x, EXCHANGE_COPY));
    assert_int_equal(x->bytes, 6);
    assert_int_equal(x->affected, 3);
    assert_int_equal(x->verb, SQL_VERB_COPY);
    played_fini(&p);
}

static void test_copy_in_twice_in_one_query_is_paired(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "COPY a FROM STDIN; COPY b FROM STDIN");
    for (int i = 0; i < 2; i++) {
        server_copy_response(&s, 'G');
        client_copy_data(&s, "1\n");
        client_copy_done(&s);
        server_complete(&s, "COPY 1");
    }
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 3);
    played_fini(&p);
}

/* Nothing is waited for: what is counted does not depend on which side was read first. */
static void test_copy_data_sent_before_the_response_is_counted(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "COPY a FROM STDIN; COPY b FROM STDIN");
    client_copy_data(&s, "1\n");
    client_sync(&s); /* swallowed */
    client_copy_data(&s, "2\n");
    client_copy_done(&s);
    client_copy_data(&s, "333\n");
    client_copy_done(&s);
    client_run(&s, "", "COPY c FROM STDIN");
    client_sync(&s); /* swallowed */
    client_copy_data(&s, "4\n");
    client_copy_done(&s);
    client_sync(&s);
    for (int i = 0; i < 2; i++) {
        server_copy_response(&s, 'G');
        server_complete(&s, i == 0 ? "COPY 2" : "COPY 1");
    }
    server_ready(&s, 'I');
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_copy_response(&s, 'G');
    server_complete(&s, "COPY 1");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 4);
    assert_int_equal(played_exchange(&p, 0)->bytes, 4);
    assert_int_equal(played_exchange(&p, 1)->bytes, 4);
    assert_int_equal(played_exchange(&p, 2)->bytes, 2);
    played_fini(&p);
}

static void begin_extended_copy(struct script *s)
{
    client_run(s, "", "COPY t FROM STDIN");
    client_sync(s); /* sent before the client knows that this is COPY: swallowed */
}

static void test_copy_in_extended_sync_before_the_response_is_swallowed(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    begin_extended_copy(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_copy_response(&s, 'G');
    client_copy_data(&s, "1\n");
    client_sync(&s); /* swallowed as well */
    client_flush(&s);
    client_copy_done(&s);
    client_sync(&s);
    server_complete(&s, "COPY 1");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_COPY | EXCHANGE_EXTENDED));
    played_fini(&p);
}

/* The whole COPY is on its way before the first reply. */
static void test_copy_in_extended_sent_at_once_swallows_up_to_copy_done(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    begin_extended_copy(&s);
    client_copy_data(&s, "1\n");
    client_copy_done(&s);
    client_sync(&s);
    client_run(&s, "", "SELECT id FROM pipelined");
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_copy_response(&s, 'G');
    server_complete(&s, "COPY 1");
    server_ready(&s, 'I');
    server_runs(&s, true, "SELECT 0");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 3);
    assert_exchange(&p, 1, "select id from pipelined", 'I', 'I');
    played_fini(&p);
}

static void test_copy_fail_in_simple_ends_in_an_error(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "COPY t FROM STDIN");
    server_copy_response(&s, 'G');
    client_copy_data(&s, "1\n");
    client_copy_fail(&s);
    server_error(&s, "57014");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_COPY | EXCHANGE_ERROR));
    played_fini(&p);
}

static void test_copy_fail_in_extended_skips_to_the_next_sync(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    begin_extended_copy(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_copy_response(&s, 'G');
    client_copy_fail(&s);
    client_sync(&s);
    server_error(&s, "57014");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    played_fini(&p);
}

/* The server refuses a row; the client has not noticed and goes on. */
static void test_copy_error_in_the_middle_ignores_the_rest(void **state)
{
    (void)state;
    for (int extended = 0; extended < 2; extended++) {
        struct script s;
        struct played p;
        start(&s);
        if (extended) {
            begin_extended_copy(&s);
            server_bare(&s, '1');
            server_bare(&s, '2');
        } else {
            client_query(&s, "COPY t FROM STDIN");
        }
        server_copy_response(&s, 'G');
        client_copy_data(&s, "x\n");
        server_error(&s, "22P02");
        if (!extended)
            server_ready(&s, 'I');
        client_copy_data(&s, "2\n");
        client_copy_done(&s);
        if (extended) {
            client_sync(&s);
            server_ready(&s, 'I');
        }
        select_after(&s);
        script_play(&s, &p);
        assert_still_paired(&p, 2);
        assert_memory_equal(played_exchange(&p, 0)->sqlstate, "22P02", 5);
        assert_int_equal(played_exchange(&p, 0)->bytes, 2);
        played_fini(&p);
    }
}

/* Refused before it began: the first Sync ends the skip, the second answers for itself. */
static void test_copy_refused_before_it_began_answers_both_syncs(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    begin_extended_copy(&s);
    client_copy_data(&s, "1\n");
    client_copy_done(&s);
    client_sync(&s);
    server_error(&s, "42P01");
    server_ready(&s, 'I');
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    played_fini(&p);
}

static void test_copy_done_outside_copy_is_ignored(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    for (int i = 0; i < 100; i++) {
        client_copy_done(&s);
        client_copy_data(&s, "late");
        client_copy_fail(&s);
    }
    client_query(&s, "SELECT 1");
    client_copy_done(&s);
    server_answers_select(&s, "1", 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    played_fini(&p);
}

static void test_copy_out_counts_rows_and_bytes(void **state)
{
    (void)state;
    for (int extended = 0; extended < 2; extended++) {
        struct script s;
        struct played p;
        start(&s);
        if (extended) {
            client_run(&s, "", "COPY t TO STDOUT");
            client_sync(&s);
            server_bare(&s, '1');
            server_bare(&s, '2');
        } else {
            client_query(&s, "COPY t TO STDOUT");
        }
        server_copy_response(&s, 'H');
        server_copy_data(&s, "1\n");
        server_copy_data(&s, "");
        server_copy_data(&s, "22\n");
        server_bare(&s, 'c');
        server_complete(&s, "COPY 2");
        server_ready(&s, 'I');
        select_after(&s);
        script_play(&s, &p);
        assert_still_paired(&p, 2);
        assert_int_equal(played_exchange(&p, 0)->rows, 3);
        assert_int_equal(played_exchange(&p, 0)->bytes, 5);
        assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_COPY));
        played_fini(&p);
    }
}

static void test_copy_out_error_in_the_middle_is_its_end(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "COPY t TO STDOUT");
    server_copy_response(&s, 'H');
    server_copy_data(&s, "1\n");
    server_error(&s, "57014");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 2);
    assert_int_equal(played_exchange(&p, 0)->rows, 1);
    played_fini(&p);
}

/* --- other messages */

static void test_function_call_is_answered_and_gives_no_exchange(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_function_call(&s);
    script_begin(&s, WIRE_FROM_SERVER, 'V');
    script_u32(&s, 1);
    script_u8(&s, 'x');
    script_end(&s);
    server_ready(&s, 'I');
    client_function_call(&s);
    server_error(&s, "42883");
    server_ready(&s, 'I');
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 1);
    played_fini(&p);
}

/* Notices, notifications and settings between any two messages of the server. */
static void interrupt(struct script *s)
{
    server_notice(s);
    server_notification(s);
    server_parameter(s, "application_name", "");
}

static void test_asynchronous_messages_between_any_two_change_nothing(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    interrupt(&s);
    client_query(&s, "SELECT 1; SELECT 2");
    for (int i = 0; i < 2; i++) {
        interrupt(&s);
        server_id_field(&s);
        interrupt(&s);
        server_text_row(&s, "1");
        interrupt(&s);
        server_text_row(&s, "2");
        interrupt(&s);
        server_complete(&s, "SELECT 2");
        interrupt(&s);
    }
    server_ready(&s, 'I');
    client_run(&s, "", "COPY t FROM STDIN");
    interrupt(&s);
    server_bare(&s, '1');
    interrupt(&s);
    server_bare(&s, '2');
    interrupt(&s);
    server_copy_response(&s, 'G');
    interrupt(&s);
    client_copy_done(&s);
    client_sync(&s);
    server_complete(&s, "COPY 0");
    interrupt(&s);
    server_ready(&s, 'I');
    interrupt(&s);
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 4);
    assert_int_equal(played_exchange(&p, 1)->rows, 2);
    played_fini(&p);
}

static void test_fatal_while_idle_is_the_end_and_no_fault(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1");
    server_answers_select(&s, "1", 'I');
    server_complaint(&s, 'E', "FATAL", "57P01");
    script_play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), 1);
    assert_int_equal(played_count(&p, RECORD_SESSION_END), 1);
    played_fini(&p);
}

static void test_fatal_in_the_middle_is_written_at_the_end(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 1");
    server_complaint(&s, 'E', "FATAL", "57P05");
    script_play(&s, &p);
    assert_exchange(&p, 0, "select ?", 'I', 0);
    assert_true(exchange_has(played_exchange(&p, 0), EXCHANGE_ERROR));
    played_fini(&p);
}

static void test_refused_at_start_up_is_no_fault(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    script_init(&s);
    script_begin(&s, WIRE_FROM_SERVER, 'R');
    script_u32(&s, 10);
    script_end(&s);
    script_text_message(&s, WIRE_FROM_CLIENT, 'p', "SCRAM-SHA-256");
    server_complaint(&s, 'E', "FATAL", "28P01");
    script_play(&s, &p);
    assert_int_equal(played_opaque(&p), WIRE_OPAQUE_NONE);
    assert_int_equal(p.n, 2);
    const struct record_session_end *end = played_record(&p, RECORD_SESSION_END, 0);
    assert_int_equal(end->startup_us, 0);
    played_fini(&p);
}

static void test_session_cut_off_in_the_middle_leaves_nothing_behind(void **state)
{
    (void)state;
    struct script s;
    start(&s);
    client_run(&s, "a", "SELECT id FROM t");
    client_run(&s, "a", "SELECT 2; SELECT 3");
    client_query(&s, "SELECT 1; SELECT 2");
    client_sync(&s);
    server_bare(&s, '1');
    server_bare(&s, '2');
    server_id_field(&s);
    for (size_t steps = s.n_steps; steps > 0; steps--) {
        struct played p;
        s.n_steps = steps;
        play_once(&s, PLAY_WHOLE, 0, true, &p);
        assert_int_equal(played_count(&p, RECORD_SESSION_END), 1);
        played_fini(&p);
    }
    script_fini(&s);
}

static void test_standard_conforming_strings_changes_how_texts_are_read(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    start(&s);
    client_query(&s, "SELECT 'a\\', b, 'c'");
    server_answers_select(&s, "1", 'I');
    server_parameter(&s, "standard_conforming_strings", "off");
    client_query(&s, "SELECT 'a\\', b, 'c'");
    server_answers_select(&s, "1", 'I');
    script_play(&s, &p);
    assert_string_equal(exchange_sql(&p, played_exchange(&p, 0)), "select ?, b, ?");
    assert_false(sql_id_equal(played_exchange(&p, 0)->id, played_exchange(&p, 1)->id));
    played_fini(&p);
}

/* --- faults make the session opaque: once, for the right reason, and for ever */

static void assert_turns_opaque(struct script *s, enum wire_opaque_reason reason, size_t exchanges)
{
    struct played p;
    /* Whatever follows is not looked at. */
    script_raw(s, WIRE_FROM_SERVER, "\x01\xff\xff\xff\xff garbage", 13);
    client_query(s, "SELECT never_seen");
    script_raw(s, WIRE_FROM_CLIENT, "\0\0\0\0\0\0", 6);
    script_play(s, &p);
    assert_int_equal(played_opaque(&p), reason);
    assert_int_equal(played_count(&p, RECORD_EXCHANGE), exchanges);
    assert_int_equal(played_count(&p, RECORD_SESSION_END), 1);
    assert_int_equal(p.prepared, 0);
    assert_int_equal(p.portals, 0);
    assert_int_equal(p.tap.conversation.queue_count, 0);
    played_fini(&p);
}

/* Names, requests, an open exchange and a complete one: all to be let go. */
static void busy(struct script *s)
{
    start(s);
    client_run(s, "a", "SELECT 1");
    client_run(s, "b", "SELECT 2");
    client_sync(s);
    server_runs(s, true, "SELECT 0");
    server_bare(s, '1');
    server_bare(s, '2');
    server_text_row(s, "1");
}

static void test_opaque_after_copy_both(void **state)
{
    (void)state;
    struct script s;
    start(&s);
    client_query(&s, "START_REPLICATION SLOT a LOGICAL 0/0");
    server_copy_response(&s, 'W');
    assert_turns_opaque(&s, WIRE_OPAQUE_REPLICATION, 0);
}

static void test_opaque_after_an_encoding_that_cannot_be_lexed(void **state)
{
    (void)state;
    static const char *const encodings[] = {"SJIS",    "BIG5",  "GBK",           "UHC",
                                            "GB18030", "JOHAB", "SHIFT_JIS_2004"};
    for (size_t i = 0; i < 7; i++) {
        struct script s;
        busy(&s);
        server_parameter(&s, "client_encoding", encodings[i]);
        assert_turns_opaque(&s, WIRE_OPAQUE_CLIENT_ENCODING, 1);
    }
    struct script s;
    struct played p;
    start(&s);
    server_parameter(&s, "client_encoding", "EUC_JP");
    select_after(&s);
    script_play(&s, &p);
    assert_still_paired(&p, 1);
    played_fini(&p);
}

static void test_opaque_after_a_reply_nobody_asked_for(void **state)
{
    (void)state;
    static const char bare[] = {'1', '2', '3', 'n', 's', 'I'};
    for (size_t i = 0; i < sizeof(bare); i++) {
        struct script s;
        start(&s);
        server_bare(&s, bare[i]);
        assert_turns_opaque(&s, WIRE_OPAQUE_UNEXPECTED_REPLY, 0);
    }
    for (unsigned kind = 0; kind < 7; kind++) {
        struct script s;
        start(&s);
        switch (kind) {
        case 0:
            server_ready(&s, 'I');
            break;
        case 1:
            server_id_field(&s);
            break;
        case 2:
            server_text_row(&s, "1");
            break;
        case 3:
            server_complete(&s, "SELECT 1");
            break;
        case 4:
            server_copy_data(&s, "1");
            break;
        case 5:
            server_copy_response(&s, 'G');
            break;
        default:
            server_parameter_description(&s, 0, NULL);
        }
        assert_turns_opaque(&s, WIRE_OPAQUE_UNEXPECTED_REPLY, 0);
    }
}

static void test_opaque_after_a_reply_to_something_else(void **state)
{
    (void)state;
    struct script s;
    busy(&s);
    server_bare(&s, '3'); /* the head is an Execute */
    assert_turns_opaque(&s, WIRE_OPAQUE_UNEXPECTED_REPLY, 1);
    busy(&s);
    server_ready(&s, 'I'); /* in the middle of its rows */
    assert_turns_opaque(&s, WIRE_OPAQUE_UNEXPECTED_REPLY, 1);
}

/* A second RowDescription would change the layout of the keys that were already gathered. */
static void test_opaque_after_columns_change_in_the_middle_of_a_result(void **state)
{
    (void)state;
    static const struct script_field fields[RECORD_MAX_KEYS] = {
        {"a", 1, 1, WIRE_OID_INT4, 0}, {"b", 1, 2, WIRE_OID_INT4, 0}, {"c", 1, 3, WIRE_OID_INT4, 0},
        {"d", 1, 4, WIRE_OID_INT4, 0}, {"e", 1, 5, WIRE_OID_INT4, 0}, {"f", 1, 6, WIRE_OID_INT4, 0},
        {"g", 1, 7, WIRE_OID_INT4, 0}, {"h", 1, 8, WIRE_OID_INT4, 0}};
    struct script s;
    start(&s);
    client_query(&s, "SELECT id FROM t");
    server_id_field(&s);
    for (int i = 0; i < RECORD_MAX_KEY_HASHES; i++)
        server_text_row(&s, "1");
    server_fields(&s, RECORD_MAX_KEYS, fields);
    server_complete(&s, "SELECT 4096");
    server_ready(&s, 'I');
    assert_turns_opaque(&s, WIRE_OPAQUE_UNEXPECTED_REPLY, 0);
}

static void test_opaque_after_an_unknown_type_or_length(void **state)
{
    (void)state;
    static const struct {
        enum wire_direction from;
        const char *bytes;
        enum wire_opaque_reason reason;
    } faults[] = {
        {WIRE_FROM_CLIENT, "y\0\0\0\4", WIRE_OPAQUE_UNKNOWN_MESSAGE},
        {WIRE_FROM_SERVER, "q\0\0\0\4", WIRE_OPAQUE_UNKNOWN_MESSAGE},
        {WIRE_FROM_CLIENT, "Q\0\0\0\4", WIRE_OPAQUE_BAD_LENGTH},
        {WIRE_FROM_CLIENT, "Q\xff\xff\xff\xff", WIRE_OPAQUE_BAD_LENGTH},
        {WIRE_FROM_SERVER, "D\x80\0\0\0", WIRE_OPAQUE_BAD_LENGTH},
        {WIRE_FROM_SERVER, "Z\0\0\0\6", WIRE_OPAQUE_BAD_LENGTH},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct script s;
        busy(&s);
        script_raw(&s, faults[i].from, faults[i].bytes, 5);
        assert_turns_opaque(&s, faults[i].reason, 1);
    }
}

static void test_opaque_after_a_malformed_body(void **state)
{
    (void)state;
    static const struct {
        enum wire_direction from;
        const char *bytes;
        size_t len;
    } faults[] = {
        {WIRE_FROM_CLIENT, "Q\0\0\0\5x", 6},
        {WIRE_FROM_CLIENT, "P\0\0\0\x08\1\1\1\1", 9},
        {WIRE_FROM_CLIENT, "B\0\0\0\x0c\0\0\xff\xff\0\0\0\0", 13},
        {WIRE_FROM_CLIENT, "D\0\0\0\6X\0", 7},
        {WIRE_FROM_CLIENT, "C\0\0\0\6X\0", 7},
        {WIRE_FROM_CLIENT, "E\0\0\0\x09\1\1\1\1\1", 10},
        {WIRE_FROM_CLIENT, "p\0\0\0\4", 5},
        {WIRE_FROM_SERVER, "Z\0\0\0\5x", 6},
        {WIRE_FROM_SERVER, "C\0\0\0\5x", 6},
        {WIRE_FROM_SERVER, "E\0\0\0\5x", 6},
        {WIRE_FROM_SERVER, "S\0\0\0\6xy", 7},
    };
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct script s;
        busy(&s);
        script_raw(&s, faults[i].from, faults[i].bytes, faults[i].len);
        assert_turns_opaque(&s, WIRE_OPAQUE_BAD_BODY, 1);
    }
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_copy_in_simple_counts_bytes_and_rows),
        T(test_copy_in_twice_in_one_query_is_paired),
        T(test_copy_data_sent_before_the_response_is_counted),
        T(test_copy_in_extended_sync_before_the_response_is_swallowed),
        T(test_copy_in_extended_sent_at_once_swallows_up_to_copy_done),
        T(test_copy_fail_in_simple_ends_in_an_error),
        T(test_copy_fail_in_extended_skips_to_the_next_sync),
        T(test_copy_error_in_the_middle_ignores_the_rest),
        T(test_copy_refused_before_it_began_answers_both_syncs),
        T(test_copy_done_outside_copy_is_ignored),
        T(test_copy_out_counts_rows_and_bytes),
        T(test_copy_out_error_in_the_middle_is_its_end),
        T(test_function_call_is_answered_and_gives_no_exchange),
        T(test_asynchronous_messages_between_any_two_change_nothing),
        T(test_fatal_while_idle_is_the_end_and_no_fault),
        T(test_fatal_in_the_middle_is_written_at_the_end),
        T(test_refused_at_start_up_is_no_fault),
        T(test_session_cut_off_in_the_middle_leaves_nothing_behind),
        T(test_standard_conforming_strings_changes_how_texts_are_read),
        T(test_opaque_after_copy_both),
        T(test_opaque_after_an_encoding_that_cannot_be_lexed),
        T(test_opaque_after_a_reply_nobody_asked_for),
        T(test_opaque_after_a_reply_to_something_else),
        T(test_opaque_after_columns_change_in_the_middle_of_a_result),
        T(test_opaque_after_an_unknown_type_or_length),
        T(test_opaque_after_a_malformed_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
