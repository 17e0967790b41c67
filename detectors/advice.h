/*
 * What to write instead: code for SQLAlchemy 2, Django and asyncpg, made from what the wire and the
 * grammar told. Only what the wire showed to be loaded is loaded, every assumption is said in a
 * comment, and names from the wire pass through names.h.
 */
#ifndef PGSLEUTH_DETECTORS_ADVICE_H
#define PGSLEUTH_DETECTORS_ADVICE_H

#include "detectors/finding.h"

/* Repeats of one parent's loop, for the advice against them. */
struct advice_repeat {
    const struct statement *child;
    struct span column; /* of the child, that the key is compared with; empty when not known */
    bool aggregate;     /* it returns aggregates alone */
    bool to_one;        /* its key is the child's own: the parent refers to it */
};

struct advice_loop {
    const struct statement *parent; /* NULL when not known */
    struct span parent_column;      /* that holds the keys; empty when not known */
    uint32_t key_type;              /* OID of that column, or 0 */
    const struct advice_repeat *repeats;
    unsigned n_repeats;
};

void advice_n_plus_one(struct arena *arena, struct finding *f, const struct advice_loop *loop);

void advice_select_star(struct arena *arena, struct finding *f, const struct statement *s);

void advice_unbounded(struct arena *arena, struct finding *f, const struct statement *s);

/* Also sets plan_ddl. `name` and `columns` are a table and its columns, comma separated; an empty
 * list of columns when only `note` is known: why an index that exists is of no use. */
struct advice_index {
    struct span schema;
    struct span table;
    struct span columns;
    struct span note;
};
void advice_missing_index(struct arena *arena, struct finding *f, const struct advice_index *index);

/* The text of a statement for a sentence, cut to a line; in the arena. */
const char *advice_sql(struct arena *arena, const struct statement *s);

#endif
