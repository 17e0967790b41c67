/*
 * One job of the advisor from its text to the parts of a record_plan.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_EXPLAIN_H
#define PGSLEUTH_DETECTORS_ADVISOR_EXPLAIN_H

#include "common/strbuf.h"
#include "detectors/advisor/link.h"

/* A statement with its values, owned and wiped by advisor.c. */
struct advisor_job {
    struct sql_id id;
    char *text; /* NUL-terminated */
    size_t text_len;
    unsigned n_params;
    uint8_t *params; /* as in the tail of a record_sample */
    size_t params_len;
};

enum { ADVISOR_FILTER_MAX = 4000 };

struct advisor_answer {
    enum record_plan_status status;
    char sqlstate[6];
    uint8_t server_major;
    double total_cost;
    double scan_cost;
    double table_rows;
    double kept_rows;
    double table_bytes;
    struct strbuf schema;
    struct strbuf table;
    struct strbuf filter; /* masked */
    struct strbuf columns;
    struct strbuf note;
};

void advisor_answer_init(struct advisor_answer *answer);
void advisor_answer_fini(struct advisor_answer *answer);

/* Ask the server, in a transaction that is always rolled back. False when a stop came first: then
 * the answer is of no use. */
bool advisor_explain(struct advisor_link *link, const struct advisor_job *job,
                     struct advisor_answer *answer);

#endif
