/*
 * Which request the application says a connection works for (wire/request_mark.h).
 *
 * A mark counts for the statements that follow it on its connection, up to the next one. It came
 * before the statement was read, and the next one comes after the reply was sent; but when the
 * reply was sent is known only to the worker's next look at the clock, which may be late.
 *
 * Marks come by the client's address, for a session may be announced after its first mark. Where
 * some were lost, no connection is known to work for any request until its next mark: a statement
 * then has no name from here, rather than a wrong one.
 */
#ifndef PGSLEUTH_DETECTORS_REQUEST_MARKS_H
#define PGSLEUTH_DETECTORS_REQUEST_MARKS_H

#include "common/map64.h"
#include "wire/record.h"

enum {
    REQUEST_MARKS_MAX_PEERS = 16384,
    REQUEST_MARKS_LOSSES = 16,
    /* Those whose statements are still on their way here. Past either the oldest of a connection
       go. */
    REQUEST_MARKS_OF_PEER = 1024,
    REQUEST_MARKS_MAX = 256 * 1024,
};

struct tag;
struct marked_peer;

struct request_mark {
    uint64_t request; /* 0: none */
    uint64_t trace;   /* of its HTTP request; 0 when that is not known */
    const struct tag *tag;
};

struct request_marks {
    struct map64 by_peer;
    struct map64 by_session;    /* the same, borrowed */
    size_t room;                /* for marks, of all connections */
    struct marked_peer *oldest; /* those without a session, by their last mark */
    struct marked_peer *newest;
    int64_t losses_us[REQUEST_MARKS_LOSSES]; /* a ring; what came before the oldest is forgotten */
    uint64_t lost;                           /* times that marks were lost, here or on their way */
    uint64_t named;                          /* exchanges */
};

void request_marks_init(struct request_marks *m);
void request_marks_fini(struct request_marks *m);

/* A session begins at this address. */
void request_marks_peer(struct request_marks *m, const struct record_peer *r);

/* `tag` is that of the record, or NULL. */
void request_marks_add(struct request_marks *m, const struct record_request *r,
                       const struct tag *tag);

/* The mark that counts for this exchange; all zero without one. To be asked when the record comes
 * in. */
struct request_mark request_marks_find(struct request_marks *m, const struct record_exchange *r);

void request_marks_end(struct request_marks *m, const struct record_session_end *r);

#endif
