#include "detectors/learnt.h"

#include <stdlib.h>

struct view {
    struct join *join;
    const struct ledger *ledger;
    const struct unit *unit;
};

struct candidates {
    struct http_route *routes[JOIN_MAX_ROUTES];
    size_t n;
};

/* None when what one of them sends is not known. */
static struct candidates in_flight(const struct view *v, size_t i)
{
    struct candidates c = {.n = 0};
    c.n = join_routes_at(v->join, v->unit->exchanges[i].start_us, c.routes);
    for (size_t k = 0; k < c.n; k++) {
        if (!ledger_route_is_learnt(c.routes[k]))
            return (struct candidates){.n = 0};
    }
    return c;
}

/* Leave those that send this statement, too. When there are none all are left. */
static bool narrow(const struct view *v, struct candidates *c, const struct statement *s)
{
    size_t n = 0;
    struct candidates left = {.n = 0};
    for (size_t i = 0; i < c->n; i++) {
        if (ledger_usage(v->ledger, c->routes[i]->endpoint, s) != NULL)
            left.routes[n++] = c->routes[i];
    }
    if (n == 0)
        return false;
    left.n = n;
    *c = left;
    return true;
}

/* Whether these may be all statements of a request, by the first of them and by their number. */
static bool may_be_whole(const struct http_route *route, const struct unit_exchange *first,
                         size_t n)
{
    const struct endpoint *e = route->endpoint;
    return e->anchor == first->statement && e->fewest_statements <= n && n <= e->most_statements;
}

struct http_route *learnt_route(struct join *j, const struct ledger *l, const struct unit *u)
{
    if (!j->seen || u->trace != 0 || u->n == 0 || ledger_is_named(u))
        return NULL;
    struct view v = {.join = j, .ledger = l, .unit = u};
    struct candidates c = in_flight(&v, 0);
    for (size_t i = 0; i < u->n; i++) {
        if (!narrow(&v, &c, u->exchanges[i].statement))
            return NULL;
    }
    if (c.n != 1 ||
        (u->confidence == UNIT_BY_GAP && !may_be_whole(c.routes[0], u->exchanges, u->n)))
        return NULL; /* between two pauses may be more than a request, or less */
    return c.routes[0];
}

/* Whether a request of some route in flight may begin here. */
static bool may_begin(const struct view *v, size_t i)
{
    const struct unit_exchange *x = &v->unit->exchanges[i];
    const struct unit_exchange *before = x - 1;
    if (!x->idle_before || (x->session == before->session && x->round_trip == before->round_trip))
        return false;
    struct candidates c = in_flight(v, i);
    for (size_t k = 0; k < c.n; k++) {
        if (c.routes[k]->endpoint->anchor == x->statement)
            return true;
    }
    return false;
}

/* Whether a request of one of these routes that was in flight at `from` ended just before `i`, and
 * may have sent what is between. */
static bool has_ended(const struct view *v, const struct candidates *c, size_t from, size_t i)
{
    const struct unit_exchange *x = v->unit->exchanges;
    for (size_t k = 0; k < c->n; k++) {
        if (may_be_whole(c->routes[k], &x[from], i - from) &&
            join_ended_between(v->join, c->routes[k], x[from].start_us, x[i - 1].end_us,
                               x[i].start_us))
            return true;
    }
    return false;
}

/* The same of any route. */
static bool some_ended(const struct view *v, size_t i)
{
    const struct unit_exchange *x = &v->unit->exchanges[i - 1];
    struct candidates c = in_flight(v, i - 1);
    for (size_t k = 0; k < c.n; k++) {
        if (join_ended_between(v->join, c.routes[k], x->start_us, x->end_us, x[1].start_us))
            return true;
    }
    return false;
}

/* Where one can go on when it is not known where the request before ended. */
static size_t next_sure(const struct view *v, size_t from)
{
    for (size_t i = from + 1; i < v->unit->n; i++) {
        if (may_begin(v, i) && some_ended(v, i))
            return i;
    }
    return v->unit->n;
}

/* Where the request that begins at `from` is over. */
static size_t end_of_request(const struct view *v, size_t from)
{
    const struct unit *u = v->unit;
    struct candidates c = in_flight(v, from);
    size_t places = 0;
    size_t place = 0;
    for (size_t i = from; i < u->n; i++) {
        const struct statement *s = u->exchanges[i].statement;
        if (i > from && may_begin(v, i) && has_ended(v, &c, from, i)) {
            if (s == u->exchanges[from].statement)
                return i;
            place = i;
            places++;
        }
        if (!narrow(v, &c, s))
            return places == 1 ? place : next_sure(v, i);
    }
    return u->n;
}

bool learnt_cuts(struct join *j, const struct ledger *l, const struct unit *u, size_t **cuts,
                 size_t *count)
{
    *cuts = NULL;
    *count = 0;
    bool inferred = u->confidence == UNIT_BY_GAP || u->confidence == UNIT_BY_CONNECTION;
    if (!j->seen || !inferred || u->trace != 0 || u->n == 0 || ledger_is_named(u))
        return false;
    struct view v = {.join = j, .ledger = l, .unit = u};
    size_t first = end_of_request(&v, 0);
    if (first == u->n)
        return learnt_route(j, l, u) != NULL;
    *cuts = calloc(u->n, sizeof(**cuts));
    for (size_t i = first; *cuts != NULL && i < u->n; i = end_of_request(&v, i))
        (*cuts)[(*count)++] = i;
    return *cuts != NULL;
}
