/*
 * Malformed input for the tap: the states a conversation can be in, one good message of each type
 * to be spoilt, and malformed_case, which shows a spoilt script to a tap in every way of cutting it
 * and holds what comes out against the promises of wire/tap.h.
 *
 * One ring serves all cases; time stands still, so that the records of two plays can be compared by
 * their digest.
 */
#ifndef PGSLEUTH_TESTS_WIRE_MALFORMED_H
#define PGSLEUTH_TESTS_WIRE_MALFORMED_H

#include "cmocka_all.h"
#include "common/hash.h"
#include "common/random.h"
#include "common/ring.h"
#include "guard.h"
#include "record_touch.h"
#include "script.h"
#include "wire/tap.h"

#include <stdio.h>

/* --- the states of a conversation */

static inline void state_starting(struct script *s)
{
    (void)s;
}

static inline void state_authenticating(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'R');
    script_u32(s, 10);
    script_string(s, "SCRAM-SHA-256");
    script_u8(s, 0);
    script_end(s);
}

static inline void state_ready(struct script *s)
{
    server_startup(s);
}

static inline void state_query_sent(struct script *s)
{
    state_ready(s);
    client_query(s, "SELECT id FROM t WHERE a = 'b'");
}

static inline void state_in_query(struct script *s)
{
    state_query_sent(s);
    server_id_field(s);
    server_text_row(s, "1");
}

static inline void state_in_batch(struct script *s)
{
    state_ready(s);
    client_query(s, "SELECT 1; SELECT 2; SELECT 3");
    server_id_field(s);
    server_text_row(s, "1");
    server_complete(s, "SELECT 1");
}

static inline void state_parsing(struct script *s)
{
    state_ready(s);
    client_parse(s, "a", "SELECT id FROM t WHERE a = $1");
}

static inline void state_binding(struct script *s)
{
    state_parsing(s);
    server_bare(s, '1');
    client_bind(s, "", "a");
}

static inline void state_describing(struct script *s)
{
    state_parsing(s);
    server_bare(s, '1');
    client_describe(s, 'S', "a");
}

static inline void state_closing(struct script *s)
{
    state_parsing(s);
    server_bare(s, '1');
    client_close(s, 'S', "a");
}

static inline void state_in_pipeline(struct script *s)
{
    state_ready(s);
    client_run(s, "a", "SELECT id FROM t");
    client_run(s, "a", NULL);
    client_sync(s);
    client_run(s, "", "SELECT 2");
    client_sync(s);
    server_bare(s, '1');
}

static inline void state_executing(struct script *s)
{
    state_ready(s);
    client_run(s, "a", "SELECT id FROM t");
    client_sync(s);
    server_bare(s, '1');
    server_bare(s, '2');
    server_text_row(s, "1");
}

static inline void state_skipping(struct script *s)
{
    state_ready(s);
    client_run(s, "a", "SELEC");
    server_error(s, "42601");
}

static inline void state_calling(struct script *s)
{
    state_ready(s);
    client_function_call(s);
}

static inline void state_copy_in(struct script *s)
{
    state_ready(s);
    client_query(s, "COPY t FROM STDIN");
    server_copy_response(s, 'G');
    client_copy_data(s, "1\n");
}

static inline void state_copy_in_extended(struct script *s)
{
    state_ready(s);
    client_run(s, "", "COPY t FROM STDIN");
    client_sync(s);
    server_bare(s, '1');
    server_bare(s, '2');
    server_copy_response(s, 'G');
}

static inline void state_copy_out(struct script *s)
{
    state_ready(s);
    client_query(s, "COPY t TO STDOUT");
    server_copy_response(s, 'H');
    server_copy_data(s, "1\n");
}

static inline void state_terminated(struct script *s)
{
    state_ready(s);
    client_terminate(s);
}

static inline void state_replication(struct script *s)
{
    state_ready(s);
    client_query(s, "START_REPLICATION SLOT a LOGICAL 0/0");
    server_copy_response(s, 'W');
}

