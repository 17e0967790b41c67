/*
 * Whether a report holds what is asserted of it: which findings count, which rules are forbidden,
 * how many statements a request may need, what score there must be. Pure: trees in, a tree out.
 */
#ifndef PGSLEUTH_REPORT_ASSERTIONS_H
#define PGSLEUTH_REPORT_ASSERTIONS_H

#include "report/text.h"

#include <stdbool.h>

/* A high issue counts as planned when there is code to apply and this much reason to trust it. */
#define RPT_PLAN_MIN_CONFIDENCE 0.7

/* In the order of the option's choices. */
enum rpt_fail_on {
    RPT_FAIL_ON_STATUS, /* those by which the status would be NEEDS_OPTIMIZATION */
    RPT_FAIL_ON_CRITICAL,
    RPT_FAIL_ON_HIGH,
    RPT_FAIL_ON_MEDIUM,
    RPT_FAIL_ON_LOW,
    RPT_FAIL_ON_NEVER,
};

/* Lists have commas between their parts; in the name of an endpoint `*` stands for any text. NULL
 * and "" are nothing. Borrowed. */
struct rpt_criteria {
    enum rpt_fail_on fail_on;
    const char *endpoints; /* look at these alone */
    const char *rules;     /* no finding of these, of whatever severity */
    const char *budgets;   /* "GET /books=5": no request of it may send more statements */
    int min_score;         /* 0: any */
};

enum rpt_verdict { RPT_VERDICT_OK, RPT_VERDICT_FINDINGS, RPT_VERDICT_TOO_LITTLE };

/* Whether the tree is a report, of a run or of one endpoint. */
bool rpt_is_report(const json_t *tree);

/* Whether the budgets can be read. */
bool rpt_budgets_are_good(const char *budgets);

/*
 * {verdict: ok|findings|too_little, failures[] {kind: finding|rule|budget|score, what, ...},
 *  unjudged[] texts, known n, not_counted n}. `baseline` is a good one or NULL. NULL without
 * memory.
 */
json_t *rpt_check(const json_t *report, const json_t *baseline, const char *today,
                  const struct rpt_criteria *criteria);

enum rpt_verdict rpt_check_verdict(const json_t *checked);

/* Append it for a terminal. 0 or an error of report/error.h. */
int rpt_check_text(const json_t *checked, struct strbuf *out, struct rpt_text_options options)
    __attribute__((warn_unused_result));

/* High issues, of which three are too many. */
struct rpt_weighed {
    size_t high;
};

/* Note each issue of severity rpt_severities[severity] first, then ask of each whether it counts.
 */
void rpt_weigh(struct rpt_weighed *w, size_t severity);
bool rpt_fails(const struct rpt_weighed *w, const json_t *issue, size_t severity,
               enum rpt_fail_on fail_on);

#endif
