#include "proxy/admin_parts.h"

#include "common/clock.h"
#include "common/log.h"
#include "proxy/listener.h"
#include "proxy/reserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { TICK_MS = 500, RANDOM_BYTES = 16 };

/* --- connections --- */

/* evhttp gives a connection up by freeing its stream, which takes its callbacks away. */
static bool is_over(const struct admin_connection *c)
{
    bufferevent_event_cb on_event;
    bufferevent_getcb(c->stream, NULL, NULL, &on_event, NULL);
    return on_event == NULL;
}

static void forget(struct admin_connection *c)
{
    bufferevent_decref(c->stream);
    c->stream = NULL;
}

/* Nobody keeps a place by sending a byte now and then, or by reading none. */
static bool is_overdue(const struct admin_connection *c, int64_t now_us)
{
    size_t left = evbuffer_get_length(bufferevent_get_output(c->stream));
    int64_t most_s = left > 0 ? ADMIN_SEND_S : ADMIN_WAIT_S;
    return now_us - c->since_us > most_s * 1000000;
}

/* End what has to end; how many places are free. */
static size_t sweep(struct admin *a)
{
    size_t n = 0;
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < ADMIN_MAX_CONNECTIONS; i++) {
        struct admin_connection *c = &a->connections[i];
        if (c->stream != NULL && is_over(c))
            forget(c);
        else if (c->stream != NULL && is_overdue(c, now_us))
            shutdown(bufferevent_getfd(c->stream), SHUT_RDWR); /* which evhttp then reads */
        n += c->stream == NULL;
    }
    return n;
}

static void set_accepting(struct admin *a, bool on)
{
    a->paused = !on;
    for (size_t i = 0; i < a->n_doors; i++) {
        if (on)
            evconnlistener_enable(a->doors[i]);
        else
            evconnlistener_disable(a->doors[i]);
    }
}

/* A connection was accepted: its stream. NULL has evhttp make one that nobody watches over, so the
 * doors are closed before that can be. */
static struct bufferevent *on_connection(struct event_base *base, void *context)
{
    struct admin *a = context;
    size_t places = sweep(a);
    if (places <= 1 || reserve_is_in_use())
        set_accepting(a, false);
    struct bufferevent *stream = places > 0 ? bufferevent_socket_new(base, -1, 0) : NULL;
    if (stream == NULL)
        return NULL;
    size_t i = 0;
    while (a->connections[i].stream != NULL)
        i++;
    bufferevent_incref(stream);
    a->connections[i] =
        (struct admin_connection){.stream = stream, .since_us = clock_monotonic_us()};
    return stream;
}

static void on_accept_error(struct evconnlistener *listener, void *context)
{
    (void)listener;
    set_accepting(context, false); /* out of descriptors: until the next tick */
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct admin *a = context;
    if (sweep(a) > 0 && a->paused && !reserve_is_in_use())
        set_accepting(a, true);
    admin_view_tidy(&a->view, clock_monotonic_us());
}

void admin_touch(struct admin *a, struct evhttp_request *request)
{
    const struct bufferevent *stream =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    for (size_t i = 0; i < ADMIN_MAX_CONNECTIONS; i++) {
        if (a->connections[i].stream == stream)
            a->connections[i].since_us = clock_monotonic_us();
    }
}

/* --- requests: what is asked of each before a verb sees it --- */

static enum admin_method method_of(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return ADMIN_GET;
    case EVHTTP_REQ_POST:
        return ADMIN_POST;
    default:
        return ADMIN_OTHER;
    }
}

/* An absolute target names a host, too; then both must be ours. */
static bool host_is_good(const struct admin *a, struct evhttp_request *request)
{
    bool twice;
    const char *host = admin_header(request, "Host", &twice);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *named = evhttp_uri_get_host(uri);
    if (twice || !admin_host_is_allowed(&a->names, host))
        return false;
    if (named == NULL || *named == '\0')
        return true;
    char absolute[ADMIN_HOST_MAX];
    int port = evhttp_uri_get_port(uri);
    snprintf(absolute, sizeof(absolute), "%s:%d", named, port > 0 ? port : 80);
    return admin_host_is_allowed(&a->names, absolute);
}

static enum admin_role role_of(const struct admin *a, struct evhttp_request *request)
{
    bool twice;
    const char *header = admin_header(request, "Authorization", &twice);
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    if (twice)
        return ADMIN_NOBODY;
    if (header != NULL)
        return admin_role_of(&a->tokens, admin_bearer(header));
    /* A POST is never made by a link, so its token is not in one. */
    if (method_of(request) != ADMIN_GET || query == NULL)
        return ADMIN_NOBODY;
    return admin_role_of(&a->tokens, admin_query_token(query));
}

