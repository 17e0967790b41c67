/*
 * The advisor: a thread with one libpq connection of its own that asks PostgreSQL for plans and
 * sizes.
 *
 * The auditor submits a statement with observed values; the advisor runs EXPLAIN (FORMAT JSON) on
 * it, never ANALYZE, in a read-only transaction with statement_timeout and lock_timeout that it
 * always rolls back, at most one job in `interval_ms`, and answers with one record_plan in its
 * ring, which also tells what the job cost. Values never leave this thread: filters come back
 * masked. Only a single SELECT or DELETE is ever explained (the caller passes no other), over the
 * extended protocol, which takes one statement at a time.
 *
 * Of a client's session (search_path, role, settings) nothing is inherited. A statement is
 * explained with the search_path that the role and the database give to a new connection, because
 * its unqualified names mean nothing without one: what an application sets later by SET
 * search_path is not followed, and its statements then fail here or name a table of the default
 * path. All queries of the advisor's own run with an empty one.
 *
 * The columns of a plan are those an index should have: see advice.h for how a part is written. A
 * scan of a partition names the partition.
 *
 * Threads: advisor_submit is called by one thread (the auditor), which is also the ring's consumer.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_ADVISOR_H
#define PGSLEUTH_DETECTORS_ADVISOR_ADVISOR_H

#include "common/ring.h"
#include "common/span.h"
#include "wire/record.h"

struct advisor;

struct advisor_options {
    const char *dsn; /* borrowed until advisor_stop; libpq's URI form */
    int64_t interval_ms;
    int64_t statement_timeout_ms;
    int64_t lock_timeout_ms;
    int64_t connect_timeout_ms;
    int64_t
        epoch_us; /* clock_monotonic_us() of the run's start: plans are stamped relative to it */
};

/* Start the thread. Plans are written to `results` (this thread is its only producer) and
 * `wake_fd`, an eventfd, is written after each. NULL when there is no memory or no thread. */
struct advisor *advisor_start(const struct advisor_options *options, struct ring *results,
                              int wake_fd);

/* One statement to explain. `text` holds the literals; `params` is the tail of a record_sample with
 * n_params parameters (empty when 0). Both are copied. False when the queue is full: try again
 * later. */
bool advisor_submit(struct advisor *a, struct sql_id id, struct span text, unsigned n_params,
                    struct span params);

/* Cancel what is running, join the thread, wipe and free everything. NULL is allowed. */
void advisor_stop(struct advisor *a);

#endif
