/*
 * The ledger: what each endpoint did, in counters and histograms, never in a list that grows with
 * traffic.
 *
 * An endpoint is a method and route read from a tag, or a controller and action, or method and
 * route of the HTTP request its units were joined to, or, without any of these, the signature of
 * its unit of work: the sequence of its statements, named by its first statement and main tables,
 * and by what the connection calls itself: the same statements of two services are two endpoints.
 * Each (endpoint, statement) pair has one `struct usage`.
 */
#ifndef PGSLEUTH_DETECTORS_ENDPOINT_H
#define PGSLEUTH_DETECTORS_ENDPOINT_H

#include "common/histogram.h"
#include "detectors/routes.h"
#include "detectors/statement.h"

/* A tag as its RECORD_TAG told; values are NUL-terminated or NULL. */
struct tag {
    uint64_t id;
    const char *value[SQL_TAG_COUNT];
};

/* How units of this endpoint were told apart, best last. */
enum unit_confidence {
    UNIT_BY_GAP,
    UNIT_BY_TRANSACTION,
    UNIT_BY_MARKER,
    UNIT_BY_CONNECTION,
    UNIT_EXACT,
    UNIT_CONFIDENCES
};

/* How the endpoint got its name. */
enum attribution { ATTRIBUTION_SIGNATURE, ATTRIBUTION_HTTP, ATTRIBUTION_TAG, ATTRIBUTION_MARK };

/* Units are dealt out to this many parts in turn, so that the spread of a mean over them shows. */
enum { ENDPOINT_PARTS = 8 };

struct claims;
struct worst;

struct usage {
    struct endpoint *endpoint;
    struct statement *statement;
    const struct tag *tag; /* of the first exchange: its call site; NULL when untagged */
    struct usage *next;    /* of the endpoint, in order of first sight */
    uint64_t units;        /* in which it occurred */
    uint64_t calls;
    uint64_t rows;
    uint64_t bytes;
    uint64_t max_rows; /* of one execution */
    uint64_t max_bytes;
    uint64_t limited; /* executions with a row limit in Execute */
    uint64_t suspended;
    uint64_t errors;
    uint64_t last_unit; /* serial of the unit counted last */
    struct histogram time_us;
    struct histogram rows_each;
};

/* Where the time of requests went, in sums over the units that were joined to one. */
struct latency_split {
    uint64_t units;
    uint64_t total_us;
    struct histogram before_us; /* up to the first statement, of those that waited for nobody */
    uint64_t pool_wait_us;      /* ready for a connection, until another request's was free */
    uint64_t database_us;       /* a statement was under way */
    uint64_t idle_in_transaction_us; /* none was, and a transaction was open */
    uint64_t transfer_us;            /* from the first byte of the response to its last */
    uint64_t application_us;         /* what is left */
};

struct endpoint {
    uint64_t key;
    enum attribution attribution;
    enum unit_confidence confidence; /* the least of its units */
    const char *method;              /* NULL when neither tag nor HTTP told */
    const char *route;               /* likewise */
    const struct http_route *http;   /* what HTTP tells of it, or NULL */
    struct latency_split split;
    uint64_t fewest_statements; /* of a unit that was joined to its request */
    uint64_t most_statements;
    const char *application; /* of the connections, where nothing else gives a name; or NULL */
    const char *name; /* "GET /users", "users#index"; for signatures made when the report is */
    struct statement *anchor; /* first data statement of the first unit */
    struct usage *usages;
    struct usage **usages_end;
    struct endpoint *next; /* in order of first sight */
    uint64_t units;
    uint64_t learnt_units; /* of these, named by statements that were seen at this route before */
    uint64_t statements;   /* data statements: driver chatter left out */
    uint64_t chatter;
    uint64_t errors;
    uint64_t new_connections;
    uint64_t asyncpg_units; /* whose connection belongs to an asyncpg pool */
    uint64_t wall_us;       /* sums */
    uint64_t db_us;
    uint64_t part_us[ENDPOINT_PARTS]; /* of wall_us */
    struct claims *claims;            /* time that findings would take away; NULL without any */
    struct histogram wall_us_each;    /* of the HTTP request when it is known; else first
                                         request byte of the unit to its last reply byte */
    struct histogram db_us_each;
    struct histogram statements_each;
    struct histogram rows_each;
    struct histogram bytes_each;
    struct worst *worst; /* its slowest request; NULL without any, and without room */
    int64_t first_us;
    int64_t last_us;
};

/* Units; or, where none was joined, what HTTP counted. */
uint64_t endpoint_requests(const struct endpoint *e);

/* Whether what it says of statements holds: a request that was beside others all the time may have
 * sent some that nobody could tell apart. */
bool endpoint_statements_known(const struct endpoint *e);

/* The time of its requests, by HTTP when that was seen. */
const struct histogram *endpoint_latency(const struct endpoint *e);

#endif
