/*
 * A session under fuzzing. Every piece is a copy of exactly its size that is gone after the call,
 * the pools hand nothing out twice, each record that comes out must pass record_check and is read
 * whole. Time stands still, so that the records of two runs can be compared by their digest.
 */
#ifndef PGSLEUTH_TESTS_FUZZ_WIRE_FUZZ_H
#define PGSLEUTH_TESTS_FUZZ_WIRE_FUZZ_H

#include "tests/unit/wire/record_touch.h"
#include "wire/tap.h"

#include "common/hash.h"
#include <assert.h>
#include <stdlib.h>

/* The longest input, and a ring that takes all the records one input may give. */
enum { WIRE_FUZZ_MAX = 16 * 1024, WIRE_FUZZ_RING = 1 << 23 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct ring *ring;
    struct wire_context ctx;
    struct wire_tap tap;
    uint64_t digest;
    volatile uint64_t sink;
} wire_fuzz;

static inline void wire_fuzz_drain(void)
{
    const struct record_header *h;
    while ((h = ring_peek(wire_fuzz.ring)) != NULL) {
        assert(record_check(span_of(h, h->len)));
        wire_fuzz.sink = record_touch(span_of(h, h->len));
        wire_fuzz.digest = XXH3_64bits_withSeed(h, h->len, wire_fuzz.digest);
        ring_release(wire_fuzz.ring);
    }
}

static inline void wire_fuzz_feed(enum wire_direction from, struct span piece)
{
    uint8_t *copy = malloc(piece.len > 0 ? piece.len : 1);
    assert(copy != NULL);
    if (piece.len > 0)
        memcpy(copy, piece.data, piece.len);
    if (from == WIRE_FROM_CLIENT)
        wire_tap_from_client(&wire_fuzz.tap, span_of(copy, piece.len), 0);
    else
        wire_tap_from_server(&wire_fuzz.tap, span_of(copy, piece.len), 0);
    free(copy);
    wire_fuzz_drain();
}

static inline void wire_fuzz_feed_in(enum wire_direction from, struct span bytes, size_t piece)
{
    for (; bytes.len > 0; bytes = span_skip(bytes, piece))
        wire_fuzz_feed(from, span_head(bytes, piece));
}

static inline void wire_fuzz_begin(bool want_samples)
{
    static const uint8_t ready[] = {'Z', 0, 0, 0, 5, 'I'};
    if (wire_fuzz.ring == NULL)
        wire_fuzz.ring = ring_new(WIRE_FUZZ_RING);
    assert(wire_fuzz.ring != NULL);
    wire_context_init(&wire_fuzz.ctx, wire_fuzz.ring, want_samples);
    wire_fuzz.ctx.prepared.keep = 0;
    wire_fuzz.ctx.portals.keep = 0;
    wire_fuzz.ctx.columns.keep = 0;
    wire_fuzz.ctx.key_hashes.keep = 0;
    wire_fuzz.digest = 0;
    struct wire_session_info info = {.user = span_of_text("u")};
    wire_tap_begin(&wire_fuzz.tap, &wire_fuzz.ctx, 1, &info, 0);
    wire_fuzz_feed(WIRE_FROM_SERVER, span_of(ready, sizeof(ready)));
}

/* Ends the session; every pool must be empty. Gives the digest of all its records. */
static inline uint64_t wire_fuzz_end(void)
{
    struct wire_session_end end = {.now_us = 0};
    wire_tap_end(&wire_fuzz.tap, &end);
    wire_fuzz_drain();
    wire_context_fini(&wire_fuzz.ctx);
    assert(ring_dropped(wire_fuzz.ring) == 0);
    return wire_fuzz.digest;
}

#endif
