/*
 * Keeping the ledger of endpoint.h: find the endpoint of a closed unit and count the unit there.
 */
#ifndef PGSLEUTH_DETECTORS_LEDGER_H
#define PGSLEUTH_DETECTORS_LEDGER_H

#include "detectors/unit.h"

enum { LEDGER_NAME_MAX = 200 };

struct ledger {
    struct arena *arena;
    struct map64 endpoints;
    struct map64 usages;
    struct endpoint *first; /* in order of first sight */
    struct endpoint **end;
    uint64_t overflowed;  /* units that found no room for their endpoint */
    uint64_t lost_usages; /* exchanges that found no room for their usage */
};

void ledger_init(struct ledger *l, struct arena *arena);
void ledger_fini(struct ledger *l);

/* Count a closed unit with at least one exchange; sets its endpoint. NULL when there is no room for
 * a new endpoint. */
struct endpoint *ledger_add(struct ledger *l, struct unit *u);

/* The endpoint that is named after a route, made when new: requests may send no statement. NULL
 * when there is no room. */
struct endpoint *ledger_of_route(struct ledger *l, struct http_route *route);

/* Whether a tag or a request names the unit's endpoint. */
bool ledger_is_named(const struct unit *u);

/* Whether what a route sends is known: it was seen alone often enough. */
bool ledger_route_is_learnt(const struct http_route *route);

struct usage *ledger_usage(const struct ledger *l, const struct endpoint *e,
                           const struct statement *s);

/* Give the endpoints without a tag their names, from what is known of their statements by now. */
void ledger_name(struct ledger *l);

/* Whether a tag says of which endpoint it is; NULL does not. */
bool ledger_tag_names(const struct tag *tag);

/* Name of the i-th table of a statement without its schema: by the grammar, else the words behind
 * FROM, JOIN, INTO and UPDATE of the text. Empty past the last one. */
struct span ledger_table(const struct statement *s, unsigned i);

#endif
