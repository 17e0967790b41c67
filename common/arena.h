/*
 * A bump allocator with a hard maximum: many small objects that die together.
 *
 * Memory comes zeroed, 16-aligned, and lives until arena_reset or arena_fini. An allocation that
 * would pass the maximum, or that finds no memory, gives NULL and is counted, so that the owner can
 * say what it left out.
 */
#ifndef PGSLEUTH_COMMON_ARENA_H
#define PGSLEUTH_COMMON_ARENA_H

#include "common/span.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* the first one is being filled */
    size_t used;                /* bytes taken from the system */
    size_t max;
    uint64_t refused;   /* allocations that gave NULL */
    uint64_t no_memory; /* those of them that found none; owners may count their own losses too */
};

/* An empty arena in the caller's storage; allocates nothing. */
void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);

/* Free everything but one chunk, which is used again. */
void arena_reset(struct arena *a);

void *arena_alloc(struct arena *a, size_t size);

/* A NUL-terminated copy of a span; NULL when the arena is full. */
char *arena_text(struct arena *a, struct span s);

#endif
