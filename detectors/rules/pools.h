/*
 * What is seen of the connections of each client, that is of the pools of one application: how many
 * are open, how many are at work at once, which ones nobody comes back to.
 *
 * Bounded: clients past POOLS_MAX and connections past POOL_MEMBERS of one client are counted only.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_POOLS_H
#define PGSLEUTH_DETECTORS_RULES_POOLS_H

#include "common/map64.h"
#include "detectors/unit.h"

enum { POOLS_MAX = 128, POOL_MEMBERS = 128 };

/* An open connection. */
struct pool_member {
    uint64_t session; /* 0: free */
    int64_t opened_us;
    int64_t active_us;    /* end of its last statement */
    int64_t working_us;   /* first statement since its last unit ended; 0 when there is none */
    int64_t unit_from_us; /* its last unit; 0 without any */
    int64_t unit_to_us;
    struct endpoint *endpoint; /* of that unit */
};

struct pool {
    uint64_t client;
    uint64_t opened;
    uint64_t open;
    uint64_t peak_open;
    uint64_t peak_busy; /* connections that worked while one unit lasted: at least those at once */
    uint64_t refused;   /* log-ins that failed while others of this client were open */
    uint64_t units;
    uint64_t queued; /* units that began as soon as their connection was free, all others working */
    int64_t first_us;
    int64_t last_us;
    struct endpoint *endpoint; /* of most units, as far as one vote in turn tells */
    uint64_t votes;
    struct pool_member members[POOL_MEMBERS];
    struct pool *next; /* in order of first sight */
};

struct pools {
    struct arena *arena;
    struct map64 by_client;  /* -> pool */
    struct map64 by_session; /* -> pool */
    struct pool *first;
    struct pool **end;
    uint64_t lost; /* connections without room, theirs or their client's */
};

void pools_init(struct pools *p, struct arena *arena);
void pools_fini(struct pools *p);

void pools_open(struct pools *p, uint64_t client, uint64_t session, int64_t at_us);

/* A statement of a connection, driver chatter too. */
void pools_work(struct pools *p, uint64_t session, int64_t from_us, int64_t to_us);

void pools_unit(struct pools *p, const struct unit *u);

/* A connection ended; `logged_in` is false when it never became ready. */
void pools_close(struct pools *p, uint64_t session, bool logged_in, int64_t at_us);

/* Open connections that did some work and then none for `silent_us`, before the last record of
 * their client, with the endpoint of most of them; in `spread` one bit for each quarter of its time
 * in which one that is still open was opened. */
uint64_t pool_forgotten(const struct pool *p, int64_t silent_us, unsigned *spread,
                        struct endpoint **endpoint);

#endif
