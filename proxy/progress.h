/*
 * What a run has seen so far, on stderr: on a terminal one line that is drawn again four times a
 * second, else a line of the log in ten seconds when something has changed. Findings are judged
 * anew as often as a twentieth of the auditor's time allows.
 */
#ifndef PGSLEUTH_PROXY_PROGRESS_H
#define PGSLEUTH_PROXY_PROGRESS_H

#include "proxy/auditor.h"
#include "proxy/worker.h"

struct progress;

/* Start. The auditor and the workers are borrowed. NULL without memory: then there is none. */
struct progress *progress_new(struct event_base *base, const struct auditor *auditor,
                              struct worker *const *workers, size_t n_workers);

/* Wipe the line. NULL is allowed. */
void progress_free(struct progress *p);

#endif
