#include "detectors/request_marks.h"

#include <stdlib.h>

enum { FIRST_ROOM = 8 };

struct kept_mark {
    int64_t time_us;
    struct request_mark mark;
};

struct marked_peer {
    uint64_t peer;
    uint64_t session;        /* 0: not announced, or over */
    int64_t since_us;        /* of the session; marks from before were for another one */
    struct kept_mark *marks; /* a ring, oldest first */
    size_t room;             /* a power of two */
    size_t first;
    size_t n;
    struct marked_peer *older; /* in the list of those without a session */
    struct marked_peer *newer;
};

void request_marks_init(struct request_marks *m)
{
    *m = (struct request_marks){.lost = 0};
    map64_init(&m->by_peer, REQUEST_MARKS_MAX_PEERS);
    map64_init(&m->by_session, REQUEST_MARKS_MAX_PEERS);
}

static void free_peer(struct request_marks *m, struct marked_peer *p)
{
    m->room -= p->room;
    free(p->marks);
    free(p);
}

void request_marks_fini(struct request_marks *m)
{
    size_t at = 0;
    struct marked_peer *p;
    while ((p = map64_next(&m->by_peer, &at, NULL)) != NULL)
        free_peer(m, p);
    map64_fini(&m->by_peer);
    map64_fini(&m->by_session);
}

/* --- those that nobody is known to use --- */

static void unlink_peer(struct request_marks *m, struct marked_peer *p)
{
    *(p->older != NULL ? &p->older->newer : &m->oldest) = p->newer;
    *(p->newer != NULL ? &p->newer->older : &m->newest) = p->older;
    p->older = NULL;
    p->newer = NULL;
}

static void link_newest(struct request_marks *m, struct marked_peer *p)
{
    p->older = m->newest;
    *(m->newest != NULL ? &m->newest->newer : &m->oldest) = p;
    m->newest = p;
}

static void forget_oldest(struct request_marks *m)
{
    struct marked_peer *p = m->oldest;
    unlink_peer(m, p);
    (void)map64_remove(&m->by_peer, p->peer);
    free_peer(m, p);
}

/* --- marks --- */

/* NULL when there is no room. */
static struct marked_peer *peer_of(struct request_marks *m, uint64_t peer)
{
    struct marked_peer *p = map64_get(&m->by_peer, peer);
    if (p != NULL)
        return p;
    if (m->by_peer.count >= REQUEST_MARKS_MAX_PEERS && m->oldest != NULL)
        forget_oldest(m);
    p = m->by_peer.count < REQUEST_MARKS_MAX_PEERS ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL)
        return NULL;
    p->peer = peer;
    if (map64_put(&m->by_peer, peer, p) != MAP64_OK) {
        free(p);
        return NULL;
    }
    link_newest(m, p);
    return p;
}

static struct kept_mark *mark_at(const struct marked_peer *p, size_t i)
{
    return &p->marks[(p->first + i) & (p->room - 1)];
}

static void drop_first(struct marked_peer *p, size_t n)
{
    p->first += n;
    p->n -= n;
}

/* False when there is no room for more of this connection. */
static bool grow(struct request_marks *m, struct marked_peer *p)
{
    size_t room = p->room > 0 ? p->room * 2 : FIRST_ROOM;
    if (room > REQUEST_MARKS_OF_PEER || m->room + room - p->room > REQUEST_MARKS_MAX)
        return false;
    struct kept_mark *marks = calloc(room, sizeof(*marks));
    if (marks == NULL)
        return false;
    for (size_t i = 0; i < p->n; i++)
        marks[i] = *mark_at(p, i);
    free(p->marks);
    m->room += room - p->room;
    p->marks = marks;
    p->room = room;
    p->first = 0;
    return true;
}

void request_marks_peer(struct request_marks *m, const struct record_peer *r)
{
    struct marked_peer *p = peer_of(m, r->peer);
    if (p == NULL || map64_put(&m->by_session, r->session, p) != MAP64_OK) {
        return; /* its statements have no name from here */
    }
    if (p->session != 0)
        (void)map64_remove(&m->by_session, p->session);
    else
        unlink_peer(m, p);
    p->session = r->session;
    p->since_us = r->time_us;
}

/* Between the mark and the statement marks were lost: its own may be among them. */
static bool is_doubtful(const struct request_marks *m, int64_t mark_us, int64_t statement_us)
{
    unsigned n = m->lost < REQUEST_MARKS_LOSSES ? (unsigned)m->lost : REQUEST_MARKS_LOSSES;
    bool forgotten = m->lost > REQUEST_MARKS_LOSSES;
    for (unsigned i = 0; i < n; i++) {
        int64_t lost_us = m->losses_us[i];
        forgotten = forgotten && mark_us <= lost_us;
        if (mark_us <= lost_us && lost_us <= statement_us)
            return true;
    }
    return forgotten; /* older than all of the losses that are remembered */
}

void request_marks_add(struct request_marks *m, const struct record_request *r,
                       const struct tag *tag)
{
    struct marked_peer *p = r->peer != 0 ? peer_of(m, r->peer) : NULL;
    if (p == NULL) {
        m->losses_us[m->lost++ % REQUEST_MARKS_LOSSES] = r->time_us;
        return;
    }
    if (p->session == 0) {
        unlink_peer(m, p);
        link_newest(m, p);
    }
    if (p->n == p->room && !grow(m, p)) {
        if (p->room == 0)
            return;
        drop_first(p, 1);
    }
    *mark_at(p, p->n++) =
        (struct kept_mark){.time_us = r->time_us, .mark = {r->request, r->trace, tag}};
}

/* Clocks are compared that were read one after the other. */
static int64_t latest_mark_us(const struct record_exchange *r)
{
    const uint32_t slack_us = 20;
    uint32_t half = r->total_us / 2;
    return r->start_us + (int64_t)(half < slack_us ? half : slack_us);
}

struct request_mark request_marks_find(struct request_marks *m, const struct record_exchange *r)
{
    const struct request_mark none = {.request = 0};
    struct marked_peer *p = map64_get(&m->by_session, r->session);
    int64_t latest_us = latest_mark_us(r);
    /* Exchanges of a session come in their order: older marks have had theirs. */
    while (p != NULL && p->n > 1 && mark_at(p, 1)->time_us <= latest_us)
        drop_first(p, 1);
    if (p == NULL || p->n == 0)
        return none;
    const struct kept_mark *k = mark_at(p, 0);
    if (k->time_us > latest_us || k->time_us < p->since_us || is_doubtful(m, k->time_us, latest_us))
        return none;
    m->named += k->mark.request != 0;
    return k->mark;
}

void request_marks_end(struct request_marks *m, const struct record_session_end *r)
{
    struct marked_peer *p = map64_remove(&m->by_session, r->session);
    if (p == NULL || p->session != r->session)
        return;
    p->session = 0; /* the port's next session may have been marked already */
    link_newest(m, p);
}
