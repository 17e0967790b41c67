/*
 * The report as GitHub's Markdown, for a comment on a pull request or the summary of a job:
 * verdict, score, worst endpoints, and the findings with what folds away.
 *
 * A comment has at most 65,536 characters ("body is too long (maximum is 65536 characters)" answers
 * the API of issues), a summary 1 MiB a step
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions#step-isolation-and-limits).
 * The document fits both: findings that would pass the smaller are counted instead.
 */
#ifndef PGSLEUTH_REPORT_MARKDOWN_H
#define PGSLEUTH_REPORT_MARKDOWN_H

#include "common/strbuf.h"

#include <jansson.h>

enum { RPT_MARKDOWN_MAX = 65536 }; /* bytes, and so no more characters than that */

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is no map. */
int rpt_markdown(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
