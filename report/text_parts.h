/* What report/text.c and report/text_table.c share. */
#ifndef PGSLEUTH_REPORT_TEXT_PARTS_H
#define PGSLEUTH_REPORT_TEXT_PARTS_H

#include "report/read.h"

/* Write the table of endpoints; nothing when there are none. */
void rpt_put_endpoints(struct rpt_screen *s, const json_t *tree);

#endif
