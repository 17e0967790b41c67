/*
 * A borrowed view of bytes: the way every decoder receives its input. A span never owns and is
 * never freed; it lives as long as the memory it looks at.
 */
#ifndef PGSLEUTH_COMMON_SPAN_H
#define PGSLEUTH_COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data;
    size_t len;
};

static inline struct span span_of(const void *data, size_t len)
{
    return (struct span){.data = data, .len = len};
}

/* The bytes of a C string without its terminator; NULL gives the empty span. */
static inline struct span span_of_text(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .len = text != NULL ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Equality with a C string; ASCII letters compare exactly. */
static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of_text(text));
}

/* The first `n` bytes, or all of them when there are fewer. */
static inline struct span span_head(struct span a, size_t n)
{
    return (struct span){.data = a.data, .len = a.len < n ? a.len : n};
}

/* What is left after the first `n` bytes, or the empty span at the end. */
static inline struct span span_skip(struct span a, size_t n)
{
    if (n >= a.len)
        return (struct span){.data = a.data, .len = 0};
    return (struct span){.data = a.data + n, .len = a.len - n};
}

/* Where the first such byte is; the length when there is none. */
static inline size_t span_find_byte(struct span a, uint8_t byte)
{
    const uint8_t *at = a.len > 0 ? memchr(a.data, byte, a.len) : NULL;
    return at != NULL ? (size_t)(at - a.data) : a.len;
}

/* Where the C string first begins; the length when it is not in there. */
static inline size_t span_find(struct span a, const char *text)
{
    const uint8_t *at = a.len > 0 ? memmem(a.data, a.len, text, strlen(text)) : NULL;
    return at != NULL ? (size_t)(at - a.data) : a.len;
}

static inline bool span_starts(struct span a, const char *text)
{
    struct span start = span_of_text(text);
    return a.len >= start.len && span_equal(span_head(a, start.len), start);
}

/* Whether the text ends so; the end is then cut off. */
static inline bool span_cut_end(struct span *a, const char *text)
{
    struct span end = span_of_text(text);
    if (a->len < end.len || !span_equal(span_skip(*a, a->len - end.len), end))
        return false;
    a->len -= end.len;
    return true;
}

#endif
