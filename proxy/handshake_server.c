#include "proxy/handshake.h"
#include "proxy/relay.h"
#include "proxy/worker.h"
#include "wire/startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct route *route_of(const struct session *s)
{
    return network_route(s->worker->network, s->route);
}

/* --- refusals --- */

/* A courier's client waits for nothing but the end. */
static void refuse(struct session *s, const struct refusal *why)
{
    if (s->courier)
        session_close(s, why->reason);
    else
        session_refuse(s, why);
}

static void refuse_for_upstream(struct session *s, int error)
{
    char text[ADDRESS_TEXT + 128];
    snprintf(text, sizeof(text), "pgsleuth: could not connect to the upstream server at %s: %s",
             route_of(s)->addresses.text, strerrordesc_np(error));
    /* cannot_connect_now is the one SQLSTATE at which libpq goes on to its next host. */
    refuse(s,
           &(struct refusal){.reason = CLOSE_UPSTREAM_REFUSED, .sqlstate = "57P03", .text = text});
}

static void refuse_for_tls(struct session *s, const char *what)
{
    char text[ADDRESS_TEXT + TLS_ERROR_TEXT + 128];
    snprintf(text, sizeof(text), "pgsleuth: no TLS with the upstream server at %s: %s",
             route_of(s)->addresses.text, what);
    worker_complain(s->worker, "%s", text + strlen("pgsleuth: "));
    refuse(s, &(struct refusal){.reason = CLOSE_TLS_FAILED,
                                .sqlstate = "08001",
                                .text = text,
                                .hint = "Run `pgsleuth doctor`, or correct sslmode, sslrootcert or "
                                        "sslcert in the upstream's URL."});
}

bool handshake_server_lost(struct session *s)
{
    /* To a courier the end says all; so it does, without an alert, of a session that has begun. */
    if (s->courier || s->server.bytes_in > 0 || (s->server.alert == 0 && s->tapped))
        return false;
    if (s->server.alert == 0) {
        refuse_for_upstream(s, ECONNRESET);
        return true;
    }
    char why[TLS_ERROR_TEXT];
    snprintf(why, sizeof(why), "it refused: %s", tls_alert_text(s->server.alert));
    refuse_for_tls(s, why);
    return true;
}

/* --- addresses --- */

/* Only a session, not a courier: CancelRequest must pass when the limit is reached. */
static bool admit(struct session *s)
{
    struct worker_shared *shared = s->worker->options.shared;
    if (s->courier)
        return true;
    s->counted = true;
    if (atomic_fetch_add(&shared->sessions, 1) < s->worker->options.max_sessions)
        return true;
    session_refuse(s, &(struct refusal){.reason = CLOSE_TOO_MANY_SESSIONS,
                                        .sqlstate = "53300",
                                        .text = "pgsleuth: the limit of sessions (max_sessions) is "
                                                "reached"});
    return false;
}

/* Begin to connect to the address being tried: 0, or an errno. */
static int try_connect(struct session *s)
{
    const struct addresses *addresses = &route_of(s)->addresses;
    if (s->upstream >= addresses->count) /* a renewal found fewer */
        return ECONNREFUSED;
    const struct address *a = &addresses->items[s->upstream];
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        return saved;
    }
    session_open_server(s, fd);
    if (event_add(&s->server.write_event, NULL) != 0) {
        leg_close(&s->server);
        return ENOMEM;
    }
    session_set_timer(s, s->worker->options.connect_timeout_ms);
    return 0;
}

static void connect_failed(struct session *s, int error)
{
    leg_close(&s->server);
    event_del(&s->timer);
    if (s->state != SESSION_CONNECTING)
        session_set_state(s, SESSION_CONNECTING);
    s->clear_upstream = false;
    while (++s->upstream < route_of(s)->addresses.count) {
        int r = try_connect(s);
        if (r == 0)
            return;
        error = r;
    }
    worker_ask_renewal(s->worker);
    refuse_for_upstream(s, error);
}

void handshake_server_timeout(struct session *s)
{
    connect_failed(s, ETIMEDOUT);
}

void handshake_server_begin(struct session *s)
{
    leg_read(&s->client, false);
    event_del(&s->timer);
    if (!admit(s))
        return;
    session_set_state(s, SESSION_CONNECTING);
    int r = try_connect(s);
    if (r != 0)
        connect_failed(s, r);
}

/* --- the session begins --- */

static void begin_tap(struct session *s)
{
    struct wire_startup info = wire_startup_read(span_of(s->packet.data, s->packet.need));
    struct wire_session_info who = {
        .user = info.user,
        .database = info.database.len > 0 ? info.database : info.user,
        .application = info.application,
        .client = span_of_text(s->client_host),
        .peer = s->peer,
    };
    int64_t now_us = worker_now(s->worker);
    wire_tap_begin(&s->tap, &s->worker->wire, s->id, &who, now_us);
    s->tapped = true;
    atomic_fetch_add(&s->worker->options.shared->started, 1);
    if (info.version >> 16 != WIRE_PROTOCOL_3 >> 16)
        wire_conversation_make_opaque(&s->tap.conversation, WIRE_OPAQUE_PROTOCOL_VERSION, now_us);
}

