/*
 * The routes that HTTP requests were seen on, with what HTTP alone tells of each: how often, how it
 * was answered, how long it took.
 *
 * The worker has replaced what looks like a value (http/route.h). What is left may still be one: a
 * name of a person reads like a word. Where more than ROUTES_MAX_CHILDREN different segments were
 * seen at one place of a path, further ones are taken together as "{name}". A request that the
 * application did not know (404) makes no route of its own: scanners would fill the table.
 *
 * Owner: the audit; routes live in its arena and never go away.
 */
#ifndef PGSLEUTH_DETECTORS_ROUTES_H
#define PGSLEUTH_DETECTORS_ROUTES_H

#include "common/arena.h"
#include "common/histogram.h"
#include "common/map64.h"
#include "wire/record.h"

enum {
    ROUTES_MAX = 2000,
    ROUTES_MAX_CHILDREN = 64,
    ROUTES_MAX_SEGMENTS = 16384, /* remembered, at all places together */
    ROUTES_MAX_TARGETS = 16384,  /* whose last body is remembered, of all routes together */
    ROUTE_STATUS_CLASSES = 6,    /* 0 for none, 1xx to 5xx */
};

struct endpoint;

/* Bodies that the client would have taken compressed, whose kind becomes smaller, and that were
 * sent as they are. */
struct route_coding {
    uint64_t plain;
    uint64_t plain_bytes;
    uint64_t coded; /* and those that were compressed */
    uint64_t samples;
    uint64_t sampled_bytes; /* of the samples, before and after */
    uint64_t compressed_bytes;
};

/* Answers to GET that a cache could keep: 200 and 304, without no-store. */
struct route_caching {
    uint64_t answers;
    uint64_t bytes;
    uint64_t not_modified; /* 304 */
    uint64_t validators;   /* with ETag or Last-Modified */
    uint64_t lasting;      /* that may be used again for a time */
    uint64_t repeated;     /* with the body that was sent before for the same target */
    uint64_t repeated_bytes;
    uint64_t repeated_us;
    uint64_t leaks; /* `public`, though it sets a cookie or was asked for with Authorization */
};

struct route_connections {
    uint64_t first;          /* requests that were the first of their connection */
    uint64_t closed;         /* that the application closed behind its answer, unasked */
    uint64_t client_closing; /* whose client asked to close */
};

struct http_route {
    uint64_t key;
    const char *method;
    const char *route;
    uint64_t requests;
    uint64_t alone; /* of these, in flight by themselves */
    uint64_t cut;   /* connection ended before the response did */
    uint64_t by_status[ROUTE_STATUS_CLASSES];
    uint64_t request_bytes;
    uint64_t response_bytes;
    uint64_t limited;     /* answered 429 */
    uint64_t limits_told; /* answers with RateLimit and its like */
    struct route_coding coding;
    struct route_caching caching;
    struct route_connections connections;
    struct histogram first_us;
    struct histogram total_us;
    struct endpoint *endpoint; /* of its requests; NULL without room */
    struct http_route *next;   /* in order of first sight */
};

struct routes {
    struct arena *arena;
    struct map64 by_key;
    struct map64 segments; /* a segment at its place -> its place (struct place) */
    struct map64 targets;  /* a target -> its last body */
    struct http_route *first;
    struct http_route **end;
    uint64_t overflowed;   /* requests whose route found no room */
    uint64_t lost_targets; /* answers whose target found no room */
};

void routes_init(struct routes *r, struct arena *arena);
void routes_fini(struct routes *r);

/* Count a request; its route, or NULL when there is no room for a new one. */
struct http_route *routes_add(struct routes *r, const struct record_http *http);

/* The route that a request which begins will most likely be counted at; NULL when it was never
 * seen.
 */
struct http_route *routes_expect(const struct routes *r, const struct record_http_begin *http);

/* Share of the bytes sent that compression or a validator would have saved, 0..1. Bodies that were
 * not sampled count as small as those that were. */
double routes_transfer_waste(const struct http_route *route);

/* What is left of a byte that is compressed, by the samples, 0..1; 1 without any. */
double routes_compressed(const struct http_route *route);

#endif
