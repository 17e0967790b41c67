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
struct session_summary;

enum { DETECTOR_MAX_CHECKLIST = 3 };

/* An exchange with what is known of it at once; its unit is not closed yet. */
struct seen_exchange {
    const struct record_exchange *record;
    struct statement *statement;
    const struct tag *tag; /* or NULL */
};

struct detector {
    const char *name;                      /* "n_plus_one" */
    const char *id;                        /* "PA001", stable */
    const char *title;                     /* one line for rule lists */
    int checklist[DETECTOR_MAX_CHECKLIST]; /* items of the 41; 0 ends the list */

    /* All may be NULL. `state` is what init gave. */
    void *(*init)(struct arena *arena);
    /* Each exchange as it comes, driver chatter too: for what concerns the order over connections.
     */
    void (*on_exchange)(void *state, struct audit *audit, const struct seen_exchange *x);
    /* A connection ended. */
    void (*on_session_end)(void *state, struct audit *audit, const struct session_summary *about);
    void (*on_unit_end)(void *state, struct audit *audit, const struct unit *unit);
    /* Time has passed without an exchange; past all times when the records are over. */
    void (*on_time)(void *state, struct audit *audit, int64_t now_us);
    void (*on_finish)(void *state, const struct audit *audit, struct findings *out);
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

/* The list that a report collects. */
struct findings {
    struct arena *arena; /* of the report: strings of findings go here */
    struct finding **items;
    size_t count;
    size_t size;
    uint64_t lost; /* no memory */
};

/* A zeroed finding of this detector at this endpoint, in the list; NULL when there is no memory.
 * `subject` enters the fingerprint: the statement at fault. */
struct finding *findings_add(struct findings *f, const struct detector *d, const struct endpoint *e,
                             const struct statement *subject);

#endif
