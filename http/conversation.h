/*
 * One HTTP/1.1 connection, read: requests are paired with their responses, and each pair becomes a
 * RECORD_HTTP. Sans-I/O: bytes and the time come in, records go into the worker's ring.
 *
 * What may be forwarded and what is only looked at are different for the two directions:
 *
 *   * Responses are forwarded first and shown second, whatever they are. One that llhttp refuses
 *     makes the connection unpaired (`blind`): its requests are relayed on without records.
 *   * Requests are parsed BEFORE they are forwarded, unchanged, from the same memory, because a
 *     request that the parser and the application could read differently (request smuggling) must
 *     not reach the application at all. A request is forwarded no sooner than its head is whole and
 *     was accepted; so the head of a refused request is never forwarded, not even half of it. A
 *     body is forwarded piece by piece: one with a bad chunk is cut off before the piece that holds
 *     it, and the connection to the application is closed, which tells it that the body is not
 * whole.
 *
 * A request that asks for another protocol (Upgrade, CONNECT) holds back what follows it until the
 * application has answered: 101, or 2xx to CONNECT, makes the connection a tunnel, opaque for as
 * long as it lives; any other answer leaves it HTTP.
 *
 * Owner: the session. Everything is of fixed size: HTTP_MAX_PIPELINED requests may wait for their
 * responses, the next one is not read before there is room.
 */
#ifndef PGSLEUTH_HTTP_CONVERSATION_H
#define PGSLEUTH_HTTP_CONVERSATION_H

#include "common/hash.h"
#include "common/ring.h"
#include "http/sample.h"
#include "wire/record.h"

#include <llhttp/llhttp.h>
#include <stdatomic.h>

enum {
    HTTP_MAX_PIPELINED = 8,
    HTTP_TARGET_MAX = 1024, /* of a request target, what is looked at for its route */
    HTTP_NAME_MAX = 24,     /* of a header's name: longer than those that are read */
    HTTP_VALUE_MAX = 120,
};

/* A header as far as it was read. */
struct http_header {
    uint8_t name_len;
    uint8_t value_len;
    char name[HTTP_NAME_MAX];
    char value[HTTP_VALUE_MAX];
};

/* What all workers count together: whether a request was ever beside another one. */
struct http_traffic {
    atomic_ulong begun;
    atomic_ulong open;
};

/* What the conversations of a worker share. Everything is borrowed. */
struct http_context {
    struct ring *ring;
    struct http_traffic *traffic;
    struct http_sample *sample; /* or NULL */
    const char *patterns;       /* http/route.h */
    uint64_t next_request;      /* ids given so far; begins at a number of the worker's own */
};

/* A request whose response is not over. */
struct http_request {
    uint64_t id; /* 0: not admitted yet */
    uint64_t trace;
    uint64_t target;
    int64_t start_us;
    int64_t first_us; /* of the response; 0 before it */
    uint64_t request_bytes;
    uint64_t response_bytes;
    unsigned long others; /* in flight when it began */
    unsigned long begun;  /* requests begun, with this one, when it began */
    uint32_t facts;       /* of enum record_http_facts */
    uint8_t method;       /* llhttp_method_t */
    bool first;           /* of the connection */
    uint16_t status;
    uint16_t route_len;
    char route[RECORD_ROUTE_MAX];
};

struct http_conversation {
    struct http_context *ctx;
    uint64_t id; /* of the connection */
    int64_t now_us;
    llhttp_t requests;
    llhttp_t responses;
    struct http_request queue[HTTP_MAX_PIPELINED];
    unsigned first; /* of the queue: what the next response answers */
    unsigned count;
    bool in_head;   /* of a request: begun and not whole */
    bool in_body;   /* of the request that is last in the queue */
    bool switching; /* a request for another protocol waits for its answer */
    bool tunnel;
    bool tunnel_counts; /* it is in flight: while it lives nothing is known to be alone */
    bool early;         /* the request that ended last was answered before its end */
    bool blind;         /* a response could not be read */
    bool target_cut;
    bool begun; /* some request was admitted */
    bool last;  /* the response that is read is the last one of its connection */
    uint16_t target_len;
    uint32_t facts; /* of the request whose head is read */
    uint64_t trace;
    XXH64_state_t body; /* of the response that is read */
    struct http_header request_header;
    struct http_header response_header;
    char target[HTTP_TARGET_MAX];
};

void http_begin(struct http_conversation *c, struct http_context *ctx, uint64_t id);

/* The connection is over: requests without a whole response end as they are. */
void http_end(struct http_conversation *c, int64_t now_us);

enum http_step {
    HTTP_STEP_HEAD,   /* all was taken and a head is not whole: keep the bytes */
    HTTP_STEP_BODY,   /* all was taken; forward it, more of this request follows */
    HTTP_STEP_WHOLE,  /* the request ends here: forward what was taken */
    HTTP_STEP_SWITCH, /* as WHOLE, and nothing more may be shown before http_is_switching ends */
    HTTP_STEP_AFTER,  /* bytes after the last request of the connection: nobody would read them */
    HTTP_STEP_BAD,    /* refuse: forward nothing of this piece */
};

/* Read on in the requests, to the end of one at most: what became of it, and how many bytes of the
 * piece belong to that. Only while http_has_room. */
enum http_step http_from_client(struct http_conversation *c, struct span piece, int64_t now_us,
                                size_t *taken);

/* Whether another request fits into the queue and may be looked at. */
bool http_has_room(const struct http_conversation *c);

/* The request whose head was just completed goes to the application now. */
void http_admit(struct http_conversation *c, int64_t now_us);

/* Whether that request came without a valid traceparent. http_set_trace gives it one that was
 * added; before http_admit. */
bool http_lacks_trace(const struct http_conversation *c);
void http_set_trace(struct http_conversation *c, uint64_t trace);

/* Look at what the application answered. */
void http_from_server(struct http_conversation *c, struct span piece, int64_t now_us);

/* The application closed: ends a response that has no other end. */
void http_server_ended(struct http_conversation *c, int64_t now_us);

/* Requests that were admitted and wait for the end of their response. */
unsigned http_outstanding(const struct http_conversation *c);

#endif
