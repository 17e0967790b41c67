#include "http/conversation.h"

#include "http/facts.h"
#include "http/route.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* --- the queue --- */

static struct http_request *last_of(struct http_conversation *c)
{
    return c->count > 0 ? &c->queue[(c->first + c->count - 1) % HTTP_MAX_PIPELINED] : NULL;
}

/* The request that is being answered; NULL when the application speaks without being asked. */
static struct http_request *answered(struct http_conversation *c)
{
    struct http_request *r = &c->queue[c->first];
    return c->count > 0 && r->id != 0 ? r : NULL;
}

static uint32_t saturated(int64_t us)
{
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Behind a record of `fixed` bytes its method and route; what they take. */
static size_t put_name(void *record, size_t fixed, const struct http_request *r)
{
    const char *method = llhttp_method_name((llhttp_method_t)r->method);
    size_t len = strnlen(method, RECORD_METHOD_MAX);
    if (record != NULL) {
        memcpy((char *)record + fixed, method, len);
        memcpy((char *)record + fixed + len, r->route, r->route_len);
    }
    return len;
}

/* A request that the audit does not know of gives no name to anything: it may be dropped. */
static void write_begin(struct http_conversation *c, const struct http_request *r)
{
    size_t method_len = put_name(NULL, 0, r);
    size_t size = record_size(sizeof(struct record_http_begin), method_len + r->route_len);
    struct record_http_begin *out = ring_reserve(c->ctx->ring, size);
    if (out == NULL)
        return;
    memset(out, 0, size);
    *out = (struct record_http_begin){
        .h = {.len = (uint32_t)size, .type = RECORD_HTTP_BEGIN},
        .request = r->id,
        .time_us = r->start_us,
        .method_len = (uint16_t)method_len,
        .route_len = r->route_len,
    };
    put_name(out, sizeof(*out), r);
    ring_commit(c->ctx->ring);
}

static void write_request(struct http_conversation *c, const struct http_request *r, uint16_t flags)
{
    size_t method_len = put_name(NULL, 0, r);
    size_t size = record_size(sizeof(struct record_http), method_len + r->route_len);
    uint32_t sampled, compressed;
    http_sample_end(c->ctx->sample, c, &sampled, &compressed);
    struct record_http *out = ring_reserve(c->ctx->ring, size);
    if (out == NULL)
        return;
    memset(out, 0, size);
    *out = (struct record_http){
        .h = {.len = (uint32_t)size, .type = RECORD_HTTP},
        .request = r->id,
        .connection = c->id,
        .trace = r->trace,
        .target = r->target,
        .body = (flags & (HTTP_CUT | HTTP_TUNNEL)) == 0 ? XXH64_digest(&c->body) : 0,
        .start_us = r->start_us,
        .first_us = r->first_us != 0 ? saturated(r->first_us - r->start_us) : 0,
        .total_us = saturated(c->now_us - r->start_us),
        .request_bytes = r->request_bytes,
        .response_bytes = r->response_bytes,
        .facts = r->facts,
        .sampled = (flags & HTTP_CUT) == 0 ? sampled : 0,
        .compressed = (flags & HTTP_CUT) == 0 ? compressed : 0,
        .status = r->status,
        .http_flags = flags,
        .method_len = (uint16_t)method_len,
        .route_len = r->route_len,
    };
    put_name(out, sizeof(*out), r);
    ring_commit(c->ctx->ring);
}

/* Take the first request off the queue. A tunnel stays in flight until its connection ends: while
 * it lives nothing is known to be alone. */
static void finish(struct http_conversation *c, uint16_t flags)
{
    struct http_request *r = &c->queue[c->first];
    if (r->id != 0) {
        struct http_traffic *t = c->ctx->traffic;
        flags |= r->first ? HTTP_FIRST : 0;
        bool alone = r->others == 0 && atomic_load(&t->begun) == r->begun;
        if (alone && (flags & HTTP_TUNNEL) == 0)
            flags |= HTTP_ALONE;
        write_request(c, r, flags);
        c->tunnel_counts = (flags & HTTP_TUNNEL) != 0;
        if (!c->tunnel_counts)
            atomic_fetch_sub(&t->open, 1);
    }
    if (c->count == 1)
        c->in_body = false; /* it was answered before it was whole; what follows is nobody's */
    c->first = (c->first + 1) % HTTP_MAX_PIPELINED;
    c->count--;
}

/* --- requests --- */

static struct http_conversation *of(llhttp_t *parser)
{
    return parser->data;
}

static int on_request_begin(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    c->in_head = true;
    c->target_len = 0;
    c->target_cut = false;
    c->request_header.name_len = 0;
    c->request_header.value_len = 0;
    c->facts = 0;
    c->trace = 0;
    return 0;
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conversation *c = of(parser);
    size_t left = HTTP_TARGET_MAX - (size_t)c->target_len;
    size_t n = len < left ? len : left;
    memcpy(c->target + c->target_len, at, n);
    c->target_len = (uint16_t)(c->target_len + n);
    c->target_cut = c->target_cut || n < len;
    return 0;
}

/* Keep a name or value while it fits: a name that is longer is none of those that are looked for.
 */
static void keep(char *out, size_t max, uint8_t *have, const char *at, size_t len)
{
    size_t left = max - *have;
    size_t n = len < left ? len : left;
    memcpy(out + *have, at, n);
    *have = (uint8_t)(*have + n);
}

static int on_request_name(llhttp_t *parser, const char *at, size_t len)
{
    struct http_header *h = &of(parser)->request_header;
    keep(h->name, HTTP_NAME_MAX, &h->name_len, at, len);
    return 0;
}

static int on_request_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_header *h = &of(parser)->request_header;
    keep(h->value, HTTP_VALUE_MAX, &h->value_len, at, len);
    return 0;
}

