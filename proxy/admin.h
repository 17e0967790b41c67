/*
 * The admin API of a running proxy: HTTP/1.1 on the auditor's loop, for load tests, monitoring and
 * people. README.md tells what can be asked; admin_routes.def is the table of it.
 *
 * Nothing of it is on a worker's way: it reads what the auditor owns, and tells workers by their
 * control descriptors. A client costs the auditor a bounded time: documents are made once a second
 * at most (admin_view.h), connections, headers, bodies and waiting are bounded.
 */
#ifndef PGSLEUTH_PROXY_ADMIN_H
#define PGSLEUTH_PROXY_ADMIN_H

#include "proxy/app.h"
#include "proxy/auditor.h"
#include "proxy/renewal.h"
#include "proxy/worker.h"

struct admin;

/* What it speaks for; borrowed until admin_free. */
struct admin_parts {
    struct auditor *auditor;
    struct renewal *renewal;
    struct worker *const *workers;
    size_t n_workers;
    const struct worker_shared *shared;
    const char *report_dir;
    int64_t epoch_us; /* clock_monotonic_us() of the start */
};

/* Check the options and open the sockets. EXIT_OK with *out, which is NULL when none is wanted; or
 * the code to end with, and the line has been logged. */
enum exit_code admin_new(struct event_base *base, const struct cfg_options *options,
                         struct admin **out);

/* Answer from now on, and print the URL. NULL is allowed. */
void admin_start(struct admin *a, const struct admin_parts *parts);

/* Close every connection. NULL is allowed. */
void admin_free(struct admin *a);

#endif
