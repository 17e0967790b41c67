/*
 * What an audit found, ready to be written down: the input of the report layer.
 *
 * A result is a snapshot: it is made from an audit, owns its arena, and may outlive changes of the
 * audit but not the audit itself (endpoints and statements are borrowed from it).
 */
#ifndef PGSLEUTH_DETECTORS_RESULT_H
#define PGSLEUTH_DETECTORS_RESULT_H

#include "detectors/audit.h"
#include "detectors/improvement.h"
#include "detectors/manifest.h"
#include "detectors/overflow.h"
#include "detectors/score.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_NOT_OBSERVED,
    VERDICT_NOT_APPLICABLE,
    VERDICT_MANUAL
};

/* "pass" ... as in the report's schema. Static storage. */
const char *verdict_name(enum verdict v);

enum { CHECKLIST_ITEMS = 41 };

struct checklist_item {
    int id;
    const char *text;
    const char *source;         /* "wire", "wire+explain", "http", "redis", "source", "manual" */
    const char *how_to_observe; /* "" when it was observed */
    enum verdict verdict;
    const char *reason;
};

/* An endpoint with what was found there. */
struct endpoint_result {
    const struct endpoint *endpoint;
    struct finding **findings; /* into result.findings, same order */
    size_t n_findings;
    struct score score;
    struct improvement gain; /* of all its findings together */
    const char **profiling_commands;
    size_t n_profiling_commands;
    bool needs_optimization;
    struct handler handler; /* of its requests, where a manifest told */
};

struct opaque_count {
    const char *reason; /* text of opaque_reasons.def */
    uint64_t sessions;
};

struct result {
    bool sourced; /* the application's source was there to be quoted */
    struct arena arena;
    struct application application; /* the report layer takes it in (report/manifest.h) */

    /* run */
    const char *version;
    int64_t started_wall_us;
    int64_t ended_wall_us;              /* of the last record */
    struct audit_run run;               /* its name is borrowed */
    const struct audit_moment *moments; /* borrowed; in their order */
    size_t n_moments;
    uint64_t units;      /* "requests" */
    uint64_t statements; /* data statements */
    uint64_t chatter;
    uint64_t sessions;
    uint64_t bytes;
    enum record_explain_state explain;
    uint64_t explained; /* plans that came back */
    uint64_t explain_failed;
    uint64_t explain_statements; /* that the advisor sent, and the time they took */
    uint64_t explain_us;
    bool tagged; /* some unit had a tag */
    bool http;   /* requests were seen */
    uint64_t http_requests;
    uint64_t marked_statements;   /* exchanges of requests that marks told of */
    uint64_t lost_marks;          /* times that marks were lost, and those before them with them */
    uint64_t joined_statements;   /* exchanges, driver's too, that belong to a request */
    uint64_t unjoined_statements; /* and those that came meanwhile and do not */
    uint64_t learnt_units; /* named by what they sent, while several requests were in flight */
    uint64_t tagged_units;

    /* coverage: what the figures leave out */
    uint64_t dropped_records;
    uint64_t unread_statements; /* relayed in pipelines too deep to read */
    uint64_t refused_sessions;
    uint64_t overflow[OVERFLOWS]; /* what came after a cap */
    uint64_t hurried_records;     /* judged before it was known to which request they belong */
    uint64_t with_facts;          /* statements that the grammar told of */
    uint64_t without_facts; /* data statements that the grammar refused or that took it down */
    uint64_t parser_restarts;
    struct opaque_count *opaque; /* reasons with a count, in the order of opaque_reasons.def */
    size_t n_opaque;

    double assumed_rtt_ms;

    struct endpoint_result *endpoints; /* by time share, then name */
    size_t n_endpoints;
    struct finding **findings; /* by severity, wasted time, fingerprint */
    size_t n_findings;
    size_t by_severity[SEVERITIES];
    size_t high_without_plan;
    bool needs_optimization;
    struct score score; /* aggregate */
    struct checklist_item checklist[CHECKLIST_ITEMS];
    const char **profiling_commands;
    size_t n_profiling_commands;
    const char **recommendations;
    size_t n_recommendations;
    const char *estimated_improvement;
    double db_time_saved_ms; /* over the run, by the union of the findings of each endpoint */
    double db_time_ms;
    double speedup; /* of all requests together */
    enum improvement_kind gain_kind;
};

/* Judge what the audit holds now. NULL when there is no memory. */
struct result *result_new(const struct audit *audit);
void result_free(struct result *r);

/* Narrow a list of checklist verdicts to one endpoint. */
void result_checklist_of(const struct result *r, const struct endpoint_result *e,
                         struct checklist_item out[CHECKLIST_ITEMS]);

#endif
