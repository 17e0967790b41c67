/*
 * The findings as SARIF 2.1.0 (OASIS), for code scanning and editors.
 *
 * Paths are relative, always. A finding without a place in the source points at the first line of
 * the document of its endpoint, beside the report: GitHub refuses a whole file for one result that
 * has a logical location alone (https://github.com/github/codeql-action/issues/1738).
 */
#ifndef PGSLEUTH_REPORT_SARIF_H
#define PGSLEUTH_REPORT_SARIF_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append to `out`. 0, RPT_E_NO_MEMORY, or RPT_E_EMIT when `tree` is no map. */
int rpt_sarif(const json_t *tree, struct strbuf *out) __attribute__((warn_unused_result));

#endif
