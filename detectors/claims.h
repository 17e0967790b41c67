/*
 * Time that findings would take away, without counting any of it twice.
 *
 * A rule that counts evidence at the end of a unit marks the exchanges that its cure would remove.
 * Each case of a rule at an endpoint has one bit; when the unit is over, its time is added up by
 * the set of bits that claim it. A report then asks for the union of any set of cases: those that
 * were judged to be findings. Sums alone are kept, in eight parts by turns, whose spread says how
 * sure the mean is.
 *
 * It is a lower bound: time in which statements of several connections overlap counts for those who
 * claim all of them, sets past the cap are not counted, and neither are cases past the 64th of an
 * endpoint.
 */
#ifndef PGSLEUTH_DETECTORS_CLAIMS_H
#define PGSLEUTH_DETECTORS_CLAIMS_H

#include "detectors/unit.h"

enum { CLAIMS_CASES = 64, CLAIMS_SETS = 24 };

/* Time of those exchanges that exactly these cases claim. */
struct claim_set {
    uint64_t cases; /* a bit each */
    uint64_t statements;
    uint64_t db_us[ENDPOINT_PARTS];
    uint64_t gap_us[ENDPOINT_PARTS]; /* the client's, just before them */
};

struct claims {
    unsigned n_cases;
    unsigned n_sets;
    uint64_t lost_us; /* claimed without room for their set */
    struct claim_set sets[CLAIMS_SETS];
};

/* The bit of a new case at an endpoint; 0 when there is none left. The first one takes memory from
 * the arena. */
uint64_t claims_case(struct endpoint *e, struct arena *arena);

/* Add up a unit whose exchanges the rules have marked; it was counted at its endpoint already. */
void claims_settle(const struct unit *u);

/* What the union of some cases takes away at an endpoint. */
struct claims_union {
    uint64_t statements;
    uint64_t db_us;
    uint64_t gap_us;
    double share[ENDPOINT_PARTS]; /* of the time of the requests of each part, database time only */
    bool spread_known; /* each part has requests enough for the spread to say something */
};
struct claims_union claims_of(const struct endpoint *e, uint64_t cases);

#endif
