/* What the admin API is made of: for proxy/admin*.c alone. */
#ifndef PGSLEUTH_PROXY_ADMIN_PARTS_H
#define PGSLEUTH_PROXY_ADMIN_PARTS_H

#include "proxy/admin.h"
#include "proxy/admin_access.h"
#include "proxy/admin_events.h"
#include "proxy/admin_view.h"

#include <event2/http.h>

enum {
    ADMIN_MAX_CONNECTIONS = 64,
    ADMIN_HEADERS_MAX = 8 * 1024,
    ADMIN_BODY_MAX = 64 * 1024,
    ADMIN_WAIT_S = 10,   /* for the rest of a request, and for the next one */
    ADMIN_SEND_S = 60,   /* for a client that takes its time to read */
    ADMIN_RUN_MS = 5000, /* for all workers to know of a new run */
};

/* A reference of our own tells when evhttp has given a connection up. */
struct admin_connection {
    struct bufferevent *stream; /* NULL: the place is free */
    int64_t since_us;           /* accepted, or its last request came */
};

struct admin {
    struct admin_parts parts;
    struct event_base *base;
    struct evhttp *http;
    struct evconnlistener *doors[ADDRESS_MAX]; /* evhttp's */
    size_t n_doors;
    bool paused; /* no connection is accepted until one has ended */
    struct event *tick;
    struct admin_connection connections[ADMIN_MAX_CONNECTIONS];
    struct admin_tokens tokens;
    struct admin_names names;
    char listen_host[ADMIN_HOST_MAX];
    char url[ADMIN_HOST_MAX + 16]; /* without the token */
    bool token_is_ours;            /* made here: it is shown */
    bool draining;
    struct evhttp_request *new_run; /* waits until the workers know; NULL: none does */
    int64_t new_run_until_us;
    struct event *new_run_look; /* timer */
    struct admin_events events;
    struct admin_view view;
};

/* --- admin.c --- */

/* The client of this request is there, and is waited for anew. */
void admin_touch(struct admin *a, struct evhttp_request *request);

/* --- admin_http.c: replies --- */

/* Send it, one line of JSON, and give the tree back; NULL, for want of memory, is 500. */
void admin_reply(struct evhttp_request *request, int code, json_t *body);

/* {"error": what, "do": what to do about it} */
void admin_refuse(struct evhttp_request *request, int code, const char *error, const char *todo);

/* What every reply says: no sniffing, no caching, nothing to load, no frame. Not the pages with
 * which evhttp refuses what never becomes a request (400, 413, 501): libevent 2.1 asks nobody about
 * those (evhttp_set_errorcb is of 2.2). They are constant and repeat nothing of what came. */
void admin_secure(struct evhttp_request *request);

/* Instead of that: what the live page may load. False without memory. */
bool admin_allow_page(struct evhttp_request *request);

/* A header that is there once; NULL without it. *twice when it is there more often. */
const char *admin_header(struct evhttp_request *request, const char *name, bool *twice);

/* --- admin_verbs.c: one function a verb, which replies --- */

void admin_do(struct admin *a, enum admin_verb verb, struct evhttp_request *request);

/* What was counted, as far as the rings are emptied. */
struct admin_figures admin_figures(const struct admin *a);

/* --- admin_run.c: begin another run, and reply when it has begun --- */

void admin_begin_run(struct admin *a, struct span name, struct evhttp_request *request);

/* {"id", "name", "started"} of the run that is audited. */
json_t *admin_run(const struct admin *a);

/* False without memory. */
bool admin_run_init(struct admin *a);
void admin_run_fini(struct admin *a);

#endif
