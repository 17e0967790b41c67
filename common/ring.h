/*
 * A bounded queue of variable-sized flat entries between one producer thread and one consumer
 * thread.
 *
 * The producer reserves room, fills it in place and commits; the consumer looks at the oldest entry
 * in place and releases it. There is no lock and no system call. A full ring refuses the entry and
 * counts it: the producer never waits. Every entry begins with its own length (uint32_t, a multiple
 * of 8), which the producer writes; the ring reads nothing else of it.
 *
 * Ownership: ring_new to ring_free; an entry belongs to the producer until ring_commit and to the
 * consumer from ring_peek to ring_release.
 */
#ifndef PGSLEUTH_COMMON_RING_H
#define PGSLEUTH_COMMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* `size` is a power of two of at least 4096 bytes. NULL when there is no memory. */
struct ring *ring_new(size_t size);
void ring_free(struct ring *r);

/* Producer: room for an entry of exactly `len` bytes (a multiple of 8), 8-aligned and contiguous,
 * or NULL when the ring is too full, which is counted. At most one reservation at a time; reserving
 * again replaces it. */
void *ring_reserve(struct ring *r, size_t len);

/* Producer: publish the reserved entry. Its first four bytes hold `len` of ring_reserve. */
void ring_commit(struct ring *r);

/* Producer: true once each time the ring passes half full, so that the consumer may be woken. */
bool ring_wants_wake(struct ring *r);

/* Consumer: the oldest entry, or NULL when there is none. Valid until ring_release. */
const void *ring_peek(struct ring *r);

/* Consumer: give the entry of the last ring_peek back. */
void ring_release(struct ring *r);

/* Either side: entries refused so far. */
uint64_t ring_dropped(const struct ring *r);

#endif
