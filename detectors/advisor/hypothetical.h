/*
 * What would change: a job's plan asked for again with hypothetical indexes (the extension HypoPG,
 * which keeps them in the memory of this connection alone), and with sequential scans switched off.
 * To be run inside the job's transaction and with its search_path.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_HYPOTHETICAL_H
#define PGSLEUTH_DETECTORS_ADVISOR_HYPOTHETICAL_H

#include "detectors/advisor/advice.h"
#include "detectors/advisor/ask.h"

enum { ADVISOR_SCHEMA_SIZE = 2 * ADVISOR_NAME_SIZE + 3 /* quoted */ };

/* What the candidate that was chosen makes of the plan. */
struct advisor_trial {
    bool tried;    /* false: one of them could not be made, so nothing is known */
    int candidate; /* -1: none is used for half of the cost or less */
    double cost;
    char node[ADVISOR_NAME_SIZE];
};

/* Where HypoPG is installed, quoted; "" when it is not. It is never installed from here. */
enum advisor_link_status advisor_hypothetical_find(struct advisor_link *link,
                                                   char schema[ADVISOR_SCHEMA_SIZE]);

/* Try every candidate, from the fewest keys on. More keys have to pay for themselves. After
 * anything but LINK_OK a hypothetical index may be left on the connection. */
enum advisor_link_status advisor_hypothetical_try(struct advisor_link *link,
                                                  const struct advisor_job *job, const char *schema,
                                                  const struct advisor_plan *before,
                                                  const struct advisor_advice *advice,
                                                  struct advisor_trial *out);

/* Whether the plan's scan is a sequential one still when the planner avoids those: then no index
 * serves it. The setting lasts until the end of the transaction. */
enum advisor_link_status advisor_without_seqscan(struct advisor_link *link,
                                                 const struct advisor_job *job,
                                                 const struct advisor_scan *scan, bool *still);

#endif
