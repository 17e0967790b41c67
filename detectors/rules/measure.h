/*
 * How a rule turns its measure into a severity, and says so: a finding names the criterion that
 * made its level.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_MEASURE_H
#define PGSLEUTH_DETECTORS_RULES_MEASURE_H

#include "common/levels.h"
#include "detectors/finding.h"

struct measure {
    const char *what; /* "statements repeated in a request (p95)" */
    double value;
    struct levels levels; /* each must be passed for the next */
    double confidence;
    const char *role;       /* of the statement in the evidence; NULL: it is not shown */
    const char *other_role; /* of the second one, likewise */
};

/* How many parts a whole has on the average; 0 of nothing. */
double measure_ratio(uint64_t part, uint64_t whole);

/* The same, at most 1: parts that overlap, such as statements sent at once, may exceed their whole.
 */
double measure_share(uint64_t part, uint64_t whole);

/* Whether there is a finding at all. */
bool measure_reached(const struct measure *m);

/* Of several criteria the one that makes the highest level, the first of equals; NULL when none is
 * reached. Thresholds of INFINITY are never reached. */
const struct measure *measure_highest(const struct measure *all, size_t n);

/* Severity, confidence and criterion of a finding by its measure. */
void measure_judge(struct arena *arena, struct finding *f, const struct measure *m);

/* One level up, no further than critical; `why` is added to the criterion. */
void measure_raise(struct arena *arena, struct finding *f, const char *why);

/* One level down, no further than low. */
void measure_lower(struct arena *arena, struct finding *f, const char *why);

/* No higher than `most`, whatever was wasted: where the evidence does not carry more. */
void measure_cap(struct finding *f, enum severity most);

#endif
