/*
 * A bounded reader over a span in network byte order, as PostgreSQL's wire protocol has it.
 *
 * The first read past the end sets `failed` and every later read gives zero or the empty span, so
 * that a message is decoded as a straight list of fields with one check at its end. Bounds are
 * compared by subtraction: no length from a peer is ever added to a pointer before it was found to
 * fit.
 */
#ifndef PGSLEUTH_COMMON_READER_H
#define PGSLEUTH_COMMON_READER_H

#include "common/span.h"

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct reader reader_of(struct span input)
{
    return (struct reader){.at = input.data, .left = input.len, .failed = false};
}

/* The next `n` bytes, or the empty span and `failed`. */
static inline struct span reader_bytes(struct reader *r, size_t n)
{
    if (r->failed || n > r->left) {
        r->failed = true;
        return (struct span){.data = NULL, .len = 0};
    }
    struct span out = {.data = r->at, .len = n};
    if (n > 0)
        r->at += n;
    r->left -= n;
    return out;
}

static inline uint8_t reader_u8(struct reader *r)
{
    struct span b = reader_bytes(r, 1);
    return b.len == 1 ? b.data[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    struct span b = reader_bytes(r, 2);
    return b.len == 2 ? (uint16_t)(((unsigned)b.data[0] << 8) | b.data[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    struct span b = reader_bytes(r, 4);
    if (b.len != 4)
        return 0;
    return ((uint32_t)b.data[0] << 24) | ((uint32_t)b.data[1] << 16) | ((uint32_t)b.data[2] << 8) |
           b.data[3];
}

static inline int32_t reader_i32(struct reader *r)
{
    return (int32_t)reader_u32(r);
}

static inline uint64_t reader_u64(struct reader *r)
{
    uint64_t high = reader_u32(r);
    return (high << 32) | reader_u32(r);
}

/* The bytes up to a NUL, which is consumed and not part of the span; `failed` when there is no NUL.
 */
static inline struct span reader_cstring(struct reader *r)
{
    if (r->failed || r->left == 0) {
        r->failed = true;
        return (struct span){.data = NULL, .len = 0};
    }
    const uint8_t *end = memchr(r->at, 0, r->left);
    if (end == NULL) {
        r->failed = true;
        return (struct span){.data = NULL, .len = 0};
    }
    struct span out = {.data = r->at, .len = (size_t)(end - r->at)};
    r->left -= out.len + 1;
    r->at = end + 1;
    return out;
}

/* True when all was read, nothing failed and no byte is left over. */
static inline bool reader_done(const struct reader *r)
{
    return !r->failed && r->left == 0;
}

#endif
