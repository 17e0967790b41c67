/* What to run next: profilers, plans and load for the endpoints at fault. */
#ifndef PGSLEUTH_DETECTORS_COMMANDS_H
#define PGSLEUTH_DETECTORS_COMMANDS_H

#include "detectors/result.h"

/* Fill profiling_commands and recommendations of a result whose findings are sorted. */
void commands_fill(struct result *r);

#endif
