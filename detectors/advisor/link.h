/*
 * The advisor's connection: libpq driven without blocking, so that a stop is heard at any moment.
 *
 * Opened at the first need and kept; while it cannot be had, attempts are spaced by a growing
 * pause. One thread uses it. Messages about it are logged once for each change and never hold what
 * stands in the DSN: libpq's own words are cut to the reason behind the last colon.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_LINK_H
#define PGSLEUTH_DETECTORS_ADVISOR_LINK_H

#include "detectors/advisor/advisor.h"

#include <libpq-fe.h>
#include <stdatomic.h>

enum advisor_link_status {
    LINK_OK,
    LINK_REFUSED, /* the server answered with an error: sqlstate tells */
    LINK_TIMEOUT, /* it answered that the time is over, or not at all */
    LINK_DOWN,
    LINK_STOPPED,
};

struct advisor_link_params {
    int n;
    const Oid *types;
    const char *const *values;
    const int *lengths;
    const int *formats;
};

struct advisor_link {
    const struct advisor_options *options;
    char *dsn;   /* owned, wiped; NULL when it cannot be read */
    int bell_fd; /* readable: look at `stopping` */
    atomic_bool *stopping;
    PGconn *conn; /* NULL while there is none */
    int64_t retry_at_us;
    int64_t pause_us;
    bool said_down;
    uint32_t queries; /* statements sent, and the time until they were answered */
    int64_t busy_us;
    char sqlstate[6]; /* of the last LINK_REFUSED or LINK_TIMEOUT, else "" */
};

/* In the caller's storage; connects nowhere yet. */
void advisor_link_init(struct advisor_link *link, const struct advisor_options *options,
                       int bell_fd, atomic_bool *stopping);

/* Close and wipe. What runs on the server is cancelled by advisor_link_query when it sees the stop.
 */
void advisor_link_fini(struct advisor_link *link);

/* Make sure there is a connection: LINK_OK, LINK_DOWN or LINK_STOPPED. */
enum advisor_link_status advisor_link_open(struct advisor_link *link);

/* Drop the connection; the next advisor_link_open makes a new one. */
void advisor_link_close(struct advisor_link *link);

/* Run one statement over the extended protocol. `params` may be NULL; `result` may be NULL, else it
 * gets the rows, which the caller clears, and NULL unless LINK_OK. After LINK_DOWN, LINK_STOPPED or
 * a silent server the connection is closed. */
enum advisor_link_status advisor_link_query(struct advisor_link *link, const char *sql,
                                            const struct advisor_link_params *params,
                                            PGresult **result);

/* The same with text parameters of types that the server knows from the statement. */
enum advisor_link_status advisor_link_query_text(struct advisor_link *link, const char *sql, int n,
                                                 const char *const *values, PGresult **result);

#endif