static int on_request_value_complete(llhttp_t *parser)
{
    static const char name[] = "traceparent";
    struct http_conversation *c = of(parser);
    struct http_header *h = &c->request_header;
    struct span value = span_of(h->value, h->value_len);
    if (h->name_len == sizeof(name) - 1 && strncasecmp(h->name, name, h->name_len) == 0)
        c->trace = sql_trace_hash(value);
    c->facts |= http_request_facts(span_of(h->name, h->name_len), value);
    h->name_len = 0;
    h->value_len = 0;
    return 0;
}

static int on_request_head(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    assert(c->count < HTTP_MAX_PIPELINED);
    c->count++;
    c->in_head = false;
    c->in_body = true;
    struct http_request *r = last_of(c);
    *r = (struct http_request){.method = parser->method, .trace = c->trace, .facts = c->facts};
    r->facts |= llhttp_should_keep_alive(parser) ? 0 : HTTP_CLIENT_CLOSES;
    r->target = c->target_cut ? 0 : XXH3_64bits(c->target, c->target_len);
    r->route_len = (uint16_t)http_route(span_of(c->target, c->target_len), c->target_cut,
                                        c->ctx->patterns, r->route);
    return 0;
}

static int on_request_body(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    struct http_conversation *c = of(parser);
    if (c->in_body)
        last_of(c)->request_bytes += len;
    return 0;
}

static int on_request_whole(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    c->early = !c->in_body;
    c->in_body = false;
    return HPE_PAUSED;
}

static const llhttp_settings_t request_settings = {
    .on_message_begin = on_request_begin,
    .on_url = on_target,
    .on_header_field = on_request_name,
    .on_header_value = on_request_value,
    .on_header_value_complete = on_request_value_complete,
    .on_headers_complete = on_request_head,
    .on_body = on_request_body,
    .on_message_complete = on_request_whole,
};

/* The protocol stays what it was: read on as if nobody had asked for another. */
static void refuse_switch(struct http_conversation *c)
{
    c->switching = false;
    c->in_head = false;
    llhttp_init(&c->requests, HTTP_REQUEST, &request_settings);
    c->requests.data = c;
}

static enum http_step request_ended(struct http_conversation *c)
{
    llhttp_resume(&c->requests);
    c->switching = c->requests.upgrade != 0;
    if (c->switching && c->early)
        refuse_switch(c);
    return c->switching ? HTTP_STEP_SWITCH : HTTP_STEP_WHOLE;
}

bool http_has_room(const struct http_conversation *c)
{
    return !c->switching && c->count < HTTP_MAX_PIPELINED;
}

enum http_step http_from_client(struct http_conversation *c, struct span piece, int64_t now_us,
                                size_t *taken)
{
    assert(http_has_room(c) && !c->tunnel);
    c->now_us = now_us;
    const char *bytes = (const char *)piece.data;
    llhttp_errno_t e = llhttp_execute(&c->requests, bytes, piece.len);
    *taken = piece.len;
    switch (e) {
    case HPE_OK:
        return c->in_head || c->requests.finish == HTTP_FINISH_SAFE ? HTTP_STEP_HEAD
                                                                    : HTTP_STEP_BODY;
    case HPE_PAUSED:
        *taken = (size_t)(llhttp_get_error_pos(&c->requests) - bytes);
        return request_ended(c);
    case HPE_CLOSED_CONNECTION:
        return HTTP_STEP_AFTER;
    default:
        return HTTP_STEP_BAD;
    }
}

void http_admit(struct http_conversation *c, int64_t now_us)
{
    struct http_request *r = last_of(c);
    if (c->blind) {
        c->count = 0;
        c->in_body = false;
        c->tunnel = c->switching;
        c->switching = false;
        return;
    }
    assert(r != NULL && r->id == 0);
    r->id = ++c->ctx->next_request;
    r->first = !c->begun;
    c->begun = true;
    r->start_us = now_us;
    r->others = atomic_fetch_add(&c->ctx->traffic->open, 1);
    r->begun = atomic_fetch_add(&c->ctx->traffic->begun, 1) + 1;
    write_begin(c, r);
}

bool http_lacks_trace(const struct http_conversation *c)
{
    return c->trace == 0;
}

void http_set_trace(struct http_conversation *c, uint64_t trace)
{
    if (c->count > 0)
        last_of(c)->trace = trace;
}

