/*
 * A finding: one fault, of one rule, at one endpoint, with its evidence and its cure in words and
 * code.
 *
 * Findings are made afresh from the ledger for each report and live in that report's arena.
 */
#ifndef PGSLEUTH_DETECTORS_FINDING_H
#define PGSLEUTH_DETECTORS_FINDING_H

#include "detectors/endpoint.h"
#include "detectors/growth.h"

struct detector;

enum severity { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL, SEVERITIES };

/* "low" ... "critical". Static storage. */
const char *severity_name(enum severity s);

enum confidence_basis {
    BASIS_VALUE_LINEAGE,
    BASIS_ROW_MATCH,
    BASIS_REPETITION,
    BASIS_PLAN,
    BASIS_MEASURED
};

/* "value_lineage" ... as in the report's schema. Static storage. */
const char *confidence_basis_name(enum confidence_basis b);

/* How surely the gain is known. */
enum improvement_kind { GAIN_UNKNOWN, GAIN_MEASURED, GAIN_ESTIMATED, GAIN_MODELLED };

/* "not_estimated", "measured" ... as in the report's schema. Static storage. */
const char *improvement_kind_name(enum improvement_kind k);

/* What the application talks to the database with, as far as the traffic shows. */
enum stack { STACK_UNKNOWN, STACK_DJANGO, STACK_SQLALCHEMY, STACK_ASYNCPG };

/* "django", "sqlalchemy", "asyncpg", "unknown". Static storage. */
const char *stack_name(enum stack s);

enum { FINDING_MAX_STATEMENTS = 4 };

/* Statement lines of the evidence; `role` says which one it is ("parent", "repeated", ...). */
struct finding_statement {
    const char *role;
    const struct statement *statement;
    const struct usage *usage; /* its numbers at this endpoint; NULL when it has none there */
};

struct handler;

/* What a loop asks for once a row: rows that a relationship of the parent leads to. */
struct finding_relation {
    struct span table; /* of the repeated statement */
    struct span key;   /* the parent's column with the values; empty when not known */
    bool to_one;       /* and it refers to that table: book.author_id */
};

struct finding {
    const struct detector *detector;
    const struct endpoint *endpoint;
    const struct tag *tag;         /* call site, or NULL */
    const struct handler *handler; /* of its endpoint, or NULL (detectors/manifest.h) */
    enum severity severity;
    enum severity at_most;   /* the evidence carries no more than this */
    const char *severity_by; /* the criterion that made the level */
    double confidence;       /* 0..1 */
    const char *label;       /* a kind of the fault, "parallel_n_plus_one"; NULL: the usual */
    enum confidence_basis basis;
    uint64_t fingerprint; /* of rule, endpoint, statement: stable over runs */

    const char *issue;
    const char *impact; /* quotes measured numbers */
    enum stack stack;
    const char *quoted_code;    /* the lines it is about, of the application's source; or NULL */
    const char *optimized_code; /* in the stack seen, else SQLAlchemy, and then it says so */
    bool edited;                /* optimized_code is the quoted function with the cure in it */
    const char *sqlalchemy;     /* variants; NULL when there is none */
    const char *django;
    const char *asyncpg;
    const char *expected_improvement; /* NULL when nothing honest can be said */
    const char *recommendation;       /* one line, or NULL */
    struct span parent_table;         /* of the relations */
    struct finding_relation relations[FINDING_MAX_STATEMENTS];
    unsigned n_relations; /* 0 unless all that is repeated is a relationship */

    /* evidence */
    uint64_t requests_seen; /* units with the fault */
    uint64_t requests;      /* units of the endpoint */
    struct {
        uint64_t min, p50, p95, max;
    } occurrences;
    double time_share;        /* of the endpoint's database time, 0..1 */
    double wasted_ms_p95;     /* measured; negative when not known */
    double round_trips_saved; /* a unit, p50 */
    uint64_t removable;       /* statements over the run that the cure takes away */
    double saved_ms;          /* database time over the run that it takes away, measured */
    struct {
        const char *from_column; /* "authors.id"; NULL without lineage */
        uint64_t matched;
        uint64_t of;
    } lineage;
    struct growth growth;  /* of the repeats of a request with the rows of their parent */
    struct growth latency; /* of its time in ms with them */
    struct finding_statement statements[FINDING_MAX_STATEMENTS];
    unsigned n_statements;
    const struct record_plan *plan; /* or NULL */
    const char *plan_ddl;           /* or NULL */
    /* What the cure gains: `method` and `kind` are set by the rule where it knows better than the
     * claims of its cases, the times by improvement.c. */
    uint64_t claims; /* bits of its cases (claims.h) */
    enum improvement_kind kind;
    const char *method;  /* how it was found; NULL when it was not */
    double before_ms;    /* p95 of the unit; negative when not known */
    double after_ms;     /* database time alone taken away: the least */
    double after_gap_ms; /* the client's time between what is taken away as well: the most */
    double avoidable;    /* share of the requests' time, 0..1; negative when not known */
    bool ci_known;       /* of before / after, 95 % */
    double ci_low, ci_high;
    uint64_t queries_before; /* a unit, p50 */
    uint64_t queries_after;
};

/* For a fault that a request has or has not: once in each that has it. */
void finding_once(struct finding *f);

#endif
