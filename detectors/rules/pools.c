#include "detectors/rules/pools.h"

enum { MAX_SESSIONS = 16384, QUEUE_US = 2000, QUARTERS = 4 };

void pools_init(struct pools *p, struct arena *arena)
{
    *p = (struct pools){.arena = arena};
    p->end = &p->first;
    map64_init(&p->by_client, POOLS_MAX);
    map64_init(&p->by_session, MAX_SESSIONS);
}

void pools_fini(struct pools *p)
{
    map64_fini(&p->by_client);
    map64_fini(&p->by_session);
}

static struct pool *pool_of(struct pools *p, uint64_t client, int64_t at_us)
{
    struct pool *found = map64_get(&p->by_client, client);
    if (found != NULL)
        return found;
    if (p->by_client.count >= POOLS_MAX)
        return NULL;
    found = arena_alloc(p->arena, sizeof(*found));
    if (found == NULL || map64_put(&p->by_client, client, found) != MAP64_OK)
        return NULL;
    found->client = client;
    found->first_us = at_us;
    found->last_us = at_us;
    *p->end = found;
    p->end = &found->next;
    return found;
}

static struct pool_member *member_of(struct pool *p, uint64_t session)
{
    for (int i = 0; i < POOL_MEMBERS; i++) {
        if (p->members[i].session == session)
            return &p->members[i];
    }
    return NULL;
}

/* Records of several workers come in no common order: the first seen is not always the earliest. */
static void widen(struct pool *p, int64_t at_us)
{
    if (at_us < p->first_us)
        p->first_us = at_us;
    if (at_us > p->last_us)
        p->last_us = at_us;
}

void pools_open(struct pools *p, uint64_t client, uint64_t session, int64_t at_us)
{
    struct pool *pool = session != 0 ? pool_of(p, client, at_us) : NULL;
    if (pool == NULL || map64_put(&p->by_session, session, pool) != MAP64_OK) {
        p->lost++;
        return;
    }
    widen(pool, at_us);
    pool->opened++;
    pool->open++;
    if (pool->open > pool->peak_open)
        pool->peak_open = pool->open;
    struct pool_member *free_one = member_of(pool, 0);
    if (free_one == NULL) {
        p->lost++;
        return;
    }
    *free_one = (struct pool_member){.session = session, .opened_us = at_us, .active_us = at_us};
}

void pools_work(struct pools *p, uint64_t session, int64_t from_us, int64_t to_us)
{
    struct pool *pool = map64_get(&p->by_session, session);
    struct pool_member *m = pool != NULL ? member_of(pool, session) : NULL;
    if (pool != NULL)
        widen(pool, to_us);
    if (m == NULL)
        return;
    if (m->working_us == 0)
        m->working_us = from_us;
    m->active_us = to_us;
}

/* Whether this connection worked at some time within [from, to]. */
static bool worked(const struct pool_member *m, int64_t from_us, int64_t to_us)
{
    bool last_unit = m->unit_from_us != 0 && m->unit_from_us <= to_us && m->unit_to_us >= from_us;
    return last_unit || (m->working_us != 0 && m->working_us <= to_us && m->active_us >= from_us);
}

/* Connections but for `not_this` that worked within [from, to]. */
static uint64_t count_working(const struct pool *p, const struct pool_member *not_this,
                              int64_t from_us, int64_t to_us)
{
    uint64_t n = 0;
    for (int i = 0; i < POOL_MEMBERS; i++) {
        const struct pool_member *m = &p->members[i];
        n += m->session != 0 && m != not_this && worked(m, from_us, to_us);
    }
    return n;
}

/* The most frequent endpoint when one makes up half of all (Boyer and Moore). */
static void vote(struct pool *p, struct endpoint *e)
{
    if (p->votes == 0)
        p->endpoint = e;
    if (p->endpoint == e)
        p->votes++;
    else
        p->votes--;
}

void pools_unit(struct pools *p, const struct unit *u)
{
    struct pool *pool = u->n > 0 ? map64_get(&p->by_session, u->exchanges[0].session) : NULL;
    struct pool_member *m = pool != NULL ? member_of(pool, u->exchanges[0].session) : NULL;
    if (m == NULL)
        return;
    uint64_t busy = 1 + count_working(pool, m, u->start_us, u->end_us);
    bool at_once = m->unit_to_us != 0 && u->start_us - m->unit_to_us <= QUEUE_US;
    pool->units++;
    pool->peak_busy = busy > pool->peak_busy ? busy : pool->peak_busy;
    pool->queued += at_once && count_working(pool, m, u->start_us, u->start_us) + 1 == pool->open;
    vote(pool, u->endpoint);
    m->unit_from_us = u->start_us;
    m->unit_to_us = u->end_us;
    m->working_us = 0;
    m->endpoint = u->endpoint;
}

void pools_close(struct pools *p, uint64_t session, bool logged_in, int64_t at_us)
{
    struct pool *pool = map64_remove(&p->by_session, session);
    if (pool == NULL)
        return;
    struct pool_member *m = member_of(pool, session);
    pool->open--;
    pool->refused += !logged_in && pool->open > 0;
    widen(pool, at_us);
    if (m != NULL)
        *m = (struct pool_member){.session = 0};
}

uint64_t pool_forgotten(const struct pool *p, int64_t silent_us, unsigned *spread,
                        struct endpoint **endpoint)
{
    struct pool found = {.votes = 0};
    uint64_t n = 0;
    int64_t lasted_us = p->last_us - p->first_us + 1;
    *spread = 0;
    for (int i = 0; i < POOL_MEMBERS; i++) {
        const struct pool_member *m = &p->members[i];
        if (m->session == 0 || m->endpoint == NULL)
            continue;
        *spread |= 1U << ((m->opened_us - p->first_us) * QUARTERS / lasted_us);
        if (p->last_us - m->active_us < silent_us)
            continue;
        n++;
        vote(&found, m->endpoint);
    }
    *endpoint = found.endpoint;
    return n;
}
