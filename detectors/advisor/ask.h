/*
 * Asking for the plan of one statement with its observed values.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_ASK_H
#define PGSLEUTH_DETECTORS_ADVISOR_ASK_H

#include "detectors/advisor/link.h"
#include "detectors/advisor/plan.h"

/* A statement with its values, owned and wiped by advisor.c. */
struct advisor_job {
    struct sql_id id;
    char *text; /* NUL-terminated */
    size_t text_len;
    unsigned n_params;
    uint8_t *params; /* as in the tail of a record_sample */
    size_t params_len;
};

/* The plan for the observed values. LINK_OK and the plan, or LINK_REFUSED with link->sqlstate set
 * also where the answer is no plan. advisor_plan_fini in every case. */
enum advisor_link_status advisor_ask(struct advisor_link *link, const struct advisor_job *job,
                                     struct advisor_plan *out);

/* The plan for any values, which a prepared statement may come to use. Likewise; after anything but
 * LINK_OK a prepared statement may be left on the connection. */
enum advisor_link_status advisor_ask_generic(struct advisor_link *link,
                                             const struct advisor_job *job,
                                             struct advisor_plan *out);

#endif
