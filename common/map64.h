/*
 * A hash map from 64-bit keys that are already hashes to pointers, with a hard maximum of entries.
 *
 * Open addressing with linear probing and backward-shift deletion: no tombstones, so a map that
 * sees names come and go for ever stays as fast as a new one. The map owns no value. Iteration
 * order depends on the keys and the history of inserts: never let it reach a report unsorted.
 */
#ifndef PGSLEUTH_COMMON_MAP64_H
#define PGSLEUTH_COMMON_MAP64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map64_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map64 {
    struct map64_slot *slots; /* NULL until the first insert */
    size_t mask;
    size_t count;
    size_t max;
};

enum map64_result { MAP64_OK = 0, MAP64_FULL = -1, MAP64_NO_MEMORY = -2 };

/* An empty map in the caller's storage; allocates nothing. */
void map64_init(struct map64 *m, size_t max);
void map64_fini(struct map64 *m);

/* Forget all entries; a small table keeps its memory, so that a map that fills and empties all the
 * time does not allocate. */
void map64_clear(struct map64 *m);

/* The value, or NULL. */
void *map64_get(const struct map64 *m, uint64_t key);

/* Insert or replace; `value` is not NULL. Replacing never fails. */
int map64_put(struct map64 *m, uint64_t key, void *value) __attribute__((warn_unused_result));

/* Remove and give back the value, or NULL when there was none. */
void *map64_remove(struct map64 *m, uint64_t key);

/* Walk: start with *at = 0; gives NULL at the end. The map must not change meanwhile. */
void *map64_next(const struct map64 *m, size_t *at, uint64_t *key);

/* Memory that the table takes. */
static inline size_t map64_bytes(const struct map64 *m)
{
    return m->slots == NULL ? 0 : (m->mask + 1) * sizeof(*m->slots);
}

#endif
