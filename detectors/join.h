/*
 * Which HTTP request a statement belongs to.
 *
 * A statement is a request's when it carries that request's trace, or when it came while that
 * request was the only one in flight, from its begin to its end (HTTP_ALONE, which the workers
 * counted together). Anything else has no name from here: no guess is made.
 *
 * Whether a request was alone is known when it has ended, and the rings of several workers are
 * emptied one after the other. So records of sessions wait here, in their order, until
 *   * JOIN_SLACK_US have passed since, by the times of the records, and
 *   * the request that may be theirs has ended, or JOIN_WAIT_US have passed, or the queue is full.
 * Without an HTTP listener nothing waits, and this costs nothing.
 *
 * What no record shows is not seen: an application that works on after its response, or a client
 * that goes around pgsleuth, may have statements in the time of another request. One case shows and
 * is left without a name: a transaction older than the request (sessions.c).
 */
#ifndef PGSLEUTH_DETECTORS_JOIN_H
#define PGSLEUTH_DETECTORS_JOIN_H

#include "common/map64.h"
#include "detectors/request_marks.h"
#include "detectors/routes.h"

enum {
    JOIN_SLACK_US = 1000 * 1000,
    JOIN_LATE_US = 5 * 1000,
    JOIN_WAIT_US = 60 * 1000 * 1000,
    JOIN_MAX_REQUESTS = 4096,
    JOIN_MAX_HELD_BYTES = 64 * 1024 * 1024,
};

/* A request as far as it is known. */
struct http_join {
    uint64_t id;
    uint64_t trace;
    int64_t start_us;
    int64_t end_us; /* 0: in flight */
    uint32_t first_us;
    uint32_t total_us;
    bool alone;
    bool tunnel;
    struct http_route *route; /* NULL until it ended, and without room */
    struct http_route
        *expected; /* likely its route, from its begin on; NULL when it is a new one */
};

/* Where records go on, with the mark that they came with, and the request that an exchange belongs
 * to, or NULL. */
typedef void join_release(void *arg, const struct record_header *record, struct request_mark mark,
                          const struct http_join *request);

struct held_record;

struct join {
    struct http_join requests[JOIN_MAX_REQUESTS]; /* by start, oldest at `first` */
    size_t first;
    size_t count;
    size_t open; /* of these, in flight */
    struct held_record *oldest;
    struct held_record *newest;
    size_t held_bytes;
    int64_t now_us;      /* the latest time that a record told */
    uint64_t longest_us; /* of the requests that ended: who began earlier has ended */
    bool awaited;        /* requests are listened for */
    bool seen;           /* a request */
    uint64_t http_requests;
    uint64_t joined;   /* exchanges */
    uint64_t unjoined; /* exchanges that came while HTTP was seen, and belong to no request */
    uint64_t forced;   /* records that went on early because the queue was full */
    join_release *release;
    void *arg;
};

void join_init(struct join *j, join_release *release, void *arg);

/* Frees what is held without releasing it. */
void join_fini(struct join *j);

void join_begin(struct join *j, const struct record_http_begin *r, struct http_route *expected);
void join_end(struct join *j, const struct record_http *r, struct http_route *route);

enum { JOIN_MAX_ROUTES = 16 };

/* The routes of all requests that were in flight at that time, each once; 0 when one of them is not
 * known, and when they are more. */
size_t join_routes_at(struct join *j, int64_t time_us, struct http_route *out[JOIN_MAX_ROUTES]);

/* Whether a request of this route that was in flight at `begun_us` ended between two times, give or
 * take what a worker's look at the clock may be late. */
bool join_ended_between(struct join *j, const struct http_route *route, int64_t begun_us,
                        int64_t from_us, int64_t to_us);

/* A record of a session, or a mark: goes on now or later. `time_us` is the latest time it tells. */
void join_record(struct join *j, const struct record_header *record, struct request_mark mark,
                 int64_t time_us);

/* The run is over: everything goes on. */
void join_finish(struct join *j);

#endif
