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
    ROUTE_STATUS_CLASSES = 6,    /* 0 for none, 1xx to 5xx */
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
    struct histogram first_us;
    struct histogram total_us;
};

struct routes {
    struct arena *arena;
    struct map64 by_key;
    struct map64 segments; /* a segment at its place -> its place (struct place) */
    uint64_t overflowed;   /* requests whose route found no room */
};

void routes_init(struct routes *r, struct arena *arena);
void routes_fini(struct routes *r);

/* Count a request; its route, or NULL when there is no room for a new one. */
struct http_route *routes_add(struct routes *r, const struct record_http *http);

#endif
