/*
 * Evidence that a rule counts at the end of units: one tally for each (endpoint, statement, other
 * statement), bounded, in order of first sight.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_TALLY_H
#define PGSLEUTH_DETECTORS_RULES_TALLY_H

#include "common/levels.h"
#include "detectors/audit.h"
#include "detectors/rules/measure.h"
#include "detectors/unit.h"

enum { TALLIES_MAX = 2000, TALLY_EXTRAS = 4 };

struct tally {
    struct arena *arena; /* of the histograms */
    struct endpoint *endpoint;
    struct statement *statement;  /* NULL where the rule is about the endpoint */
    struct statement *other;      /* or NULL */
    const struct tag *tag;        /* call site of the first case; or NULL */
    struct histogram count;       /* a unit: how often */
    struct histogram cost_us;     /* a unit: time that would not be needed */
    uint64_t claim;               /* the bit of this case; 0 without one */
    uint64_t extra[TALLY_EXTRAS]; /* the rule's own */
    struct tally *next;
};

struct tallies {
    struct arena *arena;
    struct map64 by_key;
    struct tally *first;
    struct tally **end;
    uint64_t lost; /* cases without room for a new tally */
};

/* As `init`, `fini` and `lost` of a detector. */
void *tallies_init(struct arena *arena);
void tallies_fini(void *tallies);
uint64_t tallies_lost(const void *tallies);

/* The tally of this key, made when new; NULL when there is no room. */
struct tally *tally_get(struct tallies *t, struct endpoint *e, struct statement *s,
                        struct statement *other, const struct tag *tag);

/* Count one unit with the fault. */
void tally_add(struct tally *t, uint64_t count, uint64_t cost_us);

/* The cure would take this exchange of the unit away. */
void tally_claim(const struct tallies *t, struct tally *one, struct unit_exchange *x);

/* A finding with all that a tally knows, judged by `m`: occurrences, share of time, waste,
 * statements. NULL when the measure is not reached, and without memory. */
struct finding *tally_finding(struct findings *out, const struct audit *a, const struct detector *d,
                              const struct tally *t, const struct measure *m);

/* Call `judge` for each tally. */
typedef void tally_judge(const struct audit *a, const struct tally *t, struct findings *out);
void tallies_judge(const struct tallies *t, const struct audit *a, struct findings *out,
                   tally_judge *judge);

#endif
