/*
 * Reading a plan: EXPLAIN (VERBOSE, FORMAT JSON) in, its costliest filtering sequential scan out.
 * Pure. A plan holds values in its filters: nothing here goes further than this layer unmasked.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_PLAN_H
#define PGSLEUTH_DETECTORS_ADVISOR_PLAN_H

#include "common/span.h"

#include <jansson.h>

/* The scan's texts belong to the plan. */
struct advisor_scan {
    const char *schema;
    const char *table;
    const char *alias;  /* as its columns are qualified in the filter, unquoted */
    const char *filter; /* RAW: with values */
    double cost;
    double kept_rows; /* of all workers together */
};

struct advisor_plan {
    json_t *root;
    double total_cost;
    bool has_scan;
    struct advisor_scan scan;
};

/* Read one plan. 0, or -1 when the text is not a plan. advisor_plan_fini in either case. */
int advisor_plan_read(struct span json, struct advisor_plan *out);

void advisor_plan_fini(struct advisor_plan *plan);

#endif
