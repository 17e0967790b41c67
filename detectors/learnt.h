/*
 * Requests in flight together, told apart by the statements that their routes were seen to send
 * while each was alone.
 *
 * A connection whose use nothing marks (Django's persistent ones, in autocommit) gathers the
 * statements of one request after the other. Such a unit is cut where another request must have
 * begun: where the first statement of a route's requests comes, a request of the route before has
 * just ended whose statements these may have been, by the first and by their number, and what
 * follows is not that route's, or is its first statement once more. Where two places could be meant
 * nothing is cut, and what is not surely of one route has no name.
 */
#ifndef PGSLEUTH_DETECTORS_LEARNT_H
#define PGSLEUTH_DETECTORS_LEARNT_H

#include "detectors/join.h"
#include "detectors/ledger.h"
#include "detectors/unit.h"

/* The only route in flight when the unit began that sends all of its statements; NULL without one,
 * for a unit that has a name already, and when no request was seen. */
struct http_route *learnt_route(struct join *j, const struct ledger *l, const struct unit *u);

/* Where in the unit the second and later requests begin: `*count` positions, ascending, all > 0, to
 * be freed; none when it is one request. False when what was learnt does not tell, and then there
 * are none. */
bool learnt_cuts(struct join *j, const struct ledger *l, const struct unit *u, size_t **cuts,
                 size_t *count);

#endif
