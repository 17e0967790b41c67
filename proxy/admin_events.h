/*
 * Who watches: replies that do not end, as server-sent events (HTML, "Server-sent events"). Each
 * gets `figures` once a second, a line of JSON, and `page`, the parts of the live page, when
 * something was seen since, no more often than every two seconds.
 *
 * Watchers share what is made for them, and cost nothing while there are none. One that does not
 * keep up misses events: nothing is kept for it but what its connection holds already.
 */
#ifndef PGSLEUTH_PROXY_ADMIN_EVENTS_H
#define PGSLEUTH_PROXY_ADMIN_EVENTS_H

#include "detectors/audit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin;
struct event;
struct evhttp_request;

enum { ADMIN_MAX_WATCHERS = 8 };

struct admin_watcher {
    struct evhttp_request *request; /* NULL: the place is free */
    int64_t page_from_us;           /* no page is sent before */
    uint64_t run;                   /* of the page sent last; 0 without one */
    struct audit_counts counts;     /* likewise */
};

struct admin_events {
    struct admin_watcher watchers[ADMIN_MAX_WATCHERS];
    struct event *tick; /* runs while somebody watches */
};

/* False without memory. */
bool admin_events_init(struct admin *a);

/* Forget all watchers, before their connections are closed. */
void admin_events_fini(struct admin *a);

/* Begin the reply to one, or refuse when there are ADMIN_MAX_WATCHERS already. */
void admin_watch(struct admin *a, struct evhttp_request *request);

#endif
