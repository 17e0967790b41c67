#include "cmocka_all.h"
#include "proxy/lexicon.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_TOLD = 64, TEXT = 64 };

/* What was told again, in its order. */
struct told {
    struct lexicon *lexicon;
    size_t n;
    uint16_t types[MAX_TOLD];
    uint16_t flags[MAX_TOLD];
    int64_t times[MAX_TOLD];
};

static void on_told(void *context, const struct record_header *record)
{
    struct told *t = context;
    assert_true(t->n < MAX_TOLD);
    assert_true(record_check(span_of(record, record->len)));
    t->types[t->n] = record->type;
    t->flags[t->n] = record->flags;
    t->times[t->n] = record->type == RECORD_SESSION_START
                         ? ((const struct record_session_start *)(const void *)record)->time_us
                         : 0;
    t->n++;
}

static int setup(void **state)
{
    struct told *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->lexicon = lexicon_new();
    assert_non_null(t->lexicon);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct told *t = *state;
    lexicon_free(t->lexicon);
    free(t);
    return 0;
}

static struct sql_id id_of(uint64_t n)
{
    return (struct sql_id){.hi = n * 7, .lo = n};
}

union any {
    struct record_header h;
    struct record_statement statement;
    struct record_columns columns;
    struct record_facts facts;
    struct record_tag tag;
    struct record_session_start start;
    struct record_session_end end;
    struct record_session_opaque opaque;
    struct record_exchange exchange;
    struct record_peer peer;
    struct record_request request;
    uint8_t bytes[4096];
};

static union any *make(enum record_type type, size_t size)
{
    static union any any;
    memset(&any, 0, sizeof(any));
    any.h = (struct record_header){.len = (uint32_t)size, .type = (uint16_t)type};
    return &any;
}

static const struct record_header *statement(uint64_t n)
{
    union any *a = make(RECORD_STATEMENT, record_size(sizeof(a->statement), TEXT));
    a->statement.id = id_of(n);
    a->statement.text_len = TEXT;
    return &a->h;
}

static const struct record_header *columns(uint64_t n)
{
    union any *a = make(RECORD_COLUMNS, sizeof(a->columns));
    a->columns.id = id_of(n);
    return &a->h;
}

static const struct record_header *facts(uint64_t n)
{
    union any *a = make(RECORD_FACTS, sizeof(a->facts));
    a->facts.id = id_of(n);
    return &a->h;
}

static const struct record_header *tag(uint64_t n)
{
    union any *a = make(RECORD_TAG, sizeof(a->tag));
    a->tag.id = n;
    return &a->h;
}

static const struct record_header *start(uint64_t session, int64_t at_us)
{
    union any *a = make(RECORD_SESSION_START, sizeof(a->start));
    a->start.session = session;
    a->start.time_us = at_us;
    return &a->h;
}

static const struct record_header *end(uint64_t session)
{
    union any *a = make(RECORD_SESSION_END, sizeof(a->end));
    a->end.session = session;
    return &a->h;
}

static const struct record_header *opaque(uint64_t session)
{
    union any *a = make(RECORD_SESSION_OPAQUE, sizeof(a->opaque));
    a->opaque.session = session;
    return &a->h;
}

static const struct record_header *peer(uint64_t session)
{
    union any *a = make(RECORD_PEER, sizeof(a->peer));
    a->peer.session = session;
    a->peer.peer = 77;
    return &a->h;
}

static const struct record_header *request(uint64_t tag_id)
{
    union any *a = make(RECORD_REQUEST, sizeof(a->request));
    a->request.peer = 77;
    a->request.tag = tag_id;
    return &a->h;
}

static const struct record_header *exchange(uint64_t session, uint64_t n, uint64_t tag_id)
{
    union any *a = make(RECORD_EXCHANGE, sizeof(a->exchange));
    a->exchange.session = session;
    a->exchange.id = id_of(n);
    a->exchange.tag = tag_id;
    return &a->h;
}

static void take(struct told *t, const struct record_header *record)
{
    lexicon_take(t->lexicon, record, on_told, t);
}

static void assert_told(const struct told *t, size_t n, const enum record_type *types)
{
    assert_int_equal(t->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t->types[i], types[i]);
}
#define ASSERT_TOLD(t, ...)                                                                        \
    assert_told(t, sizeof((enum record_type[]){__VA_ARGS__}) / sizeof(enum record_type),           \
                (enum record_type[]){__VA_ARGS__})

static void test_lexicon_first_run_is_told_nothing_again(void **state)
{
    struct told *t = *state;
    take(t, start(1, 5));
    take(t, statement(1));
    take(t, tag(9));
    take(t, exchange(1, 1, 9));
    take(t, statement(1));
    take(t, end(1));
    assert_int_equal(t->n, 0);
    assert_true(lexicon_is_told(t->lexicon, id_of(1)));
}

