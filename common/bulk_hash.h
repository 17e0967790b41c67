/*
 * XXH3 over many bytes that come in pieces: the same 64 bits however the bytes were cut and
 * whatever processor counted them. Uses AVX2 where the processor has it, which halves the work.
 *
 * The state is the caller's, aligned to a cache line (common/pool.h gives such memory). One thread.
 */
#ifndef PGSLEUTH_COMMON_BULK_HASH_H
#define PGSLEUTH_COMMON_BULK_HASH_H

#include "common/hash.h"

struct bulk_hash {
    XXH3_state_t state;
};

void bulk_hash_init(struct bulk_hash *h, uint64_t seed);
void bulk_hash_add(struct bulk_hash *h, const void *bytes, size_t len);
uint64_t bulk_hash_value(const struct bulk_hash *h);

#endif
