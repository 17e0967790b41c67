#include "common/histogram.h"

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, MAX_BITS = 40 };

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB)
        return (unsigned)value;
    if (value >= (UINT64_C(1) << MAX_BITS))
        return HISTOGRAM_BUCKETS - 1;
    unsigned top = 63U - (unsigned)__builtin_clzll(value); /* >= SUB_BITS */
    unsigned sub = (unsigned)(value >> (top - SUB_BITS)) & (SUB - 1U);
    return (top - SUB_BITS + 1U) * SUB + sub;
}

/* The largest value of a bucket. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    unsigned shift = bucket / SUB - 1U;
    uint64_t base = (uint64_t)(SUB + bucket % SUB) << shift;
    return base + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += value;
    h->buckets[bucket_of(value)]++;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    if (h->count == 0)
        return 0;
    double want = share * (double)h->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen == 0 || (double)seen < want)
            continue;
        /* The last bucket has no top of its own: everything past 2^40 is in it. */
        uint64_t top = i == HISTOGRAM_BUCKETS - 1 ? h->max : bucket_top(i);
        return top < h->max ? top : h->max;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0.0 : (double)h->sum / (double)h->count;
}
