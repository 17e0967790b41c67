/*
 * What is proved before anything starts, so that nothing runs half-configured: each check gives an
 * exit code and, when it fails, one line that says what, where and what to do.
 */
#ifndef PGSLEUTH_PROXY_PREFLIGHT_H
#define PGSLEUTH_PROXY_PREFLIGHT_H

#include "proxy/app.h"
#include "proxy/http_session.h"
#include "proxy/network.h"
#include "wire/record.h"

struct preflight {
    struct addresses listen[UPSTREAM_MAX_HOSTS]; /* one for each host of the upstream */
    struct upstream upstream;
    struct network_options network_options; /* borrows from this struct and from the options */
    struct network *network;                /* one reference */
    struct addresses marks;                 /* of none without request marks */
    struct http_shared http;                /* its `upstream` has none without an HTTP listener */
    const char *explain_dsn;                /* borrowed from the options, or from `upstream` */
    enum record_explain_state explain;
};

/* EXIT_OK, or the code to end with; the line has been logged. preflight_fini in both cases. `out`
 * must not move: parts of it point at others. */
enum exit_code preflight_run(const struct cfg_options *options, struct preflight *out);

void preflight_fini(struct preflight *p);

/* The steps of preflight_run, for who wants to go on after a failure: options, addresses and
 * certificates; whether the listeners are free; the login for plans. */
enum exit_code preflight_network(const struct cfg_options *options, struct preflight *out);
enum exit_code preflight_listeners(const struct preflight *p);
enum exit_code preflight_explain(const struct cfg_options *options, struct preflight *p);

/* What the options say of the client leg's TLS. Borrows from them. */
struct tls_files preflight_tls_files(const struct cfg_options *options);

/* Connect to one of the addresses within the time: 0, or an errno. */
int preflight_connect(const struct addresses *addresses, int64_t timeout_ms);

#endif
