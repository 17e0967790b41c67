/*
 * The auditor: the main thread's side of the rings. It owns everything that is known about the
 * traffic.
 *
 * Every record, from a worker, the parser helper or the advisor, passes through auditor_take():
 * first into the capture, then into the audit. So a capture holds exactly what the audit saw, in
 * the same order, and gives the same report when it is read again.
 *
 * On its loop: a short timer and an eventfd drain the rings; a slower one chooses a statement to
 * explain, flushes the capture and, at the chosen interval, writes the report.
 */
#ifndef PGSLEUTH_PROXY_AUDITOR_H
#define PGSLEUTH_PROXY_AUDITOR_H

#include "common/ring.h"
#include "common/span.h"
#include "detectors/advisor/advisor.h"
#include "detectors/audit.h"
#include "proxy/capture.h"
#include "proxy/documents.h"

struct event_base;
struct auditor;
struct marks;

enum { AUDITOR_MAX_RINGS = 64 + 1 }; /* of the workers, and the advisor's */

struct auditor_options {
    const struct det_settings *settings;
    struct documents documents;     /* where reports go */
    int64_t report_interval_s;      /* 0: only when asked */
    struct capture_writer *capture; /* borrowed; NULL: none */
    struct marks *marks;            /* borrowed, not started yet; NULL: none are listened for */
    enum record_explain_state explain;
    bool http;                      /* there is a listener for it */
    struct advisor_options advisor; /* used when explain is on */
    int64_t epoch_us;
    size_t ring_bytes;
    bool may_begin_runs; /* keep what later runs need to know */
};

/* The last figures of a run, which no record before it holds. */
struct auditor_end {
    uint64_t sessions;
    uint64_t refused;
};

/* NULL when there is no memory. Writes the run's first record and starts the advisor. */
struct auditor *auditor_new(struct event_base *base, const struct auditor_options *options);

/* The eventfd that workers write when their ring is half full. */
int auditor_wake_fd(const struct auditor *a);

/* Drain this ring from now on; borrowed. */
void auditor_add_ring(struct auditor *a, struct ring *ring);

/* Begin the timers. */
void auditor_start(struct auditor *a);

/* Write the report now; a failure is logged. 0 or -1. */
int auditor_write_report(struct auditor *a);

/* What was counted since the start. */
struct auditor_figures {
    uint64_t statements;
    uint64_t dropped; /* records */
};

struct auditor_figures auditor_figures(const struct auditor *a);

/* Give this moment a name, which is a good one (wire/record.h); *at_us is counted from the run's
 * start. False when the run has RECORD_MAX_MOMENTS already. */
bool auditor_mark(struct auditor *a, struct span name, int64_t *at_us);

/* Begin another run: all that was counted is forgotten. The name is a good one or empty. `so_far`
 * is what the last record of this run will leave out. Every worker is then to be told the number
 * that comes back (worker_begin_run); what it wrote before it knew is left out. 0 without memory:
 * then nothing has changed. */
uint64_t auditor_begin_run(struct auditor *a, struct span name, const struct auditor_end *so_far);

/* True when all workers have answered the last auditor_begin_run. */
bool auditor_run_is_begun(const struct auditor *a);

/* Take all that lies in the rings; what is new in it is asked about. */
void auditor_drain(struct auditor *a);

/* True while statements wait for the parser or for a plan: the end of a short run may wait for
 * them. */
bool auditor_is_waiting(const struct auditor *a);

/* The workers have ended: take their last records, close every unit of work, write the run's last
 * record and the report. 0, or -1 when the report could not be written. */
int auditor_finish(struct auditor *a, const struct auditor_end *end);

/* What was found, for the summary. Valid until auditor_free. */
const struct audit *auditor_audit(const struct auditor *a);

/* NULL is allowed. */
void auditor_free(struct auditor *a);

#endif
