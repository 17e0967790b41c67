/*
 * The catalogue of statements: one entry an identity, with what is known of it.
 *
 * Entries are made at the first record that names them and live as long as the catalogue. At its
 * cap a new statement gets the one overflow entry, whose identity is {0,0}, so that random SQL
 * cannot grow memory; how often that happened is counted.
 */
#ifndef PGSLEUTH_DETECTORS_STATEMENT_H
#define PGSLEUTH_DETECTORS_STATEMENT_H

#include "common/arena.h"
#include "common/map64.h"
#include "wire/record.h"
#include "wire/values.h"

struct chatter;

/* Sums over the large results of a statement, as far as they were measured. */
struct statement_widths {
    uint64_t results;
    uint64_t rows;
    unsigned n;
    struct record_width columns[RECORD_MAX_WIDTHS];
};

/* Sets of values whose plans are kept: what holds for one value need not hold for the others. */
enum { STATEMENT_PLANS = 3 };

struct statement {
    struct sql_id id;
    uint32_t serial; /* order of first sight, from 1; 0 is the overflow entry */
    enum sql_verb verb;
    unsigned scan_flags;
    struct span text; /* masked; empty until its STATEMENT record came */
    struct span kinds;
    const struct record_facts *facts;     /* NULL until they came */
    const struct record_columns *columns; /* NULL until it returned rows */
    /* Of its last sets of observed values, the newest first; NULL behind the last one. */
    const struct record_plan *plans[STATEMENT_PLANS];
    struct statement_widths *widths; /* of its large results; NULL without any */
    const struct chatter *chatter; /* what driver traffic this is (detectors/chatter.h), or NULL */
    uint64_t calls;
    uint64_t rows;
    uint64_t errors;
    uint64_t time_us; /* sum of total_us */
    uint64_t max_us;
    bool child_of_n_plus_one;
    /* EXPLAIN: the last sample, in memory only. */
    struct span sample_text;
    struct span sample_params;
    unsigned sample_n_params;
    bool sample_fresh;        /* other values than those that were explained */
    int64_t explain_after_us; /* not before; 0 when never asked */
    unsigned plans_asked;
    unsigned plans_answered; /* whatever the answer was */
};

struct catalogue {
    struct map64 by_id;
    struct arena *arena;
    struct statement overflow;
    uint64_t overflowed;        /* records that fell to the overflow entry for lack of room */
    size_t kept_bytes;          /* that samples and plans take now */
    uint64_t lost_descriptions; /* texts, columns, facts, widths without room */
    uint64_t lost_samples;      /* and plans */
};

void catalogue_init(struct catalogue *c, struct arena *arena, size_t max_statements);
void catalogue_fini(struct catalogue *c);

/* The entry of an identity, made when new. Never NULL. */
struct statement *catalogue_get(struct catalogue *c, struct sql_id id);

/* Take in what a record says of its statement; the record is copied. */
void catalogue_add_statement(struct catalogue *c, const struct record_statement *r);
void catalogue_add_columns(struct catalogue *c, const struct record_columns *r);
void catalogue_add_facts(struct catalogue *c, const struct record_facts *r);
void catalogue_add_plan(struct catalogue *c, const struct record_plan *r);
void catalogue_add_widths(struct catalogue *c, const struct record_widths *r);
void catalogue_add_sample(struct catalogue *c, const struct record_sample *r);

/* The identity as one number, for maps. */
static inline uint64_t statement_key(const struct statement *s)
{
    return wire_hash_combine(s->id.hi, s->id.lo);
}

/* Whether one of its result's columns holds values of any length: text, json, bytea. `column` is
 * counted from 0; false past the last one. */
bool statement_column_is_long(const struct statement *s, unsigned column);

/* --- reading facts --- */

bool statement_has(const struct statement *s, enum record_facts_flags flag);

/* Name of the i-th table as written ("orders" or "shop.orders"), or the empty span. */
struct span statement_table(const struct statement *s, unsigned i);

/* The verb with WITH resolved, when the grammar told. */
enum sql_verb statement_verb(const struct statement *s);

/* Whether it changes rows by its verb; `sent` is the verb of the text it came with, for when the
 * grammar told nothing. */
bool statement_changes_rows(const struct statement *s, enum sql_verb sent);

/* Whether it may change rows: everything but what is known to only read or to be the driver's. */
bool statement_may_write(const struct statement *s, enum sql_verb sent);

struct statement_predicate {
    enum record_predicate_op op;
    struct span table; /* empty when not known */
    struct span column;
};

/* The i-th predicate; false past the last one. */
bool statement_predicate_at(const struct statement *s, unsigned i, struct statement_predicate *out);

/* Name of a column of the result, from 0: that of the table's column where the text only labels it
 * ("books.id as books_id"); the empty span when not known. */
struct span statement_column_name(const struct statement *s, unsigned column);

#endif
