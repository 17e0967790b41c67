/* HTTP of a client and of an application, interleaved: a byte says whose the next piece is and how
 * long, as in wire_both. The same stream is read once in these pieces and once byte by byte: the
 * records must be the same. Not where a request was refused in its body: how much of it was on its
 * way by then is what the cutting decides. */
#include "http/conversation.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RING_BYTES = 1 << 20, INPUT_MAX = 16 * 1024, PIECE_MASK = 0x7f };

struct side {
    struct http_traffic traffic;
    struct http_context ctx;
    struct http_conversation http;
    bool admitted;
    bool over;
    bool refused;
    uint64_t digest;
};

static void drain(struct side *s)
{
    const struct record_header *h;
    while ((h = ring_peek(s->ctx.ring)) != NULL) {
        assert(record_check(span_of(h, h->len)));
        const uint8_t *bytes = (const uint8_t *)h;
        for (size_t i = 0; i < h->len; i++)
            s->digest = (s->digest ^ bytes[i]) * 0x100000001b3;
        ring_release(s->ctx.ring);
    }
}

/* False when the step ended all that this client may say. */
static bool step(struct side *s, struct span *bytes)
{
    size_t taken = 0;
    enum http_step what = http_from_client(&s->http, *bytes, 0, &taken);
    s->refused = what == HTTP_STEP_BAD;
    if (what == HTTP_STEP_BAD || what == HTTP_STEP_AFTER)
        return false;
    assert(taken <= bytes->len && (taken > 0 || what != HTTP_STEP_HEAD));
    *bytes = span_skip(*bytes, taken);
    if (what == HTTP_STEP_HEAD) {
        assert(!s->admitted);
        return true;
    }
    if (!s->admitted)
        http_admit(&s->http, 0);
    s->admitted = what == HTTP_STEP_BODY;
    return true;
}

static void from_client(struct side *s, struct span bytes)
{
    while (bytes.len > 0 && !s->over && !s->http.tunnel && http_has_room(&s->http))
        s->over = !step(s, &bytes);
}

static void feed(struct side *s, bool client, struct span bytes, size_t piece)
{
    while (bytes.len > 0) {
        struct span part = span_head(bytes, piece);
        uint8_t *copy = malloc(part.len);
        assert(copy != NULL);
        memcpy(copy, part.data, part.len);
        if (client)
            from_client(s, span_of(copy, part.len));
        else
            http_from_server(&s->http, span_of(copy, part.len), 0);
        free(copy);
        drain(s);
        bytes = span_skip(bytes, part.len);
    }
}

static uint64_t play(struct span input, size_t piece, struct ring *ring)
{
    struct side s = {.over = false};
    s.ctx = (struct http_context){
        .ring = ring, .sample = http_sample_new(), .traffic = &s.traffic, .patterns = "/a/{b}"};
    http_begin(&s.http, &s.ctx, 1);
    while (input.len > 1) {
        bool client = input.data[0] > PIECE_MASK;
        size_t len = (size_t)(input.data[0] & PIECE_MASK) + 1;
        input = span_skip(input, 1);
        struct span part = span_head(input, len);
        feed(&s, client, part, piece == 0 ? part.len : piece);
        input = span_skip(input, part.len);
    }
    http_server_ended(&s.http, 0);
    http_end(&s.http, 0);
    drain(&s);
    assert(atomic_load(&s.traffic.open) == 0);
    http_sample_free(s.ctx.sample);
    return s.refused ? 0 : s.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    struct ring *ring = ring_new(RING_BYTES);
    assert(ring != NULL);
    uint64_t whole = play(span_of(data, size), 0, ring);
    uint64_t cut = play(span_of(data, size), 1, ring);
    assert(whole == cut || whole == 0 || cut == 0);
    ring_free(ring);
    return 0;
}
