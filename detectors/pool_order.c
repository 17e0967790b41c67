#include "detectors/pool_order.h"

#include <stdlib.h>

struct pool_line {
    uint64_t client;
    struct pool_place *longest;
    struct pool_place *shortest;
};

void pool_order_init(struct pool_order *o)
{
    map64_init(&o->by_client, POOL_ORDER_MAX_CLIENTS);
}

void pool_order_fini(struct pool_order *o)
{
    size_t at = 0;
    struct pool_line *line;
    while ((line = map64_next(&o->by_client, &at, NULL)) != NULL)
        free(line);
    map64_fini(&o->by_client);
}

static void link_shortest(struct pool_place *p)
{
    struct pool_line *line = p->line;
    p->longer = line->shortest;
    p->shorter = NULL;
    *(line->shortest != NULL ? &line->shortest->shorter : &line->longest) = p;
    line->shortest = p;
}

static void unlink_place(struct pool_place *p)
{
    *(p->longer != NULL ? &p->longer->shorter : &p->line->longest) = p->shorter;
    *(p->shorter != NULL ? &p->shorter->longer : &p->line->shortest) = p->longer;
}

static struct pool_line *line_of(struct pool_order *o, uint64_t client)
{
    struct pool_line *line = map64_get(&o->by_client, client);
    if (line != NULL)
        return line;
    line = calloc(1, sizeof(*line));
    if (line == NULL)
        return NULL;
    line->client = client;
    if (map64_put(&o->by_client, client, line) != MAP64_OK) {
        free(line);
        return NULL;
    }
    return line;
}

void pool_order_enter(struct pool_order *o, struct pool_place *p, uint64_t client, int64_t at_us)
{
    if (p->line != NULL)
        pool_order_leave(o, p);
    p->line = line_of(o, client);
    p->used_us = at_us;
    if (p->line != NULL)
        link_shortest(p);
}

void pool_order_use(struct pool_place *p, int64_t until_us)
{
    if (p->line == NULL)
        return;
    p->used_us = until_us;
    unlink_place(p);
    link_shortest(p);
}

void pool_order_leave(struct pool_order *o, struct pool_place *p)
{
    struct pool_line *line = p->line;
    if (line == NULL)
        return;
    unlink_place(p);
    p->line = NULL;
    if (line->longest != NULL)
        return;
    (void)map64_remove(&o->by_client, line->client);
    free(line);
}

int64_t pool_order_idle_since(const struct pool_place *p)
{
    if (p->line == NULL)
        return 0;
    const struct pool_place *other = p->line->longest != p ? p->line->longest : p->shorter;
    return other != NULL ? other->used_us : INT64_MAX;
}