unsigned http_outstanding(const struct http_conversation *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->count; i++)
        n += c->queue[(c->first + i) % HTTP_MAX_PIPELINED].id != 0;
    return n;
}

/* --- responses --- */

static int on_response_begin(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    struct http_request *r = answered(c);
    if (r == NULL)
        return -1;
    r->first_us = c->now_us;
    r->facts &= HTTP_OF_REQUEST;
    c->response_header.name_len = 0;
    c->response_header.value_len = 0;
    XXH64_reset(&c->body, 0);
    return 0;
}

static int on_response_name(llhttp_t *parser, const char *at, size_t len)
{
    struct http_header *h = &of(parser)->response_header;
    keep(h->name, HTTP_NAME_MAX, &h->name_len, at, len);
    return 0;
}

static int on_response_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_header *h = &of(parser)->response_header;
    keep(h->value, HTTP_VALUE_MAX, &h->value_len, at, len);
    return 0;
}

static int on_response_value_complete(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    struct http_header *h = &c->response_header;
    struct http_request *r = answered(c);
    if (r != NULL)
        r->facts |=
            http_response_facts(span_of(h->name, h->name_len), span_of(h->value, h->value_len));
    h->name_len = 0;
    h->value_len = 0;
    return 0;
}

/* Whether compressing it would have been welcome and was not done. */
static bool is_worth_a_sample(const struct http_request *r)
{
    const uint32_t wanted = HTTP_TAKES_CODING | HTTP_TEXT;
    return r->status == 200 && r->method != HTTP_HEAD &&
           (r->facts & (wanted | HTTP_CODED | HTTP_STREAM)) == wanted;
}

/* 1xx but 101 announces another response to the same request. */
static bool is_interim(const llhttp_t *parser)
{
    return parser->status_code / 100 == 1 && parser->status_code != 101;
}

static int on_response_head(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    struct http_request *r = answered(c);
    r->status = parser->status_code;
    if (is_interim(parser))
        return 0;
    c->last = llhttp_should_keep_alive(parser) == 0;
    if (is_worth_a_sample(r))
        (void)http_sample_begin(c->ctx->sample, c, c->now_us);
    bool connected = r->method == HTTP_CONNECT && r->status / 100 == 2;
    if (c->switching && c->count == 1 && (r->status == 101 || connected)) {
        c->tunnel = true;
        c->switching = false;
        finish(c, HTTP_TUNNEL);
        return HPE_PAUSED;
    }
    return r->method == HTTP_HEAD ? 1 : 0;
}

static int on_response_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conversation *c = of(parser);
    answered(c)->response_bytes += len;
    XXH64_update(&c->body, at, len);
    http_sample_add(c->ctx->sample, c, span_of(at, len));
    return 0;
}

static int on_response_whole(llhttp_t *parser)
{
    struct http_conversation *c = of(parser);
    if (is_interim(parser))
        return 0;
    bool refused = c->switching && c->count == 1; /* what asked to switch is the last one */
    finish(c, c->last ? HTTP_LAST : 0);
    if (refused)
        refuse_switch(c);
    return 0;
}

static const llhttp_settings_t response_settings = {
    .on_message_begin = on_response_begin,
    .on_header_field = on_response_name,
    .on_header_value = on_response_value,
    .on_header_value_complete = on_response_value_complete,
    .on_headers_complete = on_response_head,
    .on_body = on_response_body,
    .on_message_complete = on_response_whole,
};

/* Which response belongs to which request is lost: those that wait end here, the next ones are not
 * recorded. Whether a protocol was switched is not known either, so nothing more is read. */
static void go_blind(struct http_conversation *c)
{
    c->blind = true;
    while (c->count > 0)
        finish(c, HTTP_CUT);
    c->tunnel = c->switching;
    c->switching = false;
}

void http_from_server(struct http_conversation *c, struct span piece, int64_t now_us)
{
    if (c->tunnel || c->blind)
        return;
    c->now_us = now_us;
    llhttp_errno_t e = llhttp_execute(&c->responses, (const char *)piece.data, piece.len);
    if (e != HPE_OK && !c->tunnel)
        go_blind(c);
}

void http_server_ended(struct http_conversation *c, int64_t now_us)
{
    c->now_us = now_us;
    if (!c->tunnel && !c->blind && answered(c) != NULL)
        (void)llhttp_finish(&c->responses);
}

/* --- life --- */

void http_begin(struct http_conversation *c, struct http_context *ctx, uint64_t id)
{
    *c = (struct http_conversation){.ctx = ctx, .id = id};
    XXH64_reset(&c->body, 0);
    llhttp_init(&c->requests, HTTP_REQUEST, &request_settings);
    llhttp_init(&c->responses, HTTP_RESPONSE, &response_settings);
    c->requests.data = c;
    c->responses.data = c;
}

void http_end(struct http_conversation *c, int64_t now_us)
{
    c->now_us = now_us;
    while (c->count > 0)
        finish(c, HTTP_CUT);
    if (c->tunnel_counts)
        atomic_fetch_sub(&c->ctx->traffic->open, 1);
    c->tunnel_counts = false;
}
