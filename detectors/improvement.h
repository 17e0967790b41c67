/*
 * What cures gain: Amdahl's law on measured time.
 *
 * A request of which the share f goes away takes 1 - f of its time: S = 1 / ((1 - f) + f / s) with
 * an s that is infinite, since what takes the place of the removed statements is left in the time
 * (claims.h keeps the dearest of them). f is the union of the removed intervals over all requests
 * of the endpoint; the least counts database time alone, the most also the client's time between
 * removed statements. Gains of several findings of an endpoint are of their union, never
 * multiplied.
 */
#ifndef PGSLEUTH_DETECTORS_IMPROVEMENT_H
#define PGSLEUTH_DETECTORS_IMPROVEMENT_H

#include "detectors/finding.h"

/* The share of a request's time that is never taken to go away, however much was claimed. */
#define IMPROVEMENT_REST 0.01

/* Fill the times of a finding from its claims, or from `saved_ms` where its rule gave a method;
 * then raise its severity where the avoidable share of slow requests asks for it. */
void improvement_judge(struct arena *arena, struct finding *f);

/* Time that all findings of one endpoint take away together, over the run. */
struct improvement {
    enum improvement_kind kind; /* the least sure of what it rests on */
    double saved_ms;            /* database time: a lower bound of the union */
    double saved_gap_ms;        /* with the client's time between */
    double wall_ms;             /* of all requests */
    uint64_t statements;        /* removed */
};
struct improvement improvement_of(const struct endpoint *e, struct finding *const *findings,
                                  size_t n);

/* wall / (wall - saved), 1 when nothing is known. */
double improvement_speedup(double saved_ms, double wall_ms);

#endif
