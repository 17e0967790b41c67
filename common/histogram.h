/*
 * Counts of values in buckets of bounded relative error, for percentiles over unbounded traffic.
 *
 * Values below 64 are exact; above, each power of two is cut into 32 buckets, so a percentile is at
 * most 3.13 % above the true value. Values past 2^40 land in the last bucket. (The layout is that
 * of HdrHistogram.) Only buckets that hold something take memory: 8 bytes each, of an arena, which
 * owns them. A histogram that is all zeroes is empty; copies share their buckets.
 */
#ifndef PGSLEUTH_COMMON_HISTOGRAM_H
#define PGSLEUTH_COMMON_HISTOGRAM_H

#include "common/arena.h"

enum { HISTOGRAM_BUCKETS = 32 * 36 };

struct histogram_bucket {
    uint32_t at; /* which of the HISTOGRAM_BUCKETS */
    uint32_t count;
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min; /* of all values; meaningless while count is 0 */
    uint64_t max;
    struct histogram_bucket *buckets; /* by `at`; NULL while there are none */
    uint32_t n_buckets;
    uint32_t size;
};

/* Count a value; new buckets are the arena's, always the same one. Without room for its bucket it
 * is counted in the next one above, and the arena counts a refusal. */
void histogram_add(struct histogram *h, struct arena *a, uint64_t value);

/* The smallest bucket bound that at least `share` (0..1) of the values do not exceed, never more
 * than `max`; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, double share);

/* Values that do not exceed `value`; those of the bucket it lies in are left out unless it is the
 * bucket's last one. */
uint64_t histogram_at_most(const struct histogram *h, uint64_t value);

/* 0 when empty. */
double histogram_mean(const struct histogram *h);

#endif
