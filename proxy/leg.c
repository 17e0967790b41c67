#include "proxy/leg.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void leg_init(struct leg *leg)
{
    *leg = (struct leg){.fd = -1};
}

void leg_open(struct leg *leg, struct event_base *base, evutil_socket_t fd,
              event_callback_fn on_readable, event_callback_fn on_writable, void *context)
{
    leg->fd = fd;
    event_assign(&leg->read_event, base, fd, EV_READ | EV_PERSIST, on_readable, context);
    event_assign(&leg->write_event, base, fd, EV_WRITE | EV_PERSIST, on_writable, context);
}

void leg_close(struct leg *leg)
{
    if (leg->fd < 0)
        return;
    event_del(&leg->read_event);
    event_del(&leg->write_event);
    evutil_closesocket(leg->fd);
    free(leg->spill);
    uint64_t bytes_in = leg->bytes_in;
    leg_init(leg);
    leg->bytes_in = bytes_in;
}

void leg_read(struct leg *leg, bool on)
{
    if (leg->fd < 0 || leg->reading == on)
        return;
    if (on)
        event_add(&leg->read_event, NULL);
    else
        event_del(&leg->read_event);
    leg->reading = on;
}

/* Bytes the kernel took, or -1 when the connection is gone. */
static ssize_t try_send(struct leg *leg, const uint8_t *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(leg->fd, data + sent, len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else
            return -1;
    }
    return (ssize_t)sent;
}

static int spill(struct leg *leg, struct span rest)
{
    leg->spill = malloc(rest.len);
    if (leg->spill == NULL)
        return LEG_NO_MEMORY;
    memcpy(leg->spill, rest.data, rest.len);
    leg->spill_at = 0;
    leg->spill_len = rest.len;
    event_add(&leg->write_event, NULL);
    return LEG_OK;
}

int leg_send(struct leg *leg, struct span bytes)
{
    assert(leg->spill == NULL);
    ssize_t sent = try_send(leg, bytes.data, bytes.len);
    if (sent < 0)
        return LEG_LOST;
    struct span rest = span_skip(bytes, (size_t)sent);
    return rest.len == 0 ? LEG_OK : spill(leg, rest);
}

int leg_flush(struct leg *leg)
{
    if (leg->spill == NULL)
        return LEG_OK;
    ssize_t sent = try_send(leg, leg->spill + leg->spill_at, leg->spill_len);
    if (sent < 0)
        return LEG_LOST;
    leg->spill_at += (size_t)sent;
    leg->spill_len -= (size_t)sent;
    if (leg->spill_len > 0)
        return LEG_OK;
    free(leg->spill);
    leg->spill = NULL;
    event_del(&leg->write_event);
    return LEG_OK;
}

void leg_shut(struct leg *leg)
{
    if (leg->fd < 0 || leg->shut || leg_is_spilling(leg))
        return;
    shutdown(leg->fd, SHUT_WR);
    leg->shut = true;
}
