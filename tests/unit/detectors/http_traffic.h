/* Requests as the HTTP listener records them, for tests that stand on traffic.h. */
#ifndef PGSLEUTH_TESTS_HTTP_TRAFFIC_H
#define PGSLEUTH_TESTS_HTTP_TRAFFIC_H

#include "traffic.h"

struct http {
    const char *method; /* NULL: GET */
    const char *route;
    uint16_t status; /* 0: 200 */
    uint16_t flags;
    uint32_t facts;
    uint64_t target;
    uint64_t body;
    uint64_t bytes;
    uint32_t sampled;
    uint32_t compressed;
    uint32_t first_us; /* 0: half of the time it took */
};

static inline uint64_t http_begin_request(struct traffic *t, const struct http *about)
{
    static uint64_t last;
    const char *method = about->method != NULL ? about->method : "GET";
    struct record_http_begin *r = (void *)t->out.bytes;
    uint64_t id = ++last;
    r->request = id;
    r->time_us = t->now_us;
    r->method_len = (uint16_t)strlen(method);
    r->route_len = (uint16_t)strlen(about->route);
    size_t tail = traffic_tail(t, sizeof(*r), 0, method, r->method_len);
    tail = traffic_tail(t, sizeof(*r), tail, about->route, r->route_len);
    traffic_send(t, RECORD_HTTP_BEGIN, sizeof(*r), tail);
    return id;
}

static inline void http_end_request(struct traffic *t, uint64_t id, int64_t start_us,
                                    const struct http *about)
{
    const char *method = about->method != NULL ? about->method : "GET";
    struct record_http *r = (void *)t->out.bytes;
    r->request = id;
    r->start_us = start_us;
    r->total_us = (uint32_t)(t->now_us - start_us);
    r->first_us = about->first_us != 0 ? about->first_us : r->total_us / 2;
    r->status = about->status != 0 ? about->status : 200;
    r->http_flags = about->flags;
    r->facts = about->facts;
    r->target = about->target;
    r->body = about->body;
    r->response_bytes = about->bytes;
    r->sampled = about->sampled;
    r->compressed = about->compressed;
    r->method_len = (uint16_t)strlen(method);
    r->route_len = (uint16_t)strlen(about->route);
    size_t tail = traffic_tail(t, sizeof(*r), 0, method, r->method_len);
    tail = traffic_tail(t, sizeof(*r), tail, about->route, r->route_len);
    traffic_send(t, RECORD_HTTP, sizeof(*r), tail);
}

/* A request of 10 ms without a statement. */
static inline void http_request(struct traffic *t, const struct http *about)
{
    int64_t start_us = t->now_us;
    uint64_t id = http_begin_request(t, about);
    traffic_wait(t, 10);
    http_end_request(t, id, start_us, about);
    traffic_wait(t, 10);
}

#endif
