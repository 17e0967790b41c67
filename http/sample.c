#include "http/sample.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

enum { OUT_BYTES = 4096 };

struct http_sample {
    z_stream zlib;
    const void *owner; /* NULL: free */
    int64_t last_us;
    bool used; /* last_us is a time */
    bool failed;
    uint8_t thrown_away[OUT_BYTES];
};

struct http_sample *http_sample_new(void)
{
    struct http_sample *s = calloc(1, sizeof(*s));
    if (s != NULL && deflateInit(&s->zlib, SAMPLE_LEVEL) != Z_OK) {
        free(s);
        s = NULL;
    }
    return s;
}

void http_sample_free(struct http_sample *s)
{
    if (s == NULL)
        return;
    deflateEnd(&s->zlib);
    free(s);
}

bool http_sample_begin(struct http_sample *s, const void *owner, int64_t now_us)
{
    if (s == NULL || s->owner != NULL || (s->used && now_us - s->last_us < SAMPLE_EVERY_US))
        return false;
    s->failed = deflateReset(&s->zlib) != Z_OK;
    s->owner = owner;
    s->last_us = now_us;
    s->used = true;
    return true;
}

static void deflate_all(struct http_sample *s, struct span bytes, int flush)
{
    s->zlib.next_in = bytes.data;
    s->zlib.avail_in = (uInt)bytes.len;
    do {
        s->zlib.next_out = s->thrown_away;
        s->zlib.avail_out = OUT_BYTES;
        s->failed = s->failed || deflate(&s->zlib, flush) == Z_STREAM_ERROR;
    } while (!s->failed && s->zlib.avail_out == 0);
}

void http_sample_add(struct http_sample *s, const void *owner, struct span bytes)
{
    if (s == NULL || s->owner != owner || s->failed)
        return;
    size_t left = SAMPLE_MAX_BYTES - (size_t)s->zlib.total_in;
    struct span some = span_head(bytes, left);
    if (some.len > 0)
        deflate_all(s, some, Z_NO_FLUSH);
}

void http_sample_end(struct http_sample *s, const void *owner, uint32_t *in, uint32_t *out)
{
    *in = *out = 0;
    if (s == NULL || s->owner != owner)
        return;
    s->owner = NULL;
    if (!s->failed)
        deflate_all(s, span_of(NULL, 0), Z_FINISH);
    if (s->failed || s->zlib.total_in == 0)
        return;
    *in = (uint32_t)s->zlib.total_in;
    *out = (uint32_t)s->zlib.total_out;
}
