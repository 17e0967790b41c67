/*
 * Repeats in one unit of work, and where their values came from.
 *
 * A repeat is a statement executed several times with different values, one key each. Its values
 * have a lineage when they are values that a key-like column of an earlier result held. Parents are
 * groups by statement, not single executions, so that a loop in a loop is seen as well.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_LINEAGE_H
#define PGSLEUTH_DETECTORS_RULES_LINEAGE_H

#include "detectors/unit.h"

enum { LINEAGE_MAX_CHILDREN = 16, LINEAGE_SMALL_INTEGERS = 33 };

struct lineage_child {
    struct statement *statement;
    const struct tag *tag; /* of its first execution */
    size_t first;          /* exchange of its first execution */
    uint64_t n;            /* executions; repeats after an error are folded */
    uint64_t round_trips;
    uint64_t distinct;  /* different values */
    uint64_t repeat_us; /* time of executions 2..n */
    uint64_t each_us;   /* longest single one */
    uint64_t gap_us;    /* client time just before executions 2..n */

    /* Where the values came from; `parent` alone is set when the statement just before returned as
     * many rows. */
    struct statement *parent;
    bool has_lineage;
    unsigned column; /* of the parent's result */
    uint32_t type_oid;
    uint64_t matched;
    uint64_t parent_rows;
    double hit;   /* share of the executions whose value the parent had returned before */
    double order; /* share of matches that follow the parent's rows */
    double cover; /* share of the parent's values that were asked for */
    bool dense;   /* the parent's values are all small integers, which match anything */
    bool rooted;  /* some one execution of the parent returned two rows, or it is a child itself */
};

/* One key, read, and answered: what a loop over rows sends. */
bool lineage_is_single(const struct unit_exchange *x);

struct lineage; /* memory that is used again from unit to unit */

struct lineage *lineage_new(void);
void lineage_free(struct lineage *l);

/* Units whose repeats were not compared with all that was read before, for want of time. */
uint64_t lineage_cut(const struct lineage *l);

/* Whether a value is a small integer, which is in many columns by chance. */
bool lineage_is_small(const struct lineage *l, uint64_t hash);

/* The hashes of the k-th key column of an exchange, one a row. */
const uint64_t *lineage_column(const struct unit_exchange *x, unsigned k, unsigned *n);

/* The repeats of a unit in order of their first execution: at most LINEAGE_MAX_CHILDREN. */
unsigned lineage_find(struct lineage *l, const struct unit *u,
                      struct lineage_child out[LINEAGE_MAX_CHILDREN]);

#endif
