/*
 * The tree as JSON text: indented by two, keys in the tree's order, a newline at the end.
 */
#ifndef PGSLEUTH_REPORT_JSON_H
#define PGSLEUTH_REPORT_JSON_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is neither a map nor a list. */
int rpt_json(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
