/*
 * Who may do what at the admin API: tokens, roles, the names it may be called by, the table of
 * routes. Pure: text in, verdict out.
 *
 * The list of names is what stops a web page whose own name was made to mean this machine (DNS
 * rebinding): a browser tells the name it was led by in `Host`, and no page can change that.
 */
#ifndef PGSLEUTH_PROXY_ADMIN_ACCESS_H
#define PGSLEUTH_PROXY_ADMIN_ACCESS_H

#include "common/span.h"

enum { ADMIN_TOKEN_MIN = 16, ADMIN_TOKEN_MAX = 128, ADMIN_HOST_MAX = 300 };

/* Each may do what those before it may. */
enum admin_role { ADMIN_NOBODY, ADMIN_READ, ADMIN_ADMIN };

enum admin_method {
    ADMIN_GET,
    ADMIN_POST,
    ADMIN_OTHER, /* which no route has */
};

/* Long enough, and nothing in it that a URL or a header would have to quote. */
bool admin_token_is_good(const char *text);

/* Filled with zeroes behind the text, so that all of it is compared each time. */
struct admin_tokens {
    char admin[ADMIN_TOKEN_MAX + 1];
    char read[ADMIN_TOKEN_MAX + 1];
};

/* Both are good; `read` may be empty, for none. */
void admin_tokens_init(struct admin_tokens *t, const char *admin, const char *read);

/* What this token allows; in a time that does not tell how much of it is right. */
enum admin_role admin_role_of(const struct admin_tokens *t, struct span token);

/* The token of an Authorization header, or of the query of a URL; empty without one, or when there
 * are several. NULL is allowed. */
struct span admin_bearer(const char *authorization);
struct span admin_query_token(const char *query);

struct admin_names {
    const char *listen; /* host of admin.listen, without brackets; "" for any */
    const char *extra;  /* admin.hosts */
    uint16_t port;      /* that is listened on */
};

bool admin_hosts_are_good(const char *extra);

/* Whether a Host header names us. NULL is allowed, and does not. */
bool admin_host_is_allowed(const struct admin_names *names, const char *host);

/* Whether a request with this Origin comes from a page of this host. NULL, from no page: true. */
bool admin_origin_is_own(const char *origin, const char *host);

/* A row of proxy/admin_routes.def. */
enum admin_verb {
#define ADMIN_ROUTE(method, path, role, name) ADMIN_VERB_##name,
#include "proxy/admin_routes.def"
#undef ADMIN_ROUTE
    ADMIN_VERBS
};

struct admin_route {
    enum admin_verb verb;
    enum admin_method method;
    enum admin_role role; /* the least that is asked for */
    const char *path;
};

/* The route of a path, whatever its method; NULL when there is none. Static storage. */
const struct admin_route *admin_route_of(const char *path);

/* "GET" or "POST". */
const char *admin_method_name(enum admin_method method);

#endif
