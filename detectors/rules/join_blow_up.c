/*
 * A join that repeats: rows of the parent come once for each row of the child, so that most bytes
 * of the result say again what the row before has said.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_ROWS = 200 };
#define MIN_SHARE 0.5

static double repeated_share(const struct statement_widths *w)
{
    uint64_t all = 0;
    uint64_t repeated = 0;
    for (unsigned i = 0; i < w->n; i++) {
        all += w->columns[i].bytes;
        repeated += w->columns[i].repeated_bytes;
    }
    return all > 0 ? (double)repeated / (double)all : 0;
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "from sqlalchemy.orm import selectinload\n\n"
        "# Collections by a second statement, which sends each parent once; `children` stands\n"
        "# for the relationship that is joined now.\n"
        "stmt = select({Model}).options(selectinload({Model}.children))\n"
        "# instead of joinedload, or lazy=\"joined\" on the mapper\n",
    .django =
        "# Collections by a second statement, which sends each parent once; `children` stands\n"
        "# for the reverse relation that is joined now.\n"
        "{Model}.objects.prefetch_related(\"children\")\n"
        "# instead of .values(...) over a reverse relation\n",
    .asyncpg =
        "# Two statements; `children` and `parent_id` stand for the table that is joined now.\n"
        "{rows} = await conn.fetch(\"SELECT ... FROM {table} WHERE ...\")\n"
        "children = await conn.fetch(\n"
        "    \"SELECT ... FROM children WHERE parent_id = ANY($1)\",\n"
        "    [row[\"id\"] for row in {rows}],\n"
        ")\n",
};

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    const struct statement *s = u->statement;
    if (s->widths == NULL || !statement_has(s, FACT_JOIN) || u->max_rows < MIN_ROWS ||
        u->units == 0)
        return;
    double share = repeated_share(s->widths);
    double bytes = share * (double)u->bytes / (double)u->units;
    struct measure m = {
        .what = "bytes repeated in a request (mean)",
        .value = bytes,
        .levels = audit_settings(a)->join_blow_up_bytes,
        .confidence = 0.9,
    };
    struct finding *f = share >= MIN_SHARE ? usage_measured(out, &det_join_blow_up, u, &m) : NULL;
    if (f == NULL)
        return;
    char size[USAGE_BYTES_MAX];
    f->issue = det_text(out->arena, "A join that repeats its parent in %s", u->endpoint->name);
    f->impact = det_text(out->arena,
                         "%.0f %% of the bytes of `%s` repeat the row before (measured on %llu "
                         "rows): %s a request (mean) that the server sends and the application "
                         "builds for nothing.",
                         100 * share, advice_sql(out->arena, s),
                         (unsigned long long)s->widths->rows, usage_bytes(bytes, size));
    f->recommendation = det_text(out->arena, "Load the collection of %s by a statement of its own",
                                 u->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%s less a request (measured)", size);
    advice_template(out->arena, f, s, &texts);
}

const struct detector det_join_blow_up = {
    .name = "join_blow_up",
    .id = "PA024",
    .title = "A join that repeats its parent",
    .checklist = {2},
    .confirm = CONFIRM_PLAN | CONFIRM_MEMORY,
    .judge_usage = judge,
};
