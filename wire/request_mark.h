/*
 * Request marks: what the tag helper says beside the SQL, in datagrams, of the connection it is
 * about to use:
 *
 *     client='127.0.0.1%3A54321',method='GET',request='3f2-17',route='/users/{id}'
 *
 * The form is that of a sqlcommenter comment. `client` is the connection's local address at the
 * application, by which its session is known here; `request` is an id that no two requests share.
 * Without it the connection works for no request from now on.
 */
#ifndef PGSLEUTH_WIRE_REQUEST_MARK_H
#define PGSLEUTH_WIRE_REQUEST_MARK_H

#include "wire/sql_comment.h"

enum { REQUEST_MARK_MAX = 2048 };

struct wire_request_mark {
    uint64_t peer;
    uint64_t request; /* 0: none */
    struct sql_tag tag;
};

/* False when it is no mark; then nothing is said of `out`. */
bool wire_request_mark_read(struct wire_request_mark *out, struct span datagram);

/* Name of a connection by its client's address: the same for ::ffff:127.0.0.1 and 127.0.0.1. Never
 * 0. */
uint64_t wire_peer_hash(struct span host, uint16_t port);

#endif
