#include "detectors/join.h"

#include <stdlib.h>

struct held_record {
    struct held_record *next;
    int64_t time_us;
    struct request_mark mark;
    _Alignas(RECORD_ALIGN) uint8_t record[];
};

void join_init(struct join *j, join_release *release, void *arg)
{
    *j = (struct join){.release = release, .arg = arg};
}

void join_fini(struct join *j)
{
    for (struct held_record *h = j->oldest, *next; h != NULL; h = next) {
        next = h->next;
        free(h);
    }
    j->oldest = NULL;
    j->newest = NULL;
}

/* --- requests, in the order in which they began --- */

static struct http_join *at(struct join *j, size_t i)
{
    return &j->requests[(j->first + i) % JOIN_MAX_REQUESTS];
}

/* How many requests began at that time or before. */
static size_t begun_by(struct join *j, int64_t time_us)
{
    size_t low = 0;
    size_t high = j->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (at(j, middle)->start_us <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_first(struct join *j)
{
    j->open -= at(j, 0)->end_us == 0;
    j->first = (j->first + 1) % JOIN_MAX_REQUESTS;
    j->count--;
}

/* Another worker's may have begun earlier: records of several rings come a little out of order. */
static struct http_join *insert(struct join *j, uint64_t id, int64_t start_us)
{
    if (j->count == JOIN_MAX_REQUESTS)
        drop_first(j);
    j->open++;
    size_t place = begun_by(j, start_us);
    for (size_t i = j->count++; i > place; i--)
        *at(j, i) = *at(j, i - 1);
    *at(j, place) = (struct http_join){.id = id, .start_us = start_us};
    return at(j, place);
}

static struct http_join *find(struct join *j, uint64_t id, int64_t start_us)
{
    for (size_t i = begun_by(j, start_us); i > 0 && at(j, i - 1)->start_us == start_us; i--) {
        if (at(j, i - 1)->id == id)
            return at(j, i - 1);
    }
    return NULL;
}

/* Those that ended before everything that is still to be decided; and those in flight for so long
 * that nothing waits for them any more: their end may have been lost. */
static void forget(struct join *j)
{
    int64_t needed_us = j->now_us - JOIN_WAIT_US - JOIN_SLACK_US;
    while (j->count > 0 && at(j, 0)->start_us < needed_us && at(j, 0)->end_us < needed_us)
        drop_first(j);
}

static bool holds(const struct http_join *r, int64_t time_us)
{
    return r->start_us <= time_us && (r->end_us == 0 || r->end_us >= time_us);
}

/* Of its SQL, or of the mark it came with. */
static uint64_t trace_of(const struct held_record *h)
{
    const struct record_exchange *x = (const void *)h->record;
    return x->trace != 0 ? x->trace : h->mark.trace;
}

/* The one request of this trace at this time; a trace that two requests share names neither. */
static struct http_join *by_trace(struct join *j, uint64_t trace, int64_t time_us)
{
    struct http_join *found = NULL;
    for (size_t i = begun_by(j, time_us); trace != 0 && i > 0; i--) {
        struct http_join *r = at(j, i - 1);
        if (r->trace != trace || !holds(r, time_us))
            continue;
        if (found != NULL)
            return NULL;
        found = r;
    }
    return found;
}

/* The request that began last is the only one that could be alone now. */
static struct http_join *candidate(struct join *j, int64_t time_us)
{
    size_t n = begun_by(j, time_us);
    struct http_join *r = n > 0 ? at(j, n - 1) : NULL;
    return r != NULL && holds(r, time_us) ? r : NULL;
}

static const struct http_join *owner(struct join *j, const struct held_record *h)
{
    const struct record_exchange *x = (const void *)h->record;
    struct http_join *r = by_trace(j, trace_of(h), x->start_us);
    if (r == NULL && trace_of(h) == 0) {
        r = candidate(j, x->start_us);
        if (r != NULL && !r->alone)
            r = NULL;
    }
    return r != NULL && r->end_us != 0 && r->route != NULL ? r : NULL;
}

/* --- records --- */

static bool some_request_is_open(struct join *j, int64_t time_us)
{
    for (size_t i = begun_by(j, time_us); i > 0; i--) {
        if (at(j, i - 1)->end_us == 0)
            return true;
    }
    return false;
}

static bool is_decided(struct join *j, const struct held_record *h)
{
    const struct record_header *record = (const void *)h->record;
    if (record->type != RECORD_EXCHANGE)
        return true;
    const struct record_exchange *x = (const void *)record;
    if (j->now_us - h->time_us < JOIN_SLACK_US)
        return false;
    if (j->now_us - x->start_us >= JOIN_WAIT_US)
        return true;
    if (trace_of(h) != 0)
        return by_trace(j, trace_of(h), x->start_us) != NULL ||
               !some_request_is_open(j, x->start_us);
    const struct http_join *r = candidate(j, x->start_us);
    return r == NULL || r->end_us != 0;
}

static void release_oldest(struct join *j)
{
    struct held_record *h = j->oldest;
    const struct record_header *record = (const void *)h->record;
    j->oldest = h->next;
    if (j->oldest == NULL)
        j->newest = NULL;
    j->held_bytes -= record->len;
    const struct http_join *r = NULL;
    if (record->type == RECORD_EXCHANGE) {
        r = owner(j, h);
        j->joined += r != NULL;
        j->unjoined += r == NULL && j->seen;
    }
    j->release(j->arg, record, h->mark, r);
    free(h);
}

static void advance(struct join *j, int64_t time_us)
{
    if (time_us > j->now_us)
        j->now_us = time_us;
    while (j->oldest != NULL && is_decided(j, j->oldest))
        release_oldest(j);
    while (j->oldest != NULL && j->held_bytes > JOIN_MAX_HELD_BYTES) {
        j->forced++;
        release_oldest(j);
    }
    forget(j);
}

void join_begin(struct join *j, const struct record_http_begin *r, struct http_route *expected)
{
    j->seen = true;
    insert(j, r->request, r->time_us)->expected = expected;
    advance(j, r->time_us);
}

void join_end(struct join *j, const struct record_http *r, struct http_route *route)
{
    struct http_join *known = find(j, r->request, r->start_us);
    j->seen = true;
    j->http_requests++;
    if (known == NULL)
        known = insert(j, r->request, r->start_us);
    j->open -= known->end_us == 0;
    known->trace = r->trace;
    known->end_us = r->start_us + (int64_t)r->total_us;
    known->first_us = r->first_us;
    known->total_us = r->total_us;
    known->alone = (r->http_flags & HTTP_ALONE) != 0;
    known->tunnel = (r->http_flags & HTTP_TUNNEL) != 0;
    known->route = known->tunnel ? NULL : route;
    known->expected = known->route;
    if (r->total_us > j->longest_us)
        j->longest_us = r->total_us;
    advance(j, known->end_us);
}

static bool is_among(struct http_route *const *routes, size_t n, const struct http_route *route)
{
    for (size_t i = 0; i < n; i++) {
        if (routes[i] == route)
            return true;
    }
    return false;
}

size_t join_routes_at(struct join *j, int64_t time_us, struct http_route *out[JOIN_MAX_ROUTES])
{
    size_t n = 0;
    size_t later = begun_by(j, time_us);
    size_t open = 0; /* still to come, going back */
    for (size_t i = later; i < j->count; i++)
        open += at(j, i)->end_us == 0;
    open = j->open - open;
    for (size_t i = later; i > 0; i--) {
        const struct http_join *r = at(j, i - 1);
        if (open == 0 && r->start_us + (int64_t)j->longest_us < time_us)
            break; /* this one and those before it have ended */
        open -= r->end_us == 0;
        if (r->tunnel || !holds(r, time_us) || is_among(out, n, r->expected))
            continue;
        if (r->expected == NULL || n == JOIN_MAX_ROUTES)
            return 0;
        out[n++] = r->expected;
    }
    return n;
}

bool join_ended_between(struct join *j, const struct http_route *route, int64_t begun_us,
                        int64_t from_us, int64_t to_us)
{
    for (size_t i = begun_by(j, begun_us); i > 0; i--) {
        const struct http_join *r = at(j, i - 1);
        if (r->start_us + (int64_t)j->longest_us < from_us - JOIN_LATE_US)
            return false; /* this one and those before it ended earlier, or have not ended */
        if (r->route == route && r->end_us >= from_us - JOIN_LATE_US &&
            r->end_us <= to_us + JOIN_LATE_US)
            return true;
    }
    return false;
}

void join_record(struct join *j, const struct record_header *record, struct request_mark mark,
                 int64_t time_us)
{
    struct held_record *h = malloc(sizeof(*h) + record->len);
    if (h == NULL) {
        j->forced++;
        return; /* there is no memory: the record is lost, and said to be */
    }
    h->next = NULL;
    h->time_us = time_us;
    h->mark = mark;
    memcpy(h->record, record, record->len);
    *(j->newest != NULL ? &j->newest->next : &j->oldest) = h;
    j->newest = h;
    j->held_bytes += record->len;
    advance(j, time_us);
}

void join_finish(struct join *j)
{
    while (j->oldest != NULL)
        release_oldest(j);
}
