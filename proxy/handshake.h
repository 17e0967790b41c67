/*
 * The start-up phase: the only code that answers for the server or alters what it says. In three
 * parts, in the order a session goes through them.
 *
 *   handshake_client  start-up packets, read byte-exact: never a byte past the packet that is
 *                     expected, so that nothing is in our hands that was sent before encryption was
 *                     agreed (CVE-2021-23214 and its kin). SSLRequest and direct TLS.
 *   handshake_server  the server leg: its addresses one after the other, SSLRequest (one byte is
 *                     read for its answer, CVE-2021-23222), TLS, then the client's packet.
 *   handshake_auth    SCRAM through two TLS connections. Where the client's leg has no TLS, libpq
 *                     would not go on when it is offered SCRAM-SHA-256-PLUS: the offer is taken
 *                     out, the one thing that is ever rewritten. Where both have TLS with different
 *                     certificates, a login that is bound to ours cannot succeed: it is refused
 *                     with words that tell the ways out.
 *
 * Any 3.x version, and any other, is forwarded untouched: the server words its own refusals. See
 * "Start-up" and "SASL Authentication" in the PostgreSQL manual, and backend_startup.c.
 */
#ifndef PGSLEUTH_PROXY_HANDSHAKE_H
#define PGSLEUTH_PROXY_HANDSHAKE_H

#include "proxy/session.h"

/* STARTUP, ACCEPTING_TLS: the client's leg can be read or written. */
void handshake_client_ready(struct session *s);

/* The client's StartupMessage or CancelRequest is complete: connect to the server. */
void handshake_server_begin(struct session *s);

/* CONNECTING, ASKING_TLS, STARTING_TLS: the server's leg can be read or written; it took too long.
 */
void handshake_server_ready(struct session *s);
void handshake_server_timeout(struct session *s);

/* The server's leg was lost: true when nothing had come from it that tells the client why, and the
 * client was told in its place. */
bool handshake_server_lost(struct session *s);

/* Whether the login has to be looked at; asked when both legs are up. */
bool handshake_auth_is_needed(const struct session *s);

/* AUTHENTICATING. */
void handshake_auth_client_readable(struct session *s);
void handshake_auth_server_readable(struct session *s);

#endif
