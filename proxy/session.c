#include "proxy/session.h"

#include "proxy/handshake.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- state --- */

/* Which states may follow which. */
static bool may_follow(enum session_state from, enum session_state to)
{
    switch (to) {
    case SESSION_STARTUP:
        return false;
    case SESSION_CONNECTING:
        return from == SESSION_STARTUP;
    case SESSION_RELAYING:
        return from == SESSION_CONNECTING;
    case SESSION_LINGERING:
        return from != SESSION_LINGERING && from != SESSION_CLOSED;
    case SESSION_CLOSED:
        return from != SESSION_CLOSED;
    }
    return false;
}

void session_set_state(struct session *s, enum session_state state)
{
    assert(may_follow(s->state, state));
    s->state = state;
}

/* --- events --- */

static void on_client_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_STARTUP)
        handshake_readable(s);
    else if (s->state != SESSION_CLOSED)
        relay_client_readable(s);
}

static void on_client_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state != SESSION_CLOSED)
        relay_client_writable(s);
}

static void on_server_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_RELAYING)
        relay_server_readable(s);
}

static void connect_finished(struct session *s);

static void on_server_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_CONNECTING)
        connect_finished(s);
    else if (s->state == SESSION_RELAYING)
        relay_server_writable(s);
}

static void connect_failed(struct session *s, int error);

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_CONNECTING)
        connect_failed(s, ETIMEDOUT);
    else if (s->state == SESSION_LINGERING)
        session_close(s, s->reason);
}

static void set_timer(struct session *s, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(&s->timer, &tv);
}

/* Small messages go out at once and a dead peer is found out, as libpq and PostgreSQL set it. Fails
 * harmlessly on Unix sockets. */
static void tune(evutil_socket_t fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* --- life --- */

struct session *session_new(struct worker *w, evutil_socket_t fd, const char *client_host)
{
    struct session *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return NULL;
    }
    s->worker = w;
    s->id = (uint64_t)w->index << 48 | ++w->next_session;
    snprintf(s->client_host, sizeof(s->client_host), "%s", client_host);
    leg_init(&s->client);
    leg_init(&s->server);
    tune(fd);
    leg_open(&s->client, w->base, fd, on_client_readable, on_client_writable, s);
    evtimer_assign(&s->timer, w->base, on_timer, s);
    s->next = w->sessions;
    s->link = &w->sessions;
    if (s->next != NULL)
        s->next->link = &s->next;
    w->sessions = s;
    leg_read(&s->client, true);
    return s;
}

static void leave_list(struct session *s)
{
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
}

void session_close(struct session *s, enum close_reason reason)
{
    if (s->state == SESSION_CLOSED)
        return;
    if (s->reason == CLOSE_NONE)
        s->reason = reason;
    session_set_state(s, SESSION_CLOSED);
    leg_close(&s->client);
    leg_close(&s->server);
    event_del(&s->timer);
    if (s->tapped) {
        struct wire_session_end end = {.now_us = worker_now(s->worker),
                                       .bytes_from_client = s->client.bytes_in,
                                       .bytes_from_server = s->server.bytes_in,
                                       .reason = (uint16_t)s->reason};
        wire_tap_end(&s->tap, &end);
    }
    if (s->counted)
        atomic_fetch_sub(&s->worker->options.shared->sessions, 1);
    leave_list(s);
    s->next = s->worker->reap;
    s->worker->reap = s;
}

void session_free(struct session *s)
{
    assert(s->state == SESSION_CLOSED);
    free(s->startup);
    free(s);
}

void session_keep_lingering(struct session *s)
{
    leg_shut(&s->client);
    /* A client that has said its last needs nothing but what is still to be written to it. */
    if (s->client.eof && !leg_is_spilling(&s->client))
        session_close(s, s->reason);
    else
        set_timer(s, LINGER_S * 1000L);
}

void session_linger(struct session *s, enum close_reason reason)
{
    if (s->state == SESSION_LINGERING || s->state == SESSION_CLOSED)
        return;
    if (s->reason == CLOSE_NONE)
        s->reason = reason;
    session_set_state(s, SESSION_LINGERING);
    leg_close(&s->server);
    leg_read(&s->client, !s->client.eof);
    session_keep_lingering(s);
}

