#include "script_play.h"

/* Statements, tags and samples that the sessions of one worker share. */

static struct sql_scan scan;
static uint64_t trace;

static struct wire_statement *intern(struct wire_context *ctx, const char *text)
{
    struct wire_sql sql = {
        .text = span_of_text(text), .dialect = {.standard_conforming_strings = true}, .now_us = 0};
    struct wire_statement *s = wire_statement_intern(ctx, &sql, 0, &scan, &trace);
    assert_non_null(s);
    return s;
}

struct fixture {
    struct wire_context ctx;
    struct ring *ring;
};

static struct fixture *fixture_new(size_t ring_size, bool want_samples)
{
    struct fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    f->ring = ring_new(ring_size);
    assert_non_null(f->ring);
    wire_context_init(&f->ctx, f->ring, want_samples);
    return f;
}

static void fixture_free(struct fixture *f)
{
    wire_context_fini(&f->ctx);
    ring_free(f->ring);
    free(f);
}

/* Takes everything off the ring; gives how many were of this type. */
static size_t drain(struct fixture *f, enum record_type type)
{
    size_t n = 0;
    const struct record_header *h;
    while ((h = ring_peek(f->ring)) != NULL) {
        assert_true(record_check(span_of(h, h->len)));
        n += h->type == type;
        ring_release(f->ring);
    }
    return n;
}

static void test_intern_same_statement_is_one_object_and_one_record(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 16, false);
    struct wire_statement *a = intern(&f->ctx, "SELECT id FROM t WHERE id = 1");
    struct wire_statement *b = intern(&f->ctx, "select id  from T where id=22 -- x");
    struct wire_statement *c = intern(&f->ctx, "SELECT id FROM t WHERE id IN (1, 2)");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(drain(f, RECORD_STATEMENT), 2);
    wire_statement_unref(a);
    wire_statement_unref(b);
    wire_statement_unref(c);
    wire_statement_unref(NULL);
    fixture_free(f);
}

static void test_intern_statement_record_holds_text_and_kinds(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 16, false);
    wire_statement_unref(intern(&f->ctx, "SELECT 'secret', 7 FROM t"));
    const struct record_statement *r = ring_peek(f->ring);
    char text[100];
    assert_non_null(r);
    assert_int_equal(r->h.type, RECORD_STATEMENT);
    assert_int_equal(r->verb, SQL_VERB_SELECT);
    sql_display(record_tail(&r->h, sizeof(*r), 0, r->text_len), text, sizeof(text));
    assert_string_equal(text, "select ?, ? from t");
    assert_true(span_is(record_tail(&r->h, sizeof(*r), r->text_len, r->kinds_len), "sn"));
    fixture_free(f);
}

static void test_intern_same_statement_from_two_endpoints_is_two(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 16, false);
    struct wire_statement *a = intern(&f->ctx, "SELECT 1 /*route='%2Fa'*/");
    struct wire_statement *b = intern(&f->ctx, "SELECT 1 /*route='%2Fb'*/");
    struct wire_statement *again = intern(&f->ctx, "/*route='%2Fa'*/ SELECT 2");
    assert_true(sql_id_equal(a->id, b->id));
    assert_ptr_not_equal(a, b);
    assert_true(a->tag != b->tag);
    assert_ptr_equal(a, again);
    const struct record_tag *r = ring_peek(f->ring);
    assert_int_equal(r->h.type, RECORD_TAG);
    assert_true(r->id == a->tag);
    assert_int_equal(drain(f, RECORD_TAG), 2);
    wire_statement_unref(a);
    wire_statement_unref(b);
    wire_statement_unref(again);
    fixture_free(f);
}