/* With TLS 1.3 a server tells only behind the handshake that it does not take our certificate, and
 * may be gone before it was sent anything. That alert waits to be read. */
static void packet_lost(struct session *s)
{
    if (s->server.ssl == NULL) {
        refuse_for_upstream(s, ECONNRESET);
        return;
    }
    packet_free(&s->packet);
    leg_stop_sending(&s->server);
    leg_read(&s->server, true);
    leg_kick(&s->server);
}

/* The server leg is as the upstream's URL wants it: hand over the client's packet. */
static void begin_session(struct session *s)
{
    event_del(&s->timer);
    session_set_state(s, handshake_auth_is_needed(s) ? SESSION_AUTHENTICATING : SESSION_RELAYING);
    struct span packet = span_of(s->packet.data, s->packet.need);
    s->server.sent = s->from_client;
    s->client.sent = s->from_server;
    if (leg_send(&s->server, packet) != LEG_OK) {
        packet_lost(s);
        return;
    }
    ledger_add(&s->from_client, packet);
    if (!s->courier)
        begin_tap(s);
    packet_free(&s->packet);
    /* A courier's client has said all; the server's end of stream is what it waits for. */
    leg_read(&s->client, !leg_is_spilling(&s->server));
    leg_read(&s->server, true);
    leg_kick(&s->server);
}

/* --- TLS --- */

/* Where TLS was optional, try the same address again without, as libpq does. */
static void tls_failed(struct session *s, const char *why)
{
    if (network_sslmode(s->worker->network) >= SSLMODE_REQUIRE) {
        refuse_for_tls(s, why);
        return;
    }
    leg_close(&s->server);
    s->clear_upstream = true;
    session_set_state(s, SESSION_CONNECTING);
    int r = try_connect(s);
    if (r != 0)
        connect_failed(s, r);
}

static void continue_tls(struct session *s)
{
    int r = leg_handshake(&s->server);
    if (r == LEG_AGAIN)
        return;
    char why[TLS_ERROR_TEXT];
    if (r == LEG_LOST) {
        tls_failure(s->server.ssl, why);
        tls_failed(s, why);
        return;
    }
    if (network_tls_is_direct(s->worker->network) && !tls_agreed_on_postgresql(s->server.ssl)) {
        tls_failed(s, "it did not agree on the protocol postgresql (ALPN)");
        return;
    }
    begin_session(s);
}

static void start_tls(struct session *s)
{
    SSL *ssl = tls_connect(network_tls(s->worker->network), s->server.fd, route_of(s)->host);
    if (ssl == NULL) {
        refuse_for_tls(s, "out of memory");
        return;
    }
    leg_start_tls(&s->server, ssl);
    session_set_state(s, SESSION_STARTING_TLS);
    continue_tls(s);
}

static bool wants_tls(const struct session *s)
{
    /* PostgreSQL has no TLS on Unix sockets, and libpq never asks for it there. */
    const struct addresses *addresses = &route_of(s)->addresses;
    return network_sslmode(s->worker->network) != SSLMODE_DISABLE && !s->clear_upstream &&
           !address_is_unix(&addresses->items[0]);
}

static void ask_for_tls(struct session *s)
{
    if (leg_send(&s->server, wire_ssl_request()) != LEG_OK || leg_is_spilling(&s->server)) {
        connect_failed(s, ECONNRESET);
        return;
    }
    session_set_state(s, SESSION_ASKING_TLS);
    leg_read(&s->server, true);
}

/* Exactly one byte answers an SSLRequest. Whatever else is there already did not come from the
 * server, or not over the connection that is to be made. */
static void answer_arrived(struct session *s)
{
    uint8_t bytes[2];
    ssize_t n = leg_peek(&s->server, bytes, sizeof(bytes));
    if (n == LEG_AGAIN)
        return;
    if (n <= 0 || leg_recv(&s->server, bytes, 1) != 1) {
        connect_failed(s, s->server.broken ? ENOMEM : ECONNRESET);
        return;
    }
    if (n > 1 && bytes[0] != 'E') {
        refuse_for_tls(s, "it sent bytes before encryption was agreed on");
        return;
    }
    if (bytes[0] == 'S')
        start_tls(s);
    else if (bytes[0] != 'N')
        tls_failed(s, "it answered the request for TLS with an error");
    else if (network_sslmode(s->worker->network) >= SSLMODE_REQUIRE)
        refuse_for_tls(s, "it does not support TLS, which sslmode asks for");
    else
        begin_session(s);
}

static void connected(struct session *s)
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
    if (!wants_tls(s))
        begin_session(s);
    else if (network_tls_is_direct(s->worker->network))
        start_tls(s);
    else
        ask_for_tls(s);
}

void handshake_server_ready(struct session *s)
{
    if (s->state == SESSION_CONNECTING)
        connected(s);
    else if (s->state == SESSION_ASKING_TLS)
        answer_arrived(s);
    else
        continue_tls(s);
}
