/*
 * Trying a server out, as a session would: connect, encrypt as the upstream's URL says, and look at
 * the first thing the server asks of a login. Blocks, within a time-out for each step; for the
 * command line only.
 */
#ifndef PGSLEUTH_PROXY_PROBE_H
#define PGSLEUTH_PROXY_PROBE_H

#include "proxy/network.h"

enum { PROBE_TEXT = 256 };

enum probe_login {
    PROBE_NOT_ASKED, /* no user was named */
    PROBE_TRUST,
    PROBE_CLEARTEXT,
    PROBE_MD5,
    PROBE_SCRAM,
    PROBE_OTHER_METHOD,
    PROBE_REFUSED, /* sqlstate and message tell */
    PROBE_NO_POSTGRESQL,
};

struct probe {
    int connect_error; /* errno; 0 when connected */
    bool tls;
    char tls_error[PROBE_TEXT]; /* not empty: TLS failed, and was asked for */
    char tls_version[16];
    char subject[PROBE_TEXT]; /* of the server's certificate */
    int days_left;            /* until it ends; negative when it has */
    bool same_certificate;    /* as the one shown to clients */
    bool can_bind;            /* clients can bind a login to it */
    enum probe_login login;
    bool offers_plus; /* SCRAM-SHA-256-PLUS */
    char sqlstate[6];
    char message[PROBE_TEXT]; /* of the server, its control bytes replaced */
};

/* Try the first address of a route that answers. `user` NULL: no login is begun. */
void probe_server(const struct network *n, size_t route, const char *user, const char *database,
                  int64_t timeout_ms, struct probe *out);

#endif