struct malformed_state {
    const char *name;
    void (*build)(struct script *s);
};

static const struct malformed_state malformed_states[] = {
#define STATE(name)                                                                                \
    {                                                                                              \
#name, state_##name                                                                        \
    }
    STATE(starting),   STATE(authenticating), STATE(ready),       STATE(query_sent),
    STATE(in_query),   STATE(in_batch),       STATE(parsing),     STATE(binding),
    STATE(describing), STATE(closing),        STATE(in_pipeline), STATE(executing),
    STATE(skipping),   STATE(calling),        STATE(copy_in),     STATE(copy_in_extended),
    STATE(copy_out),   STATE(terminated),     STATE(replication),
#undef STATE
};

enum { MALFORMED_STATES = sizeof(malformed_states) / sizeof(malformed_states[0]) };

/* In this state the tap has given up already. */
static inline bool malformed_is_opaque(const struct malformed_state *state)
{
    return state->build == state_replication;
}

/* --- one good message of each type */

static inline void good_QUERY(struct script *s)
{
    client_query(s, "SELECT id FROM t WHERE a = 'b' /*route='%2Fx'*/");
}

static inline void good_PARSE(struct script *s)
{
    static const uint32_t types[] = {WIRE_OID_INT4, WIRE_OID_TEXT};
    client_parse_types(s, "b", "SELECT $1, $2", 2, types);
}

static inline void good_BIND(struct script *s)
{
    static const struct script_value values[] = {{"\0\0\0\7", 4, 1}, {"x", 1, 0}, {"", -1, 0}};
    client_bind_values(s, "p", "a", 3, values, 1);
}

static inline void good_DESCRIBE(struct script *s)
{
    client_describe(s, 'S', "a");
}

static inline void good_EXECUTE(struct script *s)
{
    client_execute(s, "p", 5);
}

static inline void good_CLOSE(struct script *s)
{
    client_close(s, 'P', "p");
}

static inline void good_SYNC(struct script *s)
{
    client_sync(s);
}

static inline void good_FLUSH(struct script *s)
{
    client_flush(s);
}

static inline void good_TERMINATE(struct script *s)
{
    client_terminate(s);
}

static inline void good_FUNCTION_CALL(struct script *s)
{
    client_function_call(s);
}

static inline void good_COPY_DATA(struct script *s)
{
    client_copy_data(s, "2\n");
}

static inline void good_COPY_DONE(struct script *s)
{
    client_copy_done(s);
}

static inline void good_COPY_FAIL(struct script *s)
{
    client_copy_fail(s);
}

static inline void good_AUTHENTICATION_REPLY(struct script *s)
{
    script_begin(s, WIRE_FROM_CLIENT, 'p');
    script_string(s, "SCRAM-SHA-256");
    script_u32(s, 12);
    strbuf_puts(&s->bytes, "n,,n=,r=nonc");
    script_end(s);
}

static inline void good_AUTHENTICATION(struct script *s)
{
    state_authenticating(s);
}

static inline void good_NEGOTIATE_PROTOCOL_VERSION(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'v');
    script_u32(s, 0);
    script_u32(s, 1);
    script_string(s, "_pq_.unknown");
    script_end(s);
}

static inline void good_BACKEND_KEY_DATA(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'K');
    script_u32(s, 4711);
    script_u32(s, 0xdeadbeef);
    script_end(s);
}

static inline void good_PARAMETER_STATUS(struct script *s)
{
    server_parameter(s, "client_encoding", "UTF8");
}

static inline void good_READY_FOR_QUERY(struct script *s)
{
    server_ready(s, 'T');
}

static inline void good_ROW_DESCRIPTION(struct script *s)
{
    static const struct script_field fields[] = {{"id", 16384, 1, WIRE_OID_INT4, 1},
                                                 {"name", 16384, 2, WIRE_OID_TEXT, 0}};
    server_fields(s, 2, fields);
}

