#include "detectors/rules/tally.h"

#include "detectors/claims.h"
#include "wire/values.h"

void *tallies_init(struct arena *arena)
{
    struct tallies *t = arena_alloc(arena, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->arena = arena;
    t->end = &t->first;
    map64_init(&t->by_key, TALLIES_MAX);
    return t;
}

void tallies_fini(void *tallies)
{
    struct tallies *t = tallies;
    if (t != NULL)
        map64_fini(&t->by_key);
}

uint64_t tallies_lost(const void *tallies)
{
    return ((const struct tallies *)tallies)->lost;
}

static uint64_t add_statement(uint64_t key, const struct statement *s)
{
    return s != NULL ? wire_hash_combine(key, statement_key(s)) : key;
}

struct tally *tally_get(struct tallies *t, struct endpoint *e, struct statement *s,
                        struct statement *other, const struct tag *tag)
{
    uint64_t key = add_statement(add_statement(e->key, s), other);
    struct tally *found = map64_get(&t->by_key, key);
    if (found != NULL)
        return found;
    found = t->by_key.count < TALLIES_MAX ? arena_alloc(t->arena, sizeof(*found)) : NULL;
    if (found == NULL || map64_put(&t->by_key, key, found) != MAP64_OK) {
        t->lost++;
        return NULL;
    }
    found->arena = t->arena;
    found->endpoint = e;
    found->statement = s;
    found->other = other;
    found->tag = tag;
    *t->end = found;
    t->end = &found->next;
    return found;
}

void tally_add(struct tally *t, uint64_t count, uint64_t cost_us)
{
    histogram_add(&t->count, t->arena, count);
    histogram_add(&t->cost_us, t->arena, cost_us);
}

void tallies_judge(const struct tallies *t, const struct audit *a, struct findings *out,
                   tally_judge *judge)
{
    for (const struct tally *i = t->first; i != NULL; i = i->next)
        judge(a, i, out);
}

void tally_claim(const struct tallies *t, struct tally *one, struct unit_exchange *x)
{
    if (one->claim == 0)
        one->claim = claims_case(one->endpoint, t->arena);
    x->claims |= one->claim;
}

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

static void add_statement_line(struct finding *f, const struct audit *a, const char *role,
                               const struct statement *s)
{
    if (s == NULL || role == NULL)
        return;
    f->statements[f->n_statements++] = (struct finding_statement){
        .role = role, .statement = s, .usage = audit_usage(a, f->endpoint, s)};
}

struct finding *tally_finding(struct findings *out, const struct audit *a, const struct detector *d,
                              const struct tally *t, const struct measure *m)
{
    static const struct statement nothing;
    const struct endpoint *e = t->endpoint;
    struct finding *f =
        !measure_reached(m)
            ? NULL
            : findings_add(out, d, e, t->statement != NULL ? t->statement : &nothing);
    if (f == NULL)
        return NULL;
    f->tag = t->tag;
    f->requests_seen = t->count.count;
    f->occurrences.min = t->count.min;
    f->occurrences.p50 = histogram_percentile(&t->count, 0.50);
    f->occurrences.p95 = histogram_percentile(&t->count, 0.95);
    f->occurrences.max = t->count.max;
    f->time_share = measure_share(t->cost_us.sum, e->db_us);
    f->wasted_ms_p95 = ms(histogram_percentile(&t->cost_us, 0.95));
    f->saved_ms = ms(t->cost_us.sum);
    f->claims = t->claim;
    f->queries_before = histogram_percentile(&e->statements_each, 0.50);
    f->queries_after = f->queries_before;
    add_statement_line(f, a, m->role, t->statement);
    add_statement_line(f, a, m->other_role, t->other);
    measure_judge(out->arena, f, m);
    return f;
}
