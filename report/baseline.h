/*
 * Findings that are known and accepted: a file of the application's repository, one entry each,
 * with a reason, an owner and the day until which it holds.
 *
 *   version: 1
 *   findings:
 *   - fingerprint: "0123456789abcdef"   # of the report; the rest is for people
 *     rule: n_plus_one
 *     endpoint: "GET /books"
 *     issue: "N+1 query in GET /books: ..."
 *     reason: "waits for the new catalogue"
 *     owner: "shop team"
 *     expires: "2027-01-31"             # the last day; null: it does not
 *
 * Pure; days are given as "2027-01-31".
 */
#ifndef PGSLEUTH_REPORT_BASELINE_H
#define PGSLEUTH_REPORT_BASELINE_H

#include <jansson.h>
#include <stdbool.h>

enum rpt_known { RPT_NEW, RPT_KNOWN, RPT_EXPIRED };

/* Whether the tree is such a file; when not, `error` is one line that quotes nothing of it. */
bool rpt_baseline_is_good(const json_t *tree, char *error, size_t error_size);

/* What a good baseline (NULL: there is none) says of a finding on this day. */
enum rpt_known rpt_baseline_find(const json_t *baseline, const char *fingerprint,
                                 const char *today);

/* "2027-01-31", a day that there is. */
bool rpt_is_day(const char *text);

/* What new entries say. Borrowed texts; an empty `expires` is never. */
struct rpt_acknowledgement {
    const char *reason, *owner, *expires;
};

/*
 * A baseline of every finding of a report. What a good baseline `old` (or NULL) says of a finding
 * is kept; entries of findings that are gone are left out. NULL without memory.
 */
json_t *rpt_baseline_of(const json_t *report, const json_t *old,
                        const struct rpt_acknowledgement *by);

#endif
