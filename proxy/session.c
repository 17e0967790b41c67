#include "proxy/session.h"

#include "common/log.h"
#include "proxy/handshake.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- state --- */

/* Which states may follow which. */
static bool may_follow(enum session_state from, enum session_state to)
{
    bool in_start = from == SESSION_STARTUP || from == SESSION_ACCEPTING_TLS;
    bool in_connect =
        from == SESSION_CONNECTING || from == SESSION_ASKING_TLS || from == SESSION_STARTING_TLS;
    switch (to) {
    case SESSION_STARTUP:
        return from == SESSION_ACCEPTING_TLS;
    case SESSION_ACCEPTING_TLS:
        return from == SESSION_STARTUP;
    case SESSION_CONNECTING:
        return from == SESSION_STARTUP || (in_connect && from != SESSION_CONNECTING);
    case SESSION_ASKING_TLS:
        return from == SESSION_CONNECTING;
    case SESSION_STARTING_TLS:
        return from == SESSION_CONNECTING || from == SESSION_ASKING_TLS;
    case SESSION_AUTHENTICATING:
        return from == SESSION_STARTING_TLS;
    case SESSION_RELAYING:
        return in_connect || from == SESSION_AUTHENTICATING;
    case SESSION_LINGERING:
        return in_start || in_connect || from == SESSION_AUTHENTICATING || from == SESSION_RELAYING;
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

/* --- events: to whom each goes in which state --- */

static void on_client_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    switch (s->state) {
    case SESSION_STARTUP:
    case SESSION_ACCEPTING_TLS:
        handshake_client_ready(s);
        break;
    case SESSION_AUTHENTICATING:
        handshake_auth_client_readable(s);
        break;
    case SESSION_RELAYING:
    case SESSION_LINGERING:
        relay_client_readable(s);
        break;
    default:
        break;
    }
}

static void on_client_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_ACCEPTING_TLS)
        handshake_client_ready(s);
    else if (s->state != SESSION_CLOSED)
        relay_client_writable(s);
}

static void on_server_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    switch (s->state) {
    case SESSION_ASKING_TLS:
    case SESSION_STARTING_TLS:
        handshake_server_ready(s);
        break;
    case SESSION_AUTHENTICATING:
        handshake_auth_server_readable(s);
        break;
    case SESSION_RELAYING:
        relay_server_readable(s);
        break;
    default:
        break;
    }
}

static void on_server_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    if (s->state == SESSION_CONNECTING || s->state == SESSION_STARTING_TLS)
        handshake_server_ready(s);
    else if (s->state == SESSION_AUTHENTICATING || s->state == SESSION_RELAYING)
        relay_server_writable(s);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct session *s = context;
    switch (s->state) {
    case SESSION_STARTUP:
    case SESSION_ACCEPTING_TLS:
        session_close(s, CLOSE_STARTUP_TIMEOUT);
        break;
    case SESSION_CONNECTING:
    case SESSION_ASKING_TLS:
    case SESSION_STARTING_TLS:
        handshake_server_timeout(s);
        break;
    case SESSION_AUTHENTICATING:
    case SESSION_RELAYING:
        relay_check_stalled(s);
        break;
    case SESSION_LINGERING:
        session_close(s, s->reason);
        break;
    case SESSION_CLOSED:
        break;
    }
}

void session_set_timer(struct session *s, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (event_add(&s->timer, &tv) != 0)
        event_active(&s->timer, EV_TIMEOUT, 0); /* no memory: better now than never */
}

/* --- life --- */

struct session *session_new(struct worker *w, evutil_socket_t fd, size_t route,
                            const char *client_host, uint64_t peer)
{
    struct session *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return NULL;
    }
    s->worker = w;
    s->id = (uint64_t)w->index << 48 | ++w->next_session;
    s->route = (uint8_t)route;
    s->peer = peer;
    snprintf(s->client_host, sizeof(s->client_host), "%s", client_host);
    leg_init(&s->client);
    leg_init(&s->server);
    leg_tune(fd);
    leg_open(&s->client, w->base, fd, on_client_readable, on_client_writable, s);
    evtimer_assign(&s->timer, w->base, on_timer, s);
    s->next = w->sessions;
    s->link = &w->sessions;
    if (s->next != NULL)
        s->next->link = &s->next;
    w->sessions = s;
    leg_read(&s->client, true);
    session_set_timer(s, STARTUP_S * 1000L);
    return s;
}

