/*
 * How much smaller a body would become: the first SAMPLE_MAX_BYTES of one response at a time are
 * deflated beside the relay, and what came out is counted and thrown away.
 *
 * A worker has one sample, taken at most every SAMPLE_EVERY_US: some 0.5 ms of work each. The
 * memory of zlib is allocated once, when the sample is made.
 */
#ifndef PGSLEUTH_HTTP_SAMPLE_H
#define PGSLEUTH_HTTP_SAMPLE_H

#include "common/span.h"

enum {
    SAMPLE_MAX_BYTES = 16 * 1024,
    SAMPLE_EVERY_US = 100 * 1000,
    SAMPLE_LEVEL = 6, /* zlib's default, which most servers use */
};

struct http_sample;

/* NULL without memory. */
struct http_sample *http_sample_new(void);
void http_sample_free(struct http_sample *s);

/* Begin with the body of the owner's response; false when another one is being sampled or was just
 * now. `s` may be NULL. */
bool http_sample_begin(struct http_sample *s, const void *owner, int64_t now_us);

/* More of the body, if it is the owner's. */
void http_sample_add(struct http_sample *s, const void *owner, struct span bytes);

/* The body is over: bytes that were taken and what they became, both 0 when it was not sampled. */
void http_sample_end(struct http_sample *s, const void *owner, uint32_t *in, uint32_t *out);

#endif
