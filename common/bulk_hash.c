#include "common/bulk_hash.h"

#include "common/bulk_hash_avx2.h"

void bulk_hash_init(struct bulk_hash *h, uint64_t seed)
{
    XXH3_64bits_reset_withSeed(&h->state, seed);
}

void bulk_hash_add(struct bulk_hash *h, const void *bytes, size_t len)
{
    if (bulk_hash_has_avx2())
        bulk_hash_add_avx2(h, bytes, len);
    else
        XXH3_64bits_update(&h->state, bytes, len);
}

uint64_t bulk_hash_value(const struct bulk_hash *h)
{
    return XXH3_64bits_digest(&h->state);
}
