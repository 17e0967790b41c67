#include "proxy/reserve.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(max_align_t) uint8_t pieces[RESERVE_PIECES][RESERVE_PIECE_BYTES];
static atomic_bool taken[RESERVE_PIECES];
static atomic_uint in_use;

bool reserve_is_in_use(void)
{
    return atomic_load(&in_use) > 0;
}

static bool is_piece(const void *p)
{
    uintptr_t at = (uintptr_t)p;
    uintptr_t first = (uintptr_t)pieces;
    return at >= first && at - first < sizeof(pieces);
}

static void *take(size_t size)
{
    if (size > RESERVE_PIECE_BYTES)
        return NULL;
    for (size_t i = 0; i < RESERVE_PIECES; i++) {
        if (!atomic_exchange(&taken[i], true)) {
            atomic_fetch_add(&in_use, 1);
            return pieces[i];
        }
    }
    return NULL;
}

static void give_back(const void *p)
{
    size_t i = ((uintptr_t)p - (uintptr_t)pieces) / RESERVE_PIECE_BYTES;
    atomic_fetch_sub(&in_use, 1);
    atomic_store(&taken[i], false);
}

void *reserve_malloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL)
        p = take(size);
    return p;
}

void reserve_free(void *p)
{
    if (is_piece(p))
        give_back(p);
    else
        free(p);
}

/* What libevent enlarges it can do without: a failure there is known to it. */
void *reserve_realloc(void *p, size_t size)
{
    if (p == NULL)
        return reserve_malloc(size);
    if (!is_piece(p))
        return realloc(p, size);
    if (size <= RESERVE_PIECE_BYTES)
        return p;
    void *larger = malloc(size);
    if (larger == NULL)
        return NULL;
    memcpy(larger, p, RESERVE_PIECE_BYTES);
    give_back(p);
    return larger;
}

void reserve_use(void)
{
    event_set_mem_functions(reserve_malloc, reserve_realloc, reserve_free);
}
