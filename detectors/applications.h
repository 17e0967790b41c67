/*
 * What connections call themselves: application_name, as far as it tells services apart. It stands
 * in the names of endpoints that nothing else names.
 *
 * Some put a number of a process or a host into it, which would make one endpoint many: a number
 * behind a separator at the end is cut off, and of the first APPLICATIONS_MAX names each is kept;
 * connections with further ones count as without a name.
 */
#ifndef PGSLEUTH_DETECTORS_APPLICATIONS_H
#define PGSLEUTH_DETECTORS_APPLICATIONS_H

#include "common/span.h"

enum {
    APPLICATIONS_MAX = 16,
    APPLICATION_NAME_SIZE = 64, /* PostgreSQL cuts it there, too */
};

struct applications {
    char names[APPLICATIONS_MAX][APPLICATION_NAME_SIZE];
    size_t n;
};

/* The name without its number, which lives as long as `a`; NULL for the empty one and without room.
 * Equal names give the same pointer. */
const char *applications_get(struct applications *a, struct span name);

#endif
