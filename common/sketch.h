/*
 * A histogram that is small enough to have thousands of: values below 16 are exact, above each
 * power of two is cut into 4 buckets, so a percentile is at most 25 % above the true value, and
 * never above the largest one. Where more is wanted: histogram.h.
 */
#ifndef PGSLEUTH_COMMON_SKETCH_H
#define PGSLEUTH_COMMON_SKETCH_H

#include <stdint.h>

enum { SKETCH_BUCKETS = 16 + 4 * 36 };

struct sketch {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* of all values; meaningless while count is 0 */
    uint64_t max;
    uint32_t buckets[SKETCH_BUCKETS];
};

void sketch_add(struct sketch *s, uint64_t value);

/* The smallest bucket bound that at least `share` (0..1) of the values do not exceed, never more
 * than `max`; 0 when empty. */
uint64_t sketch_percentile(const struct sketch *s, double share);

#endif
