#include "common/arena.h"

#include <stdlib.h>

enum { FIRST_CHUNK_BYTES = 1024, CHUNK_BYTES = 16 * 1024, ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of `data` */
    size_t used;
    _Alignas(ALIGN) uint8_t data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_fini(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunks;
    if (keep == NULL)
        return;
    a->chunks = keep->next;
    arena_fini(a);
    keep->next = NULL;
    memset(keep->data, 0, keep->used);
    keep->used = 0;
    a->chunks = keep;
    a->used = sizeof(*keep) + keep->size;
}

static struct arena_chunk *add_chunk(struct arena *a, size_t need)
{
    size_t left = a->max - a->used; /* used <= max always */
    if (left < sizeof(struct arena_chunk) || left - sizeof(struct arena_chunk) < need)
        return NULL;
    left -= sizeof(struct arena_chunk);
    /* As much again as there is, so that a small arena stays small; near the maximum a chunk is
     * only as large as is still allowed. */
    size_t size = a->used < FIRST_CHUNK_BYTES ? FIRST_CHUNK_BYTES : a->used;
    size = size < CHUNK_BYTES ? size : CHUNK_BYTES;
    size = left < size ? left : size;
    if (size < need)
        size = need;
    struct arena_chunk *chunk = calloc(1, sizeof(*chunk) + size);
    if (chunk == NULL) {
        a->no_memory++;
        return NULL;
    }
    chunk->size = size;
    a->used += sizeof(*chunk) + size;
    if (size == need && a->chunks != NULL) {
        /* It will be full: the one before it may still have room for small ones. */
        chunk->next = a->chunks->next;
        a->chunks->next = chunk;
        return chunk;
    }
    chunk->next = a->chunks;
    a->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2) {
        a->refused++;
        return NULL;
    }
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    struct arena_chunk *chunk = a->chunks;
    if (chunk == NULL || chunk->size - chunk->used < need)
        chunk = add_chunk(a, need);
    if (chunk == NULL) {
        a->refused++;
        return NULL;
    }
    void *out = chunk->data + chunk->used;
    chunk->used += need;
    return out;
}

char *arena_text(struct arena *a, struct span s)
{
    char *out = arena_alloc(a, s.len + 1);
    if (out != NULL && s.len > 0)
        memcpy(out, s.data, s.len);
    return out;
}
