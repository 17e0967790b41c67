#include "proxy/network.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct network {
    atomic_uint refs;
    enum sslmode sslmode;
    bool direct;
    struct tls *tls; /* one reference */
    size_t n_routes;
    struct route routes[UPSTREAM_MAX_HOSTS];
};

static int resolve_all(const struct network_options *o, struct network *n, char *error,
                       size_t error_size)
{
    for (; n->n_routes < o->upstream->n_hosts; n->n_routes++) {
        struct route *route = &n->routes[n->n_routes];
        route->host = o->upstream->hosts[n->n_routes].name;
        if (upstream_resolve(&o->upstream->hosts[n->n_routes], &route->addresses, error,
                             error_size) != ADDRESS_OK)
            return NETWORK_UNKNOWN_HOST;
        for (size_t i = 0; i < o->upstream->n_hosts; i++) {
            if (address_is_loop(&o->listen[i], &route->addresses)) {
                snprintf(error, error_size, "%s is pgsleuth's own listener; point it at PostgreSQL",
                         route->addresses.text);
                return NETWORK_LOOP;
            }
        }
    }
    return NETWORK_OK;
}

int network_new(const struct network_options *options, const struct network *former,
                struct network **out, char *error, size_t error_size)
{
    struct network *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        snprintf(error, error_size, "out of memory");
        return NETWORK_NO_MEMORY;
    }
    atomic_init(&n->refs, 1);
    n->sslmode = options->upstream->sslmode;
    n->direct = options->upstream->direct;
    int r = resolve_all(options, n, error, error_size);
    if (r == NETWORK_OK) {
        n->tls = former != NULL ? tls_ref(former->tls)
                                : tls_new(&options->files, options->upstream, error, error_size);
        r = n->tls != NULL ? NETWORK_OK : NETWORK_TLS;
    }
    if (r != NETWORK_OK) {
        network_unref(n);
        return r;
    }
    *out = n;
    return NETWORK_OK;
}

struct network *network_ref(struct network *n)
{
    atomic_fetch_add(&n->refs, 1);
    return n;
}

void network_unref(struct network *n)
{
    if (n == NULL || atomic_fetch_sub(&n->refs, 1) > 1)
        return;
    tls_unref(n->tls);
    free(n);
}

size_t network_route_count(const struct network *n)
{
    return n->n_routes;
}

const struct route *network_route(const struct network *n, size_t i)
{
    return &n->routes[i];
}

const struct tls *network_tls(const struct network *n)
{
    return n->tls;
}

enum sslmode network_sslmode(const struct network *n)
{
    return n->sslmode;
}

bool network_tls_is_direct(const struct network *n)
{
    return n->direct;
}
