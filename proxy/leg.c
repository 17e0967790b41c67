#include "proxy/leg.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

void leg_init(struct leg *leg)
{
    *leg = (struct leg){.fd = -1};
}

void leg_tune(evutil_socket_t fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

void leg_open(struct leg *leg, struct event_base *base, evutil_socket_t fd,
              event_callback_fn on_readable, event_callback_fn on_writable, void *context)
{
    leg->fd = fd;
    event_assign(&leg->read_event, base, fd, EV_READ | EV_PERSIST, on_readable, context);
    event_assign(&leg->write_event, base, fd, EV_WRITE | EV_PERSIST, on_writable, context);
}

static void drop_spill(struct leg *leg)
{
    if (leg->spill == NULL)
        return;
    ledger_add(&leg->sent, span_of(leg->spill + leg->spill_at, leg->spill_len));
    free(leg->spill);
    leg->spill = NULL;
    leg->spill_at = 0;
    leg->spill_len = 0;
}

/* close_notify, when TLS is up and has not said it yet; what the kernel does not take is lost. */
static void say_good_bye(struct leg *leg)
{
    if (leg->ssl == NULL || leg->broken || leg->shut || !SSL_is_init_finished(leg->ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(leg->ssl);
}

void leg_close(struct leg *leg)
{
    if (leg->fd < 0)
        return;
    if (!leg_is_spilling(leg))
        say_good_bye(leg);
    SSL_free(leg->ssl);
    event_del(&leg->read_event);
    event_del(&leg->write_event);
    evutil_closesocket(leg->fd);
    drop_spill(leg);
    *leg = (struct leg){.fd = -1,
                        .bytes_in = leg->bytes_in,
                        .said_good_bye = leg->said_good_bye,
                        .sent = leg->sent};
}

/* --- TLS handshake --- */

static void on_tls_event(const SSL *ssl, int where, int what)
{
    struct leg *leg = SSL_get_app_data(ssl);
    if (where != SSL_CB_READ_ALERT)
        return;
    if ((what & 0xff) == SSL_AD_CLOSE_NOTIFY)
        leg->said_good_bye = true;
    else if (what >> 8 == SSL3_AL_FATAL)
        leg->alert = (uint8_t)(what & 0xff);
}

void leg_start_tls(struct leg *leg, SSL *ssl)
{
    assert(leg->ssl == NULL);
    leg->ssl = ssl;
    SSL_set_app_data(ssl, leg);
    SSL_set_info_callback(ssl, on_tls_event);
}

int leg_handshake(struct leg *leg)
{
    if (leg->broken)
        return LEG_LOST;
    ERR_clear_error();
    int r = SSL_do_handshake(leg->ssl);
    if (r == 1) {
        event_del(&leg->write_event);
        return LEG_OK;
    }
    switch (SSL_get_error(leg->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        event_del(&leg->write_event);
        leg_read(leg, true);
        return LEG_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        leg_read(leg, false);
        return event_add(&leg->write_event, NULL) == 0 ? LEG_AGAIN : LEG_LOST;
    default:
        leg->broken = true;
        return LEG_LOST;
    }
}

/* --- reading --- */

/* Without memory for an event nobody would ever come back to this leg: the reader is called now,
 * and finds it lost. */
static void listen_or_break(struct leg *leg, struct event *event)
{
    if (event_add(event, NULL) == 0)
        return;
    leg->broken = true;
    event_active(&leg->read_event, EV_READ, 0);
}

void leg_read(struct leg *leg, bool on)
{
    if (leg->fd < 0 || leg->reading == on)
        return;
    leg->reading = on;
    if (!on) {
        event_del(&leg->read_event);
        return;
    }
    if (!leg->read_wants_write)
        listen_or_break(leg, &leg->read_event);
    leg_kick(leg);
}

static ssize_t recv_tls(struct leg *leg, void *buffer, size_t size)
{
    size_t n = 0;
    ERR_clear_error();
    int r = SSL_read_ex(leg->ssl, buffer, size, &n);
    if (leg->write_wants_read) {
        leg->write_wants_read = false;
        if (leg_is_spilling(leg))
            event_add(&leg->write_event, NULL);
    }
    if (r == 1)
        return (ssize_t)n;
    switch (SSL_get_error(leg->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return LEG_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        leg->read_wants_write = true;
        event_del(&leg->read_event);
        listen_or_break(leg, &leg->write_event);
        return LEG_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        leg->broken = true;
        return LEG_LOST;
    }
}

static ssize_t recv_plain(const struct leg *leg, void *buffer, size_t size, int flags)
{
    ssize_t n = recv(leg->fd, buffer, size, flags);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? LEG_AGAIN : LEG_LOST;
}

ssize_t leg_peek(const struct leg *leg, void *buffer, size_t size)
{
    assert(leg->ssl == NULL);
    return leg->broken ? LEG_LOST : recv_plain(leg, buffer, size, MSG_PEEK);
}

ssize_t leg_recv(struct leg *leg, void *buffer, size_t size)
{
    if (leg->broken)
        return LEG_LOST;
    if (leg->ssl != NULL)
        return recv_tls(leg, buffer, size);
    return recv_plain(leg, buffer, size, 0);
}

bool leg_has_more(const struct leg *leg, size_t got, size_t size)
{
    return leg->ssl != NULL ? SSL_has_pending(leg->ssl) == 1 : got == size;
}

void leg_kick(struct leg *leg)
{
    if (leg->fd >= 0 && leg->reading && leg->ssl != NULL && SSL_has_pending(leg->ssl) == 1)
        event_active(&leg->read_event, EV_READ, 0);
}

/* --- writing --- */

/* One write: bytes taken, 0 when the peer is slow, -1 when the connection is gone. */
static ssize_t write_once(struct leg *leg, const uint8_t *data, size_t len)
{
    if (leg->ssl == NULL) {
        ssize_t n = send(leg->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0)
            return n;
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    }
    size_t n = 0;
    ERR_clear_error();
    int r = SSL_write_ex(leg->ssl, data, len, &n);
    if (r == 1)
        return (ssize_t)n;
    switch (SSL_get_error(leg->ssl, r)) {
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_WANT_READ:
        leg->write_wants_read = true;
        return 0;
    default:
        leg->shut = true; /* but what the peer said before it went can still be read */
        return -1;
    }
}

/* Bytes that were taken, or -1 when the connection is gone. */
static ssize_t try_send(struct leg *leg, const uint8_t *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = write_once(leg, data + sent, len - sent);
        if (n < 0) {
            ledger_add(&leg->sent, span_of(data, len)); /* nobody is there to miss them */
            return -1;
        }
        if (n == 0)
            break;
        sent += (size_t)n;
    }
    ledger_add(&leg->sent, span_of(data, sent));
    return (ssize_t)sent;
}

static int spill(struct leg *leg, struct span rest)
{
    leg->spill = malloc(rest.len);
    if (leg->spill == NULL || (!leg->write_wants_read && event_add(&leg->write_event, NULL) != 0)) {
        free(leg->spill);
        leg->spill = NULL;
        ledger_add(&leg->sent, rest);
        return LEG_NO_MEMORY;
    }
    memcpy(leg->spill, rest.data, rest.len);
    leg->spill_at = 0;
    leg->spill_len = rest.len;
    return LEG_OK;
}

int leg_send(struct leg *leg, struct span bytes)
{
    assert(leg->spill == NULL);
    if (leg->shut || leg->broken) {
        ledger_add(&leg->sent, bytes);
        return LEG_LOST;
    }
    ssize_t sent = try_send(leg, bytes.data, bytes.len);
    if (sent < 0)
        return LEG_LOST;
    struct span rest = span_skip(bytes, (size_t)sent);
    return rest.len == 0 ? LEG_OK : spill(leg, rest);
}

static void read_again(struct leg *leg)
{
    if (!leg->read_wants_write)
        return;
    leg->read_wants_write = false;
    if (!leg->reading)
        return;
    listen_or_break(leg, &leg->read_event);
    event_active(&leg->read_event, EV_READ, 0);
}

int leg_flush(struct leg *leg)
{
    read_again(leg);
    if (leg->spill != NULL) {
        ssize_t sent = try_send(leg, leg->spill + leg->spill_at, leg->spill_len);
        if (sent < 0) {
            leg->spill_len = 0; /* the ledger has them */
            return LEG_LOST;
        }
        leg->spill_at += (size_t)sent;
        leg->spill_len -= (size_t)sent;
        if (leg->write_wants_read)
            event_del(&leg->write_event);
        if (leg->spill_len > 0)
            return LEG_OK;
        drop_spill(leg);
    }
    event_del(&leg->write_event);
    return LEG_OK;
}

void leg_shut(struct leg *leg, bool good_bye)
{
    if (leg->fd < 0 || leg->shut || leg_is_spilling(leg))
        return;
    if (good_bye)
        say_good_bye(leg);
    shutdown(leg->fd, SHUT_WR);
    leg->shut = true;
}

void leg_stop_sending(struct leg *leg)
{
    drop_spill(leg);
    event_del(&leg->write_event);
    read_again(leg);
    leg->shut = true;
}