static inline void good_PARAMETER_DESCRIPTION(struct script *s)
{
    static const uint32_t types[] = {WIRE_OID_INT4, WIRE_OID_UUID};
    server_parameter_description(s, 2, types);
}

static inline void good_NO_DATA(struct script *s)
{
    server_bare(s, 'n');
}

static inline void good_DATA_ROW(struct script *s)
{
    static const struct script_value values[] = {{"42", 2, 0}, {"", -1, 0}, {"name", 4, 0}};
    server_row(s, 3, values);
}

static inline void good_COMMAND_COMPLETE(struct script *s)
{
    server_complete(s, "INSERT 0 5");
}

static inline void good_EMPTY_QUERY_RESPONSE(struct script *s)
{
    server_bare(s, 'I');
}

static inline void good_PORTAL_SUSPENDED(struct script *s)
{
    server_bare(s, 's');
}

static inline void good_PARSE_COMPLETE(struct script *s)
{
    server_bare(s, '1');
}

static inline void good_BIND_COMPLETE(struct script *s)
{
    server_bare(s, '2');
}

static inline void good_CLOSE_COMPLETE(struct script *s)
{
    server_bare(s, '3');
}

static inline void good_ERROR_RESPONSE(struct script *s)
{
    server_error(s, "23505");
}

static inline void good_NOTICE_RESPONSE(struct script *s)
{
    server_notice(s);
}

static inline void good_NOTIFICATION_RESPONSE(struct script *s)
{
    server_notification(s);
}

static inline void good_COPY_IN_RESPONSE(struct script *s)
{
    server_copy_response(s, 'G');
}

static inline void good_COPY_OUT_RESPONSE(struct script *s)
{
    server_copy_response(s, 'H');
}

static inline void good_COPY_BOTH_RESPONSE(struct script *s)
{
    server_copy_response(s, 'W');
}

static inline void good_COPY_DATA_OUT(struct script *s)
{
    server_copy_data(s, "2\n");
}

static inline void good_COPY_DONE_OUT(struct script *s)
{
    server_bare(s, 'c');
}

static inline void good_FUNCTION_CALL_RESPONSE(struct script *s)
{
    script_begin(s, WIRE_FROM_SERVER, 'V');
    script_u32(s, 1);
    script_u8(s, 'x');
    script_end(s);
}

struct malformed_message {
    enum wire_direction from;
    uint8_t type;
    const char *name;
    uint32_t min; /* of the body */
    uint32_t max;
    void (*build)(struct script *s);
};

/* A type without a good message does not compile. */
static const struct malformed_message malformed_messages[] = {
#define FRONTEND(type, name, min, max, keep) {WIRE_FROM_CLIENT, type, #name, min, max, good_##name},
#define BACKEND(type, name, min, max, keep)  {WIRE_FROM_SERVER, type, #name, min, max, good_##name},
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};

enum { MALFORMED_MESSAGES = sizeof(malformed_messages) / sizeof(malformed_messages[0]) };

/* NULL: no such message in this direction. */
static inline const struct malformed_message *malformed_message(enum wire_direction from,
                                                                uint8_t type)
{
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        if (malformed_messages[i].from == from && malformed_messages[i].type == type)
            return &malformed_messages[i];
    }
    return NULL;
}

/* The body of a good message, to be spoilt. To be freed with script_fini. */
static inline struct span malformed_good_body(const struct malformed_message *m, struct script *s)
{
    script_init(s);
    m->build(s);
    return span_skip(span_of(s->bytes.data, s->bytes.len), 5);
}

/* --- playing one case */

enum malformed_cut {
    CUT_BY_MESSAGE,
    CUT_NOWHERE, /* all that follows in one direction is one piece */
    CUT_EVERYWHERE,
    CUT_AT_RANDOM,
    CUT_WAYS
};

