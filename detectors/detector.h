/*
 * The interface of a detector, and how one works.
 *
 * The audit feeds every exchange, then every closed unit of work, to each detector of
 * detectors.def. A detector keeps evidence, in counters bounded by its own cap, in the state that
 * `init` made. When a report is wanted, `on_finish` looks at the evidence and at the ledger,
 * together with what the grammar and the advisor have told by then, and adds findings. It must not
 * change evidence: reports are made many times in a run.
 *
 * Detectors are pure: no clock, socket, file or log; time is in the records. The same records in
 * the same order give the same findings.
 */
#ifndef PGSLEUTH_DETECTORS_DETECTOR_H
#define PGSLEUTH_DETECTORS_DETECTOR_H

#include "detectors/finding.h"
#include "detectors/settings.h"

struct audit;
struct unit;
struct findings;
struct http_route;
struct session_summary;
struct tally;

enum { DETECTOR_MAX_CHECKLIST = 3 };

/* An exchange with what is known of it at once; its unit is not closed yet. */
struct seen_exchange {
    const struct record_exchange *record;
    struct statement *statement;
    const struct tag *tag; /* or NULL */
};

/* What would confirm a finding: the commands of commands.c. */
enum confirm {
    CONFIRM_PLAN = 1 << 0,      /* EXPLAIN of its costliest SELECT */
    CONFIRM_CALLS = 1 << 1,     /* who sends the statements: a profiler of calls */
    CONFIRM_MEMORY = 1 << 2,    /* what the rows cost in memory */
    CONFIRM_LOAD = 1 << 3,      /* it shows with several requests at once */
    CONFIRM_SESSIONS = 1 << 4,  /* pg_stat_activity */
    CONFIRM_CONFLICTS = 1 << 5, /* pg_stat_database */
    CONFIRM_RESPONSE = 1 << 6   /* the headers of one response */
};

struct detector {
    const char *name;                      /* "n_plus_one" */
    const char *id;                        /* "PA001", stable */
    const char *title;                     /* one line for rule lists */
    int checklist[DETECTOR_MAX_CHECKLIST]; /* items of the 41; 0 ends the list */
    unsigned confirm;                      /* of enum confirm */

    /* All may be NULL. `state` is what init gave. */
    void *(*init)(struct arena *arena);
    /* Each exchange as it comes, driver chatter too: for what concerns the order over connections.
     */
    void (*on_exchange)(void *state, struct audit *audit, const struct seen_exchange *x);
    /* An HTTP request is over, with or without statements; its route has an endpoint. */
    void (*on_request)(void *state, struct audit *audit, struct http_route *route,
                       const struct record_http *r);
    /* A connection was opened by this client, as in struct session_summary. */
    void (*on_session_start)(void *state, struct audit *audit, uint64_t session, uint64_t client,
                             int64_t at_us);
    /* A connection ended. */
    void (*on_session_end)(void *state, struct audit *audit, const struct session_summary *about);
    void (*on_unit_end)(void *state, struct audit *audit, const struct unit *unit);
    /* Time has passed without an exchange; past all times when the records are over. */
    void (*on_time)(void *state, struct audit *audit, int64_t now_us);
    void (*on_finish)(void *state, const struct audit *audit, struct findings *out);
    /* In the place of on_finish, for evidence that is kept in one form: called for each tally of
     * `state`, which is a struct tallies then (rules/tally.h), or for each usage of a SELECT. */
    void (*judge_tally)(const struct audit *audit, const struct tally *t, struct findings *out);
    void (*judge_usage)(const struct audit *audit, const struct usage *u, struct findings *out);
    /* Likewise for each HTTP route with an endpoint. */
    void (*judge_route)(const struct audit *audit, const struct http_route *route,
                        struct findings *out);
    /* Cases that found no room in the state. */
    uint64_t (*lost)(const void *state);
    void (*fini)(void *state);
};

enum detector_index {
#define DETECTOR(name) DETECTOR_##name,
#include "detectors/detectors.def"
#undef DETECTOR
    DETECTOR_COUNT
};

/* All detectors, in the order of detectors.def. Static storage. */
extern const struct detector *const det_detectors[DETECTOR_COUNT];

/* More than anybody reads; what comes after is counted. */
enum { FINDINGS_MAX = 10000 };

/* The list that a report collects. */
struct findings {
    struct arena *arena; /* of the report: strings of findings go here */
    struct finding **items;
    size_t count;
    size_t size;
    uint64_t lost; /* past the cap, or no memory */
};

/* A zeroed finding of this detector at this endpoint, in the list; NULL when there is no memory.
 * `subject` enters the fingerprint: the statement at fault. */
struct finding *findings_add(struct findings *f, const struct detector *d, const struct endpoint *e,
                             const struct statement *subject);

#endif
