/*
 * Renewal of the network while sessions run: certificates are read again on SIGHUP, names of
 * servers are resolved again on SIGHUP, when a server could not be reached, and now and then. A
 * thread of its own, because name servers and files block.
 *
 * What cannot be renewed stays as it was: one line in the log says why.
 */
#ifndef PGSLEUTH_PROXY_RENEWAL_H
#define PGSLEUTH_PROXY_RENEWAL_H

#include "proxy/worker.h"

struct renewal;

/* NULL without memory. `options` is borrowed; of the network in use a reference is taken. */
struct renewal *renewal_new(const struct network_options *options, struct network *network);

/* The eventfd that workers write when a server could not be reached. */
int renewal_fd(const struct renewal *r);

/* Begin, and tell these workers of each new network; borrowed. 0 or -1. */
int renewal_start(struct renewal *r, struct worker *const *workers, size_t n_workers);

/* Read the certificates again, too. */
void renewal_reload(struct renewal *r);

/* Stops the thread. NULL is allowed. False when a name server keeps it waiting: then what it uses,
 * the options and the workers, must not be freed: end by _exit. */
bool renewal_free(struct renewal *r);

#endif
