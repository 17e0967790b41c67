/*
 * Reading a report's tree: absent keys are nothing, and severities have one order. What every
 * rendering of the tree stands on; pure.
 */
#ifndef PGSLEUTH_REPORT_READ_H
#define PGSLEUTH_REPORT_READ_H

#include "report/screen.h"

#include <jansson.h>

/* A text, "" when it is not there; lives as long as the tree. */
const char *rpt_text_at(const json_t *map, const char *key);

/* A count, 0 when it is not there. */
json_int_t rpt_count_at(const json_t *map, const char *key);

/* Append a count with its noun: "1 request", "2 requests". */
void rpt_counted(struct strbuf *b, json_int_t n, const char *one, const char *many);

/* A value two maps down, or NULL. */
const json_t *rpt_value_at(const json_t *map, const char *key, const char *inner);

struct rpt_severity {
    const char *key;
    const char *title;
    enum rpt_style style;
};

enum { RPT_SEVERITIES = 4 };

/* Worst first. */
extern const struct rpt_severity rpt_severities[RPT_SEVERITIES];

/* Issues of one severity in a map of counts or of lists. */
json_int_t rpt_issue_count(const json_t *issues, const struct rpt_severity *severity);

/* Append "1 critical, 2 high", or "none". */
void rpt_issue_counts(struct strbuf *b, const json_t *issues);

#endif
