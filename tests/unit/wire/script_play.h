/*
 * Show a script to a tap and gather the records that come out of the ring.
 *
 * script_play does it whole (each message a piece), byte by byte, and in random pieces, and fails
 * the test when the records differ in anything but times. Every piece is a copy of exactly its
 * size that is freed behind the call, and the pools hand nothing out twice, so that the sanitizer
 * sees a span that was kept too long. At the end of each play every pool is empty
 * (wire_context_fini asserts it).
 */
#ifndef PGSLEUTH_TESTS_WIRE_SCRIPT_PLAY_H
#define PGSLEUTH_TESTS_WIRE_SCRIPT_PLAY_H

#include "cmocka_all.h"
#include "common/random.h"
#include "common/ring.h"
#include "script.h"
#include "wire/tap.h"

#include <assert.h>
#include <stdio.h>

enum { PLAY_RING = 1 << 20, PLAY_SEEDS = 6, PLAY_STEP_US = 1000, PLAY_SESSION = 77 };

struct played {
    struct record_header **records; /* owned, each */
    size_t n;
    size_t room;
    struct wire_tap tap; /* as it was before the end: only numbers may be looked at */
    size_t prepared;     /* names known before the end */
    size_t portals;
};

struct player {
    struct wire_context ctx;
    struct wire_tap tap;
    struct played *out;
};

static inline void played_fini(struct played *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->records[i]);
    free(p->records);
}

static inline void player_drain(struct player *player)
{
    struct played *out = player->out;
    const struct record_header *h;
    while ((h = ring_peek(player->ctx.ring)) != NULL) {
        if (!record_check(span_of(h, h->len)))
            fail_msg("record %zu of type %u is not well-formed", out->n, h->type);
        if (out->n == out->room) {
            out->room = out->room == 0 ? 32 : out->room * 2;
            out->records = realloc(out->records, out->room * sizeof(struct record_header *));
            assert_non_null(out->records);
        }
        struct record_header *copy = malloc(h->len);
        assert_non_null(copy);
        memcpy(copy, h, h->len);
        out->records[out->n++] = copy;
        ring_release(player->ctx.ring);
    }
}

static inline void player_feed(struct player *player, enum wire_direction from, struct span bytes,
                               int64_t now_us)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    if (from == WIRE_FROM_CLIENT)
        wire_tap_from_client(&player->tap, span_of(copy, bytes.len), now_us);
    else
        wire_tap_from_server(&player->tap, span_of(copy, bytes.len), now_us);
    free(copy);
    player_drain(player);
}

enum play_mode { PLAY_WHOLE, PLAY_BYTES, PLAY_RANDOM };

/* Steps that follow each other in one direction are one run of bytes, to be cut anywhere. */
static inline size_t player_random_run(struct player *player, const struct script *s, size_t first,
                                       uint64_t *seed)
{
    size_t end = first + 1;
    while (end < s->n_steps && s->steps[end].from == s->steps[first].from)
        end++;
    const struct script_step *last = &s->steps[end - 1];
    struct span run =
        span_of(s->bytes.data + s->steps[first].at, last->at + last->len - s->steps[first].at);
    while (run.len > 0) {
        unsigned most = random_below(seed, 3) == 0 ? 2000 : 12;
        struct span piece = span_head(run, 1 + random_below(seed, most));
        player_feed(player, s->steps[first].from, piece, (int64_t)end * PLAY_STEP_US);
        run = span_skip(run, piece.len);
    }
    return end;
}

static inline void player_run(struct player *player, const struct script *s, enum play_mode mode,
                              uint64_t seed)
{
    for (size_t i = 0; i < s->n_steps;) {
        if (mode == PLAY_RANDOM) {
            i = player_random_run(player, s, i, &seed);
            continue;
        }
        const struct script_step *step = &s->steps[i++];
        struct span bytes = span_of(s->bytes.data + step->at, step->len);
        size_t piece = mode == PLAY_WHOLE ? bytes.len : 1;
        for (; bytes.len > 0; bytes = span_skip(bytes, piece))
            player_feed(player, step->from, span_head(bytes, piece), (int64_t)i * PLAY_STEP_US);
    }
}

static inline void player_init(struct player *player, struct played *out, bool want_samples)
{
    *out = (struct played){.n = 0};
    player->out = out;
    struct ring *ring = ring_new(PLAY_RING);
    assert_non_null(ring);
    wire_context_init(&player->ctx, ring, want_samples);
    player->ctx.prepared.keep = 0;
    player->ctx.portals.keep = 0;
    player->ctx.columns.keep = 0;
    player->ctx.key_hashes.keep = 0;
}

static inline void player_begin(struct player *player)
{
    struct wire_session_info info = {.user = span_of_text("bob"),
                                     .database = span_of_text("shop"),
                                     .application = span_of_text("web"),
                                     .client = span_of_text("10.0.0.7")};
    wire_tap_begin(&player->tap, &player->ctx, PLAY_SESSION, &info, 0);
}

static inline void player_end(struct player *player, int64_t now_us)
{
    player->out->tap = player->tap;
    player->out->prepared = player->tap.conversation.prepared.count;
    player->out->portals = player->tap.conversation.portals.count;
    struct wire_session_end end = {
        .now_us = now_us,
        .bytes_from_client = 1,
        .bytes_from_server = 2,
        .reason = 3,
        .stopped = true,
    };
    wire_tap_end(&player->tap, &end);
    player_drain(player);
}

static inline void player_fini(struct player *player)
{
    struct ring *ring = player->ctx.ring;
    if (ring_dropped(ring) != 0)
        fail_msg("%u records were dropped", (unsigned)ring_dropped(ring));
    wire_context_fini(&player->ctx);
    ring_free(ring);
    free(player);
}