static bool may_go(const struct admin *a, const struct admin_route *route,
                   struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    enum admin_role role = role_of(a, request);
    bool twice;
    if (route->role == ADMIN_NOBODY)
        return true;
    if (role == ADMIN_NOBODY) {
        evhttp_add_header(headers, "WWW-Authenticate", "Bearer realm=\"pgsleuth\"");
        admin_refuse(request, 401, "no token, or a wrong one",
                     "send Authorization: Bearer TOKEN with a token of admin.token or "
                     "admin.read_token, or open the URL that was printed at the start");
        return false;
    }
    if (role < route->role) {
        admin_refuse(request, 403, "this token may only read", "send the token of admin.token");
        return false;
    }
    if (route->method == ADMIN_POST &&
        (!admin_origin_is_own(
             admin_header(request, "Origin", &twice),
             evhttp_find_header(evhttp_request_get_input_headers(request), "Host")) ||
         twice)) {
        admin_refuse(request, 403, "the request comes from a page of another site",
                     "send it without Origin, or from a page of this host");
        return false;
    }
    return true;
}

static void on_request(struct evhttp_request *request, void *context)
{
    struct admin *a = context;
    admin_touch(a, request);
    admin_secure(request);
    if (!host_is_good(a, request)) {
        admin_refuse(request, 421, "the Host header is not a name of this service",
                     "use the URL that was printed at the start, or add the name to admin.hosts");
        return;
    }
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const struct admin_route *route = admin_route_of(path != NULL ? path : "");
    if (route == NULL) {
        admin_refuse(request, 404, "there is nothing here", "try GET /api/v1/status");
        return;
    }
    if (method_of(request) != route->method) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow",
                          admin_method_name(route->method));
        admin_refuse(request, 405, "not with this method",
                     route->method == ADMIN_GET ? "use GET" : "use POST");
        return;
    }
    if (may_go(a, route, request))
        admin_do(a, route->verb, request);
}

/* --- start --- */

static enum exit_code usage(const char *what)
{
    log_error("%s", what);
    return EXIT_USAGE;
}

static enum exit_code check_options(const struct cfg_options *o)
{
    if (o->admin_token[0] != '\0' && !admin_token_is_good(o->admin_token))
        return usage("admin.token: 16 to 128 of A-Z a-z 0-9 . _ ~ - are a token");
    if (o->admin_read_token[0] != '\0' && !admin_token_is_good(o->admin_read_token))
        return usage("admin.read_token: 16 to 128 of A-Z a-z 0-9 . _ ~ - are a token");
    if (o->admin_token[0] != '\0' && strcmp(o->admin_token, o->admin_read_token) == 0)
        return usage("admin.read_token is admin.token; give it another one");
    if (!admin_hosts_are_good(o->admin_hosts))
        return usage("admin.hosts: it is host or host:port, with commas between them");
    return EXIT_OK;
}

/* 128 bits that nobody can guess, as text. False when the kernel has none. */
static bool make_token(char out[ADMIN_TOKEN_MAX + 1])
{
    uint8_t bytes[RANDOM_BYTES];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

static bool set_tokens(struct admin *a, const struct cfg_options *o)
{
    char token[ADMIN_TOKEN_MAX + 1] = {0};
    a->token_is_ours = o->admin_token[0] == '\0';
    bool done = !a->token_is_ours || make_token(token);
    admin_tokens_init(&a->tokens, a->token_is_ours ? token : o->admin_token, o->admin_read_token);
    OPENSSL_cleanse(token, sizeof(token));
    return done;
}

static in_port_t *port_of(struct sockaddr_storage *s)
{
    return s->ss_family == AF_INET ? &((struct sockaddr_in *)s)->sin_port
                                   : &((struct sockaddr_in6 *)s)->sin6_port;
}

static bool is_six(const struct sockaddr_storage *s, const struct in6_addr *address)
{
    return memcmp(&((const struct sockaddr_in6 *)s)->sin6_addr, address, sizeof(*address)) == 0;
}

static bool is_any(const struct sockaddr_storage *s)
{
    if (s->ss_family == AF_INET)
        return ((const struct sockaddr_in *)s)->sin_addr.s_addr == htonl(INADDR_ANY);
    return is_six(s, &in6addr_any);
}

static bool is_loopback(const struct sockaddr_storage *s)
{
    if (s->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)s)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return is_six(s, &in6addr_loopback);
}

/* The URL that a browser on this machine would use. */
static void note_address(struct admin *a, const struct sockaddr_storage *bound)
{
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    struct sockaddr_storage copy = *bound;
    bool six = bound->ss_family == AF_INET6;
    a->names.port = ntohs(*port_of(&copy));
    if (!is_any(bound))
        address_host_text((const struct sockaddr *)bound, sizeof(*bound), host, sizeof(host));
    else if (six)
        snprintf(host, sizeof(host), "::1");
    snprintf(a->url, sizeof(a->url), six ? "http://[%s]:%u/" : "http://%s:%u/", host,
             (unsigned)a->names.port);
}

static enum exit_code cannot_listen(const struct addresses *to, int error)
{
    log_error("cannot listen on %s: %s%s", to->text, strerrordesc_np(error),
              error == EADDRINUSE ? "; stop what uses it, or choose another with --admin-listen"
                                  : "");
    return EXIT_USAGE;
}

