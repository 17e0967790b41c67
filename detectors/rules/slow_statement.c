/*
 * Statements that are slow as the client sees them. Why is for the plan to say: this rule speaks
 * where no other does.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_CALLS = 3 };

static const struct advice_texts texts = {
    .sqlalchemy =
        "# Where does the time go? (read only)\n"
        "plan = session.execute(text(\"EXPLAIN (ANALYZE, BUFFERS) \" + sql), parameters)\n"
        "print(\"\\n\".join(row[0] for row in plan))\n",
    .django = "# Where does the time go?\n"
              "print({Model}.objects.filter(...).explain(analyze=True, buffers=True))\n",
    .asyncpg = "# Where does the time go? (read only)\n"
               "for row in await conn.fetch(\"EXPLAIN (ANALYZE, BUFFERS) \" + sql, *arguments):\n"
               "    print(row[0])\n",
};

/* The plan asks for an index: missing_index says more. */
static bool is_explained(const struct statement *s)
{
    return s->plans[0] != NULL && s->plans[0]->table_len > 0 &&
           (s->plans[0]->flags & PLAN_NOT_WORTH_IT) == 0;
}

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    char p95[DET_MS_MAX];
    char p50[DET_MS_MAX];
    double p95_ms = (double)histogram_percentile(&u->time_us, 0.95) / 1000;
    struct measure m = {
        .what = "ms a statement (p95)",
        .value = p95_ms,
        .levels = audit_settings(a)->slow_statement_ms,
        .confidence = 0.95,
    };
    if (u->calls < MIN_CALLS || is_explained(u->statement))
        return;
    struct finding *f = usage_measured(out, &det_slow_statement, u, &m);
    if (f == NULL)
        return;
    f->issue = det_text(out->arena, "Slow statement in %s: %s (p95)", u->endpoint->name,
                        det_ms(p95_ms, p95));
    f->impact = det_text(
        out->arena,
        "`%s` takes %s (p95; p50 %s; %llu calls) as the application sees it, waiting for locks "
        "included; %.0f %% of the endpoint's database time.",
        advice_sql(out->arena, u->statement), p95,
        det_ms((double)histogram_percentile(&u->time_us, 0.50) / 1000, p50),
        (unsigned long long)u->calls, 100 * f->time_share);
    f->recommendation =
        det_text(out->arena, "Look at the plan of the slow statement of %s", u->endpoint->name);
    advice_template(out->arena, f, u->statement, &texts);
}

const struct detector det_slow_statement = {
    .name = "slow_statement",
    .id = "PA025",
    .title = "Slow statement",
    .checklist = {3},
    .confirm = CONFIRM_PLAN,
    .judge_usage = judge,
};
