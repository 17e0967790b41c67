/*
 * Verdicts on the 41 items: what failed by a finding, what passed by positive evidence, and what
 * nobody looked at. The absence of a finding alone is never a pass.
 */
#ifndef PGSLEUTH_DETECTORS_CHECKLIST_H
#define PGSLEUTH_DETECTORS_CHECKLIST_H

#include "detectors/result.h"

/* Judge by the findings and by how much was seen: of a run (e NULL) or of one endpoint. */
void checklist_judge(const struct result *r, const struct endpoint_result *e,
                     struct checklist_item out[CHECKLIST_ITEMS]);

#endif
