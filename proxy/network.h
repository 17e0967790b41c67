/*
 * Where sessions are sent and with which certificates: all that a renewal may change while sessions
 * run. A network is immutable, shared by the workers, counted, and replaced as a whole.
 *
 * Route i leads from listener i to host i of the upstream: an application whose DSN lists our
 * listeners has libpq's semantics of several hosts as they are. With one listener there is one
 * host.
 */
#ifndef PGSLEUTH_PROXY_NETWORK_H
#define PGSLEUTH_PROXY_NETWORK_H

#include "proxy/tls.h"
#include "proxy/upstream.h"

struct route {
    const char *host; /* name of the server, for certificates and SNI */
    struct addresses addresses;
};

struct network_options {
    struct tls_files files;          /* texts borrowed for as long as networks are made */
    const struct upstream *upstream; /* the same */
    const struct addresses *listen;  /* as many as the upstream has hosts; the same */
};

struct network;

enum network_result {
    NETWORK_OK = 0,
    NETWORK_UNKNOWN_HOST = -1,
    NETWORK_LOOP = -2, /* a host is our own listener */
    NETWORK_TLS = -3,  /* a certificate cannot be used */
    NETWORK_NO_MEMORY = -4,
};

/* Resolve the hosts and load the certificates, or take them over from the network that is in use:
 * NETWORK_OK with one reference in *out, or another result with one line in `error`. `former` may
 * be NULL. Blocks on name servers and files. */
int network_new(const struct network_options *options, const struct network *former,
                struct network **out, char *error, size_t error_size);

struct network *network_ref(struct network *n);

/* NULL is allowed. */
void network_unref(struct network *n);

size_t network_route_count(const struct network *n);
const struct route *network_route(const struct network *n, size_t i);
const struct tls *network_tls(const struct network *n);
enum sslmode network_sslmode(const struct network *n);
bool network_tls_is_direct(const struct network *n);

#endif
