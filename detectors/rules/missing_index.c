/*
 * Missing index: the server reads a whole table to keep a few of its rows, or sorts many for the
 * first few; or rows are deleted that another table refers to without an index.
 *
 * The advisor's plans are the proof, with the cost before and after where HypoPG is installed. In a
 * database of few rows no plan is one: there the structure is judged, and the text says so.
 */
#include "detectors/advice.h"
#include "detectors/rules/proposals.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

#include <math.h>

enum { SMALL_TABLE_ROWS = 10000 };

#define HIGH_TIME_SHARE 0.25
/* A table with so many writes for each read pays more for an index than it gets. */
#define WRITE_HEAVY 10
/* By PostgreSQL's default costs: the way down an index, and a page for each row found; of many rows
 * several share a page. */
#define LOOKUP_COST  8.0
#define ROW_COST     4.0
#define MOST_OF_SCAN 0.5
/* Below, two costs are the same. */
#define COST_DIFFERS 0.2

/* A finding in the making: the statement that it is about, those that the same index serves at the
 * same endpoint, and the proposal whose index it is. */
struct advice {
    struct arena *arena;
    struct finding *f;
    const struct proposal *about;
    const struct proposal *index;
    struct activity activity;
    size_t served; /* statements of the run that the index serves */
};

static bool is_write_heavy(const struct advice *a)
{
    return a->activity.writes >= WRITE_HEAVY * a->activity.reads && a->activity.writes > 0;
}

/* How bad, and why. */
static void judge_severity(struct arena *arena, const struct det_settings *set,
                           const struct advice *a)
{
    const struct proposal *p = a->about;
    const struct usage *u = p->usage;
    struct finding *f = a->f;
    bool hot = usage_time_share(u) >= HIGH_TIME_SHARE &&
               histogram_mean(&u->time_us) / 1000 >= set->explain_min_mean_ms;
    bool often = p->plan->reason == PLAN_FOREIGN_KEY || u->statement->child_of_n_plus_one;
    f->severity = hot ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    f->severity_by = hot ? "a quarter of the endpoint's database time or more"
                         : "less than a quarter of the endpoint's database time";
    if (p->kind == PROPOSAL_STRUCTURE) {
        measure_cap(f, often ? SEVERITY_MEDIUM : SEVERITY_LOW);
        f->severity_by = often ? "little data here, but a foreign key of a loop or a delete"
                               : "little data here";
    } else if (p->plan->table_rows < SMALL_TABLE_ROWS) {
        measure_cap(f, SEVERITY_LOW);
        f->severity_by = "a table of less than 10000 rows";
    }
    if (is_write_heavy(a)) {
        measure_lower(arena, f, "there are ten writes for each read");
        measure_cap(f, f->severity);
    }
}

/* Plans are replaced in the catalogue; the finding keeps its own. */
static const struct record_plan *keep_plan(struct arena *arena, const struct record_plan *p)
{
    struct record_plan *copy = arena_alloc(arena, p->h.len);
    if (copy != NULL)
        memcpy(copy, p, p->h.len);
    return copy;
}

/* --- words --- */

static const char *table_name(struct arena *arena, const struct proposal *p)
{
    bool plain = p->schema.len == 0 || span_is(p->schema, "public");
    const char *name =
        det_text(arena, "%.*s%s%.*s", plain ? 0 : (int)p->schema.len, (const char *)p->schema.data,
                 plain ? "" : ".", (int)p->table.len, (const char *)p->table.data);
    return name != NULL ? name : "?";
}

static const char *issue_of(const struct advice *a, const char *name)
{
    const struct proposal *p = a->about;
    const char *where = p->usage->endpoint->name;
    const char *what = "Missing index";
    const char *end = p->kind == PROPOSAL_STRUCTURE ? " (little data here)" : "";
    if (p->plan->reason == PLAN_FOREIGN_KEY)
        return det_text(a->arena,
                        "Foreign key without an index: %s refers to %.*s, deleted in %s%s", name,
                        (int)p->parent.len, (const char *)p->parent.data, where, end);
    if (p->kind == PROPOSAL_UNUSABLE)
        what = "Index that cannot be used";
    else if (p->kind == PROPOSAL_STRUCTURE && (p->plan->flags & PLAN_ON_FOREIGN_KEY) != 0)
        what = "Foreign key without an index";
    return det_text(a->arena, "%s: %s is %s in %s%s", what, name,
                    p->plan->reason == PLAN_SORT ? "sorted for its first rows" : "read whole",
                    where, end);
}

