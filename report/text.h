/*
 * The summary that a terminal shows: verdict, endpoints, the worst findings with the beginning of
 * their cure, and what was not seen. Made from the tree of the aggregate or of one endpoint.
 */
#ifndef PGSLEUTH_REPORT_TEXT_H
#define PGSLEUTH_REPORT_TEXT_H

#include "common/strbuf.h"

#include <jansson.h>

enum { RPT_TEXT_WIDTH = 100, RPT_TEXT_MIN_WIDTH = 40 };

struct rpt_text_options {
    unsigned width; /* columns; 0 is RPT_TEXT_WIDTH, less than RPT_TEXT_MIN_WIDTH is that */
    bool color;     /* ANSI styles */
};

/* The width that is meant by the options. */
unsigned rpt_text_width(struct rpt_text_options options);

/* Append to `out`; no line is longer than the width. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree`
 * is no map. Keys that are not there are left out of the summary. */
int rpt_text_summary(const json_t *tree, struct strbuf *out, struct rpt_text_options options)
    __attribute__((warn_unused_result));

/* The same without colours, at the default width: report/format.h. */
int rpt_plain(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
