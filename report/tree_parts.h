/*
 * The branches of the tree, for report/tree.c alone. Each gives a new reference, or NULL when there
 * is no memory.
 */
#ifndef PGSLEUTH_REPORT_TREE_PARTS_H
#define PGSLEUTH_REPORT_TREE_PARTS_H

#include "detectors/result.h"
#include "report/slug.h"

#include <jansson.h>

/* What one document is about: everything, or one endpoint. */
struct rpt_scope {
    const struct result *result;
    const struct endpoint_result *endpoint; /* NULL: everything */
    struct finding *const *findings;
    size_t n_findings;
    const struct score *score;
    bool needs_optimization;
    size_t by_severity[SEVERITIES];
    size_t high_without_plan;
};

/* tree_issue.c */
json_t *rpt_issues(const struct rpt_scope *s);

/* tree_endpoint.c */
json_t *rpt_endpoint(const struct endpoint_result *e);
json_t *rpt_endpoints(const struct result *r, const struct rpt_slugs *slugs);
json_t *rpt_complexity(const struct endpoint_result *e);
const char *rpt_attribution(enum unit_confidence confidence);
/* "learnt" where some unit was named by its statements alone. */
const char *rpt_attribution_of(const struct endpoint *e);

/* tree_detail.c */
json_t *rpt_worst_sample(const struct endpoint *e);
/* Set `detail` in each row of `endpoints`, which has the order of the result's. 0, or -1 without
 * memory. */
int rpt_put_details(json_t *endpoints, const struct result *r);

/* tree_statements.c: the costliest of one endpoint, and how many more there are. */
json_t *rpt_endpoint_statements(const struct endpoint *e, size_t *left_out);

/* tree_run.c */
json_t *rpt_performance_score(const struct score *s);
json_t *rpt_score(const struct score *s);
json_t *rpt_run(const struct result *r);
json_t *rpt_checklist(const struct rpt_scope *s);
json_t *rpt_coverage(const struct result *r);

#endif
