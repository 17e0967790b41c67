/* CMakeLists.txt compiles this file with -mavx2 where the machine is an x86-64. */
#include "common/bulk_hash_avx2.h"

bool bulk_hash_has_avx2(void)
{
#ifdef __AVX2__
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

void bulk_hash_add_avx2(struct bulk_hash *h, const void *bytes, size_t len)
{
    XXH3_64bits_update(&h->state, bytes, len);
}
