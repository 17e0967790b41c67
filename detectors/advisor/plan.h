/*
 * Reading a plan: EXPLAIN (VERBOSE, FORMAT JSON) in, out of it the costliest part that an index
 * could take away. Pure. A plan holds values in its conditions: nothing here goes further than this
 * layer unmasked.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_PLAN_H
#define PGSLEUTH_DETECTORS_ADVISOR_PLAN_H

#include "common/span.h"

#include <jansson.h>

/* A sequential scan that drops rows; or the scan below a sort of which only the first rows are
 * wanted. The texts belong to the plan and are "" when there is none. */
struct advisor_scan {
    const char *node; /* "Seq Scan", or "Sort" with sort_keys */
    const char *schema;
    const char *table;
    const char *alias;       /* as its columns are qualified in the filter, unquoted */
    const char *filter;      /* RAW: with values */
    const char *condition;   /* RAW: of the index that the scan uses already */
    const json_t *sort_keys; /* array of texts; NULL when rows are not sorted, or all are wanted */
    double cost;             /* of the scan, or of the sort with the scan */
    double kept_rows;        /* of all workers together; of a sort: its LIMIT */
};

/* The table that a DELETE takes rows from; table is "" otherwise. */
struct advisor_deleted {
    const char *schema;
    const char *table;
};

struct advisor_plan {
    json_t *root;
    double total_cost;
    bool has_scan;
    struct advisor_scan scan;
    struct advisor_deleted deleted;
};

/* Read one plan. 0, or -1 when the text is not a plan. advisor_plan_fini in either case. */
int advisor_plan_read(struct span json, struct advisor_plan *out);

/* Type of the first node that uses the index whose name begins with `prefix`, "Index Scan"; that of
 * the heap scan where a bitmap is made of it. NULL when none does. */
const char *advisor_plan_index_node(const struct advisor_plan *plan, const char *prefix);

/* Whether the table that is called `alias` in the plan is read by a sequential scan. */
bool advisor_plan_reads_whole(const struct advisor_plan *plan, const char *table,
                              const char *alias);

void advisor_plan_fini(struct advisor_plan *plan);

#endif
