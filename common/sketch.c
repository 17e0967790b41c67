#include "common/sketch.h"

enum { EXACT = 16, EXACT_BITS = 4, CUT_BITS = 2, MAX_BITS = 40 };

static unsigned bucket_of(uint64_t value)
{
    if (value < EXACT)
        return (unsigned)value;
    unsigned top = 63U - (unsigned)__builtin_clzll(value);
    if (top >= MAX_BITS)
        return SKETCH_BUCKETS - 1;
    unsigned within = (unsigned)(value >> (top - CUT_BITS)) & ((1U << CUT_BITS) - 1);
    return EXACT + ((top - EXACT_BITS) << CUT_BITS) + within;
}

/* The largest value of a bucket. */
static uint64_t bound_of(unsigned bucket)
{
    if (bucket < EXACT)
        return bucket;
    unsigned top = EXACT_BITS + ((bucket - EXACT) >> CUT_BITS);
    uint64_t within = (bucket - EXACT) & ((1U << CUT_BITS) - 1);
    uint64_t step = UINT64_C(1) << (top - CUT_BITS);
    return (UINT64_C(1) << top) + (within + 1) * step - 1;
}

void sketch_add(struct sketch *s, uint64_t value)
{
    if (s->count == 0 || value < s->min)
        s->min = value;
    if (value > s->max)
        s->max = value;
    s->count++;
    s->sum += value;
    uint32_t *bucket = &s->buckets[bucket_of(value)];
    if (*bucket < UINT32_MAX)
        ++*bucket;
}

uint64_t sketch_percentile(const struct sketch *s, double share)
{
    double want = share * (double)s->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < SKETCH_BUCKETS && s->count > 0; i++) {
        seen += s->buckets[i];
        if ((double)seen >= want && seen > 0) {
            uint64_t bound = i < SKETCH_BUCKETS - 1 ? bound_of(i) : s->max;
            return bound < s->max ? bound : s->max;
        }
    }
    return s->max;
}
