#include "proxy/preflight.h"

#include "common/log.h"
#include "http/route.h"
#include "proxy/documents.h"
#include "proxy/listener.h"
#include "proxy/sources.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int wait_connected(int fd, int64_t timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n = poll(&p, 1, (int)timeout_ms);
    if (n == 0)
        return ETIMEDOUT;
    int error = 0;
    socklen_t len = sizeof(error);
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

static int connect_one(const struct address *a, int64_t timeout_ms)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int r = 0;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0)
        r = errno == EINPROGRESS ? wait_connected(fd, timeout_ms) : errno;
    close(fd);
    return r;
}

int preflight_connect(const struct addresses *addresses, int64_t timeout_ms)
{
    int r = ENOENT;
    for (size_t i = 0; i < addresses->count; i++) {
        r = connect_one(&addresses->items[i], timeout_ms);
        if (r == 0)
            return 0;
    }
    return r;
}

struct tls_files preflight_tls_files(const struct cfg_options *options)
{
    return (struct tls_files){
        .cert = options->tls_cert,
        .key = options->tls_key,
        .client_ca = options->tls_client_ca,
        .only_1_3 = options->tls_min_version == 1,
    };
}

/* The kernel would hand out connections to either, and so to either server. */
static bool listeners_differ(const struct addresses *listen, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (i != j && address_is_loop(&listen[i], &listen[j])) {
                log_error("listen: %s and %s are one address; each host of the upstream needs one "
                          "of its own",
                          listen[i].text, listen[j].text);
                return false;
            }
        }
    }
    return true;
}

static enum exit_code check_addresses(const struct cfg_options *options, struct preflight *out)
{
    char error[400];
    size_t n = 0;
    if (options->upstream[0] == '\0') {
        log_error(
            "no upstream server: give --upstream postgresql://host:port, or set DATABASE_URL");
        return EXIT_USAGE;
    }
    if (address_of_listeners(options->listen, out->listen, UPSTREAM_MAX_HOSTS, &n, error,
                             sizeof(error)) != ADDRESS_OK) {
        log_error("listen: %s", error);
        return EXIT_USAGE;
    }
    if (upstream_parse(options->upstream, &out->upstream, error, sizeof(error)) != 0) {
        log_error("upstream: %s", error);
        return EXIT_USAGE;
    }
    if (n != out->upstream.n_hosts) {
        log_error("the upstream has %zu hosts and there are %zu addresses to listen on; each host "
                  "needs one of its own, in the same order: --listen host:port,host:port",
                  out->upstream.n_hosts, n);
        return EXIT_USAGE;
    }
    return listeners_differ(out->listen, n) ? EXIT_OK : EXIT_USAGE;
}

static enum exit_code check_network(const struct cfg_options *options, struct preflight *p)
{
    char error[400];
    p->network_options = (struct network_options){
        .files = preflight_tls_files(options),
        .upstream = &p->upstream,
        .listen = p->listen,
    };
    switch (network_new(&p->network_options, NULL, &p->network, error, sizeof(error))) {
    case NETWORK_OK:
        return EXIT_OK;
    case NETWORK_TLS:
        log_error("TLS: %s", error);
        return EXIT_USAGE;
    case NETWORK_NO_MEMORY:
        log_error("%s", error);
        return EXIT_INTERNAL;
    default:
        log_error("upstream: %s", error);
        return EXIT_UPSTREAM;
    }
}

static enum exit_code http_usage(const char *what)
{
    log_error("http: %s; it is LISTEN=APPLICATION, such as 127.0.0.1:8080=127.0.0.1:8000", what);
    return EXIT_USAGE;
}

static enum exit_code check_http(const struct cfg_options *options, struct preflight *p)
{
    char error[400];
    char listen[ADDRESS_TEXT];
    const char *equals = strchr(options->http, '=');
    http_gate_init(&p->http.gate, options->calibrate);
    p->http.patterns = options->http_routes;
    p->http.add_traceparent = options->http_add_traceparent;
    if (!http_patterns_are_good(options->http_routes)) {
        log_error("http_routes: each route begins with / and has at most %d bytes: "
                  "/users/{name},/files/*",
                  RECORD_ROUTE_MAX);
        return EXIT_USAGE;
    }
    if (options->http[0] == '\0') {
        if (!options->calibrate)
            return EXIT_OK;
        log_error("calibrate: there is no HTTP listener; give it one with --http");
        return EXIT_USAGE;
    }
    if (equals == NULL || (size_t)(equals - options->http) >= sizeof(listen))
        return http_usage("there is no = in it");
    snprintf(listen, sizeof(listen), "%.*s", (int)(equals - options->http), options->http);
    if (address_of_listener(listen, &p->http.listen, error, sizeof(error)) != ADDRESS_OK ||
        address_of_listener(equals + 1, &p->http.upstream, error, sizeof(error)) != ADDRESS_OK)
        return http_usage(error);
    if (address_is_loop(&p->http.listen, &p->http.upstream))
        return http_usage("pgsleuth would connect to itself");
    for (size_t i = 0; i < p->upstream.n_hosts; i++) {
        if (address_is_loop(&p->http.listen, &p->listen[i]))
            return http_usage("PostgreSQL is listened for there already");
    }
    return EXIT_OK;
}

