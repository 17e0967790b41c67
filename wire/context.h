/*
 * What all sessions of one worker share while they are decoded: the ring to the auditor, the
 * statements seen, the pools, the scratch memory of the lexer.
 *
 * A statement is interned by its identity and its endpoint tag: a text costs one lexer pass and one
 * look-up, and one that came before to the byte, a hash and a comparison (memo.h). Its first sight
 * (and that of its tag) writes a record; one that a full ring refused is written at a later sight.
 * The cache is bounded: when it is full, everything that no session holds is forgotten; what comes
 * again is announced again, which the auditor takes for what it is.
 *
 * One thread. Owned by the worker.
 */
#ifndef PGSLEUTH_WIRE_CONTEXT_H
#define PGSLEUTH_WIRE_CONTEXT_H

#include "common/map64.h"
#include "common/pool.h"
#include "common/ring.h"
#include "wire/account.h"
#include "wire/memo.h"
#include "wire/record.h"

enum {
    WIRE_MAX_CACHED_STATEMENTS = 8192,
    WIRE_SAMPLE_EVERY_US = 10 * 1000 * 1000, /* of one statement, values for EXPLAIN */
    WIRE_SAMPLE_SOON_US = 100 * 1000,        /* until so many were taken: */
    WIRE_SAMPLES_SOON = 3,                   /* one set of values may be an odd one */
};

struct wire_statement {
    uint32_t refs;
    bool announced; /* its record is in the ring; tried again while the ring was full */
    bool announced_columns;
    uint8_t verb; /* enum sql_verb */
    uint16_t scan_flags;
    struct sql_id id;
    uint64_t tag;
    uint64_t key;          /* in the cache */
    uint8_t samples_taken; /* up to WIRE_SAMPLES_SOON */
    uint8_t params_taken;
    int64_t sample_after_us;
    int64_t params_after_us;
};

/* Whether values of such a statement are worth a sample. */
static inline bool wire_may_be_explained(enum sql_verb verb)
{
    return verb == SQL_VERB_SELECT || verb == SQL_VERB_WITH || verb == SQL_VERB_DELETE;
}

/* When the next sample is due, behind one that is taken now and counted in `taken`. */
static inline int64_t wire_sample_after(uint8_t *taken, int64_t now_us)
{
    if (*taken < WIRE_SAMPLES_SOON)
        (*taken)++;
    return now_us + (*taken < WIRE_SAMPLES_SOON ? WIRE_SAMPLE_SOON_US : WIRE_SAMPLE_EVERY_US);
}

struct wire_context {
    struct ring *ring;         /* borrowed */
    bool want_samples;         /* somebody will explain: send values, in memory only */
    struct wire_budget budget; /* of all sessions; without limit until `max` is set */
    struct map64 statements;   /* key -> struct wire_statement, one reference held */
    struct map64 tags;         /* ids announced */
    struct wire_memo memo;     /* texts that need no lexer */
    struct pool prepared;
    struct pool portals;
    struct pool columns;
    struct pool key_hashes;
    struct pool widths;
    struct pool rests;
    struct sql_tag tag; /* scratch */
    char text[RECORD_TEXT_MAX];
    char kinds[RECORD_TEXT_MAX / 4];
};

/* `ring` is borrowed and outlives the context. */
void wire_context_init(struct wire_context *ctx, struct ring *ring, bool want_samples);

/* Every session must have ended. */
void wire_context_fini(struct wire_context *ctx);

/* A Query's or Parse's text as the framer kept it. */
struct wire_sql {
    struct span text;
    struct span tail; /* last bytes of a text that was cut */
    struct sql_dialect dialect;
    int64_t now_us;
};

/* Scan the statement at offset `from` and give it with a reference for the caller; NULL when there
 * is no memory. *scan has the offsets and values of this text, *trace the hash of a trace id or 0.
 */
struct wire_statement *wire_statement_intern(struct wire_context *ctx, const struct wire_sql *sql,
                                             size_t from, struct sql_scan *scan, uint64_t *trace);

struct wire_statement *wire_statement_ref(struct wire_statement *s);
void wire_statement_unref(struct wire_statement *s); /* NULL is allowed */

#endif
