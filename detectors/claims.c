#include "detectors/claims.h"

enum { ENOUGH_UNITS = 40 }; /* five a part */

uint64_t claims_case(struct endpoint *e, struct arena *arena)
{
    if (e->claims == NULL)
        e->claims = arena_alloc(arena, sizeof(*e->claims));
    if (e->claims == NULL || e->claims->n_cases >= CLAIMS_CASES)
        return 0;
    return UINT64_C(1) << e->claims->n_cases++;
}

static struct claim_set *set_of(struct claims *c, uint64_t cases)
{
    for (unsigned i = 0; i < c->n_sets; i++) {
        if (c->sets[i].cases == cases)
            return &c->sets[i];
    }
    if (c->n_sets >= CLAIMS_SETS)
        return NULL;
    c->sets[c->n_sets] = (struct claim_set){.cases = cases};
    return &c->sets[c->n_sets++];
}

/* --- the time of a unit --- */

/* Exchanges that overlap, from the last one backwards. */
struct stretch {
    int64_t begin;
    int64_t end;
    uint64_t cases; /* that claim all of them */
};

static int64_t begin_of(const struct unit_exchange *x)
{
    return x->end_us - (int64_t)x->total_us;
}

/* The server works through one connection in sequence: a statement that was sent ahead begins when
 * the one before it is done. */
static int64_t served_from(const struct unit *u, size_t i)
{
    const struct unit_exchange *x = &u->exchanges[i];
    int64_t begin = begin_of(x);
    if (i == 0 || u->exchanges[i - 1].session != x->session)
        return begin;
    int64_t before = u->exchanges[i - 1].end_us;
    return before > begin && before <= x->end_us ? before : begin;
}

static void add_time(struct claims *c, uint64_t cases, unsigned part, int64_t db_us, int64_t gap_us)
{
    if (cases == 0 || db_us <= 0)
        return;
    struct claim_set *set = set_of(c, cases);
    if (set == NULL) {
        c->lost_us += (uint64_t)db_us;
        return;
    }
    set->db_us[part] += (uint64_t)db_us;
    set->gap_us[part] += gap_us > 0 ? (uint64_t)gap_us : 0;
}

static void count_statements(struct claims *c, const struct unit *u)
{
    for (size_t i = 0; i < u->n; i++) {
        uint64_t cases = u->exchanges[i].claims;
        struct claim_set *set = cases != 0 ? set_of(c, cases) : NULL;
        if (set != NULL)
            set->statements++;
    }
}

void claims_settle(const struct unit *u)
{
    struct claims *c = u->endpoint->claims;
    if (c == NULL || u->n == 0)
        return;
    const unsigned part = (unsigned)(u->endpoint->units % ENDPOINT_PARTS);
    struct stretch now = {.begin = INT64_MAX, .end = INT64_MAX};
    for (size_t i = u->n; i-- > 0;) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (x->end_us > now.begin) {
            int64_t begin = served_from(u, i);
            now.begin = begin < now.begin ? begin : now.begin;
            now.cases &= x->claims;
            continue;
        }
        if (now.end != INT64_MAX)
            add_time(c, now.cases, part, now.end - now.begin, now.begin - x->end_us);
        now = (struct stretch){.begin = served_from(u, i), .end = x->end_us, .cases = x->claims};
    }
    add_time(c, now.cases, part, now.end - now.begin, 0);
    count_statements(c, u);
}

/* --- unions --- */

struct claims_union claims_of(const struct endpoint *e, uint64_t cases)
{
    struct claims_union out = {.spread_known = e->units >= ENOUGH_UNITS};
    uint64_t db_us[ENDPOINT_PARTS] = {0};
    for (unsigned i = 0; e->claims != NULL && i < e->claims->n_sets; i++) {
        const struct claim_set *set = &e->claims->sets[i];
        if ((set->cases & cases) == 0)
            continue;
        out.statements += set->statements;
        for (unsigned k = 0; k < ENDPOINT_PARTS; k++) {
            db_us[k] += set->db_us[k];
            out.gap_us += set->gap_us[k];
        }
    }
    for (unsigned k = 0; k < ENDPOINT_PARTS; k++) {
        out.db_us += db_us[k];
        out.share[k] = e->part_us[k] > 0 ? (double)db_us[k] / (double)e->part_us[k] : 0;
        out.spread_known &= e->part_us[k] > 0;
    }
    return out;
}
