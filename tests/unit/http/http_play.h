/*
 * A connection of HTTP played to a conversation, as the proxy does: what the client sends goes on
 * piece by piece as it may, what the application answers is shown. Every piece is a copy that ends
 * at a guard page.
 */
#ifndef PGSLEUTH_TESTS_HTTP_PLAY_H
#define PGSLEUTH_TESTS_HTTP_PLAY_H

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "http/conversation.h"

enum { PLAY_RECORDS = 64, PLAY_TEXT = 4096 };

struct played {
    struct record_http http;
    char text[RECORD_METHOD_MAX + RECORD_ROUTE_MAX + 2]; /* "GET /route" */
};

struct play {
    struct ring *ring;
    struct http_traffic traffic;
    struct http_context ctx;
    struct http_conversation http;
    int64_t now_us;
    size_t piece;     /* bytes shown at a time; 0: all */
    size_t forwarded; /* bytes that went to the application */
    size_t held;
    bool admitted;
    enum http_step last; /* step */
    struct played records[PLAY_RECORDS];
    unsigned n;
    unsigned begun;
};

static inline void play_init(struct play *p, size_t piece)
{
    *p = (struct play){.piece = piece, .now_us = 1000000};
    p->ring = ring_new(1 << 16);
    assert_non_null(p->ring);
    p->ctx = (struct http_context){
        .ring = p->ring, .sample = http_sample_new(), .traffic = &p->traffic, .patterns = ""};
    http_begin(&p->http, &p->ctx, 7);
}

/* Several connections may share one ring. */
static inline void play_drain(struct play *p)
{
    const struct record_header *h;
    while ((h = ring_peek(p->ring)) != NULL) {
        assert_true(record_check(span_of(h, h->len)));
        if (h->type == RECORD_HTTP_BEGIN) {
            p->begun++;
        } else {
            assert_int_equal(h->type, RECORD_HTTP);
            assert_true(p->n < PLAY_RECORDS);
            struct played *out = &p->records[p->n++];
            memcpy(&out->http, h, sizeof(out->http));
            const char *tail = (const char *)h + sizeof(out->http);
            snprintf(out->text, sizeof(out->text), "%.*s %.*s", out->http.method_len, tail,
                     out->http.route_len, tail + out->http.method_len);
        }
        ring_release(p->ring);
    }
}

static inline void play_fini(struct play *p)
{
    http_end(&p->http, p->now_us);
    play_drain(p);
    assert_int_equal(atomic_load(&p->traffic.open), 0);
    http_sample_free(p->ctx.sample);
    ring_free(p->ring);
}

/* Show one piece of the client's; what is left of it. */
static inline struct span play_step(struct play *p, struct span bytes)
{
    size_t taken = 0;
    p->last = http_from_client(&p->http, bytes, p->now_us, &taken);
    if (p->last == HTTP_STEP_BAD || p->last == HTTP_STEP_AFTER)
        return span_of(bytes.data, 0);
    assert_true(taken <= bytes.len);
    p->held += taken;
    if (p->last == HTTP_STEP_HEAD)
        return span_skip(bytes, taken);
    if (!p->admitted)
        http_admit(&p->http, p->now_us);
    p->admitted = p->last == HTTP_STEP_BODY;
    p->forwarded += p->held;
    p->held = 0;
    return span_skip(bytes, taken);
}

static inline void play_client_bytes(struct play *p, struct span bytes)
{
    p->now_us += 1000;
    while (bytes.len > 0 && !p->http.tunnel && http_has_room(&p->http)) {
        struct span part = span_head(bytes, p->piece == 0 ? bytes.len : p->piece);
        bytes = span_skip(bytes, part.len);
        struct span copy = guard_copy(part);
        struct span left = copy;
        while (left.len > 0 && http_has_room(&p->http) && !p->http.tunnel)
            left = play_step(p, left);
        guard_free(copy);
        if (p->last == HTTP_STEP_BAD || p->last == HTTP_STEP_AFTER)
            return;
    }
}

static inline void play_client(struct play *p, const char *text)
{
    play_client_bytes(p, span_of_text(text));
}

static inline void play_server(struct play *p, const char *text)
{
    struct span bytes = span_of_text(text);
    p->now_us += 1000;
    while (bytes.len > 0) {
        struct span copy = guard_copy(span_head(bytes, p->piece == 0 ? bytes.len : p->piece));
        http_from_server(&p->http, copy, p->now_us);
        bytes = span_skip(bytes, copy.len);
        guard_free(copy);
    }
    play_drain(p);
}

#endif