static enum exit_code check_marks(const struct cfg_options *options, struct preflight *p)
{
    char error[400];
    if (options->marks[0] == '\0' ||
        address_of_listener(options->marks, &p->marks, error, sizeof(error)) == ADDRESS_OK)
        return EXIT_OK;
    log_error("marks: %s", error);
    return EXIT_USAGE;
}

enum exit_code preflight_listeners(const struct preflight *p)
{
    char error[512];
    for (size_t i = 0; i < p->upstream.n_hosts; i++) {
        if (listener_probe(&p->listen[i], error, sizeof(error)) != 0) {
            log_error("%s", error);
            return EXIT_USAGE;
        }
    }
    if (p->http.listen.count > 0 && listener_probe(&p->http.listen, error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* One of several servers may be down: that is what several are for. */
static enum exit_code check_servers(const struct cfg_options *options, const struct preflight *p)
{
    int r = 0;
    size_t n = network_route_count(p->network);
    for (size_t i = 0; i < n; i++) {
        const struct route *route = network_route(p->network, i);
        r = preflight_connect(&route->addresses, options->connect_timeout_ms);
        if (r == 0)
            return EXIT_OK;
    }
    log_error("upstream %s%s does not answer: %s; start PostgreSQL there or correct --upstream",
              network_route(p->network, 0)->addresses.text, n > 1 ? ", and every other," : "",
              strerrordesc_np(r));
    return EXIT_UPSTREAM;
}

static enum exit_code check_resources(const struct cfg_options *options, const struct preflight *p)
{
    char error[512];
    struct documents documents = documents_of_options(options);
    if (!sources_are_there(options->source) || !documents_are_known(&documents))
        return EXIT_USAGE;
    enum exit_code r = preflight_listeners(p);
    if (r != EXIT_OK)
        return r;
    if (documents_prepare(&documents, error, sizeof(error)) != 0) {
        log_error("%s; choose another place with --report-dir or --output", error);
        return EXIT_USAGE;
    }
    return check_servers(options, p);
}

/* First line of libpq's message without its prefix; it names user, host and database, never a
 * password. */
static void first_line(const char *message, char *out, size_t size)
{
    snprintf(out, size, "%s", message);
    out[strcspn(out, "\n")] = '\0';
}

/* A login that is refused now would be refused each time: better told at once. */
enum exit_code preflight_explain(const struct cfg_options *options, struct preflight *p)
{
    bool own = options->explain_dsn[0] != '\0';
    p->explain_dsn = own ? options->explain_dsn : p->upstream.dsn;
    if (!options->explain_enabled) {
        p->explain = RECORD_EXPLAIN_OFF;
        return EXIT_OK;
    }
    if (!upstream_url_is_complete(p->explain_dsn)) {
        p->explain = RECORD_EXPLAIN_OFF_NO_DSN;
        log_info("no plans: neither explain.dsn nor the upstream names a user and a database");
        return EXIT_OK;
    }
    p->explain = RECORD_EXPLAIN_ON;
    char timeout[32];
    snprintf(timeout, sizeof(timeout), "%lld",
             (long long)((options->connect_timeout_ms + 1999) / 1000));
    const char *keywords[] = {"gssencmode", "dbname", "connect_timeout", "application_name", NULL};
    const char *values[] = {"disable", p->explain_dsn, timeout, "pgsleuth preflight", NULL};
    PGconn *conn = PQconnectdbParams(keywords, values, 1);
    enum exit_code r = EXIT_OK;
    if (PQstatus(conn) != CONNECTION_OK) {
        char line[400];
        first_line(conn != NULL ? PQerrorMessage(conn) : "out of memory", line, sizeof(line));
        log_error("%s: %s; correct it, or pass --no-explain-enabled to audit without plans",
                  own ? "explain.dsn" : "the upstream as connection for plans", line);
        r = EXIT_UPSTREAM;
    }
    PQfinish(conn);
    return r;
}

enum exit_code preflight_network(const struct cfg_options *options, struct preflight *out)
{
    *out = (struct preflight){.explain = RECORD_EXPLAIN_OFF};
    enum exit_code r = check_addresses(options, out);
    if (r == EXIT_OK)
        r = check_http(options, out);
    if (r == EXIT_OK)
        r = check_marks(options, out);
    return r == EXIT_OK ? check_network(options, out) : r;
}

enum exit_code preflight_run(const struct cfg_options *options, struct preflight *out)
{
    enum exit_code r = preflight_network(options, out);
    if (r == EXIT_OK)
        r = check_resources(options, out);
    if (r == EXIT_OK)
        r = preflight_explain(options, out);
    return r;
}

void preflight_fini(struct preflight *p)
{
    network_unref(p->network);
    p->network = NULL;
    upstream_fini(&p->upstream);
}
