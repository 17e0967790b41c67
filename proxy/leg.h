/*
 * One end of a session: a socket, its two events and, only while the peer does not take what it is
 * sent, a spill buffer.
 *
 * A leg without spill owns no buffer. Bytes enter the spill when the kernel did not take them, and
 * leave it in order when the socket becomes writable; meanwhile nobody writes to the socket around
 * it.
 */
#ifndef PGSLEUTH_PROXY_LEG_H
#define PGSLEUTH_PROXY_LEG_H

#include "common/span.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct leg {
    evutil_socket_t fd; /* -1: not open */
    bool reading;       /* the read event is added */
    bool eof;           /* the peer will send no more */
    bool shut;          /* we have said that we will send no more */
    struct event read_event;
    struct event write_event;
    uint8_t *spill; /* owned; NULL when empty */
    size_t spill_at;
    size_t spill_len; /* bytes waiting, from spill_at */
    uint64_t bytes_in;
};

enum leg_result { LEG_OK = 0, LEG_LOST = -1, LEG_NO_MEMORY = -2 };

/* No socket yet. */
void leg_init(struct leg *leg);

/* Take over a connected, non-blocking socket. The events are made but not added. */
void leg_open(struct leg *leg, struct event_base *base, evutil_socket_t fd,
              event_callback_fn on_readable, event_callback_fn on_writable, void *context);

/* Remove the events, close the socket, free the spill. Allowed in every state. */
void leg_close(struct leg *leg);

/* Begin or end listening for bytes. */
void leg_read(struct leg *leg, bool on);

/* Send now what the kernel takes; the rest goes into the spill and the write event is added. Not
 * while spilling: whoever feeds this leg stops reading its source until the spill is empty, so a
 * spill is at most one read long. */
int leg_send(struct leg *leg, struct span bytes);

/* The socket is writable: send from the spill. When it is empty it is freed and the write event
 * removed. */
int leg_flush(struct leg *leg);

static inline bool leg_is_spilling(const struct leg *leg)
{
    return leg->spill != NULL;
}

/* Say "no more from us" once, when nothing is left to send. */
void leg_shut(struct leg *leg);

#endif
