/*
 * Masked SQL for readers: on one line for evidence, cut at its clauses for code blocks.
 */
#ifndef PGSLEUTH_REPORT_SQL_H
#define PGSLEUTH_REPORT_SQL_H

#include "common/strbuf.h"

#include <jansson.h>

enum { RPT_SQL_MAX = 4000 }; /* bytes shown of one statement; a longer one ends in an ellipsis */

/* A masked text as one line; a new reference, or NULL when there is no memory. */
json_t *rpt_sql_line(struct span masked);

/* Append it with a line for each clause and long lists wrapped. Layout only: tokens keep their
 * order. Nothing in parentheses or quotes begins a clause. Ends in a newline. */
void rpt_sql_block(struct strbuf *out, struct span masked);

#endif