/* What a session left behind. */
struct malformed_result {
    uint64_t digest; /* of its records */
    enum wire_opaque_reason reason;
    unsigned records;
    unsigned exchanges;
    char sqlstate[5]; /* of the last exchange */
    uint64_t affected;
};

static struct {
    struct ring *ring;
    struct wire_context ctx;
    struct wire_tap tap;
    struct malformed_result result;
    bool opaque;
    bool ended;
    volatile uint64_t sink;
    unsigned cases;
    char label[256]; /* what is being tried, for a failure */
} malformed;

#define malformed_fail(...)                                                                        \
    do {                                                                                           \
        print_error("%s: ", malformed.label);                                                      \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static inline void malformed_take(const struct record_header *h)
{
    struct malformed_result *out = &malformed.result;
    if (!record_check(span_of(h, h->len)))
        malformed_fail("record %u of type %u is not well-formed", out->records, h->type);
    if ((out->records == 0) != (h->type == RECORD_SESSION_START))
        malformed_fail("record %u is of type %u", out->records, h->type);
    if (malformed.ended || (malformed.opaque && h->type != RECORD_SESSION_END))
        malformed_fail("record of type %u behind the last that may come", h->type);
    malformed.sink = record_touch(span_of(h, h->len));
    out->digest = XXH3_64bits_withSeed(h, h->len, out->digest);
    out->records++;
    malformed.ended = h->type == RECORD_SESSION_END;
    if (h->type == RECORD_SESSION_OPAQUE) {
        malformed.opaque = true;
        out->reason = ((const struct record_session_opaque *)(const void *)h)->reason;
    } else if (h->type == RECORD_EXCHANGE) {
        const struct record_exchange *x = (const void *)h;
        out->exchanges++;
        out->affected = x->affected;
        memcpy(out->sqlstate, x->sqlstate, sizeof(out->sqlstate));
    }
}

static inline void malformed_drain(void)
{
    const struct record_header *h;
    while ((h = ring_peek(malformed.ring)) != NULL) {
        malformed_take(h);
        ring_release(malformed.ring);
    }
}

/* Each piece is a copy that is gone behind the call: of exactly its size for the sanitizer, or,
 * where it is long, one that ends at a guard page. */
static inline void malformed_feed(enum wire_direction from, struct span piece, bool guarded)
{
    struct span copy = {.data = NULL};
    uint8_t *heap = NULL;
    if (guarded) {
        copy = guard_copy(piece);
    } else {
        heap = malloc(piece.len);
        assert_non_null(heap);
        memcpy(heap, piece.data, piece.len);
        copy = span_of(heap, piece.len);
    }
    if (from == WIRE_FROM_CLIENT)
        wire_tap_from_client(&malformed.tap, copy, 0);
    else
        wire_tap_from_server(&malformed.tap, copy, 0);
    if (guarded)
        guard_free(copy);
    free(heap);
    malformed_drain();
}

static inline void malformed_feed_cut(enum wire_direction from, struct span run,
                                      enum malformed_cut how, uint64_t *seed)
{
    while (run.len > 0) {
        size_t most = run.len;
        if (how == CUT_EVERYWHERE)
            most = 1;
        else if (how == CUT_AT_RANDOM)
            most = 1 + random_below(seed, random_below(seed, 3) == 0 ? 4000 : 9);
        struct span piece = span_head(run, most);
        malformed_feed(from, piece, how == CUT_NOWHERE);
        run = span_skip(run, piece.len);
    }
}

static inline void malformed_run(const struct script *s, enum malformed_cut how)
{
    uint64_t seed = s->bytes.len + 1;
    for (size_t i = 0; i < s->n_steps;) {
        size_t end = i + 1;
        while (how != CUT_BY_MESSAGE && end < s->n_steps && s->steps[end].from == s->steps[i].from)
            end++;
        size_t len = s->steps[end - 1].at + s->steps[end - 1].len - s->steps[i].at;
        malformed_feed_cut(s->steps[i].from, span_of(s->bytes.data + s->steps[i].at, len), how,
                           &seed);
        i = end;
    }
}

static inline struct malformed_result malformed_play(const struct script *s, enum malformed_cut how)
{
    if (malformed.ring == NULL)
        malformed.ring = ring_new((size_t)1 << 20);
    assert_non_null(malformed.ring);
    malformed.result = (struct malformed_result){.digest = 0};
    malformed.opaque = malformed.ended = false;
    wire_context_init(&malformed.ctx, malformed.ring, true);
    malformed.ctx.prepared.keep = 0;
    malformed.ctx.portals.keep = 0;
    malformed.ctx.columns.keep = 0;
    malformed.ctx.key_hashes.keep = 0;
    struct wire_session_info info = {.user = span_of_text("u")};
    wire_tap_begin(&malformed.tap, &malformed.ctx, 1, &info, 0);
    malformed_run(s, how);
    if (wire_tap_is_opaque(&malformed.tap) != malformed.opaque)
        malformed_fail("opaque, and no record says so");
    wire_tap_end(&malformed.tap, &(struct wire_session_end){.now_us = 0});
    malformed_drain();
    wire_context_fini(&malformed.ctx); /* asserts that every pool is empty */
    if (!malformed.ended || ring_dropped(malformed.ring) != 0)
        malformed_fail("the session has no last record");
    return malformed.result;
}

/* One case: every way of cutting gives the same well-formed records, and a session that is not
 * understood says why. Frees the script. */
static inline struct malformed_result malformed_case(struct script *s)
{
    malformed.cases++;
    struct malformed_result first = malformed_play(s, CUT_BY_MESSAGE);
    if (malformed.opaque &&
        (first.reason == WIRE_OPAQUE_NONE || first.reason >= WIRE_OPAQUE_REASONS))
        malformed_fail("opaque for reason %d", (int)first.reason);
    for (int how = CUT_BY_MESSAGE + 1; how < CUT_WAYS; how++) {
        struct malformed_result again = malformed_play(s, (enum malformed_cut)how);
        if (again.digest != first.digest || again.records != first.records)
            malformed_fail("cut in way %d it gives %u records for reason %d, not %u for %d", how,
                           again.records, (int)again.reason, first.records, (int)first.reason);
    }
    script_fini(s);
    return first;
}

/* What both sides may go on to say: of a session that is opaque nothing of it may be seen. */
static inline void malformed_go_on(struct script *s)
{
    client_sync(s);
    client_query(s, "SELECT 'behind'");
    server_ready(s, 'I');
    server_answers_select(s, "1", 'I');
    client_copy_done(s);
    server_error(s, "57014");
    server_ready(s, 'I');
}

/* One message of any type that announces `len` and brings `body`, in a state. */
static inline struct malformed_result malformed_message_case(const struct malformed_state *state,
                                                             enum wire_direction from, uint8_t type,
                                                             uint32_t len, struct span body)
{
    struct script s;
    script_init(&s);
    state->build(&s);
    script_open(&s, from);
    script_u8(&s, type);
    script_u32(&s, len);
    strbuf_add(&s.bytes, body.data, body.len);
    script_close(&s);
    malformed_go_on(&s);
    return malformed_case(&s);
}

/* The same with its true length. */
static inline struct malformed_result malformed_body_case(const struct malformed_state *state,
                                                          enum wire_direction from, uint8_t type,
                                                          struct span body)
{
    return malformed_message_case(state, from, type, (uint32_t)body.len + 4, body);
}

/* Called at the end of each program. */
static inline int malformed_finish(void **unused)
{
    (void)unused;
    ring_free(malformed.ring);
    malformed.ring = NULL;
    print_message("%u malformed inputs, each cut in %d ways\n", malformed.cases, (int)CUT_WAYS);
    return 0;
}

#endif