static inline void play_once(const struct script *s, enum play_mode mode, uint64_t seed,
                             bool want_samples, struct played *out)
{
    struct player *player = malloc(sizeof(*player));
    assert_non_null(player);
    player_init(player, out, want_samples);
    player_begin(player);
    player_run(player, s, mode, seed);
    player_end(player, (int64_t)s->n_steps * PLAY_STEP_US);
    player_fini(player);
}

/* --- comparing */

static inline void strip_times(struct record_header *h)
{
    void *r = h;
    if (h->type == RECORD_EXCHANGE) {
        ((struct record_exchange *)r)->start_us = 0;
        ((struct record_exchange *)r)->first_us = 0;
        ((struct record_exchange *)r)->total_us = 0;
    } else if (h->type == RECORD_SESSION_OPAQUE) {
        ((struct record_session_opaque *)r)->time_us = 0;
    } else if (h->type == RECORD_SESSION_END) {
        ((struct record_session_end *)r)->startup_us = 0;
    }
}

static inline bool records_alike(const struct record_header *a, const struct record_header *b)
{
    static _Alignas(8) uint8_t one[RECORD_MAX_BYTES];
    static _Alignas(8) uint8_t other[RECORD_MAX_BYTES];
    if (a->len != b->len)
        return false;
    memcpy(one, a, a->len);
    memcpy(other, b, b->len);
    strip_times((struct record_header *)(void *)one);
    strip_times((struct record_header *)(void *)other);
    return memcmp(one, other, a->len) == 0;
}

static inline void assert_played_alike(const struct played *a, const struct played *b,
                                       const char *how)
{
    if (a->n != b->n)
        fail_msg("%s: %zu records, not %zu", how, b->n, a->n);
    for (size_t i = 0; i < a->n; i++) {
        if (!records_alike(a->records[i], b->records[i]))
            fail_msg("%s: record %zu of type %u differs", how, i, a->records[i]->type);
    }
}

static inline void script_play_sampled(const struct script *s, bool want_samples,
                                       struct played *out)
{
    play_once(s, PLAY_WHOLE, 0, want_samples, out);
    for (uint64_t seed = 0; seed <= PLAY_SEEDS; seed++) {
        struct played again;
        char how[32];
        snprintf(how, sizeof(how), seed == 0 ? "byte by byte" : "seed %u", (unsigned)seed);
        play_once(s, seed == 0 ? PLAY_BYTES : PLAY_RANDOM, seed, want_samples, &again);
        assert_played_alike(out, &again, how);
        played_fini(&again);
    }
}

/* Plays every way and frees the script; the caller frees *out. */
static inline void script_play(struct script *s, struct played *out)
{
    script_play_sampled(s, false, out);
    script_fini(s);
}

/* --- looking at what came out */

static inline size_t played_count(const struct played *p, enum record_type type)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->records[i]->type == type;
    return n;
}

/* The i-th record of a type; fails the test when there is none. */
static inline const void *played_record(const struct played *p, enum record_type type, size_t i)
{
    for (size_t at = 0; at < p->n; at++) {
        if (p->records[at]->type == type && i-- == 0)
            return p->records[at];
    }
    fail_msg("no such record of type %d", (int)type);
    return NULL;
}

static inline const struct record_exchange *played_exchange(const struct played *p, size_t i)
{
    return played_record(p, RECORD_EXCHANGE, i);
}

/* The statement of an exchange as people see it; "" when it has none. Valid until the next call. */
static inline const char *exchange_sql(const struct played *p, const struct record_exchange *x)
{
    static char text[4096];
    for (size_t i = 0; i < p->n; i++) {
        const struct record_statement *s = (const void *)p->records[i];
        if (s->h.type == RECORD_STATEMENT && sql_id_equal(s->id, x->id)) {
            sql_display(record_tail(&s->h, sizeof(*s), 0, s->text_len), text, sizeof(text));
            return text;
        }
    }
    return "";
}

static inline const uint64_t *exchange_values(const struct record_exchange *x)
{
    return (const void *)(x + 1);
}

static inline const struct record_key *exchange_keys(const struct record_exchange *x)
{
    return (const void *)(exchange_values(x) + x->n_values);
}

static inline const uint64_t *exchange_key_hashes(const struct record_exchange *x)
{
    return (const void *)(exchange_keys(x) + x->n_keys);
}

static inline bool exchange_has(const struct record_exchange *x, uint32_t flags)
{
    return (x->exchange_flags & flags) == flags;
}

/* Reason of the session's one opaque record, or WIRE_OPAQUE_NONE. */
static inline enum wire_opaque_reason played_opaque(const struct played *p)
{
    size_t n = played_count(p, RECORD_SESSION_OPAQUE);
    if (n == 0)
        return WIRE_OPAQUE_NONE;
    assert_int_equal(n, 1);
    const struct record_session_opaque *r = played_record(p, RECORD_SESSION_OPAQUE, 0);
    return (enum wire_opaque_reason)r->reason;
}

/* Statement i was `sql`, its transaction state went from `before` to `after` (0: not told). */
#define assert_exchange(p, i, sql, before, after)                                                  \
    do {                                                                                           \
        const struct record_exchange *x_ = played_exchange((p), (i));                              \
        assert_string_equal(exchange_sql((p), x_), (sql));                                         \
        assert_int_equal(x_->tx_before, (before));                                                 \
        assert_int_equal(x_->tx_after, (after));                                                   \
    } while (0)

#endif
