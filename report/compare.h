/*
 * Two reports of one application: what is new in the later one, what is gone, what became worse or
 * better, and how what was promised of a cure compares with what was measured after it. Pure.
 *
 * A finding is the same by its fingerprint. One that is not there any more is fixed only where its
 * endpoint was called again and what it was found by (plans, HTTP) was looked at again; else it was
 * not seen, which says nothing.
 */
#ifndef PGSLEUTH_REPORT_COMPARE_H
#define PGSLEUTH_REPORT_COMPARE_H

#include "report/assertions.h"

enum rpt_diff_list {
    RPT_DIFF_NEW,
    RPT_DIFF_WORSE,
    RPT_DIFF_BETTER,
    RPT_DIFF_FIXED,
    RPT_DIFF_NOT_SEEN,
    RPT_DIFF_LISTS
};

/*
 * {base, head {score, status, requests, started}, new[], worse[], better[], fixed[], not_seen[],
 *  unchanged n}. Of each finding: rule, fingerprint, endpoint, issue, severity, severity_before,
 * file, line; `promised` {kind, before_ms, after_ms, after_ms_with_client_gaps, speedup,
 * queries_before, queries_after} of the base; `measured` {kind: measured, before_ms, after_ms,
 * speedup, queries_before, queries_after, requests_before, requests_after} of the endpoint, null
 * where it is not in both. NULL without memory.
 */
json_t *rpt_diff(const json_t *base, const json_t *head);

/* One of its lists, and what that is called. */
const json_t *rpt_diff_list(const json_t *diff, enum rpt_diff_list list);
const char *rpt_diff_list_name(enum rpt_diff_list list);

/* The findings of `diff` that are new or worse, not known to the baseline, and severe enough:
 * STATUS means any. */
size_t rpt_diff_failures(const json_t *diff, const json_t *baseline, const char *today,
                         enum rpt_fail_on fail_on);

/* Append it for a terminal. 0 or an error of report/error.h. */
int rpt_diff_text(const json_t *diff, struct strbuf *out, struct rpt_text_options options)
    __attribute__((warn_unused_result));

#endif
