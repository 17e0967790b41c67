/*
 * Proposals of indexes, one for each statement at an endpoint whose plans ask for one: judged by
 * the thresholds, and merged, so that one index of a table is proposed where it serves several
 * statements.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_PROPOSALS_H
#define PGSLEUTH_DETECTORS_RULES_PROPOSALS_H

#include "common/map64.h"
#include "detectors/audit.h"

enum proposal_kind {
    PROPOSAL_WASTE,     /* the plan reads or sorts many rows for a few */
    PROPOSAL_UNUSABLE,  /* likewise, and no index is proposed: the note says why */
    PROPOSAL_STRUCTURE, /* too little data for a verdict by cost: no index could serve it */
};

struct proposal {
    const struct usage *usage;
    const struct record_plan *plan; /* of the values that it is judged by */
    struct span schema, table, columns, note, node, after_node, parent;
    unsigned n_equal; /* leading columns whose order is free */
    unsigned n_columns;
    enum proposal_kind kind;
    unsigned sets;    /* sets of observed values with a plan */
    unsigned for_it;  /* of these, the ones whose plan asks for the index */
    size_t served_by; /* position of the proposal whose index serves this one; often its own */
    bool taken;
};

/* How often a table was read and written to, by statements seen. */
struct activity {
    uint64_t reads;
    uint64_t writes;
};

struct proposals {
    struct proposal *list; /* in the order of the ledger */
    size_t n;
    struct map64 by_table; /* of struct activity */
    struct activity *activity;
    size_t n_activity;
};

/* All that the audit gives reason for. False when there is no memory; proposals_free in either
 * case. */
bool proposals_make(struct proposals *p, const struct audit *audit);
void proposals_free(struct proposals *p);

/* Zeroes for a table that was not seen or had no room. */
struct activity proposals_activity(const struct proposals *p, struct span table);

#endif
