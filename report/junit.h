/*
 * The checklist as test results, in the XML that Jenkins, GitLab and others read of JUnit: one test
 * suite, and in it one test case for each endpoint and item of the checklist.
 *
 * A critical or high finding fails the cases of its items; medium and low ones stand in their
 * output. Where nothing was observed a case is skipped: the absence of findings is no pass.
 */
#ifndef PGSLEUTH_REPORT_JUNIT_H
#define PGSLEUTH_REPORT_JUNIT_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is no map. */
int rpt_junit(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
