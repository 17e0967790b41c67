/*
 * A session: one client connection and the server connection made for it.
 *
 *   1. STARTUP     handshake_client reads start-up packets, byte-exact, from the client alone, and
 *      answers requests for encryption; with a certificate TLS begins (ACCEPTING_TLS) and start-up
 *      packets are read again, inside it. A CancelRequest makes the session a courier.
 *   2. CONNECTING  handshake_server connects the server leg, without blocking, and encrypts it
 *      (ASKING_TLS, STARTING_TLS) if the upstream's sslmode says so. The client is not read.
 *   3. AUTHENTICATING  where TLS on the server leg makes the difference, handshake_auth looks at
 *      the server's offer of SASL mechanisms and at the client's choice.
 *   4. RELAYING    relay moves bytes both ways and shows a copy to the tap. Whatever the tap thinks
 *      of them changes nothing here.
 *   5. LINGERING   the server is done, or the client was refused: what is still to be written is
 *      written, the client is read and ignored until it closes or a few seconds are over. Closing
 *      at once would make the kernel send RST, and the client would lose the error it was sent.
 *   6. CLOSED      on the worker's reap list; freed once per turn of the loop, so that no callback
 *      of this turn meets a freed session.
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
    LINGER_S = 5,
    STARTUP_S = 60, /* authentication_timeout of PostgreSQL, which bounds the same phase there */
};

struct worker;

/* A packet read exactly, or kept until it can be sent. */
struct packet {
    uint8_t *data; /* owned; NULL when there is none */
    size_t have;
    size_t need;
};

struct session {
    struct worker *worker;
    struct session *next; /* of the worker's list, or of its reap list */
    struct session **link;
    uint64_t id;
    enum session_state state;
    enum close_reason reason;
    uint8_t route;    /* the listener it came in by, and so the server it goes to */
    uint8_t upstream; /* address of the route that is being tried */
    bool courier;     /* carries a CancelRequest: no tap, the client is closed only after the server
                         closed */
    bool counted;     /* against the limit of sessions */
    bool tapped;      /* `tap` was begun */
    bool asked_tls;   /* the client's SSLRequest was answered */
    bool asked_gss;   /* the client's GSSENCRequest was answered */
    bool direct_tls;  /* the client began with TLS at once */
    bool clear_upstream; /* TLS was optional and failed: go on without, at this address */
    bool watch_client;   /* AUTHENTICATING: the client's next message tells its channel binding */
    bool cut_short;      /* the server's TLS ended without a word: so does the client's */
    bool answered;       /* we spoke for the server: the byte ledger does not balance */
    struct leg client;
    struct leg server;
    struct event timer;   /* start-up, connect and linger time-outs; looking after a stalled leg */
    struct packet packet; /* start-up packet, then messages of the login; empty while relaying */
    struct ledger from_client; /* what the server was to be sent */
    struct ledger from_server; /* what the client was to be sent */
    char client_host[64];
    uint64_t peer; /* wire_peer_hash() of the client; 0 when nobody asks */
    struct wire_tap tap;
};

/* Take over an accepted socket; gives NULL (and closes it) without memory. */
struct session *session_new(struct worker *w, evutil_socket_t fd, size_t route,
                            const char *client_host, uint64_t peer);

/* Take over a socket that connects to the server. */
void session_open_server(struct session *s, evutil_socket_t fd);

/* Close both ends, write the last records, go to the reap list. Nothing else may be done with the
 * session in this callback. Allowed in every state; the first reason stays. */
void session_close(struct session *s, enum close_reason reason);

/* Free a session from the reap list. */
void session_free(struct session *s);

/* The only place that changes `state`. */
void session_set_state(struct session *s, enum session_state state);

/* Why a client is refused, in the words it will read. */
struct refusal {
    enum close_reason reason;
    const char *sqlstate; /* five characters */
    const char *text;
    const char *hint; /* or NULL */
};

/* Refuse the client with a FATAL error that it will be able to read, then linger. */
void session_refuse(struct session *s, const struct refusal *why);

/* Wait for the client to close, for LINGER_S at most; what it still sends is ignored. */
void session_linger(struct session *s, enum close_reason reason);

/* Something was written to a lingering client: give it LINGER_S again, or end when all is said. */
void session_keep_lingering(struct session *s);

/* (Re)start the session's one timer. */
void session_set_timer(struct session *s, int64_t ms);

/* Read on until packet->need bytes are there: LEG_OK, LEG_AGAIN, or LEG_LOST at an error or the end
 * of the stream, which the next read finds again. Never reads past them. */
int packet_fill(struct packet *packet, struct leg *leg);

/* Room for `need` bytes, keeping what is there. False without memory. */
bool packet_expect(struct packet *packet, size_t need);

void packet_free(struct packet *packet);

#endif