static void put_what_happens(struct strbuf *b, const struct advice *a, const char *name)
{
    const struct record_plan *p = a->about->plan;
    strbuf_printf(b, "`%s` ", advice_sql(a->arena, a->about->usage->statement));
    if (p->reason == PLAN_FOREIGN_KEY)
        strbuf_printf(b,
                      "makes the server look through all %.0f rows of %s for each row that it "
                      "deletes",
                      p->table_rows, name);
    else if (p->reason == PLAN_SORT)
        strbuf_printf(b, "reads and sorts rows of %s (%.0f in all) to return the first %.0f", name,
                      p->table_rows, p->kept_rows);
    else
        strbuf_printf(b, "reads all %.0f rows of %s to keep about %.0f", p->table_rows, name,
                      p->kept_rows);
}

static void put_values(struct strbuf *b, const struct proposal *p)
{
    if (p->for_it < p->sets)
        strbuf_printf(b, " That holds for %u of the %u sets of values that were explained.",
                      p->for_it, p->sets);
    if ((p->plan->flags & PLAN_GENERIC) != 0 &&
        fabs(p->plan->generic_cost - p->plan->total_cost) > COST_DIFFERS * p->plan->total_cost)
        strbuf_printf(b,
                      " The plan that a prepared statement may come to use for any values costs "
                      "%.0f instead of %.0f.",
                      p->plan->generic_cost, p->plan->total_cost);
}

static void put_circumstances(struct strbuf *b, const struct advice *a, const char *name)
{
    const struct proposal *p = a->about;
    if (p->kind == PROPOSAL_STRUCTURE && p->plan->reason != PLAN_FOREIGN_KEY)
        strbuf_puts(b,
                    " At this size a scan is right; but with enable_seqscan=off it stays one, so "
                    "no index serves this and each execution will cost more as the table grows.");
    else if (p->kind == PROPOSAL_STRUCTURE)
        strbuf_puts(b, " At this size that costs little; it grows with the table.");
    if (a->served > 1)
        strbuf_printf(b, " One index serves %zu statements of this run.", a->served);
    if (a->activity.writes > 0)
        strbuf_printf(b, " %s was written to %llu times and read %llu times%s.", name,
                      (unsigned long long)a->activity.writes, (unsigned long long)a->activity.reads,
                      is_write_heavy(a) ? ": each write pays for the index, weigh it" : "");
}

static const char *impact_of(const struct advice *a, const char *name)
{
    char mean[DET_MS_MAX];
    const struct usage *u = a->about->usage;
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    put_what_happens(&b, a, name);
    strbuf_printf(&b,
                  " (planner's estimate); it takes %s each time (mean of %llu) and %.0f %% of the "
                  "endpoint's database time.",
                  det_ms(histogram_mean(&u->time_us) / 1000, mean), (unsigned long long)u->calls,
                  100 * a->f->time_share);
    put_values(&b, a->about);
    put_circumstances(&b, a, name);
    return det_take(a->arena, &b);
}

static void describe(const struct advice *a)
{
    const char *name = table_name(a->arena, a->about);
    struct span columns = a->index->columns;
    a->f->issue = issue_of(a, name);
    a->f->impact = impact_of(a, name);
    a->f->recommendation =
        columns.len > 0
            ? det_text(a->arena, "Index %s (%.*s)", name, (int)columns.len,
                       (const char *)columns.data)
            : det_text(a->arena, "Write the filter on %s so that its index serves it", name);
}

/* --- what it would save --- */

/* Planner's cost of finding the kept rows by an index that could not be tried. */
static double lookup_cost(const struct record_plan *r)
{
    double rows = ROW_COST * r->kept_rows;
    double most = MOST_OF_SCAN * r->scan_cost;
    return LOOKUP_COST + (rows < most ? rows : most);
}

/* Of the statement's time, what the index takes away, going by the planner's costs; negative when
 * they do not tell. */
