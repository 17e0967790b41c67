/*
 * The audit: records in, a ledger kept, results out. One thread owns it.
 *
 * audit_record() takes every record in the order in which it is written to a capture, so that
 * feeding the capture later gives the same ledger. Units of work close by what the records say,
 * never by a clock.
 */
#ifndef PGSLEUTH_DETECTORS_AUDIT_H
#define PGSLEUTH_DETECTORS_AUDIT_H

#include "detectors/detector.h"

struct audit;

/* Caps of everything that traffic could grow. Together with the memory of a result they stay below
 * 256 MiB, which tests/bench/auditor.c shows. */
enum {
    AUDIT_NAME_BYTES = 56 * 1024 * 1024,     /* statements with their texts and facts, tags */
    AUDIT_EVIDENCE_BYTES = 56 * 1024 * 1024, /* endpoints, and what the rules count */
    AUDIT_UNIT_BYTES = 48 * 1024 * 1024,     /* open units of work */
    AUDIT_MAX_STATEMENTS = 20000,
    AUDIT_MAX_ENDPOINTS = 2000,
    AUDIT_MAX_USAGES = 20000,
    AUDIT_MAX_SESSIONS = 50000,
    AUDIT_MAX_TAGS = 20000,
    AUDIT_MAX_UNIT_EXCHANGES = 20000,
};

/* A moment of the run that somebody named. */
struct audit_moment {
    int64_t at_us; /* as the records count time */
    char name[RECORD_NAME_MAX + 1];
};

/* NULL when there is no memory. Settings are copied. */
struct audit *audit_new(const struct det_settings *settings);
void audit_free(struct audit *a);

/* The audit of a run that begins now, which knows of the one before no more than what RUN_START
 * told. NULL when there is no memory; the old one is not touched. */
struct audit *audit_next_run(const struct audit *old, const struct record_run_begin *r);

/* Take in one record; a RUN_BEGIN is for audit_next_run. Its memory is the caller's and not kept.
 */
void audit_record(struct audit *a, const struct record_header *record);

/* Close every open unit: the end of the run or of the capture. */
void audit_finish(struct audit *a);

/* A statement that deserves a plan now: a SELECT that is costly or the child of an N+1, or any
 * DELETE, with a sample, not explained within explain_recheck_s unless other values than those are
 * there; the costliest one. Marks it as asked. NULL when there is none. */
const struct statement *audit_next_to_explain(struct audit *a, int64_t now_us);

/* Which run this is; the name is "" without one, and lives as long as the audit. */
struct audit_run {
    uint64_t id; /* from 1 */
    const char *name;
    int64_t began_us; /* as the records count time */
    int64_t started_wall_us;
};

struct audit_run audit_run(const struct audit *a);

/* What grows while something is seen, of this run. */
struct audit_counts {
    uint64_t requests;
    uint64_t statements;
    uint64_t plans;
};

struct audit_counts audit_counts(const struct audit *a);

const struct det_settings *audit_settings(const struct audit *a);

/* First endpoint; follow `next`. */
const struct endpoint *audit_endpoints(const struct audit *a);

/* HTTP routes, in order of first sight. */
const struct http_route *audit_routes(const struct audit *a);

/* The least time that any statement took, no more than the assumed round trip: what no cure of a
 * statement's plan can take away. 0 before any. */
uint64_t audit_least_us(const struct audit *a);

/* The usage of a statement at an endpoint, or NULL. */
const struct usage *audit_usage(const struct audit *a, const struct endpoint *e,
                                const struct statement *s);

#endif