static void test_intern_trace_differs_and_statement_does_not(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 16, false);
    struct wire_statement *a = intern(
        &f->ctx,
        "SELECT 1 /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/");
    uint64_t first = trace;
    struct wire_statement *b = intern(
        &f->ctx,
        "SELECT 1 /*traceparent='00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01'*/");
    assert_true(first != 0 && trace != 0 && first != trace);
    assert_ptr_equal(a, b);
    wire_statement_unref(intern(&f->ctx, "SELECT 1"));
    assert_true(trace == 0);
    wire_statement_unref(a);
    wire_statement_unref(b);
    fixture_free(f);
}

/* What the auditor has not got is told again: else its exchanges would have no text for ever. */
static void test_intern_statement_refused_by_a_full_ring_is_announced_later(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(4096, false);
    while (ring_reserve(f->ring, 64) != NULL) {
        uint32_t filler[16] = {64};
        memcpy(ring_reserve(f->ring, 64), filler, sizeof(filler));
        ring_commit(f->ring);
    }
    wire_statement_unref(intern(&f->ctx, "SELECT 1 /*route='%2Fa'*/"));
    while (ring_peek(f->ring) != NULL)
        ring_release(f->ring);
    wire_statement_unref(intern(&f->ctx, "SELECT 1 /*route='%2Fa'*/"));
    const struct record_tag *tag = ring_peek(f->ring);
    assert_non_null(tag);
    assert_int_equal(tag->h.type, RECORD_TAG);
    assert_int_equal(drain(f, RECORD_STATEMENT), 1);
    wire_statement_unref(intern(&f->ctx, "SELECT 1 /*route='%2Fa'*/"));
    assert_null(ring_peek(f->ring));
    fixture_free(f);
}

static void test_intern_cache_is_bounded_and_held_statements_live_on(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 20, false);
    struct wire_statement *held = intern(&f->ctx, "SELECT held FROM t");
    struct sql_id id = held->id;
    char text[64];
    for (int i = 0; i < 3 * WIRE_MAX_CACHED_STATEMENTS; i++) {
        snprintf(text, sizeof(text), "SELECT c%d FROM t /*route='r%d'*/", i, i);
        wire_statement_unref(intern(&f->ctx, text));
        drain(f, RECORD_NONE);
        assert_true(f->ctx.statements.count <= WIRE_MAX_CACHED_STATEMENTS);
        assert_true(f->ctx.tags.count <= WIRE_MAX_CACHED_STATEMENTS);
    }
    assert_true(sql_id_equal(held->id, id));
    assert_int_equal(held->refs, 1);
    struct wire_statement *again = intern(&f->ctx, "SELECT held FROM t");
    assert_true(sql_id_equal(again->id, id));
    assert_int_equal(drain(f, RECORD_STATEMENT), 1);
    wire_statement_unref(again);
    wire_statement_unref(held);
    fixture_free(f);
}

/* --- tags at the end of texts that were cut */

static char *text_of_size(size_t size, const char *end)
{
    static const char start[] = "SELECT id FROM t WHERE a = '";
    char *text = malloc(size + strlen(end) + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, start, sizeof(start) - 1);
    text[size - 1] = '\'';
    memcpy(text + size, end, strlen(end) + 1);
    return text;
}

static char *long_text(const char *end)
{
    return text_of_size(WIRE_KEEP_SQL + 3 * WIRE_TAIL, end);
}

static void test_tag_at_the_end_of_a_long_text_is_read(void **state)
{
    (void)state;
    static const uint32_t types[] = {WIRE_OID_NUMERIC, WIRE_OID_UUID, WIRE_OID_INT4};
    char *text = long_text(" /*route='%2Flong'*/;");
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_query(&s, "SELECT 1 /*route='%2Flong'*/");
    server_answers_select(&s, "1", 'I');
    client_query(&s, text);
    server_answers_select(&s, "1", 'I');
    client_run(&s, "", text);
    client_parse_types(&s, "", text, 3, types); /* the types stand behind the text */
    client_bind(&s, "", "");
    client_execute(&s, "", 0);
    client_sync(&s);
    server_runs(&s, true, "SELECT 0");
    server_runs(&s, true, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(played_exchange(&p, i)->tag != 0);
        assert_true(played_exchange(&p, i)->tag == played_exchange(&p, 0)->tag);
    }
    assert_int_equal(played_count(&p, RECORD_TAG), 1);
    free(text);
    played_fini(&p);
}

