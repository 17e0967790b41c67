/*
 * The only readers of the clock. Times are signed microseconds; a loop turn reads once and passes
 * `now` on.
 */
#ifndef PGSLEUTH_COMMON_CLOCK_H
#define PGSLEUTH_COMMON_CLOCK_H

#include <stdint.h>

/* Monotonic time since an arbitrary start. */
int64_t clock_monotonic_us(void);

/* Wall time since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

#endif
