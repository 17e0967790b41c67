/*
 * What a report does not know, in one line of prose: sources that were off, sessions and records
 * that were lost, items of the checklist that nobody judged.
 */
#ifndef PGSLEUTH_REPORT_LOSSES_H
#define PGSLEUTH_REPORT_LOSSES_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append it, without a line's end. */
void rpt_not_seen(struct strbuf *b, const json_t *tree);

#endif
