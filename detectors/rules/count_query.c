/*
 * count(*) for a page: the rows of the whole list are counted to show how many pages there are,
 * with each page again.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/ledger.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

static bool is_count(const struct unit_exchange *x)
{
    return unit_exchange_reads(x) && statement_has(x->statement, FACT_COUNT) && x->rows <= 1;
}

static bool is_page_of(const struct unit_exchange *page, const struct unit_exchange *count)
{
    return unit_exchange_reads(page) && statement_has(page->statement, FACT_LIMIT) &&
           !statement_has(page->statement, FACT_COUNT) &&
           span_equal(ledger_table(page->statement, 0), ledger_table(count->statement, 0));
}

static const struct unit_exchange *page_of(const struct unit *u, const struct unit_exchange *count)
{
    for (size_t i = 0; i < u->n; i++) {
        if (is_page_of(&u->exchanges[i], count))
            return &u->exchanges[i];
    }
    return NULL;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    double low_us = audit_settings(audit)->count_query_ms.low * 1000;
    for (size_t i = 0; i < unit->n; i++) {
        struct unit_exchange *x = &unit->exchanges[i];
        if ((double)x->total_us < low_us || !is_count(x))
            continue;
        const struct unit_exchange *page = page_of(unit, x);
        struct tally *t =
            page != NULL ? tally_get(state, unit->endpoint, x->statement, page->statement, x->tag)
                         : NULL;
        if (t == NULL)
            continue;
        tally_add(t, x->total_us, x->total_us);
        tally_claim(state, t, x);
    }
}

static const struct advice_texts texts = {
    .sqlalchemy = "# One row more than the page tells whether there is another; no count.\n"
                  "page_stmt = stmt.order_by({Model}.id).limit(limit + 1)  # or your own order\n"
                  "found = session.scalars(page_stmt).all()\n"
                  "# with AsyncSession: (await session.scalars(page_stmt)).all()\n"
                  "page, has_more = found[:limit], len(found) > limit\n"
                  "# Where a number must be shown, an estimate:\n"
                  "# SELECT reltuples::bigint FROM pg_class WHERE oid = '{table}'::regclass\n",
    .django = "# One row more than the page tells whether there is another; no count.\n"
              "# queryset: yours, with its filters; a page needs an order.\n"
              "found = list(queryset.order_by(\"pk\")[start : start + limit + 1])\n"
              "page, has_more = found[:limit], len(found) > limit\n"
              "# DRF: CursorPagination; admin: show_full_result_count = False\n",
    .asyncpg = "# One row more than the page tells whether there is another; no count.\n"
               "# Keep your conditions and your order.\n"
               "found = await conn.fetch(\n"
               "    \"SELECT ... FROM {table} ORDER BY id LIMIT $1\", limit + 1\n"
               ")\n"
               "page, has_more = found[:limit], len(found) > limit\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char p95[DET_MS_MAX];
    double p95_ms = (double)histogram_percentile(&t->count, 0.95) / 1000;
    struct measure m = {
        .what = "ms to count the list (p95)",
        .value = p95_ms,
        .levels = audit_settings(a)->count_query_ms,
        .confidence = 0.85,
        .role = "count",
        .other_role = "page",
    };
    struct finding *f = tally_finding(out, a, &det_count_query, t, &m);
    if (f == NULL)
        return;
    finding_once(f);
    f->issue = det_text(out->arena, "count(*) with each page of %s: %s (p95)", t->endpoint->name,
                        det_ms(p95_ms, p95));
    f->impact = det_text(out->arena,
                         "`%s` counts the whole list to show one page of it: %s (p95), %.0f %% of "
                         "the endpoint's database time.",
                         advice_sql(out->arena, t->statement), p95, 100 * f->time_share);
    f->recommendation =
        det_text(out->arena, "Page through %s without counting it", t->endpoint->name);
    f->round_trips_saved = 1;
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_count_query = {
    .name = "count_query",
    .id = "PA021",
    .title = "count(*) with each page",
    .checklist = {4},
    .confirm = CONFIRM_PLAN,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
