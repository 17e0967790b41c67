#include "common/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* In place of an entry's length: the rest up to the end of the buffer is unused, go on at its
 * start. */
#define RING_WRAP UINT32_MAX

enum { CACHE_LINE = 64 };

/* Each side's own variables share a cache line; the positions the other side reads have one each.
 * Positions count bytes for ever and are reduced to an offset by the mask. */
struct ring {
    uint8_t *data;
    size_t size;
    _Alignas(CACHE_LINE) atomic_size_t head; /* written by the producer: end of what is published */
    size_t tail_seen;                        /* producer's last look at the tail */
    size_t reserved_at;
    size_t reserved_len;
    bool above_half;
    atomic_uint_fast64_t dropped;
    _Alignas(CACHE_LINE)
        atomic_size_t tail; /* written by the consumer: start of what is not yet released */
    size_t head_seen;       /* consumer's last look at the head */
};

struct ring *ring_new(size_t size)
{
    assert(size >= 4096 && (size & (size - 1)) == 0);
    struct ring *r = aligned_alloc(CACHE_LINE, sizeof(*r));
    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof(*r));
    r->size = size;
    r->data = aligned_alloc(CACHE_LINE, size);
    if (r->data == NULL) {
        free(r);
        return NULL;
    }
    return r;
}

void ring_free(struct ring *r)
{
    if (r == NULL)
        return;
    free(r->data);
    free(r);
}

static bool has_room(struct ring *r, size_t head, size_t need)
{
    if (r->size - (head - r->tail_seen) >= need)
        return true;
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    return r->size - (head - r->tail_seen) >= need;
}

void *ring_reserve(struct ring *r, size_t len)
{
    assert(len >= 8 && len % 8 == 0);
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    size_t offset = head & (r->size - 1);
    size_t to_end = r->size - offset;
    size_t skip = to_end < len ? to_end : 0;
    r->reserved_len = 0;
    if (len > r->size / 2 || !has_room(r, head, skip + len)) {
        atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
        return NULL;
    }
    if (skip > 0) {
        uint32_t wrap = RING_WRAP;
        memcpy(r->data + offset, &wrap, sizeof(wrap));
        offset = 0;
    }
    r->reserved_at = head + skip;
    r->reserved_len = len;
    return r->data + offset;
}

void ring_commit(struct ring *r)
{
    assert(r->reserved_len > 0);
    uint32_t written;
    memcpy(&written, r->data + (r->reserved_at & (r->size - 1)), sizeof(written));
    assert(written == r->reserved_len);
    atomic_store_explicit(&r->head, r->reserved_at + r->reserved_len, memory_order_release);
    r->reserved_len = 0;
}

bool ring_wants_wake(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    /* The last look at the tail is never too new, so this errs towards one wake too many; the real
     * tail is read only when the old look says "above half". */
    if (head - r->tail_seen <= r->size / 2) {
        r->above_half = false;
        return false;
    }
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    bool above = head - r->tail_seen > r->size / 2;
    bool crossed = above && !r->above_half;
    r->above_half = above;
    return crossed;
}

const void *ring_peek(struct ring *r)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        if (tail == r->head_seen) {
            r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
            if (tail == r->head_seen)
                return NULL;
        }
        const uint8_t *entry = r->data + (tail & (r->size - 1));
        uint32_t len;
        memcpy(&len, entry, sizeof(len));
        if (len != RING_WRAP)
            return entry;
        tail += r->size - (tail & (r->size - 1));
        atomic_store_explicit(&r->tail, tail, memory_order_release);
    }
}

void ring_release(struct ring *r)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t len;
    memcpy(&len, r->data + (tail & (r->size - 1)), sizeof(len));
    assert(len != RING_WRAP && len <= r->head_seen - tail);
    atomic_store_explicit(&r->tail, tail + len, memory_order_release);
}

uint64_t ring_dropped(const struct ring *r)
{
    return atomic_load_explicit(&r->dropped, memory_order_relaxed);
}
