#include "proxy/relay.h"

#include "proxy/handshake.h"
#include "proxy/worker.h"

#include <poll.h>

enum {
    READS_A_TURN = 8, /* then other sessions of this worker have theirs */
    STALLED_MS = 1000,
};

static bool from_client(const struct session *s, const struct leg *from)
{
    return from == &s->client;
}

/* Both directions are over, or the one that is not has nobody left to talk to. */
static void maybe_finish(struct session *s)
{
    if (s->client.eof && s->server.eof && !leg_is_spilling(&s->client) &&
        !leg_is_spilling(&s->server))
        session_close(s, CLOSE_CLIENT_LEFT);
}

static void shut(struct session *s, struct leg *leg)
{
    leg_shut(leg, from_client(s, leg) ? !s->cut_short : s->client.said_good_bye);
}

static void server_ended(struct session *s, enum close_reason reason)
{
    s->server.eof = true;
    s->cut_short = s->server.ssl != NULL && !s->server.said_good_bye;
    leg_read(&s->server, false);
    shut(s, &s->client);
    session_linger(s, reason);
}

static void end_of_stream(struct session *s, struct leg *from, struct leg *to)
{
    if (!from_client(s, from)) {
        server_ended(s, CLOSE_SERVER_LEFT);
        return;
    }
    from->eof = true;
    leg_read(from, false);
    shut(s, to);
    if (s->reason == CLOSE_NONE)
        s->reason = CLOSE_CLIENT_LEFT;
    maybe_finish(s);
}

/* The connection broke while it was read: nothing more comes from it. */
static void read_failed(struct session *s, const struct leg *leg)
{
    if (from_client(s, leg)) {
        session_close(s, CLOSE_CLIENT_LOST);
        return;
    }
    if (!handshake_server_lost(s))
        server_ended(s, CLOSE_SERVER_LOST);
}

/* The connection broke while it was written to. What the server said before it went, a FATAL error
 * perhaps, still waits to be read and is the client's. */
static void write_failed(struct session *s, const struct leg *leg)
{
    if (from_client(s, leg) || s->state == SESSION_LINGERING) {
        session_close(s, CLOSE_CLIENT_LOST);
        return;
    }
    leg_stop_sending(&s->server);
    leg_read(&s->client, false);
    leg_read(&s->server, !leg_is_spilling(&s->client));
}

static void show_tap(struct session *s, const struct leg *from, struct span bytes)
{
    if (!s->tapped || wire_tap_is_opaque(&s->tap))
        return;
    int64_t now_us = worker_now(s->worker);
    if (from_client(s, from))
        wire_tap_from_client(&s->tap, bytes, now_us);
    else
        wire_tap_from_server(&s->tap, bytes, now_us);
    worker_wake_auditor(s->worker);
}

bool relay_forward(struct session *s, struct leg *from, struct leg *to, struct span bytes)
{
    ledger_add(from_client(s, from) ? &s->from_client : &s->from_server, bytes);
    int sent = leg_send(to, bytes);
    worker_end_pass(s->worker);
    show_tap(s, from, bytes);
    if (sent == LEG_LOST) {
        write_failed(s, to);
        return false;
    }
    if (sent == LEG_NO_MEMORY) {
        session_close(s, CLOSE_NO_MEMORY);
        return false;
    }
    if (!leg_is_spilling(to))
        return true;
    leg_read(from, false);
    if (from_client(s, from))
        session_set_timer(s, STALLED_MS);
    return false;
}

/* One read, forwarded. True when there may be more to read at once. */
static bool pump_once(struct session *s, struct leg *from, struct leg *to)
{
    struct worker *w = s->worker;
    worker_begin_pass(w);
    ssize_t n = leg_recv(from, w->scratch, w->read_size);
    if (n == LEG_AGAIN)
        return false;
    if (n < 0) {
        read_failed(s, from);
        return false;
    }
    if (n == 0) {
        end_of_stream(s, from, to);
        return false;
    }
    from->bytes_in += (uint64_t)n;
    return relay_forward(s, from, to, span_of(w->scratch, (size_t)n)) &&
           leg_has_more(from, (size_t)n, w->read_size);
}

static void pump(struct session *s, struct leg *from, struct leg *to)
{
    for (int i = 0; i < READS_A_TURN; i++) {
        if (!pump_once(s, from, to))
            return;
    }
    leg_kick(from);
}

/* A lingering client's bytes go nowhere. */
static void drain_client(struct session *s)
{
    ssize_t n = leg_recv(&s->client, s->worker->scratch, s->worker->read_size);
    if (n == LEG_AGAIN)
        return;
    if (n > 0) {
        s->client.bytes_in += (uint64_t)n;
        leg_kick(&s->client);
        return;
    }
    if (n < 0) {
        session_close(s, s->reason);
        return;
    }
    /* It has said its last but may still read what is to be written to it. */
    s->client.eof = true;
    leg_read(&s->client, false);
    session_keep_lingering(s);
}

void relay_client_readable(struct session *s)
{
    if (s->state == SESSION_LINGERING)
        drain_client(s);
    else
        pump(s, &s->client, &s->server);
}

void relay_server_readable(struct session *s)
{
    pump(s, &s->server, &s->client);
}

static void writable(struct session *s, struct leg *leg, struct leg *source)
{
    bool was_spilling = leg_is_spilling(leg);
    if (leg_flush(leg) != LEG_OK) {
        write_failed(s, leg);
        return;
    }
    if (s->state == SESSION_LINGERING) {
        session_keep_lingering(s);
    } else if (was_spilling && !leg_is_spilling(leg)) {
        if (source->eof) {
            shut(s, leg);
            maybe_finish(s);
        } else {
            leg_read(source, true);
        }
    }
}

void relay_check_stalled(struct session *s)
{
    if (s->client.reading || s->client.eof)
        return;
    struct pollfd client = {.fd = s->client.fd};
    if (poll(&client, 1, 0) == 1 && (client.revents & POLLERR) != 0)
        session_close(s, CLOSE_CLIENT_LOST);
    else
        session_set_timer(s, STALLED_MS);
}

void relay_client_writable(struct session *s)
{
    writable(s, &s->client, &s->server);
}

void relay_server_writable(struct session *s)
{
    writable(s, &s->server, &s->client);
}
