/*
 * The rules of this version as SARIF describes them; for report/sarif.c alone.
 */
#ifndef PGSLEUTH_REPORT_SARIF_RULES_H
#define PGSLEUTH_REPORT_SARIF_RULES_H

#include <jansson.h>

/* The descriptors of all rules, in the order of detectors.def; a new reference, or NULL when there
 * is no memory. */
json_t *rpt_sarif_rules(void);

/* The place of a rule in that list; -1 when it is of another version. */
int rpt_sarif_rule_index(const char *id);

#endif
