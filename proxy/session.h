/*
 * A session: one client connection and the server connection made for it.
 *
 *   1. STARTUP     handshake reads start-up packets, byte-exact, from the client alone. SSLRequest
 * and GSSENCRequest are answered `N`; a CancelRequest makes the session a courier; a StartupMessage
 * is kept.
 *   2. CONNECTING  the server leg connects, without blocking. The client is not read.
 *   3. RELAYING    the start-up packet goes to the server untouched, then relay moves bytes both
 * ways and shows a copy to the tap. Whatever the tap thinks of them changes nothing here.
 *   4. LINGERING   one side is done: what is still to be written is written, the client is read and
 * ignored until it closes or a few seconds are over. Closing at once would make the kernel send
 * RST, and the client would lose the error message it was sent.
 *   5. CLOSED      on the worker's reap list; freed once per turn of the loop, so that no callback
 * of this turn meets a freed session.
 *
 * A session lives in one worker from accept to reap. Only session_set_state changes `state`.
 */
#ifndef PGSLEUTH_PROXY_SESSION_H
#define PGSLEUTH_PROXY_SESSION_H

#include "proxy/leg.h"
#include "wire/tap.h"

enum session_state {
#define SESSION_STATE(name, text) SESSION_##name,
#include "proxy/session_states.def"
#undef SESSION_STATE
};

enum close_reason {
#define CLOSE_REASON(name, id, text) CLOSE_##name = id,
#include "proxy/close_reasons.def"
#undef CLOSE_REASON
};

enum {
    /* MAX_STARTUP_PACKET_LENGTH of PostgreSQL's libpq/pqcomm.h, without the length word. */
    STARTUP_MAX = 10000,
    LINGER_S = 5,
};

struct worker;

struct session {
    struct worker *worker;
    struct session *next; /* of the worker's list, or of its reap list */
    struct session **link;
    uint64_t id;
    enum session_state state;
    enum close_reason reason;
    bool courier; /* carries a CancelRequest: no tap, the client is closed only after the server
                     closed */
    bool counted; /* against the limit of sessions */
    bool tapped;  /* `tap` was begun */
    unsigned upstream_index; /* address being tried */
    struct leg client;
    struct leg server;
    struct event timer; /* connect and linger time-outs */
    uint8_t *startup;   /* owned; the start-up packet being read or to be sent; NULL once it went */
    size_t startup_have;
    size_t startup_need; /* 4 for the length word, then the packet's length */
    char client_host[64];
    struct wire_tap tap;
};

/* Take over an accepted socket; gives NULL (and closes it) without memory. */
struct session *session_new(struct worker *w, evutil_socket_t fd, const char *client_host);

/* Close both ends, write the last records, go to the reap list. Nothing else may be done with the
 * session in this callback. Allowed in every state; the first reason stays. */
void session_close(struct session *s, enum close_reason reason);

/* Free a session from the reap list. */
void session_free(struct session *s);

/* The only place that changes `state`. */
void session_set_state(struct session *s, enum session_state state);

/* Refuse the client with a FATAL error that it will be able to read, then linger. */
void session_refuse(struct session *s, enum close_reason reason, const char sqlstate[5],
                    const char *text);

/* Wait for the client to close, for LINGER_S at most; what it still sends is ignored. */
void session_linger(struct session *s, enum close_reason reason);

/* Something was written to a lingering client: give it LINGER_S again, or end when all is said. */
void session_keep_lingering(struct session *s);

/* The client's StartupMessage or CancelRequest is complete: connect to the server. */
void session_connect(struct session *s);

#endif
