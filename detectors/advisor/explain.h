/*
 * One job of the advisor from its text to the parts of a record_plan.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_EXPLAIN_H
#define PGSLEUTH_DETECTORS_ADVISOR_EXPLAIN_H

#include "detectors/advisor/advice.h"
#include "detectors/advisor/ask.h"

enum { ADVISOR_FILTER_MAX = 4000 };

struct advisor_answer {
    enum record_plan_status status;
    enum record_plan_reason reason;
    enum record_plan_source source;
    unsigned flags; /* enum record_plan_flags */
    unsigned n_equal;
    uint32_t queries;
    uint32_t busy_us;
    char sqlstate[6];
    uint8_t server_major;
    double total_cost;
    double scan_cost;
    double table_rows;
    double kept_rows;
    double table_bytes;
    double after_cost;
    double generic_cost;
    struct strbuf schema;
    struct strbuf table;
    struct strbuf filter; /* masked */
    struct strbuf columns;
    struct strbuf note;
    struct strbuf node;
    struct strbuf after_node;
    struct strbuf parent;
};

void advisor_answer_init(struct advisor_answer *answer);
void advisor_answer_fini(struct advisor_answer *answer);

/* Ask the server, in a transaction that is always rolled back. False when a stop came first: then
 * the answer is of no use. */
bool advisor_explain(struct advisor_link *link, struct advisor_catalog *catalog,
                     const struct advisor_job *job, struct advisor_answer *answer);

#endif
