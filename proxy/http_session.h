/*
 * One HTTP client connection and the connection made for it to the application.
 *
 * Responses are forwarded before they are looked at. Requests are looked at first and then
 * forwarded unchanged, and a head goes out no sooner than it is whole and was accepted:
 * http/conversation.h says why. What is kept of a client meanwhile is one head (HTTP_HEAD_MAX) and
 * one read.
 *
 * A request that llhttp refuses is answered 400 by us, one with a larger head 431, one that the
 * application cannot be reached for 502, each after the responses that are still due, and the
 * connection is closed. A refusal in the middle of a body closes both connections at once: to
 * answer now would be to answer twice.
 *
 * With `add_traceparent` a head without one gets one: the only byte that is ever added.
 *
 * Nothing here touches sessions of PostgreSQL: they have lists, timers and limits of their own.
 */
#ifndef PGSLEUTH_PROXY_HTTP_SESSION_H
#define PGSLEUTH_PROXY_HTTP_SESSION_H

#include "http/conversation.h"
#include "proxy/address.h"
#include "proxy/http_gate.h"
#include "proxy/leg.h"

enum { HTTP_HEAD_MAX = 64 * 1024, HTTP_HEAD_S = 60 };

/* What the HTTP sessions of all workers share. */
struct http_shared {
    struct addresses listen;
    struct addresses upstream; /* the application, in the order to try */
    const char *patterns;      /* http/route.h; borrowed */
    bool add_traceparent;
    struct http_gate gate;
    struct http_traffic traffic;
    atomic_long sessions; /* open */
};

enum http_state {
#define HTTP_STATE(name) HTTP_STATE_##name,
#include "proxy/http_states.def"
#undef HTTP_STATE
};

struct worker;

struct http_bytes {
    uint8_t *data; /* owned; NULL when there are none */
    size_t len;
};

struct http_session {
    struct worker *worker;
    struct http_session *next; /* of the worker's list, or of its reap list */
    struct http_session **link;
    enum http_state state;
    uint8_t upstream; /* address that is being tried */
    bool admitted;    /* the request that is being read may be forwarded */
    bool has_gate;
    bool entered;           /* has_gate, for a request that still waits for its connection */
    bool late;              /* it waited for a held gate for too long: it goes without */
    bool said_all;          /* what the client sends now is for nobody */
    enum http_step waiting; /* HTTP_STEP_HEAD: no; else what `held` is, whose head is whole */
    int refusal;            /* status to answer when the responses before are out; 0: none */
    unsigned long ticket;   /* waits at the gate; 0: does not */
    struct leg client;
    struct leg server;
    struct event timer;
    struct http_bytes held; /* read and not yet allowed to go */
    struct http_bytes rest; /* read and not yet looked at */
    struct http_conversation http;
};

/* Take over an accepted socket; closes it when there is no memory or no place. */
void http_session_new(struct worker *w, evutil_socket_t fd);

/* Close both ends and go to the reap list. Allowed in every state. */
void http_session_close(struct http_session *s);

/* Free those on the worker's reap list. */
void http_sessions_reap(struct worker *w);

/* The gate was left: the session that has waited longest asks again. */
void http_sessions_wake(struct worker *w);

#endif
