/*
 * What the upstream's URL says: one or several hosts, and how the server leg is encrypted.
 * Parameters mean what they mean in libpq (PostgreSQL manual, "Parameter Key Words"), so that the
 * server leg is never weaker than what the same URL would have given the application.
 *
 * Two differences, both on the safe side: sslmode=allow is taken as prefer, because the first try
 * in the clear that libpq makes cannot be taken back once the application's login went through it;
 * and variables such as PGSSLMODE are not read.
 */
#ifndef PGSLEUTH_PROXY_UPSTREAM_H
#define PGSLEUTH_PROXY_UPSTREAM_H

#include "proxy/address.h"

enum { UPSTREAM_MAX_HOSTS = 8 };

enum sslmode {
    SSLMODE_DISABLE,
    SSLMODE_PREFER,
    SSLMODE_REQUIRE,
    SSLMODE_VERIFY_CA,
    SSLMODE_VERIFY_FULL
};

struct upstream_host {
    char *name;    /* owned; what certificates are checked against; a folder for a Unix socket */
    char *address; /* owned; where to connect when it is not where the name points; or NULL */
    char *port;    /* owned */
};

struct upstream {
    struct upstream_host hosts[UPSTREAM_MAX_HOSTS];
    size_t n_hosts;
    enum sslmode sslmode;
    bool direct;   /* sslnegotiation=direct: TLS without an SSLRequest before it */
    bool sni;      /* name the host in the TLS handshake */
    bool complete; /* it names a user and a database: one could log in with it */
    char *user;    /* owned; NULL when the URL does not say */
    char *database;
    char *dsn; /* owned, secret: the URL as the linked libpq understands it */
    /* Owned; NULL when the URL does not say. */
    char *root_cert, *crl, *crl_dir, *cert, *key, *key_password, *min_protocol, *max_protocol;
};

/* 0, or -1 with one line in `error`, which never quotes the URL: it may hold a password. The caller
 * calls upstream_fini in both cases. */
int upstream_parse(const char *url, struct upstream *out, char *error, size_t error_size);

/* The host's addresses now. Results as of address_of_host; may block on a name server. */
int upstream_resolve(const struct upstream_host *host, struct addresses *out, char *error,
                     size_t error_size);

/* True when the answer of upstream_resolve may change for any host. */
bool upstream_has_names(const struct upstream *u);

void upstream_fini(struct upstream *u);

/* True when the URL names a user and a database, so that one could log in with it. */
bool upstream_url_is_complete(const char *url);

#endif
