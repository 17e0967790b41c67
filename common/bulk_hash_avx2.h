/* For bulk_hash.c alone: bulk_hash_add as compiled for processors with AVX2. */
#ifndef PGSLEUTH_COMMON_BULK_HASH_AVX2_H
#define PGSLEUTH_COMMON_BULK_HASH_AVX2_H

#include "common/bulk_hash.h"

#include <stdbool.h>

/* Whether the compiler could make it and this processor can run it. */
bool bulk_hash_has_avx2(void);

void bulk_hash_add_avx2(struct bulk_hash *h, const void *bytes, size_t len);

#endif
