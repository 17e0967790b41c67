/*
 * The start-up phase, read byte-exact: never a byte past the packet that is expected, so that
 * nothing is in our hands that was sent before encryption was agreed (CVE-2021-23214 and its kin).
 * The only place that answers for the server.
 *
 * Any 3.x version, and any other, is forwarded untouched: the server words its own refusals. See
 * "Start-up" in the PostgreSQL manual's "Message Flow", and backend_startup.c,
 * ProcessStartupPacket.
 */
#ifndef PGSLEUTH_PROXY_HANDSHAKE_H
#define PGSLEUTH_PROXY_HANDSHAKE_H

#include "proxy/session.h"

/* The client leg is readable in state STARTUP. */
void handshake_readable(struct session *s);

/* Who a StartupMessage says the client is. Spans look into the packet; absent ones are empty. */
struct handshake_info {
    uint32_t version;
    struct span user;
    struct span database;
    struct span application;
};

struct handshake_info handshake_read(struct span packet);

#endif
