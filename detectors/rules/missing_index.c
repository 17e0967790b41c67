/*
 * Missing index: the server reads a whole table to keep a few of its rows.
 *
 * The advisor's plan is the proof: a sequential scan whose filter drops nearly everything, on a
 * table that is not small, with columns that an index would serve.
 */
#include "detectors/advice.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { SMALL_TABLE_ROWS = 10000 };

#define HIGH_TIME_SHARE 0.25

struct scan {
    struct advice_index index;
    struct span filter;
};

static struct scan scan_of(const struct record_plan *p)
{
    struct scan s;
    size_t at = 0;
    s.index.schema = record_tail(&p->h, sizeof(*p), at, p->schema_len);
    at += p->schema_len;
    s.index.table = record_tail(&p->h, sizeof(*p), at, p->table_len);
    at += p->table_len;
    s.filter = record_tail(&p->h, sizeof(*p), at, p->filter_len);
    at += p->filter_len;
    s.index.columns = record_tail(&p->h, sizeof(*p), at, p->columns_len);
    at += p->columns_len;
    s.index.note = record_tail(&p->h, sizeof(*p), at, p->index_note_len);
    return s;
}

static bool is_wasteful(const struct det_settings *set, const struct record_plan *p)
{
    return p != NULL && p->status == PLAN_OK && p->table_len > 0 &&
           (p->columns_len > 0 || p->index_note_len > 0) &&
           p->table_rows >= (double)set->missing_index_min_rows && p->table_rows > 0 &&
           p->kept_rows / p->table_rows <= set->missing_index_max_selectivity &&
           p->total_cost >= set->missing_index_min_cost;
}

static void judge_severity(struct finding *f, const struct det_settings *set, const struct usage *u)
{
    double mean_ms = histogram_mean(&u->time_us) / 1000;
    bool hot = usage_time_share(u) >= HIGH_TIME_SHARE && mean_ms >= set->explain_min_mean_ms;
    f->severity = hot ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    f->severity_by = hot ? "a quarter of the endpoint's database time or more"
                         : "less than a quarter of the endpoint's database time";
    if (u->statement->plan->table_rows >= SMALL_TABLE_ROWS)
        return;
    measure_cap(f, SEVERITY_LOW);
    f->severity_by = "a table of less than 10000 rows";
}

/* Of the statement's time, what the scan spends on rows it drops, going by the planner's costs. */
static double avoidable_share(const struct record_plan *p)
{
    double scan = p->total_cost > 0 ? p->scan_cost / p->total_cost : 0;
    if (scan > 1)
        scan = 1;
    return scan * (1 - p->kept_rows / p->table_rows);
}

/* Plans are replaced in the catalogue; the finding keeps its own. */
static const struct record_plan *keep_plan(struct arena *arena, const struct record_plan *p)
{
    struct record_plan *copy = arena_alloc(arena, p->h.len);
    if (copy != NULL)
        memcpy(copy, p, p->h.len);
    return copy;
}

static void put_name(struct strbuf *b, const struct scan *s)
{
    if (s->index.schema.len > 0 && !span_is(s->index.schema, "public")) {
        strbuf_add_span(b, s->index.schema);
        strbuf_putc(b, '.');
    }
    strbuf_add_span(b, s->index.table);
}

static void describe(struct arena *arena, struct finding *f, const struct usage *u,
                     const struct scan *s)
{
    const struct record_plan *p = u->statement->plan;
    char mean[DET_MS_MAX];
    struct strbuf table;
    strbuf_init(&table, DET_TEXT_MAX);
    put_name(&table, s);
    const char *name = strbuf_text(&table);
    f->issue = det_text(arena, "%s: %s is read whole in %s",
                        s->index.columns.len == 0 ? "Index that cannot be used" : "Missing index",
                        name, u->endpoint->name);
    f->impact = det_text(
        arena,
        "`%s` reads all %.0f rows of %s to keep about %.0f (planner's estimate); it takes %s each "
        "time (mean of %llu) and %.0f %% of the endpoint's database time.",
        advice_sql(arena, u->statement), p->table_rows, name, p->kept_rows,
        det_ms(histogram_mean(&u->time_us) / 1000, mean), (unsigned long long)u->calls,
        100 * f->time_share);
    f->recommendation =
        s->index.columns.len > 0
            ? det_text(arena, "Index %s (%.*s)", name, (int)s->index.columns.len,
                       (const char *)s->index.columns.data)
            : det_text(arena, "Write the filter on %s so that its index serves it", name);
    arena->no_memory += table.no_memory;
    strbuf_fini(&table);
}

static void estimate(struct finding *f, const struct audit *a, const struct usage *u)
{
    f->saved_ms = avoidable_share(u->statement->plan) * usage_work_ms(a, u);
    f->kind = GAIN_ESTIMATED;
    f->method =
        "p95 of the unit less the share of all units' time that the statement takes beyond a "
        "bare round trip, times the scan's share of the planner's cost for rows it drops";
    f->expected_improvement = "writes to the table become slower: they pay for the index";
}

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    const struct det_settings *set = audit_settings(a);
    struct finding *f =
        is_wasteful(set, u->statement->plan) ? usage_finding(out, &det_missing_index, u) : NULL;
    if (f == NULL)
        return;
    f->plan = keep_plan(out->arena, u->statement->plan);
    struct scan s = scan_of(f->plan != NULL ? f->plan : u->statement->plan);
    judge_severity(f, set, u);
    f->confidence = 0.9;
    f->basis = BASIS_PLAN;
    describe(out->arena, f, u, &s);
    estimate(f, a, u);
    advice_missing_index(out->arena, f, &s.index);
}

const struct detector det_missing_index = {
    .name = "missing_index",
    .id = "PA004",
    .title = "A whole table is read to keep a few rows",
    .checklist = {3},
    .confirm = CONFIRM_PLAN,
    .judge_usage = judge,
};
