/*
 * The connections of each client in the order of their last use, so that the one that nobody has
 * used for longest is known at once: while it lies idle, no request waits for a connection.
 *
 * A client is a user, a database, an application_name and the address that it connects from. Two
 * pools that share all four, as two of one process or of two on one machine, are one client here:
 * nothing on the wire tells them apart. A wait for the one is then missed while a connection of the
 * other lies idle; none is made up. An application_name for each pool tells them apart.
 *
 * A place is part of its session's memory and is taken out before that goes.
 */
#ifndef PGSLEUTH_DETECTORS_POOL_ORDER_H
#define PGSLEUTH_DETECTORS_POOL_ORDER_H

#include "common/map64.h"

enum { POOL_ORDER_MAX_CLIENTS = 1024 };

struct pool_line;

struct pool_place {
    struct pool_line *line; /* NULL: in none */
    int64_t used_us;        /* until then */
    struct pool_place *longer;
    struct pool_place *shorter; /* idle */
};

struct pool_order {
    struct map64 by_client;
};

void pool_order_init(struct pool_order *o);
void pool_order_fini(struct pool_order *o);

/* A connection of this client was opened. Past the cap of clients it is in no line. */
void pool_order_enter(struct pool_order *o, struct pool_place *p, uint64_t client, int64_t at_us);

/* It was used until then. */
void pool_order_use(struct pool_place *p, int64_t until_us);

void pool_order_leave(struct pool_order *o, struct pool_place *p);

/* Since when another connection of its client has been idle for longest; INT64_MAX when there is no
 * other one, 0 when nobody knows. */
int64_t pool_order_idle_since(const struct pool_place *p);

#endif