static void test_lexicon_later_run_is_told_what_an_exchange_names_once(void **state)
{
    struct told *t = *state;
    take(t, start(1, 5));
    take(t, statement(1));
    take(t, columns(1));
    take(t, facts(1));
    take(t, tag(9));
    take(t, statement(2));
    lexicon_begin(t->lexicon, 1000);
    assert_false(lexicon_is_told(t->lexicon, id_of(1)));
    take(t, exchange(1, 1, 9));
    take(t, exchange(1, 1, 9));
    ASSERT_TOLD(t, RECORD_SESSION_START, RECORD_STATEMENT, RECORD_COLUMNS, RECORD_FACTS,
                RECORD_TAG);
    assert_int_equal(t->flags[0], SESSION_OLDER);
    assert_int_equal(t->times[0], 1000);
    assert_true(lexicon_is_told(t->lexicon, id_of(1)));
    assert_false(lexicon_is_told(t->lexicon, id_of(2)));
}

static void test_lexicon_statement_that_comes_again_brings_what_is_known_of_it(void **state)
{
    struct told *t = *state;
    take(t, statement(1));
    take(t, facts(1));
    lexicon_begin(t->lexicon, 1000);
    take(t, statement(1)); /* of another worker, to which it is new */
    ASSERT_TOLD(t, RECORD_STATEMENT, RECORD_FACTS);
}

static void test_lexicon_newest_facts_count(void **state)
{
    struct told *t = *state;
    take(t, statement(1));
    take(t, facts(1));
    lexicon_keep(t->lexicon, facts(1));
    lexicon_begin(t->lexicon, 1000);
    take(t, exchange(1, 1, 0));
    ASSERT_TOLD(t, RECORD_STATEMENT, RECORD_FACTS);
}

static void test_lexicon_of_a_statement_without_text_keeps_nothing(void **state)
{
    struct told *t = *state;
    take(t, facts(1));
    take(t, columns(1));
    lexicon_begin(t->lexicon, 1000);
    take(t, exchange(1, 1, 0));
    assert_int_equal(t->n, 0);
    assert_true(lexicon_is_told(t->lexicon, id_of(1))); /* as much as there is */
}

static void test_lexicon_open_sessions_are_told_and_ended_ones_are_not(void **state)
{
    struct told *t = *state;
    take(t, start(1, 5));
    take(t, start(2, 6));
    take(t, opaque(2));
    take(t, start(3, 7));
    take(t, end(3));
    lexicon_begin(t->lexicon, 1000);
    lexicon_keep(t->lexicon, end(1)); /* between the runs */
    lexicon_tell_sessions(t->lexicon, on_told, t);
    lexicon_tell_sessions(t->lexicon, on_told, t);
    ASSERT_TOLD(t, RECORD_SESSION_START, RECORD_SESSION_OPAQUE);
}

static void test_lexicon_later_run_is_told_where_a_session_is_and_the_tag_of_a_request(void **state)
{
    struct told *t = *state;
    take(t, tag(9));
    take(t, start(1, 5));
    take(t, peer(1));
    take(t, request(9));
    lexicon_begin(t->lexicon, 1000);
    take(t, request(9));
    ASSERT_TOLD(t, RECORD_TAG);
    lexicon_tell_sessions(t->lexicon, on_told, t);
    ASSERT_TOLD(t, RECORD_TAG, RECORD_SESSION_START, RECORD_PEER);
}

static void test_lexicon_session_of_this_run_is_not_older(void **state)
{
    struct told *t = *state;
    lexicon_begin(t->lexicon, 1000);
    take(t, start(1, 1500));
    take(t, exchange(1, 1, 0));
    lexicon_tell_sessions(t->lexicon, on_told, t);
    assert_int_equal(t->n, 0);
    lexicon_begin(t->lexicon, 2000);
    take(t, end(1));
    ASSERT_TOLD(t, RECORD_SESSION_START);
    assert_int_equal(t->times[0], 2000);
}

static void test_lexicon_full_counts_what_it_does_not_keep(void **state)
{
    struct told *t = *state;
    for (uint64_t n = 0; n < LEXICON_MAX_TAGS + 5; n++)
        take(t, tag(n + 1));
    assert_int_equal(lexicon_lost(t->lexicon), 5);
    for (uint64_t n = 0; n < LEXICON_MAX_STATEMENTS + 7; n++)
        take(t, statement(n + 1));
    assert_int_equal(lexicon_lost(t->lexicon), 5 + 7);
    for (uint64_t n = 0; n < LEXICON_MAX_SESSIONS * 3; n++) {
        take(t, start(n + 1, 1));
        take(t, end(n + 1));
    }
    assert_int_equal(lexicon_lost(t->lexicon), 5 + 7);
}

static void test_lexicon_stays_below_its_bytes(void **state)
{
    struct told *t = *state;
    union any *large = make(RECORD_STATEMENT, sizeof(union any));
    large->statement.text_len = sizeof(union any) - sizeof(struct record_statement);
    for (uint64_t n = 0; n < LEXICON_MAX_BYTES / sizeof(union any) + 10; n++) {
        large->statement.id = id_of(n + 1);
        take(t, &large->h);
    }
    assert_true(lexicon_lost(t->lexicon) >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lexicon_first_run_is_told_nothing_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_later_run_is_told_what_an_exchange_names_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_lexicon_statement_that_comes_again_brings_what_is_known_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_newest_facts_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_of_a_statement_without_text_keeps_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_open_sessions_are_told_and_ended_ones_are_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_lexicon_later_run_is_told_where_a_session_is_and_the_tag_of_a_request, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_session_of_this_run_is_not_older, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_full_counts_what_it_does_not_keep, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lexicon_stays_below_its_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
