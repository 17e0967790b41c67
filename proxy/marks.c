#include "proxy/marks.h"

#include "common/clock.h"
#include "common/map64.h"
#include "proxy/listener.h"
#include "wire/request_mark.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 4 * 1024 * 1024,
    DATAGRAMS_A_TURN = 16384, /* more at once is a flood */
    MAX_TAGS = 65536,         /* told of so far */
    CLOCK_TRIES = 20,
    CLOCK_GOOD_US = 3,
};

struct source {
    struct marks *marks;
    int fd;
    uint32_t drops;  /* by the kernel, so far */
    int64_t last_us; /* when the last one came that was read */
    struct event *event;
};

struct marks {
    const struct addresses *addresses;
    struct source sources[ADDRESS_MAX];
    size_t n_sources;
    int64_t epoch_us;
    int64_t read_us; /* all that came before has been read */
    int64_t wall_offset_us;
    struct map64 tags;
    marks_take *take;
    void *context;
};

/* --- times --- */

/* What the wall clock is ahead by; taken anew at each turn, since it may be set. The thread may be
 * stopped between two readings: the closest pair of a few is taken. */
static int64_t wall_offset_us(void)
{
    int64_t best_us = INT64_MAX;
    int64_t offset_us = 0;
    for (int i = 0; i < CLOCK_TRIES && best_us > CLOCK_GOOD_US; i++) {
        int64_t before_us = clock_monotonic_us();
        int64_t wall_us = clock_wall_us();
        int64_t took_us = clock_monotonic_us() - before_us;
        if (took_us >= best_us)
            continue;
        best_us = took_us;
        offset_us = wall_us - before_us - took_us / 2;
    }
    return offset_us;
}

static int64_t now_us(const struct marks *m)
{
    return clock_monotonic_us() - m->epoch_us;
}

/* What the kernel says of a datagram. */
struct receipt {
    int64_t time_us; /* when it came */
    uint32_t drops;  /* how many were dropped before it */
};

static int64_t time_of_wall(const struct marks *m, const struct timespec *t)
{
    int64_t now = now_us(m);
    int64_t at_us =
        (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 - m->wall_offset_us - m->epoch_us;
    return at_us < 0 ? 0 : at_us > now ? now : at_us;
}

static struct receipt read_receipt(const struct source *s, struct msghdr *message)
{
    struct receipt out = {.time_us = -1, .drops = s->drops};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        struct timespec t;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
            memcpy(&out.drops, CMSG_DATA(c), sizeof(out.drops));
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&t, CMSG_DATA(c), sizeof(t));
        out.time_us = time_of_wall(s->marks, &t);
    }
    if (out.time_us < 0)
        out.time_us = now_us(s->marks);
    return out;
}

/* --- marks --- */

static uint64_t tell_tag(struct marks *m, const struct sql_tag *tag)
{
    _Alignas(RECORD_ALIGN) uint8_t bytes[sizeof(struct record_tag) + SQL_TAG_BYTES + RECORD_ALIGN];
    struct record_tag *record = (struct record_tag *)(void *)bytes;
    uint64_t id = sql_tag_id(tag);
    if (id == 0 || map64_get(&m->tags, id) != NULL)
        return id;
    assert(record_tag_size(tag) <= sizeof(bytes));
    record_tag_write(record, id, tag);
    m->take(m->context, &record->h);
    if (map64_put(&m->tags, id, m) != MAP64_OK)
        map64_clear(&m->tags); /* full: start over, tags that come again are told again */
    return id;
}

static void tell(struct marks *m, const struct wire_request_mark *mark, int64_t time_us)
{
    struct record_request r = {
        .h = {.len = sizeof(r), .type = RECORD_REQUEST},
        .peer = mark->peer,
        .request = mark->request,
        .tag = tell_tag(m, &mark->tag),
        .trace = mark->tag.trace,
        .time_us = time_us,
    };
    m->take(m->context, &r.h);
}

/* Some may have come since the last one that was read. */
static void tell_lost(struct source *s)
{
    struct record_request r = {
        .h = {.len = sizeof(r), .type = RECORD_REQUEST},
        .time_us = s->last_us,
    };
    s->marks->take(s->marks->context, &r.h);
}

static void note_drops(struct source *s, uint32_t drops)
{
    if (drops != s->drops)
        tell_lost(s);
    s->drops = drops;
}

/* False when there is none. What is no mark is nobody's business. */
static bool take_datagram(struct source *s)
{
    uint8_t bytes[REQUEST_MARK_MAX + 1];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t))];
    } control;
    struct iovec piece = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(s->fd, &message, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED;
    struct receipt receipt = read_receipt(s, &message);
    note_drops(s, receipt.drops);
    s->last_us = receipt.time_us;
    struct wire_request_mark mark;
    if (wire_request_mark_read(&mark, span_of(bytes, (size_t)n)))
        tell(s->marks, &mark, receipt.time_us);
    return true;
}

/* Drops of the socket so far; that of a Unix path drops nothing, its sender waits. */
static uint32_t drops_of(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

static void read_source(struct source *s)
{
    int left = DATAGRAMS_A_TURN;
    while (left > 0 && take_datagram(s))
        left--;
    note_drops(s, drops_of(s->fd)); /* behind the last one */
    if (left == 0)
        tell_lost(s); /* they are still to be read, but what is taken now cannot wait for them */
}

static void read_all(struct marks *m)
{
    int64_t before_us = now_us(m);
    m->wall_offset_us = wall_offset_us();
    for (size_t i = 0; i < m->n_sources; i++)
        read_source(&m->sources[i]);
    m->read_us = before_us;
}

void marks_read_until(struct marks *m, int64_t time_us)
{
    if (m != NULL && m->take != NULL && time_us >= m->read_us)
        read_all(m);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    read_all(context);
}

/* --- life --- */

static int open_source(struct marks *m, size_t i, char *error, size_t error_size)
{
    int fd = listener_open_datagram(m->addresses, i, error, error_size);
    if (fd < 0)
        return -1;
    int on = 1;
    int size = RECEIVE_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    m->sources[m->n_sources++] = (struct source){.marks = m, .fd = fd, .drops = drops_of(fd)};
    return 0;
}

struct marks *marks_open(const struct addresses *addresses, int64_t epoch_us, char *error,
                         size_t error_size)
{
    struct marks *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        snprintf(error, error_size, "no memory for request marks");
        return NULL;
    }
    m->addresses = addresses;
    m->epoch_us = epoch_us;
    map64_init(&m->tags, MAX_TAGS);
    for (size_t i = 0; i < addresses->count; i++) {
        if (open_source(m, i, error, error_size) == 0)
            continue;
        marks_free(m);
        return NULL;
    }
    return m;
}

int marks_start(struct marks *m, struct event_base *base, marks_take *take, void *context)
{
    m->take = take;
    m->context = context;
    for (size_t i = 0; i < m->n_sources; i++) {
        struct source *s = &m->sources[i];
        s->event = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, m);
        if (s->event == NULL || event_add(s->event, NULL) != 0)
            return -1;
    }
    return 0;
}

void marks_free(struct marks *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->n_sources; i++) {
        if (m->sources[i].event != NULL)
            event_free(m->sources[i].event);
        close(m->sources[i].fd);
    }
    if (m->n_sources > 0)
        listener_remove(m->addresses);
    map64_fini(&m->tags);
    free(m);
}
