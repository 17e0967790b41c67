#include "common/histogram.h"

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, MAX_BITS = 40, FIRST_BUCKETS = 4 };

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

/* Index of the first bucket that is not below `at`; n_buckets past the last one. */
static uint32_t find(const struct histogram *h, uint32_t at)
{
    uint32_t from = 0;
    uint32_t to = h->n_buckets;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (h->buckets[middle].at < at)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool make_room(struct histogram *h, struct arena *a)
{
    if (h->n_buckets < h->size)
        return true;
    uint32_t size = h->size > 0 ? h->size * 2 : FIRST_BUCKETS;
    struct histogram_bucket *grown = arena_alloc(a, size * sizeof(*grown));
    if (grown == NULL)
        return false;
    if (h->n_buckets > 0)
        memcpy(grown, h->buckets, h->n_buckets * sizeof(*grown));
    h->buckets = grown; /* the old ones stay in the arena: as many as the new ones, at most */
    h->size = size;
    return true;
}

/* The bucket of this number, made at index i when new; the next one above without room for it, or
 * the last one, moved up. NULL when there is none at all. */
static struct histogram_bucket *bucket_at(struct histogram *h, struct arena *a, uint32_t i,
                                          uint32_t at)
{
    if (i < h->n_buckets && h->buckets[i].at == at)
        return &h->buckets[i];
    if (make_room(h, a)) {
        memmove(&h->buckets[i + 1], &h->buckets[i], (h->n_buckets - i) * sizeof(*h->buckets));
        h->buckets[i] = (struct histogram_bucket){.at = at};
        h->n_buckets++;
        return &h->buckets[i];
    }
    if (i < h->n_buckets || h->n_buckets == 0)
        return h->n_buckets > 0 ? &h->buckets[i] : NULL;
    h->buckets[i - 1].at = at;
    return &h->buckets[i - 1];
}

void histogram_add(struct histogram *h, struct arena *a, uint64_t value)
{
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += value;
    uint32_t at = bucket_of(value);
    struct histogram_bucket *bucket = bucket_at(h, a, find(h, at), at);
    if (bucket != NULL && bucket->count < UINT32_MAX)
        bucket->count++;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    double want = share * (double)h->count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < h->n_buckets; i++) {
        seen += h->buckets[i].count;
        if ((double)seen < want)
            continue;
        /* The last bucket has no top of its own: everything past 2^40 is in it. */
        uint32_t at = h->buckets[i].at;
        uint64_t top = at == HISTOGRAM_BUCKETS - 1 ? h->max : bucket_top(at);
        return top < h->max ? top : h->max;
    }
    return h->max;
}

uint64_t histogram_at_most(const struct histogram *h, uint64_t value)
{
    if (value >= h->max)
        return h->count;
    uint64_t n = 0;
    for (uint32_t i = 0; i < h->n_buckets; i++) {
        uint32_t at = h->buckets[i].at;
        if (at == HISTOGRAM_BUCKETS - 1 || bucket_top(at) > value)
            break;
        n += h->buckets[i].count;
    }
    return n;
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0.0 : (double)h->sum / (double)h->count;
}
