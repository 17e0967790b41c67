/*
 * What a running pgsleuth says of itself, for a terminal: the screen of `top`, the lines of `tail`.
 * Pure: the documents of the admin API in, text out.
 */
#ifndef PGSLEUTH_REPORT_LIVE_H
#define PGSLEUTH_REPORT_LIVE_H

#include "report/text.h"

/* Append the state and the table of endpoints, at most `height` lines when that is not 0. 0 or an
 * error of report/error.h. */
int rpt_live_top(const json_t *status, const json_t *endpoints, unsigned height, struct strbuf *out,
                 struct rpt_text_options options) __attribute__((warn_unused_result));

/* Append a line for each statement that was called since the list `before` (NULL: since ever): how
 * often, its p95, its endpoint, its text. 0 or an error of report/error.h. */
int rpt_live_tail(const json_t *before, const json_t *now, struct strbuf *out,
                  struct rpt_text_options options) __attribute__((warn_unused_result));

#endif