static double avoidable_share(const struct proposal *p)
{
    const struct record_plan *r = p->plan;
    if (p->kind == PROPOSAL_STRUCTURE || r->reason == PLAN_FOREIGN_KEY || !(r->total_cost > 0))
        return -1;
    double saved =
        p->after_node.len > 0 ? r->total_cost - r->after_cost : r->scan_cost - lookup_cost(r);
    double share = saved / r->total_cost;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static void estimate(const struct audit *audit, const struct advice *a)
{
    struct finding *f = a->f;
    double share = avoidable_share(a->about);
    if (share < 0)
        return;
    bool tried = a->about->after_node.len > 0;
    f->saved_ms = share * usage_work_ms(audit, a->about->usage);
    f->kind = GAIN_ESTIMATED;
    f->method = tried
                    ? "p95 of the unit less the share of all units' time that the statement takes "
                      "beyond a bare round trip, times what the hypothetical index takes off the "
                      "planner's cost (HypoPG)"
                    : "p95 of the unit less the share of all units' time that the statement takes "
                      "beyond a bare round trip, times the scan's share of the planner's cost, but "
                      "for looking up the rows it keeps";
    f->expected_improvement = "writes to the table become slower: they pay for the index";
}

/* --- the finding --- */

static bool is_same_finding(const struct proposal *a, const struct proposal *b)
{
    return a->usage->endpoint == b->usage->endpoint && a->served_by == b->served_by;
}

/* The other statements of the endpoint that the same index serves. */
static void add_statements(struct finding *f, struct proposals *p, const struct proposal *about)
{
    uint64_t whole_us = about->usage->endpoint->db_us;
    for (size_t i = 0; i < p->n; i++) {
        struct proposal *other = &p->list[i];
        if (other->taken || other == about || !is_same_finding(about, other))
            continue;
        other->taken = true;
        f->time_share += measure_ratio(other->usage->time_us.sum, whole_us);
        if (f->n_statements < FINDING_MAX_STATEMENTS)
            f->statements[f->n_statements++] =
                (struct finding_statement){"statement", other->usage->statement, other->usage};
    }
    if (f->time_share > 1)
        f->time_share = 1;
}

/* Of the statements that share a finding the one that takes the most time speaks for it. */
static struct proposal *speaker_of(struct proposals *p, struct proposal *first)
{
    struct proposal *best = first;
    for (struct proposal *other = first; other < p->list + p->n; other++) {
        if (is_same_finding(first, other) && other->usage->time_us.sum > best->usage->time_us.sum)
            best = other;
    }
    return best;
}

static size_t count_served(const struct proposals *p, const struct proposal *about)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct proposal *other = &p->list[i];
        n += other->served_by == about->served_by &&
             (other == about || other->usage->statement != about->usage->statement);
    }
    return n;
}

static void add_finding(const struct audit *audit, struct findings *out, struct proposals *p,
                        struct proposal *first)
{
    struct proposal *about = speaker_of(p, first);
    about->taken = true;
    struct finding *f = usage_finding(out, &det_missing_index, about->usage);
    if (f == NULL)
        return;
    add_statements(f, p, about);
    const struct proposal *index = &p->list[about->served_by];
    struct advice a = {.arena = out->arena,
                       .f = f,
                       .about = about,
                       .index = index,
                       .activity = proposals_activity(p, about->table),
                       .served = count_served(p, about)};
    f->plan = keep_plan(out->arena, about->plan);
    judge_severity(out->arena, audit_settings(audit), &a);
    f->confidence = about->kind != PROPOSAL_STRUCTURE                 ? 0.9
                    : (about->plan->flags & PLAN_ON_FOREIGN_KEY) != 0 ? 0.7
                                                                      : 0.5;
    f->basis = BASIS_PLAN;
    describe(&a);
    estimate(audit, &a);
    advice_missing_index(
        out->arena, f,
        &(struct advice_index){index->schema, index->table, index->columns, about->note});
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    (void)state;
    struct proposals p;
    if (proposals_make(&p, audit)) {
        for (size_t i = 0; i < p.n; i++) {
            if (!p.list[i].taken)
                add_finding(audit, out, &p, &p.list[i]);
        }
    } else {
        out->arena->no_memory++;
    }
    proposals_free(&p);
}

const struct detector det_missing_index = {
    .name = "missing_index",
    .id = "PA004",
    .title = "A whole table is read to keep a few rows",
    .checklist = {3},
    .confirm = CONFIRM_PLAN,
    .on_finish = on_finish,
};
