/*
 * Deep OFFSET: the server makes all the rows before the page, and throws them away.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    double low = audit_settings(audit)->deep_offset.low;
    for (size_t i = 0; i < unit->n; i++) {
        const struct unit_exchange *x = &unit->exchanges[i];
        if ((double)x->offset < low || x->offset == 0 || !unit_exchange_reads(x))
            continue;
        struct tally *t = tally_get(state, unit->endpoint, x->statement, NULL, x->tag);
        if (t == NULL)
            continue;
        /* In floating point: the sum of two numbers of a peer may be none. */
        double share = (double)x->offset / ((double)x->offset + (double)x->rows);
        tally_add(t, x->offset, (uint64_t)((double)x->total_us * share));
    }
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# Go on after the last row of the page before; assumes an index on the order.\n"
        "stmt = select({Model}).where({Model}.id > after).order_by({Model}.id).limit(limit)\n"
        "# Order by several columns: tuple_({Model}.created_at, {Model}.id) > (seen, after)\n",
    .django = "# Go on after the last row of the page before; assumes an index on the order.\n"
              "{Model}.objects.filter(id__gt=after).order_by(\"id\")[:limit]\n"
              "# DRF: CursorPagination\n",
    .asyncpg = "# Go on after the last row of the page before; assumes an index on the order.\n"
               "{rows} = await conn.fetch(\n"
               "    \"SELECT ... FROM {table} WHERE id > $1 ORDER BY id LIMIT $2\", after, limit\n"
               ")\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    uint64_t p95 = histogram_percentile(&t->count, 0.95);
    struct measure m = {
        .what = "rows skipped (p95)",
        .value = (double)p95,
        .levels = audit_settings(a)->deep_offset,
        .confidence = 0.95,
        .role = "statement",
    };
    struct finding *f = tally_finding(out, a, &det_deep_offset, t, &m);
    if (f == NULL)
        return;
    const uint64_t slow_us = 100000;
    if (t->cost_us.max >= slow_us)
        measure_raise(out->arena, f, "skipping took 100 ms");
    f->issue = det_text(out->arena, "Page far behind in %s: OFFSET %llu", t->endpoint->name,
                        (unsigned long long)p95);
    f->impact = det_text(out->arena,
                         "`%s` skips %llu rows (p95; at most %llu): the server makes them all and "
                         "throws them away, more with each page.",
                         advice_sql(out->arena, t->statement), (unsigned long long)p95,
                         (unsigned long long)t->count.max);
    f->kind = GAIN_MODELLED;
    f->method = "the statement's measured time, taken to be in proportion to the rows that are "
                "skipped and returned";
    f->recommendation =
        det_text(out->arena, "Page through %s by the last key seen", t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_deep_offset = {
    .name = "deep_offset",
    .id = "PA020",
    .title = "Deep OFFSET",
    .checklist = {4},
    .confirm = CONFIRM_PLAN,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
