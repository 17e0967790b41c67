/* Small reports for the tests of what judges them. */
#ifndef PGSLEUTH_TESTS_REPORT_CHECK_REPORTS_H
#define PGSLEUTH_TESTS_REPORT_CHECK_REPORTS_H

#include "cmocka_all.h"
#include "report/yaml_read.h"

#include <string.h>

#define HEAD(statements)                                                                           \
    "schema_version: \"1.0\"\nstatus: PASS\nperformance_score: 80/100\n"                           \
    "score: {value: 80}\nrun: {statements: " #statements                                           \
    ", sessions: 2, driver_statements: 3, started: now, requests: 9,"                              \
    " sources: {wire: \"on\", http: \"off\", explain: \"on\"}}\n"

#define ROW(name, ms, most)                                                                        \
    "- {name: \"" name "\", requests: 9, latency_ms: {p95: " #ms "}, queries: {p95: " #most        \
    ", max: " #most "}}\n"

#define ISSUE(print, rule, endpoint, n)                                                            \
    "  - {issue: \"" rule " in " endpoint "\", rule: " rule ", id: PA001, file: a.py, line: 3,"    \
    " fingerprint: \"" print "\", endpoint: \"" endpoint "\", confidence: 0.9,"                    \
    " optimized_code: x, confidence_basis: value_lineage,"                                         \
    " evidence: {occurrences: {p95: " #n "}, sql: [{role: child}]},"                               \
    " improvement: {kind: modelled, before_ms: 40, after_ms: 8, speedup: 5, queries_before: " #n   \
    ", queries_after: 2}}\n"

static inline json_t *read_yaml(const char *text)
{
    struct rpt_yaml_error error;
    json_t *tree = rpt_yaml_read(span_of_text(text), &error);
    assert_string_equal(error.text, "");
    return tree;
}

#endif
