/* What the rules share that judge one statement at one endpoint by its usage. */
#ifndef PGSLEUTH_DETECTORS_RULES_USAGES_H
#define PGSLEUTH_DETECTORS_RULES_USAGES_H

#include "detectors/audit.h"
#include "detectors/rules/measure.h"

/* Call `judge` for every usage whose statement is the application's SELECT with facts. */
typedef void usage_judge(const struct audit *a, const struct usage *u, struct findings *out);
void usages_judge(const struct audit *a, struct findings *out, usage_judge *judge);

/* Share of the endpoint's database time, 0..1. */
double usage_time_share(const struct usage *u);

/* Time over the run that the executions took beyond the least that any statement takes. */
double usage_work_ms(const struct audit *a, const struct usage *u);

/* A finding on this usage with the evidence that every such finding has: occurrences are rows of
 * one execution. NULL when there is no memory. */
struct finding *usage_finding(struct findings *out, const struct detector *d,
                              const struct usage *u);

/* The same, judged by `m`: NULL also when that is not reached. */
struct finding *usage_measured(struct findings *out, const struct detector *d,
                               const struct usage *u, const struct measure *m);

/* "2.4 MiB", "640 KiB", "12 B" in the caller's buffer. */
enum { USAGE_BYTES_MAX = 32 };
const char *usage_bytes(double bytes, char out[USAGE_BYTES_MAX]);

#endif