void session_refuse(struct session *s, enum close_reason reason, const char sqlstate[5],
                    const char *text)
{
    uint8_t message[512];
    size_t len = wire_encode_fatal(sqlstate, text, NULL, message, sizeof(message));
    atomic_fetch_add(&s->worker->options.shared->refused, 1);
    if (leg_send(&s->client, span_of(message, len)) != LEG_OK)
        session_close(s, reason);
    else
        session_linger(s, reason);
}

/* --- connecting --- */

/* Only a session, not a courier: CancelRequest must pass when the limit is reached. */
static bool admit(struct session *s)
{
    struct worker_shared *shared = s->worker->options.shared;
    if (s->courier)
        return true;
    s->counted = true;
    if (atomic_fetch_add(&shared->sessions, 1) < s->worker->options.max_sessions)
        return true;
    session_refuse(s, CLOSE_TOO_MANY_SESSIONS, "53300",
                   "pgsleuth: the limit of sessions (max_sessions) is reached");
    return false;
}

/* Begin to connect to the address being tried: 0, or an errno. */
static int try_connect(struct session *s)
{
    const struct address *a = &s->worker->options.upstream->items[s->upstream_index];
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    tune(fd);
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        return saved;
    }
    leg_open(&s->server, s->worker->base, fd, on_server_readable, on_server_writable, s);
    event_add(&s->server.write_event, NULL);
    set_timer(s, s->worker->options.connect_timeout_ms);
    return 0;
}

static void refuse_for_upstream(struct session *s, int error)
{
    char text[ADDRESS_TEXT + 128];
    snprintf(text, sizeof(text), "pgsleuth: could not connect to the upstream server at %s: %s",
             s->worker->options.upstream->text, strerrordesc_np(error));
    /* cannot_connect_now is the one SQLSTATE at which libpq goes on to its next host. */
    if (s->courier)
        session_close(s, CLOSE_UPSTREAM_REFUSED);
    else
        session_refuse(s, CLOSE_UPSTREAM_REFUSED, "57P03", text);
}

static void connect_failed(struct session *s, int error)
{
    leg_close(&s->server);
    event_del(&s->timer);
    while (++s->upstream_index < s->worker->options.upstream->count) {
        int r = try_connect(s);
        if (r == 0)
            return;
        error = r;
    }
    refuse_for_upstream(s, error);
}

void session_connect(struct session *s)
{
    leg_read(&s->client, false);
    if (!admit(s))
        return;
    session_set_state(s, SESSION_CONNECTING);
    int r = try_connect(s);
    if (r != 0)
        connect_failed(s, r);
}

static void begin_tap(struct session *s)
{
    struct handshake_info info = handshake_read(span_of(s->startup, s->startup_need));
    struct wire_session_info who = {
        .user = info.user,
        .database = info.database.len > 0 ? info.database : info.user,
        .application = info.application,
        .client = span_of_text(s->client_host),
    };
    int64_t now_us = worker_now(s->worker);
    wire_tap_begin(&s->tap, &s->worker->wire, s->id, &who, now_us);
    s->tapped = true;
    atomic_fetch_add(&s->worker->options.shared->started, 1);
    if (info.version >> 16 != 3)
        wire_conversation_make_opaque(&s->tap.conversation, WIRE_OPAQUE_PROTOCOL_VERSION, now_us);
}

static void connect_finished(struct session *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->server.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        connect_failed(s, error);
        return;
    }
    event_del(&s->server.write_event);
    event_del(&s->timer);
    session_set_state(s, SESSION_RELAYING);
    if (leg_send(&s->server, span_of(s->startup, s->startup_need)) != LEG_OK) {
        refuse_for_upstream(s, ECONNRESET);
        return;
    }
    if (!s->courier)
        begin_tap(s);
    free(s->startup);
    s->startup = NULL;
    /* A courier's client has said all; the server's end of stream is what it waits for. */
    leg_read(&s->client, !leg_is_spilling(&s->server));
    leg_read(&s->server, true);
}
