/* Findings of rules on HTTP routes, and their advice: an application's framework, not its library
 * for the database. */
#ifndef PGSLEUTH_DETECTORS_RULES_ROUTE_FINDING_H
#define PGSLEUTH_DETECTORS_RULES_ROUTE_FINDING_H

#include "detectors/advice_template.h"
#include "detectors/audit.h"
#include "detectors/routes.h"
#include "detectors/rules/measure.h"

enum { ROUTE_MIN_REQUESTS = 20 }; /* fewer say nothing of a share */

/* A finding at the route's endpoint, judged by `m`; `seen` of its requests have the fault. NULL
 * when the measure is not reached, and without memory. */
struct finding *route_finding(struct findings *out, const struct detector *d,
                              const struct http_route *route, const struct measure *m,
                              uint64_t seen);

/* Code for FastAPI and Django; what fits is chosen by the statements of the endpoint. */
void route_advice(struct arena *arena, struct finding *f, const char *fastapi, const char *django);

#endif
