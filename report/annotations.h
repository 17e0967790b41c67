/*
 * The findings as commands to a runner of GitHub Actions, for the standard output of a step: lines
 * that put a mark at their place in the source.
 *
 * GitHub shows no more than 10 errors, 10 warnings and 10 notices of one step and drops the rest
 * (https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md#limitations); a last line
 * says how many are not among them.
 */
#ifndef PGSLEUTH_REPORT_ANNOTATIONS_H
#define PGSLEUTH_REPORT_ANNOTATIONS_H

#include "common/strbuf.h"

#include <jansson.h>

enum { RPT_ANNOTATIONS_OF_A_LEVEL = 10 };

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is no map. */
int rpt_annotations(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