void session_open_server(struct session *s, evutil_socket_t fd)
{
    leg_tune(fd);
    leg_open(&s->server, s->worker->base, fd, on_server_readable, on_server_writable, s);
}

static void leave_list(struct session *s)
{
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
}

#ifdef PGSLEUTH_LEDGER
static void settle_ledger(struct session *s)
{
    if (!s->tapped || s->answered)
        return;
    if (s->from_client.hash != s->server.sent.hash || s->from_server.hash != s->client.sent.hash) {
        log_error("ledger: session %llx did not pass on what it read: %llu of %llu bytes to the "
                  "server, %llu of %llu to the client",
                  (unsigned long long)s->id, (unsigned long long)s->server.sent.bytes,
                  (unsigned long long)s->from_client.bytes,
                  (unsigned long long)s->client.sent.bytes,
                  (unsigned long long)s->from_server.bytes);
        abort();
    }
    atomic_fetch_add(&s->worker->options.shared->ledger_sessions, 1);
    atomic_fetch_add(&s->worker->options.shared->ledger_bytes,
                     s->from_client.bytes + s->from_server.bytes);
}
#else
static void settle_ledger(struct session *s)
{
    (void)s;
}
#endif

/* A session without its server takes no place, however long its client reads on. */
static void give_place_back(struct session *s)
{
    if (s->counted)
        atomic_fetch_sub(&s->worker->options.shared->sessions, 1);
    s->counted = false;
}

static void end_tap(struct session *s)
{
    struct wire_session_end end = {.now_us = worker_now(s->worker),
                                   .bytes_from_client = s->client.bytes_in,
                                   .bytes_from_server = s->server.bytes_in,
                                   .reason = (uint16_t)s->reason,
                                   .stopped = s->reason == CLOSE_SHUTDOWN};
    if (s->tapped)
        wire_tap_end(&s->tap, &end);
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
    settle_ledger(s);
    end_tap(s);
    give_place_back(s);
    leave_list(s);
    s->next = s->worker->reap;
    s->worker->reap = s;
}

void session_free(struct session *s)
{
    assert(s->state == SESSION_CLOSED);
    packet_free(&s->packet);
    free(s);
}

void session_keep_lingering(struct session *s)
{
    leg_shut(&s->client, !s->cut_short);
    /* A client that has said its last needs nothing but what is still to be written to it. */
    if (s->client.eof && !leg_is_spilling(&s->client))
        session_close(s, s->reason);
    else
        session_set_timer(s, LINGER_S * 1000L);
}

void session_linger(struct session *s, enum close_reason reason)
{
    if (s->state == SESSION_LINGERING || s->state == SESSION_CLOSED)
        return;
    if (s->reason == CLOSE_NONE)
        s->reason = reason;
    session_set_state(s, SESSION_LINGERING);
    leg_close(&s->server);
    give_place_back(s);
    leg_read(&s->client, !s->client.eof);
    session_keep_lingering(s);
}

void session_refuse(struct session *s, const struct refusal *why)
{
    uint8_t message[1024];
    size_t len = wire_encode_fatal(why->sqlstate, why->text, why->hint, message, sizeof(message));
    s->answered = true;
    atomic_fetch_add(&s->worker->options.shared->refused, 1);
    if (leg_is_spilling(&s->client) || leg_send(&s->client, span_of(message, len)) != LEG_OK)
        session_close(s, why->reason);
    else
        session_linger(s, why->reason);
}

/* --- packets --- */

int packet_fill(struct packet *packet, struct leg *leg)
{
    while (packet->have < packet->need) {
        ssize_t n = leg_recv(leg, packet->data + packet->have, packet->need - packet->have);
        if (n == LEG_AGAIN)
            return LEG_AGAIN;
        if (n <= 0)
            return LEG_LOST;
        packet->have += (size_t)n;
        leg->bytes_in += (uint64_t)n;
    }
    return LEG_OK;
}

bool packet_expect(struct packet *packet, size_t need)
{
    uint8_t *data = realloc(packet->data, need);
    if (data == NULL)
        return false;
    packet->data = data;
    packet->need = need;
    return true;
}

void packet_free(struct packet *packet)
{
    free(packet->data);
    *packet = (struct packet){.data = NULL};
}