/* Wherever the end of what is kept of a text falls, in front of its tag, in it or behind it. */
static void test_tag_across_the_end_of_what_is_kept_is_read(void **state)
{
    (void)state;
    static const char tag[] = " /*route='%2Fedge',method='GET'*/";
    uint64_t id = 0;
    for (size_t before = 0; before < sizeof(tag) + 4; before++) {
        char *text = text_of_size(WIRE_KEEP_SQL + 2 - before, tag);
        struct script s;
        struct played p;
        script_init(&s);
        server_startup(&s);
        client_query(&s, text);
        server_answers_select(&s, "1", 'I');
        client_run(&s, "", text);
        server_runs(&s, true, "SELECT 0");
        server_ready(&s, 'I');
        play_once(&s, PLAY_WHOLE, 0, false, &p);
        for (unsigned i = 0; i < 2; i++) {
            id = id == 0 ? played_exchange(&p, i)->tag : id;
            assert_true(id != 0 && played_exchange(&p, i)->tag == id);
        }
        played_fini(&p);
        script_fini(&s);
        free(text);
    }
}

static void test_tag_in_front_of_very_many_parameter_types_is_read(void **state)
{
    (void)state;
    enum { TYPES = 8000 };
    uint32_t *types = malloc(TYPES * sizeof(*types));
    assert_non_null(types);
    for (unsigned i = 0; i < TYPES; i++)
        types[i] = WIRE_OID_INT4;
    char *text = long_text(" /*route='%2Fbulk'*/");
    struct script s;
    struct played p;
    script_init(&s);
    server_startup(&s);
    client_parse_types(&s, "", text, TYPES, types);
    client_bind(&s, "", "");
    client_execute(&s, "", 0);
    client_sync(&s);
    server_runs(&s, true, "SELECT 0");
    server_ready(&s, 'I');
    script_play(&s, &p);
    assert_true(played_exchange(&p, 0)->tag != 0);
    played_fini(&p);
    free(text);
    free(types);
}

static void test_tail_that_is_no_comment_is_no_tag(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "*/", "/", " /*/", " */ */", " --x"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char *text = long_text(ends[i]);
        struct script s;
        struct played p;
        script_init(&s);
        server_startup(&s);
        client_query(&s, text);
        server_answers_select(&s, "1", 'I');
        script_play(&s, &p);
        assert_true(played_exchange(&p, 0)->tag == 0);
        free(text);
        played_fini(&p);
    }
}

/* --- samples: values, in memory only, and only when somebody will explain */

static void build_samples(struct script *s)
{
    static const uint32_t types[] = {WIRE_OID_INT4, 0};
    static const struct script_value values[] = {{"\0\0\0\x05", 4, 1}, {NULL, -1, 0}};
    script_init(s);
    server_startup(s);
    client_query(s, "INSERT INTO t VALUES (1); SELECT id FROM t WHERE id = 5 ;");
    server_complete(s, "INSERT 0 1");
    server_complete(s, "SELECT 0");
    server_ready(s, 'I');
    client_parse_types(s, "a", "SELECT $1, $2", 2, types);
    for (int i = 0; i < 3; i++) {
        client_bind_values(s, "", "a", 2, values, 0);
        client_execute(s, "", 0);
    }
    client_parse(s, "w", "UPDATE t SET a = $1");
    client_bind_values(s, "", "w", 1, values, 0);
    client_execute(s, "", 0);
    client_sync(s);
    server_runs(s, true, "SELECT 0");
    server_runs(s, false, "SELECT 0");
    server_runs(s, false, "SELECT 0");
    server_runs(s, true, "UPDATE 0");
    server_ready(s, 'I');
}

