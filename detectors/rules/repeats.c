#include "detectors/rules/repeats.h"

#include "detectors/claims.h"
#include "wire/values.h"

/* Thresholds of proof; those of size are settings. */
enum { PROOF_MIN_COUNT = 3, PROOF_MIN_ROWS = 2 };
#define PROOF_HIT   0.9
#define PROOF_ORDER 0.8
#define PROOF_COVER 0.5

struct repeats *repeats_new(struct arena *arena)
{
    struct repeats *s = arena_alloc(arena, sizeof(*s));
    struct lineage *lineage = s != NULL ? lineage_new() : NULL;
    if (lineage == NULL)
        return NULL;
    s->arena = arena;
    s->lineage = lineage;
    s->end = &s->first;
    map64_init(&s->by_key, REPEATS_MAX);
    return s;
}

void repeats_fini(struct repeats *t)
{
    if (t == NULL)
        return;
    lineage_free(t->lineage);
    map64_fini(&t->by_key);
}

static bool is_proven(const struct lineage_child *c)
{
    return c->has_lineage && c->n >= PROOF_MIN_COUNT && c->distinct >= 2 &&
           c->parent_rows >= PROOF_MIN_ROWS && c->hit >= PROOF_HIT;
}

/* Two rows, and a repeat for each of them in their order. Two of anything prove little: only many
 * such requests do, see repeat_judge. */
static bool is_pair(const struct lineage_child *c)
{
    return c->has_lineage && c->n == 2 && c->distinct == 2 && c->parent_rows == 2 && !c->dense &&
           c->hit >= 1 && c->cover >= 1 && c->order >= 1;
}

static bool is_repeated(const struct det_settings *set, const struct unit *u,
                        const struct lineage_child *c)
{
    return u->confidence > UNIT_BY_GAP && c->n >= (uint64_t)set->n_plus_one_min_count &&
           c->distinct >= (uint64_t)set->n_plus_one_min_distinct &&
           (double)c->distinct >= set->n_plus_one_min_distinct_ratio * (double)c->n;
}

static bool same_number(uint64_t rows, uint64_t n)
{
    const double tolerance = 0.1;
    double off = (double)rows - (double)n;
    return off <= tolerance * (double)n && -off <= tolerance * (double)n;
}

struct repeat *repeats_get(struct repeats *t, struct endpoint *e, const struct lineage_child *c,
                           bool fan_out)
{
    uint64_t key = wire_hash_combine(e->key, statement_key(c->statement));
    if (c->parent != NULL)
        key = wire_hash_combine(key, statement_key(c->parent));
    key = wire_hash_combine(key, c->has_lineage ? 1 + (uint64_t)c->column : 0);
    key = fan_out ? wire_hash_combine(key, fan_out) : key;
    struct repeat *found = map64_get(&t->by_key, key);
    if (found != NULL)
        return found;
    found = t->by_key.count < REPEATS_MAX ? arena_alloc(t->arena, sizeof(*found)) : NULL;
    if (found == NULL || map64_put(&t->by_key, key, found) != MAP64_OK) {
        t->lost++;
        return NULL;
    }
    found->endpoint = e;
    found->child = c->statement;
    found->parent = c->parent;
    found->tag = c->tag;
    found->has_lineage = c->has_lineage;
    found->column = c->column;
    found->type_oid = c->type_oid;
    *t->end = found;
    t->end = &found->next;
    return found;
}

/* Keeps the first pairs, then replaces them in turn: enough of them, and the same in every run. */
static void add_pair(struct repeat *e, const struct lineage_child *c, double ms)
{
    e->pairs[e->seen++ % REPEAT_MAX_PAIRS] =
        (struct repeat_pair){.rows = (double)c->parent_rows, .n = (double)c->n, .ms = ms};
}

void repeats_add(struct repeats *t, struct repeat *e, const struct lineage_child *c, double ms)
{
    bool proven = is_proven(c);
    if (c->parent != NULL)
        add_pair(e, c, ms);
    e->units++;
    e->proven += proven;
    e->pairs_proven += is_pair(c);
    e->followed += proven && c->order >= PROOF_ORDER && c->cover >= PROOF_COVER;
    e->dense += proven && c->dense;
    e->matched_rows += c->parent != NULL && same_number(c->parent_rows, c->n);
    e->pipelined += c->round_trips == 1;
    e->matched += c->matched;
    e->of += c->n;
    e->repeat_us += c->repeat_us;
    e->gap_us += c->gap_us;
    histogram_add(&e->n_each, t->arena, c->n);
    histogram_add(&e->trips_each, t->arena, c->round_trips - 1);
    histogram_add(&e->wasted_us_each, t->arena, c->repeat_us);
    c->statement->child_of_n_plus_one = true;
}

/* The cure takes them all away but one, which stands for the statement that loads all rows: taken
 * to cost what the dearest of them did. */
static void claim_repeats(struct repeats *t, struct repeat *e, const struct unit *u)
{
    struct unit_exchange *dearest = NULL;
    if (e->claim == 0)
        e->claim = claims_case(e->endpoint, t->arena);
    for (size_t i = 0; i < u->n; i++) {
        struct unit_exchange *x = &u->exchanges[i];
        if (x->statement != e->child || !lineage_is_single(x))
            continue;
        if (dearest == NULL || x->total_us > dearest->total_us) {
            if (dearest != NULL)
                dearest->claims |= e->claim;
            dearest = x;
        } else {
            x->claims |= e->claim;
        }
    }
}

void repeats_count(struct repeats *t, const struct det_settings *set, const struct unit *u)
{
    struct lineage_child children[LINEAGE_MAX_CHILDREN];
    unsigned n = lineage_find(t->lineage, u, children);
    double ms = (double)(u->end_us - u->start_us) / 1000;
    for (unsigned i = 0; i < n; i++) {
        struct lineage_child *c = &children[i];
        if (u->confidence == UNIT_BY_GAP && !c->rooted)
            continue;
        bool enough = is_proven(c) || is_pair(c) || is_repeated(set, u, c);
        if (!enough && !c->has_lineage)
            continue;
        struct repeat *e = repeats_get(t, u->endpoint, c, false);
        if (e == NULL)
            continue;
        if (enough) {
            repeats_add(t, e, c, ms);
            claim_repeats(t, e, u);
        } else if (c->parent != NULL) {
            add_pair(e, c, ms);
        }
    }
}
