/*
 * From exchanges to units of work: what of a connection's traffic belongs to one request.
 *
 * In this order: a trace id gathers over connections; a tag of another endpoint, the start and end
 * of a connection, and what pools send when a connection changes hands are borders; so is the end
 * of a transaction, and silence outside one. A connection whose pool marks its borders is cut by
 * those alone. Nothing here reads a clock: silence shows in the times of the records, and `now` is
 * the latest time that any record told.
 */
#ifndef PGSLEUTH_DETECTORS_SESSIONS_H
#define PGSLEUTH_DETECTORS_SESSIONS_H

#include "detectors/applications.h"
#include "detectors/pool_order.h"
#include "detectors/unit.h"

enum {
    SESSIONS_MAX_TRACES = 4096,
    SESSIONS_TRACE_IDLE_US = 2 * 1000 * 1000,
    SESSIONS_SLACK_US = 1000 * 1000, /* records of other workers may be this late */
    SESSIONS_MARKED_IDLE_US = 30 * 1000 * 1000,
};

struct det_session;

/* Where in a unit without sure borders the second and later requests begin, as unit_cuts() says. */
typedef size_t *sessions_cut(void *arg, const struct unit *u, size_t *count);

/* Where closed units go; `endpoint` is set there. */
typedef void sessions_close(void *arg, struct unit *u);

/* What a connection was, told when it ends. */
struct session_summary {
    uint64_t session;
    bool start_seen;
    uint64_t client;  /* hash of user, database, application_name and address: who connected */
    int64_t start_us; /* 0 when it began before the records */
    int64_t end_us;
    uint32_t startup_us; /* StartupMessage to the first ReadyForQuery */
    uint64_t statements; /* the application's */
    uint64_t units;
    struct endpoint *endpoint; /* of its last unit; NULL without any */
};

/* Told of each connection that was ended; not of those that were open when pgsleuth stopped. */
typedef void sessions_ended(void *arg, const struct session_summary *about);

struct sessions {
    struct unit_room room;
    struct map64 by_id;
    struct pool_order pools;
    struct det_session *last; /* looked up; NULL when it is gone */
    struct applications applications;
    struct map64 traces;
    struct unit *oldest_trace;
    struct unit *newest_trace;
    struct det_session *idle_first; /* open unit, no transaction; longest silent first */
    struct det_session *idle_last;
    struct unit *free_units;
    size_t n_free;
    /* Of the exchange that is being taken in. */
    uint64_t trace;
    const struct http_join *request;
    bool marked;
    int64_t gap_us;
    int64_t now_us;
    uint64_t started;    /* sessions seen */
    uint64_t chatter;    /* exchanges */
    uint64_t lost;       /* exchanges without room for their session or unit */
    uint64_t cut_traces; /* closed for want of room for another */
    sessions_cut *cut;
    sessions_close *close;
    sessions_ended *end; /* or NULL */
    void *close_arg;
};

void sessions_init(struct sessions *s, int64_t gap_us, sessions_cut *cut, sessions_close *close,
                   sessions_ended *end, void *arg);
void sessions_fini(struct sessions *s);

void sessions_start(struct sessions *s, const struct record_session_start *r);
void sessions_end(struct sessions *s, const struct record_session_end *r);

/* Who a connection's client is, as in struct session_summary; 0 when not known. */
uint64_t sessions_client(struct sessions *s, uint64_t session);

/* When the connection's open transaction began; 0 without one. */
int64_t sessions_transaction_begin(const struct sessions *s, uint64_t session);

/* To which request an exchange belongs. */
struct exchange_origin {
    uint64_t trace; /* gathers what belongs together; 0: not known */
    const struct tag *tag;
    const struct http_join *request; /* or NULL */
    bool marked;                     /* the application said so beside the SQL */
};

void sessions_exchange(struct sessions *s, const struct record_exchange *r, struct statement *st,
                       const struct exchange_origin *origin);

/* Time has passed without a record of a session. */
void sessions_advance(struct sessions *s, int64_t time_us);

/* Close every open unit, in an order that depends on the records alone. */
void sessions_finish(struct sessions *s);

#endif
