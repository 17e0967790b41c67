/*
 * A copy of some bytes that ends where its page ends, with a page after it that may not be touched:
 * a decoder that reads one byte too far dies in the test.
 */
#ifndef PGSLEUTH_TESTS_GUARD_H
#define PGSLEUTH_TESTS_GUARD_H

#include "common/span.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whole pages for `len` bytes, at least one. */
static inline size_t guard_bytes(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return len == 0 ? page : (len + page - 1) / page * page;
}

/* Aborts when there is no memory. To be given to guard_free, unchanged. */
static inline struct span guard_copy(struct span from)
{
    size_t size = guard_bytes(from.len);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *base =
        mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + size, page, PROT_NONE) != 0)
        abort();
    uint8_t *copy = base + size - from.len;
    if (from.len > 0)
        memcpy(copy, from.data, from.len);
    return span_of(copy, from.len);
}

static inline void guard_free(struct span copy)
{
    size_t size = guard_bytes(copy.len);
    uintptr_t base = (uintptr_t)copy.data + copy.len - size;
    if (munmap((void *)base, size + (size_t)sysconf(_SC_PAGESIZE)) != 0)
        abort();
}

#endif