static void test_samples_are_not_made_unless_wanted(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    build_samples(&s);
    script_play(&s, &p);
    assert_int_equal(played_count(&p, RECORD_SAMPLE), 0);
    played_fini(&p);
}

static void test_samples_are_of_reads_and_once_in_a_while(void **state)
{
    (void)state;
    struct script s;
    struct played p;
    build_samples(&s);
    script_play_sampled(&s, true, &p);
    script_fini(&s);
    assert_int_equal(played_count(&p, RECORD_SAMPLE), 3);
    const struct record_sample *text = played_record(&p, RECORD_SAMPLE, 0);
    assert_int_equal(text->is_params, 0);
    assert_true(span_is(record_tail(&text->h, sizeof(*text), 0, text->len),
                        " SELECT id FROM t WHERE id = 5 ;"));
    const struct record_sample *params = played_record(&p, RECORD_SAMPLE, 2);
    assert_int_equal(params->is_params, 1);
    assert_int_equal(params->n_params, 2);
    static const uint8_t bytes[] = {
        WIRE_OID_INT4, 0,    0,    0,   1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0,
        0xff,          0xff, 0xff, 0xff};
    assert_true(span_equal(record_tail(&params->h, sizeof(*params), 0, params->len),
                           span_of(bytes, sizeof(bytes))));
    assert_true(sql_id_equal(params->id, played_exchange(&p, 2)->id));
    played_fini(&p);
}

static void test_samples_come_again_after_the_interval(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 16, true);
    struct wire_sql sql = {.text = span_of_text("SELECT 1"),
                           .dialect = {.standard_conforming_strings = true}};
    const int64_t soon = WIRE_SAMPLE_SOON_US;
    const int64_t late = 2 * soon + WIRE_SAMPLE_EVERY_US;
    const int64_t times[] = {0, soon - 1, soon, 2 * soon, 3 * soon, late - 1, late, late + soon};
    static const size_t wanted[] = {1, 0, 1, 1, 0, 0, 1, 0};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        sql.now_us = times[i];
        wire_statement_unref(wire_statement_intern(&f->ctx, &sql, 0, &scan, &trace));
        assert_int_equal(drain(f, RECORD_SAMPLE), wanted[i]);
    }
    fixture_free(f);
}

static void test_samples_of_too_long_or_cut_texts_are_left_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1 << 18, true);
    char *text = long_text("");
    struct wire_sql sql = {.dialect = {.standard_conforming_strings = true}};
    static const size_t lens[] = {RECORD_SAMPLE_MAX, RECORD_SAMPLE_MAX + 1};
    for (size_t i = 0; i < 2; i++) {
        text[7] = (char)('a' + i); /* another statement each time */
        sql.text = span_of(text, lens[i]);
        wire_statement_unref(wire_statement_intern(&f->ctx, &sql, 0, &scan, &trace));
        assert_int_equal(drain(f, RECORD_SAMPLE), i == 0);
    }
    free(text);
    fixture_free(f);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_intern_same_statement_is_one_object_and_one_record),
        T(test_intern_statement_record_holds_text_and_kinds),
        T(test_intern_same_statement_from_two_endpoints_is_two),
        T(test_intern_trace_differs_and_statement_does_not),
        T(test_intern_statement_refused_by_a_full_ring_is_announced_later),
        T(test_intern_cache_is_bounded_and_held_statements_live_on),
        T(test_tag_at_the_end_of_a_long_text_is_read),
        T(test_tag_across_the_end_of_what_is_kept_is_read),
        T(test_tag_in_front_of_very_many_parameter_types_is_read),
        T(test_tail_that_is_no_comment_is_no_tag),
        T(test_samples_are_not_made_unless_wanted),
        T(test_samples_are_of_reads_and_once_in_a_while),
        T(test_samples_come_again_after_the_interval),
        T(test_samples_of_too_long_or_cut_texts_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