static enum exit_code no_memory(void)
{
    log_error("admin: out of memory");
    return EXIT_INTERNAL;
}

static enum exit_code open_door(struct admin *a, const struct addresses *all, struct address *to)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(bound);
    if (a->n_doors > 0) /* the port that the first one got */
        *port_of(&to->storage) = htons(a->names.port);
    int fd = listener_open_alone(to);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&bound, &len) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return cannot_listen(all, error);
    }
    struct evconnlistener *door = evconnlistener_new(
        a->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (door == NULL) {
        close(fd);
        return no_memory();
    }
    /* Made, it is enabled, but nobody says whether that went well. */
    if (evconnlistener_enable(door) != 0 || evhttp_bind_listener(a->http, door) == NULL) {
        evconnlistener_free(door);
        return no_memory();
    }
    evconnlistener_set_error_cb(door, on_accept_error);
    if (a->n_doors == 0)
        note_address(a, &bound);
    if (!is_loopback(&bound))
        log_warning("admin: other machines reach %s, and nothing there is encrypted", all->text);
    a->doors[a->n_doors++] = door;
    return EXIT_OK;
}

static enum exit_code resolve(struct admin *a, const char *text, struct addresses *to)
{
    char error[400];
    if (address_of_any_port(text, to, error, sizeof(error)) != ADDRESS_OK) {
        log_error("admin.listen: %s", error);
        return EXIT_USAGE;
    }
    if (address_is_unix(&to->items[0]))
        return usage("admin.listen: it is host:port");
    struct span host = span_of_text(text);
    while (host.len > 0 && host.data[host.len - 1] != ':')
        host.len--;
    host.len -= host.len > 0;
    if (host.len > 1 && host.data[0] == '[')
        host = span_of(host.data + 1, host.len - 2);
    snprintf(a->listen_host, sizeof(a->listen_host), "%.*s", (int)host.len,
             (const char *)host.data);
    a->names.listen = a->listen_host;
    return EXIT_OK;
}

static bool make_server(struct admin *a)
{
    const struct timeval every = {.tv_usec = TICK_MS * 1000L};
    const unsigned all = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                         EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                         EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH;
    a->http = evhttp_new(a->base);
    a->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    if (a->http == NULL || a->tick == NULL || !admin_run_init(a) || !admin_events_init(a))
        return false;
    evhttp_set_allowed_methods(a->http, (uint16_t)all); /* so that 405 is ours to say */
    evhttp_set_max_headers_size(a->http, ADMIN_HEADERS_MAX);
    evhttp_set_max_body_size(a->http, ADMIN_BODY_MAX);
    evhttp_set_timeout(a->http, ADMIN_WAIT_S);
    evhttp_set_bevcb(a->http, on_connection, a);
    evhttp_set_gencb(a->http, on_request, a);
    return event_add(a->tick, &every) == 0;
}

static enum exit_code prepare(struct admin *a, const struct cfg_options *options)
{
    struct addresses to;
    enum exit_code r = resolve(a, options->admin_listen, &to);
    if (r != EXIT_OK)
        return r;
    if (!make_server(a))
        return no_memory();
    if (!set_tokens(a, options)) {
        log_error("admin: the system gives no random bytes; set admin.token");
        return EXIT_INTERNAL;
    }
    for (size_t i = 0; r == EXIT_OK && i < to.count; i++)
        r = open_door(a, &to, &to.items[i]);
    return r;
}

enum exit_code admin_new(struct event_base *base, const struct cfg_options *options,
                         struct admin **out)
{
    *out = NULL;
    enum exit_code r = check_options(options);
    if (r != EXIT_OK || options->admin_listen[0] == '\0')
        return r;
    struct admin *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return no_memory();
    a->base = base;
    a->names.extra = options->admin_hosts;
    const struct documents documents = documents_of_options(options);
    admin_view_init(&a->view, &documents);
    r = prepare(a, options);
    if (r == EXIT_OK)
        *out = a;
    else
        admin_free(a);
    return r;
}

void admin_start(struct admin *a, const struct admin_parts *parts)
{
    if (a == NULL)
        return;
    a->parts = *parts;
    /* The one place where the token is told. Not through the log, whose level may hide it. */
    if (a->token_is_ours)
        fprintf(stderr, "pgsleuth: admin %s?token=%s\n", a->url, a->tokens.admin);
    else
        fprintf(stderr, "pgsleuth: admin %s (with the token of admin.token)\n", a->url);
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    admin_run_fini(a);
    admin_events_fini(a);
    if (a->http != NULL)
        evhttp_free(a->http);
    for (size_t i = 0; i < ADMIN_MAX_CONNECTIONS; i++) {
        if (a->connections[i].stream != NULL)
            forget(&a->connections[i]);
    }
    if (a->tick != NULL)
        event_free(a->tick);
    admin_view_fini(&a->view);
    OPENSSL_cleanse(&a->tokens, sizeof(a->tokens));
    free(a);
}
