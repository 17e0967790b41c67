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

#endif
