/*
 * Lists without LIMIT that grow: still short of what unbounded_result reports, but of different
 * length from request to request.
 */
#include "detectors/advice.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_UNITS = 3 };

static bool has_end(const struct statement *s)
{
    return statement_has(s, FACT_LIMIT) || statement_has(s, FACT_ONLY_AGGREGATES) ||
           statement_has(s, FACT_MANY_KEYS);
}

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    const struct det_settings *set = audit_settings(a);
    uint64_t p95 = histogram_percentile(&u->rows_each, 0.95);
    struct measure m = {
        .what = "rows (p95)",
        .value = (double)p95,
        .levels = set->missing_pagination,
        .confidence = 0.7,
    };
    bool told_already = u->max_rows >= (uint64_t)set->unbounded_min_rows;
    if (told_already || u->units < MIN_UNITS || has_end(u->statement) || u->limited > 0 ||
        u->rows_each.min == u->rows_each.max)
        return;
    struct finding *f = usage_measured(out, &det_missing_pagination, u, &m);
    if (f == NULL)
        return;
    f->issue = det_text(out->arena, "A list that grows without pages in %s", u->endpoint->name);
    f->impact = det_text(
        out->arena,
        "`%s` has no LIMIT and gave %llu to %llu rows (p95 %llu) in %llu requests: "
        "its length depends on the data.",
        advice_sql(out->arena, u->statement), (unsigned long long)u->rows_each.min,
        (unsigned long long)u->max_rows, (unsigned long long)p95, (unsigned long long)u->units);
    f->recommendation = det_text(out->arena, "Page the list of %s", u->endpoint->name);
    advice_unbounded(out->arena, f, u->statement);
}

const struct detector det_missing_pagination = {
    .name = "missing_pagination",
    .id = "PA022",
    .title = "List that grows without pages",
    .checklist = {4},
    .confirm = CONFIRM_PLAN,
    .judge_usage = judge,
};
