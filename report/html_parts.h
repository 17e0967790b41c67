/*
 * The sections of the page, for report/html*.c alone. Each appends to a buffer, whose failure the
 * caller looks at.
 */
#ifndef PGSLEUTH_REPORT_HTML_PARTS_H
#define PGSLEUTH_REPORT_HTML_PARTS_H

#include "report/html_text.h"
#include "report/read.h"

enum { HTML_SQL_MAX = 400 }; /* bytes of a statement in a list; findings show it whole */

/* An issue of the tree, in the order of what its cure saves. */
struct html_issue {
    const json_t *issue;
    const struct rpt_severity *severity;
    double saved; /* database ms an hour; 0 when that is not known */
    size_t order; /* in the tree */
};

/* All issues: those that save most first, then by severity. To be freed; NULL without memory. */
struct html_issue *html_issues_ranked(const json_t *tree, size_t *n);

/* html_score.c: status, gauge, metrics, the run. */
void html_overview(struct strbuf *b, const json_t *tree);
/* The class of a score's colour: "good", "fair", "poor"; "none" for one below 0. */
const char *html_score_class(double score);
/* The score of a document or of an endpoint's row, "85/100"; below 0 when it is not known. */
double html_score_of(const json_t *map);

/* html_issues.c */
void html_opportunities(struct strbuf *b, const json_t *tree, const struct html_issue *issues,
                        size_t n);
void html_badge(struct strbuf *b, const struct rpt_severity *severity);

/* html_proof.c: figures; each appends nothing where there is nothing to draw. */
void html_proof(struct strbuf *b, const json_t *issue);
void html_plan(struct strbuf *b, const json_t *issue);

/* html_endpoints.c: the table; html_endpoint.c: a page for each. */
void html_endpoints(struct strbuf *b, const json_t *tree);
void html_endpoint_pages(struct strbuf *b, const json_t *tree, const struct html_issue *issues,
                         size_t n);

/* html_timeline.c */
void html_timeline(struct strbuf *b, const json_t *sample, const json_t *statements);

/* html_checklist.c, html_coverage.c */
void html_checklist(struct strbuf *b, const json_t *tree);
void html_advice(struct strbuf *b, const json_t *tree);
void html_coverage(struct strbuf *b, const json_t *tree);

#endif
