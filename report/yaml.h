/*
 * The tree as YAML 1.1, in the layout of the report format: block style, code as literal blocks,
 * texts in double quotes, identifiers such as a status plain. Read back by a YAML 1.1 reader it is
 * the same tree as its JSON.
 */
#ifndef PGSLEUTH_REPORT_YAML_H
#define PGSLEUTH_REPORT_YAML_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is neither a map nor a list, or is
 * nested too deeply to be one of ours. */
int rpt_yaml(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
