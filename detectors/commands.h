/*
 * What to run next: for each finding that which would confirm it, on the stack that was seen. What
 * is printed can be pasted into a shell as it stands; no value is in it, since none was kept.
 */
#ifndef PGSLEUTH_DETECTORS_COMMANDS_H
#define PGSLEUTH_DETECTORS_COMMANDS_H

#include "detectors/result.h"

/* Fill profiling_commands and recommendations of a result and of its endpoints; findings are
 * sorted. */
void commands_fill(struct result *r);

#endif
