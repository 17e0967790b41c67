/*
 * What is known of statements that repeat within units: counters by (endpoint, repeated statement,
 * parent, column of the parent), bounded, and the judgement on them.
 *
 * Counting takes place at the end of a unit, judging when a report is made, with the names and
 * facts known by then.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_REPEATS_H
#define PGSLEUTH_DETECTORS_RULES_REPEATS_H

#include "detectors/finding.h"
#include "detectors/rules/lineage.h"
#include "detectors/settings.h"

enum { REPEATS_MAX = 4000, REPEAT_MAX_PAIRS = 64 };

/* Rows of the parent, repeats and time, in one unit. */
struct repeat_pair {
    double rows;
    double n;
    double ms;
};

struct fan;

struct repeat {
    struct endpoint *endpoint;
    struct statement *child;
    struct statement *parent; /* or NULL */
    const struct tag *tag;
    bool has_lineage;
    unsigned column;
    uint32_t type_oid;
    uint64_t units;    /* with this repeat and enough of it for a finding */
    uint64_t proven;   /* of them: values have a lineage */
    uint64_t followed; /* of those: in the order of the rows, most of them */
    uint64_t dense;    /* of those: small integers only */
    uint64_t
        pairs_proven; /* units of just two rows and two repeats, one for each, in their order */
    uint64_t matched_rows; /* units with as many repeats as parent rows */
    uint64_t pipelined;    /* units whose repeats travelled together */
    uint64_t matched;
    uint64_t of;
    uint64_t claim; /* the bit of this case (detectors/claims.h); 0 without one */
    uint64_t repeat_us;
    uint64_t gap_us;
    uint64_t seen; /* pairs offered */
    struct histogram n_each;
    struct histogram trips_each; /* wasted round trips */
    struct histogram wasted_us_each;
    struct repeat_pair pairs[REPEAT_MAX_PAIRS];
    struct fan *fan; /* of repeats that ran on several connections at once (fan_out.h), else NULL */
    struct repeat *next;
};

struct repeats {
    struct arena *arena;
    struct lineage *lineage;
    struct map64 by_key;
    struct repeat *first; /* in order of first sight */
    struct repeat **end;
    uint64_t lost; /* units without room for a new one */
};

/* An empty table in memory of the arena; NULL when there is none. */
struct repeats *repeats_new(struct arena *arena);
void repeats_fini(struct repeats *t);

/* Count the repeats of a closed unit. */
void repeats_count(struct repeats *t, const struct det_settings *set, const struct unit *u);

/* The counters for this repeat at an endpoint, made when new; those of a fan-out are counters of
 * their own. NULL when there is no room. */
struct repeat *repeats_get(struct repeats *t, struct endpoint *e, const struct lineage_child *c,
                           bool fan_out);

/* Count one unit's repeats, of which there are enough for a finding; `ms` is how long the request
 * took. */
void repeats_add(struct repeats *t, struct repeat *e, const struct lineage_child *c, double ms);

struct repeat_verdict {
    bool is_n_plus_one;
    double confidence;
    enum confidence_basis basis;
};

/* What a repeat is, going by its counters and by what is known of its statements. */
struct repeat_verdict repeat_judge(const struct det_settings *set, const struct repeat *e);

/* How the number of repeats, and the time of the request, grow with the parent's rows. */
struct growth repeat_growth(const struct repeat *e);
struct growth repeat_latency(const struct repeat *e);

/* The parent's column that holds the keys; empty when not known. */
struct span repeat_parent_column(const struct repeat *e);

/* The column that the repeated statement compares its key with; empty when not known. */
struct span repeat_key_column(const struct repeat *e);

/* Names of the parent's column and of the key that it is compared with agree. */
bool repeat_agrees_by_name(const struct repeat *e);

/* By what grammar and catalog know, it is no loop over rows. */
bool repeat_is_something_else(const struct repeat *e);

/* The parent refers to the child: a join brings it along, in no statement of its own. */
bool repeat_is_to_one(const struct repeat *e);

#endif
