/*
 * Move bytes between the two legs of a session: forward first, then show the tap a copy from the
 * same memory.
 *
 * While one leg spills, the other is not read; the two directions stall independently, because a
 * client may write megabytes of a pipeline while the server already answers. An end of stream is
 * passed on as one when everything before it was written; the other direction goes on.
 */
#ifndef PGSLEUTH_PROXY_RELAY_H
#define PGSLEUTH_PROXY_RELAY_H

#include "proxy/session.h"

void relay_client_readable(struct session *s);
void relay_server_readable(struct session *s);

/* A leg with a spill can be written to again. */
void relay_client_writable(struct session *s);
void relay_server_writable(struct session *s);

/* Pass on bytes that were read from one leg, and show them to the tap. False when no more should be
 * read from it now: the other leg spills or is gone. */
bool relay_forward(struct session *s, struct leg *from, struct leg *to, struct span bytes);

/* The session's timer: a client that is not read, because the server does not take more, may be
 * gone. */
void relay_check_stalled(struct session *s);

#endif
