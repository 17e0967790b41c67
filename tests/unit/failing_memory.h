/*
 * Allocations of the layer under test fail where a test says so. For programs named
 * test_*_no_memory, which are linked with --wrap for these four functions.
 *
 * memory_fail_at(n) counts from now on and lets number n fail; memory_well() ends that and tells
 * whether there was a number n at all.
 */
#ifndef PGSLEUTH_TESTS_FAILING_MEMORY_H
#define PGSLEUTH_TESTS_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

static struct {
    bool armed;
    unsigned long seen;
    unsigned long fail_at;
} memory;

static inline void memory_fail_at(unsigned long n)
{
    memory.seen = 0;
    memory.fail_at = n;
    memory.armed = true;
}

static inline bool memory_well(void)
{
    memory.armed = false;
    return memory.seen >= memory.fail_at;
}

static inline bool memory_fails(void)
{
    return memory.armed && ++memory.seen == memory.fail_at;
}

/* The linker's names. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return memory_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return memory_fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return memory_fails() ? NULL : __real_aligned_alloc(align, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

#endif
