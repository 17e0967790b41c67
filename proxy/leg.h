/*
 * One end of a session: a socket, TLS on it if it was agreed on, its two events and, only while the
 * peer does not take what it is sent, a spill buffer.
 *
 * A leg without spill owns no buffer. Bytes enter the spill when the kernel did not take them, and
 * leave it in order when the socket becomes writable; meanwhile nobody writes to the socket around
 * it.
 *
 * OpenSSL works on the kernel's socket directly. It may hold bytes that the socket's events know
 * nothing of any more: leg_has_more() and leg_kick() are about these.
 */
#ifndef PGSLEUTH_PROXY_LEG_H
#define PGSLEUTH_PROXY_LEG_H

#include "common/span.h"
#include "proxy/ledger.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <sys/types.h>

struct leg {
    evutil_socket_t fd; /* -1: not open */
    bool reading;       /* bytes are wanted: the read event is added */
    bool eof;           /* the peer will send no more */
    bool shut;          /* we will send no more */
    bool broken; /* TLS failed, or there was no memory for an event: it is as good as closed */
    bool said_good_bye;    /* the peer's TLS ended with close_notify */
    uint8_t alert;         /* the fatal TLS alert that the peer sent; 0: none */
    bool read_wants_write; /* TLS has to send something before it can read on */
    bool write_wants_read; /* and the other way round: half a message of TLS's own was read */
    SSL *ssl;              /* owned; NULL: in the clear */
    struct event read_event;
    struct event write_event;
    uint8_t *spill; /* owned; NULL when empty */
    size_t spill_at;
    size_t spill_len; /* bytes waiting, from spill_at */
    uint64_t bytes_in;
    struct ledger sent;
};

enum leg_result { LEG_OK = 0, LEG_LOST = -1, LEG_NO_MEMORY = -2, LEG_AGAIN = -3 };

/* No socket yet. */
void leg_init(struct leg *leg);

/* Small messages go out at once and a dead peer is found out, as libpq and PostgreSQL set it. Fails
 * harmlessly on Unix sockets. */
void leg_tune(evutil_socket_t fd);

/* Take over a connected, non-blocking socket. The events are made but not added. */
void leg_open(struct leg *leg, struct event_base *base, evutil_socket_t fd,
              event_callback_fn on_readable, event_callback_fn on_writable, void *context);

/* Say good-bye, remove the events, close the socket, free TLS and the spill. Allowed in every
 * state. */
void leg_close(struct leg *leg);

/* Take over a TLS connection on this socket; leg_handshake comes next. */
void leg_start_tls(struct leg *leg, SSL *ssl);

/* A step of the TLS handshake: LEG_OK when it is done; LEG_AGAIN, with the event it waits for
 * added; LEG_LOST when it failed, tls_failure() tells why. */
int leg_handshake(struct leg *leg);

/* Begin or end listening for bytes. */
void leg_read(struct leg *leg, bool on);

/* Bytes that wait in the kernel, which stay there: as leg_recv. Before TLS only. */
ssize_t leg_peek(const struct leg *leg, void *buffer, size_t size);

/* Read: bytes read, 0 at the end of the stream, LEG_AGAIN or LEG_LOST. */
ssize_t leg_recv(struct leg *leg, void *buffer, size_t size);

/* After a read of `got` bytes into `size`: whether another read at once is worth it. */
bool leg_has_more(const struct leg *leg, size_t got, size_t size);

/* Whoever stops reading before LEG_AGAIN calls this: the readable callback comes again if TLS holds
 * bytes that the socket does not show. */
void leg_kick(struct leg *leg);

/* Send now what the kernel takes; the rest goes into the spill and the write event is added. Not
 * while spilling: whoever feeds this leg stops reading its source until the spill is empty, so a
 * spill is at most one read long. */
int leg_send(struct leg *leg, struct span bytes);

/* The socket is writable: send from the spill. When it is empty it is freed and the write event
 * removed. Where reading waited for this the readable callback comes again. */
int leg_flush(struct leg *leg);

static inline bool leg_is_spilling(const struct leg *leg)
{
    return leg->spill != NULL;
}

/* Say "no more from us" once, when nothing is left to send. With `good_bye` TLS says so too: only
 * where the other leg's peer did, because bytes that PostgreSQL has not read when it closes cost
 * the client the end of its answer. */
void leg_shut(struct leg *leg, bool good_bye);

/* The peer takes nothing any more: forget what it was to be sent. */
void leg_stop_sending(struct leg *leg);

#endif
