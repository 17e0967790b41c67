/*
 * Statements that wait for each other although none needs what the one before it gave: no value of
 * a statement came out of the rows of those before it.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

#include <stdlib.h>

enum { MIN_RUN = 3, MIN_EACH_US = 10000, MAX_HASHES = 4096 };
#define MIN_SHARE      0.3
#define MAX_CONFIDENCE 0.6 /* values that were computed from rows look independent */

/* A run of statements [from, to) of a unit. */
struct run {
    size_t from;
    size_t to;
    uint64_t sum_us;
    uint64_t max_us;
};

static bool gave(const struct unit_exchange *parent, uint64_t value)
{
    size_t n = 0;
    for (unsigned k = 0; k < parent->n_keys; k++)
        n += parent->keys[k].count;
    for (size_t i = 0; i < n && i < MAX_HASHES; i++) {
        if (parent->key_hashes[i] == value)
            return true;
    }
    return false;
}

static bool needs(const struct unit_exchange *x, const struct unit_exchange *before)
{
    for (unsigned v = 0; x->values != NULL && v < x->n_values; v++) {
        if (gave(before, x->values[v]))
            return true;
    }
    return false;
}

/* Whether a statement can stand in a run that began at `from`. */
static bool continues(const struct unit *u, size_t from, size_t i)
{
    const struct unit_exchange *x = &u->exchanges[i];
    bool values_known = x->values != NULL || x->values_hash == 0; /* or it has none */
    if (!unit_exchange_reads(x) || x->total_us < MIN_EACH_US)
        return false;
    if (!values_known)
        return i == from;
    for (size_t k = from; k < i; k++) {
        const struct unit_exchange *before = &u->exchanges[k];
        if (before->statement == x->statement || before->end_us > x->start_us || needs(x, before))
            return false;
    }
    return true;
}

static struct run run_from(const struct unit *u, size_t from)
{
    struct run r = {.from = from, .to = from};
    while (r.to < u->n && r.to - from < FINDING_MAX_STATEMENTS * 4 && continues(u, from, r.to)) {
        uint64_t us = u->exchanges[r.to].total_us;
        r.sum_us += us;
        r.max_us = us > r.max_us ? us : r.max_us;
        r.to++;
    }
    return r;
}

static void count(struct tallies *tallies, const struct unit *u, const struct run *r, double low_us)
{
    uint64_t saved_us = r->sum_us - r->max_us;
    if (r->to - r->from < MIN_RUN || (double)saved_us < low_us ||
        (double)saved_us < MIN_SHARE * (double)r->sum_us)
        return;
    const struct unit_exchange *x = &u->exchanges[r->from];
    struct tally *t =
        tally_get(tallies, u->endpoint, x->statement, u->exchanges[r->from + 1].statement, x->tag);
    if (t == NULL)
        return;
    tally_add(t, r->to - r->from, saved_us);
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    double low_us = audit_settings(audit)->consecutive_ms.low * 1000;
    for (size_t i = 0; i + MIN_RUN <= unit->n;) {
        struct run r = run_from(unit, i);
        count(state, unit, &r, low_us);
        i = r.to > i ? r.to : i + 1;
    }
}

static const struct advice_texts texts = {
    .sqlalchemy = "# At once, each on a session of its own (a session is not for several tasks):\n"
                  "async def load(stmt):\n"
                  "    async with async_session() as session:\n"
                  "        return (await session.scalars(stmt)).all()\n\n"
                  "one, two, three = await asyncio.gather(load(a), load(b), load(c))\n"
                  "# Synchronous code: one statement with scalar subqueries or a join.\n",
    .django = "# One connection runs one statement at a time: ask in one statement, for instance\n"
              "{Model}.objects.annotate(...)  # with Subquery, Count, Exists\n",
    .asyncpg = "# At once, each on a connection of the pool:\n"
               "one, two, three = await asyncio.gather(\n"
               "    pool.fetch(\"SELECT ... FROM {table}\"), pool.fetch(...), pool.fetch(...)\n"
               ")\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char saved[DET_MS_MAX];
    double saved_ms = (double)histogram_percentile(&t->cost_us, 0.95) / 1000;
    struct measure m = {
        .what = "ms a request that need not be waited (p95)",
        .value = saved_ms,
        .levels = audit_settings(a)->consecutive_ms,
        .confidence = MAX_CONFIDENCE,
        .role = "first",
        .other_role = "second",
    };
    struct finding *f = tally_finding(out, a, &det_consecutive, t, &m);
    if (f == NULL)
        return;
    measure_cap(f, SEVERITY_MEDIUM);
    f->kind = GAIN_ESTIMATED;
    f->method = "the measured times of the statements but for the longest, which the others would "
                "run beside";
    f->issue = det_text(out->arena, "%llu statements one after the other in %s that need not wait",
                        (unsigned long long)f->occurrences.p50, t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "%llu statements (p50) run one after the other, and no value of one came "
                 "out of the rows of those before it: possibly they could run at once, which "
                 "would save %s a request (p95).",
                 (unsigned long long)f->occurrences.p50, det_ms(saved_ms, saved));
    f->recommendation = det_text(out->arena, "Ask what %s needs at once", t->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%s less a request (estimated)", saved);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_consecutive = {
    .name = "consecutive",
    .id = "PA007",
    .title = "Independent statements one after the other",
    .checklist = {9, 32},
    .confirm = CONFIRM_CALLS | CONFIRM_LOAD,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
