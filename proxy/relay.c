#include "proxy/relay.h"

#include "common/clock.h"
#include "proxy/worker.h"

#include <errno.h>
#include <sys/socket.h>

enum { READS_A_TURN = 8 }; /* then other sessions of this worker have theirs */

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

static void end_of_stream(struct session *s, struct leg *from, struct leg *to)
{
    from->eof = true;
    leg_read(from, false);
    leg_shut(to);
    if (!from_client(s, from)) {
        session_linger(s, CLOSE_SERVER_LEFT);
        return;
    }
    if (s->reason == CLOSE_NONE)
        s->reason = CLOSE_CLIENT_LEFT;
    maybe_finish(s);
}

static void lost(struct session *s, const struct leg *leg)
{
    if (from_client(s, leg)) {
        session_close(s, CLOSE_CLIENT_LOST);
        return;
    }
    /* What the server said before it went is still the client's to read. */
    s->server.eof = true;
    leg_read(&s->server, false);
    leg_shut(&s->client);
    session_linger(s, CLOSE_SERVER_LOST);
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

/* One read, forwarded. True when there may be more to read at once. */
static bool pump_once(struct session *s, struct leg *from, struct leg *to)
{
    struct worker *w = s->worker;
    ssize_t n = recv(from->fd, w->scratch, w->read_size, 0);
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            lost(s, from);
        return false;
    }
    if (n == 0) {
        end_of_stream(s, from, to);
        return false;
    }
    struct span bytes = span_of(w->scratch, (size_t)n);
    from->bytes_in += (uint64_t)n;
    int sent = leg_send(to, bytes);
    show_tap(s, from, bytes);
    if (sent == LEG_LOST) {
        lost(s, to);
        return false;
    }
    if (sent == LEG_NO_MEMORY) {
        session_close(s, CLOSE_NO_MEMORY);
        return false;
    }
    if (leg_is_spilling(to)) {
        leg_read(from, false);
        return false;
    }
    return (size_t)n == w->read_size;
}

static void pump(struct session *s, struct leg *from, struct leg *to)
{
    for (int i = 0; i < READS_A_TURN; i++) {
        if (!pump_once(s, from, to))
            return;
    }
}

/* A lingering client's bytes go nowhere. */
static void drain_client(struct session *s)
{
    ssize_t n = recv(s->client.fd, s->worker->scratch, s->worker->read_size, 0);
    if (n > 0) {
        s->client.bytes_in += (uint64_t)n;
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
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
    if (leg_flush(leg) != LEG_OK) {
        lost(s, leg);
        return;
    }
    if (s->state == SESSION_LINGERING) {
        session_keep_lingering(s);
        return;
    }
    if (leg_is_spilling(leg))
        return;
    if (source->eof) {
        leg_shut(leg);
        maybe_finish(s);
        return;
    }
    leg_read(source, true);
}

void relay_client_writable(struct session *s)
{
    writable(s, &s->client, &s->server);
}

void relay_server_writable(struct session *s)
{
    writable(s, &s->server, &s->client);
}
