/*
 * The canonical tree of a report: the one place that decides what a report says. Every document is
 * a rendering of this tree.
 *
 * The schema is report/report.schema.json. Keys come in a fixed order; the keys of the report
 * format that pgsleuth follows keep their name, nesting, type and order, ours are added around
 * them. Equal results give equal trees, key for key.
 *
 * The caller gives the tree back with json_decref. The tree borrows nothing from the result.
 */
#ifndef PGSLEUTH_REPORT_TREE_H
#define PGSLEUTH_REPORT_TREE_H

#include "detectors/result.h"

#include <jansson.h>

/* The aggregate report. NULL when there is no memory. */
json_t *rpt_tree(const struct result *r);

/* The same, and in each row of `endpoints` a map `detail` with the endpoint's own score,
 * complexity, worst sample and statements: for documents that have a page for each endpoint. */
json_t *rpt_tree_detailed(const struct result *r);

/* The report of one endpoint of `r`: no `endpoints`, and `endpoint` is a map. NULL when there is no
 * memory. */
json_t *rpt_tree_endpoint(const struct result *r, const struct endpoint_result *e);

enum { RPT_STATEMENTS_MAX = 1000, RPT_ENDPOINT_STATEMENTS_MAX = 50 };

/* The costliest statements with the endpoint that sent them, which no document holds. NULL when
 * there is no memory. */
json_t *rpt_statements(const struct result *r);

#endif
