#include "common/map64.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 8 };

void map64_init(struct map64 *m, size_t max)
{
    *m = (struct map64){.max = max};
}

void map64_fini(struct map64 *m)
{
    free(m->slots);
    *m = (struct map64){.max = m->max};
}

void map64_clear(struct map64 *m)
{
    if (m->slots == NULL)
        return;
    if (m->mask + 1 > FIRST_SLOTS) {
        map64_fini(m);
        return;
    }
    memset(m->slots, 0, FIRST_SLOTS * sizeof(*m->slots));
    m->count = 0;
}

/* Keys are hashes already, but callers may use small numbers too: one multiplication spreads both.
 */
static size_t home(const struct map64 *m, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & m->mask;
}

/* The slot that holds the key, or the free one where it would go. */
static struct map64_slot *find(const struct map64 *m, uint64_t key)
{
    size_t i = home(m, key);
    while (m->slots[i].value != NULL && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

void *map64_get(const struct map64 *m, uint64_t key)
{
    return m->slots == NULL ? NULL : find(m, key)->value;
}

static int grow(struct map64 *m)
{
    size_t size = m->slots == NULL ? FIRST_SLOTS : (m->mask + 1) * 2;
    struct map64_slot *slots = calloc(size, sizeof(*slots));
    if (slots == NULL)
        return MAP64_NO_MEMORY;
    struct map64 bigger = {.slots = slots, .mask = size - 1, .count = m->count, .max = m->max};
    for (size_t i = 0; m->slots != NULL && i <= m->mask; i++) {
        if (m->slots[i].value != NULL)
            *find(&bigger, m->slots[i].key) = m->slots[i];
    }
    free(m->slots);
    *m = bigger;
    return MAP64_OK;
}

int map64_put(struct map64 *m, uint64_t key, void *value)
{
    assert(value != NULL);
    if (m->slots != NULL) {
        struct map64_slot *slot = find(m, key);
        if (slot->value != NULL) {
            slot->value = value;
            return MAP64_OK;
        }
    }
    if (m->count >= m->max)
        return MAP64_FULL;
    if (m->slots == NULL || (m->count + 1) * 4 > (m->mask + 1) * 3) {
        int r = grow(m);
        if (r != MAP64_OK)
            return r;
    }
    *find(m, key) = (struct map64_slot){.key = key, .value = value};
    m->count++;
    return MAP64_OK;
}

void *map64_remove(struct map64 *m, uint64_t key)
{
    if (m->slots == NULL)
        return NULL;
    struct map64_slot *slot = find(m, key);
    void *value = slot->value;
    if (value == NULL)
        return NULL;
    size_t hole = (size_t)(slot - m->slots);
    for (size_t i = (hole + 1) & m->mask; m->slots[i].value != NULL; i = (i + 1) & m->mask) {
        /* An entry may move back into the hole only if its home is not between the two. */
        size_t want = home(m, m->slots[i].key);
        if (((i - want) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map64_slot){0};
    m->count--;
    return value;
}

void *map64_next(const struct map64 *m, size_t *at, uint64_t *key)
{
    while (m->slots != NULL && *at <= m->mask) {
        const struct map64_slot *slot = &m->slots[(*at)++];
        if (slot->value != NULL) {
            if (key != NULL)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
