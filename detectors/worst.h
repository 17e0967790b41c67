/*
 * The slowest request that an endpoint has had, step by step: what a timeline is drawn of.
 *
 * A step is a run of the same statement on the same connection, so that a loop of a thousand is one
 * step. One sample an endpoint, of bounded size, overwritten when a slower request comes; values
 * are never in it.
 */
#ifndef PGSLEUTH_DETECTORS_WORST_H
#define PGSLEUTH_DETECTORS_WORST_H

#include "detectors/unit.h"

enum { WORST_STEPS = 20 };

struct worst_step {
    const struct statement *statement;
    uint64_t start_us; /* since the request began */
    uint64_t span_us;  /* to the end of its last execution: the client's time between is in it */
    uint64_t busy_us;  /* of that, with a statement under way */
    uint64_t rows;
    uint32_t times;
    uint32_t errors;
    uint32_t connection; /* of the request, from 1 */
};

struct worst {
    uint64_t wall_us;
    uint64_t db_us;
    uint64_t statements; /* all of the request, with those that are in no step */
    bool by_http;        /* time is counted from the first byte of the HTTP request */
    size_t n_steps;
    uint64_t left_out; /* statements that are in no step */
    struct worst_step steps[WORST_STEPS];
};

/* Keep this unit when it took longer (`wall_us`) than what is kept. *kept is of the arena, made
 * with the first unit; without room it stays NULL. */
void worst_note(struct worst **kept, struct arena *arena, const struct unit *u, uint64_t wall_us);

#endif
