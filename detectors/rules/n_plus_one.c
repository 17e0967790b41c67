/*
 * N+1: a loop over the rows of one statement sends another statement for each row.
 *
 * Repeats are counted by repeats.h at the end of each unit, with the lineage of their values, and
 * judged when a report is made:
 *
 *   proven     values are those of a parent's column, and its name or the order of its rows says so
 *   matched    as many repeats as the statement before returned rows
 *   repeated   many different values, from nowhere that was seen
 *
 * The last two need a unit whose borders are sure: two requests on one connection look the same.
 * Loops that run over several connections at once are fan_out.h's.
 */
#include "detectors/advice.h"
#include "detectors/audit.h"
#include "detectors/ledger.h"
#include "detectors/rules/fan_out.h"
#include "detectors/rules/measure.h"
#include "detectors/rules/repeats.h"
#include "detectors/rules/rules.h"
#include "detectors/text.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_REPEATS = FINDING_MAX_STATEMENTS - 1 };

struct state {
    struct repeats *repeats;
    struct fan_out *fan_out;
};

static void fini(void *state)
{
    struct state *s = state;
    if (s == NULL)
        return;
    fan_out_free(s->fan_out);
    repeats_fini(s->repeats);
}

static void *init(struct arena *arena)
{
    struct state *s = arena_alloc(arena, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->repeats = repeats_new(arena);
    s->fan_out = s->repeats != NULL ? fan_out_new(arena, s->repeats) : NULL;
    if (s->fan_out != NULL)
        return s;
    fini(s);
    return NULL;
}

static uint64_t lost(const void *state)
{
    const struct state *s = state;
    return s->repeats->lost + lineage_cut(s->repeats->lineage) + fan_out_lost(s->fan_out);
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *u)
{
    struct state *s = state;
    repeats_count(s->repeats, audit_settings(audit), u);
    fan_out_count(s->fan_out, audit_settings(audit), u);
}

static void on_time(void *state, struct audit *audit, int64_t now_us)
{
    struct state *s = state;
    fan_out_advance(s->fan_out, audit_settings(audit), now_us);
}

/* --- the finding --- */

/* Repeats of one parent's column at one endpoint: one loop, one finding. */
struct loop {
    const struct repeat *repeats[MAX_REPEATS];
    unsigned n;
    struct repeat_verdict verdict;
};

/* Sums over the repeats; percentiles of sums are taken as sums of percentiles. */
struct sums {
    uint64_t n_min, n_p50, n_p95, n_max;
    uint64_t trips_p50, trips_p95;
    uint64_t matched, of, repeat_us;
    int64_t beside_us; /* as in struct fan */
    uint64_t claims;
    uint64_t batches; /* statements that take the place of the repeats */
    double wasted_ms_p95, gap_ms;
    bool pipelined;
};

static struct sums sum_up(const struct loop *l)
{
    struct sums s = {.pipelined = true};
    for (unsigned i = 0; i < l->n; i++) {
        const struct repeat *e = l->repeats[i];
        s.n_min += e->n_each.min;
        s.n_p50 += histogram_percentile(&e->n_each, 0.50);
        s.n_p95 += histogram_percentile(&e->n_each, 0.95);
        s.n_max += e->n_each.max;
        s.trips_p50 += histogram_percentile(&e->trips_each, 0.50);
        s.trips_p95 += histogram_percentile(&e->trips_each, 0.95);
        s.matched += e->matched;
        s.of += e->of;
        s.repeat_us += e->repeat_us;
        s.claims |= e->claim;
        s.batches += !repeat_is_to_one(e);
        s.beside_us += e->fan != NULL ? e->fan->beside_us : 0;
        s.wasted_ms_p95 += (double)histogram_percentile(&e->wasted_us_each, 0.95) / 1000;
        s.gap_ms += (double)e->gap_us / 1000 / (double)e->units;
        s.pipelined &= e->pipelined * 2 > e->units;
    }
    return s;
}

/* Database time of the endpoint with all its repeats, what overlaps counted once. */
static uint64_t database_us(const struct endpoint *e, const struct sums *s)
{
    int64_t all_us = (int64_t)e->db_us + s->beside_us;
    return all_us > (int64_t)s->repeat_us ? (uint64_t)all_us : s->repeat_us;
}

static void fill_evidence(struct finding *f, const struct audit *a, const struct loop *l,
                          const struct sums *s)
{
    const struct repeat *e = l->repeats[0];
    f->tag = e->tag;
    f->requests_seen = e->units;
    f->occurrences.min = s->n_min;
    f->occurrences.p50 = s->n_p50;
    f->occurrences.p95 = s->n_p95;
    f->occurrences.max = s->n_max;
    f->wasted_ms_p95 = s->wasted_ms_p95;
    f->round_trips_saved = (double)s->trips_p50;
    f->claims = s->claims;
    f->time_share = measure_share(s->repeat_us, database_us(e->endpoint, s));
    if (e->parent != NULL)
        f->statements[f->n_statements++] =
            (struct finding_statement){"parent", e->parent, audit_usage(a, e->endpoint, e->parent)};
    for (unsigned i = 0; i < l->n; i++) {
        const struct statement *child = l->repeats[i]->child;
        f->statements[f->n_statements++] =
            (struct finding_statement){"repeated", child, audit_usage(a, e->endpoint, child)};
    }
}

static void put_span(struct strbuf *b, struct span s, const char *otherwise)
{
    if (s.len > 0)
        strbuf_add_span(b, s);
    else
        strbuf_puts(b, otherwise);
}

static void fill_lineage(struct arena *arena, struct finding *f, const struct repeat *e,
                         const struct sums *s)
{
    if (!e->has_lineage || f->basis != BASIS_VALUE_LINEAGE)
        return;
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    put_span(&b, ledger_table(e->parent, 0), "result");
    strbuf_putc(&b, '.');
    struct span column = repeat_parent_column(e);
    if (column.len > 0)
        strbuf_add_span(&b, column);
    else
        strbuf_printf(&b, "column %u", e->column + 1);
    f->lineage.from_column = det_take(arena, &b);
    f->lineage.matched = s->matched;
    f->lineage.of = s->of;
}

/* After the cure each repeat is one statement for the whole page, or none where a join brings it.
 */
/* Requests without the loop may be the more frequent ones; then the loop and its parent speak. */
static void fill_counts(struct finding *f, const struct sums *s)
{
    uint64_t usual = histogram_percentile(&f->endpoint->statements_each, 0.50);
    uint64_t least = s->n_p50 + 1;
    f->queries_before = usual > least ? usual : least;
    f->queries_after = f->queries_before - (s->n_p50 - s->batches);
}

static void put_origin(struct strbuf *b, const struct finding *f, const struct repeat *e)
{
    if (f->lineage.from_column != NULL)
        strbuf_printf(b, ", once for each value of %s (%llu of %llu values match)",
                      f->lineage.from_column, (unsigned long long)f->lineage.matched,
                      (unsigned long long)f->lineage.of);
    else if (f->basis == BASIS_ROW_MATCH && e->parent != NULL)
        strbuf_puts(b, ", as often as the statement before returned rows");
    else
        strbuf_puts(b, ", each time with another value whose origin was not seen");
}

/* Where the size varied: what each further row of the parent costs. */
static void put_growth(struct strbuf *b, const struct finding *f)
{
    const struct growth *g = &f->growth;
    const struct growth *t = &f->latency;
    const char *class = growth_class(t);
    if (g->known)
        strbuf_printf(b, ". It grows with the data: %.3g + %.3g x rows", g->base, g->slope);
    if (!t->known || t->slope <= 0)
        return;
    strbuf_printf(b, "; a request takes %.2g ms more for each row (%.0f to %.0f rows seen",
                  t->slope, t->from, t->to);
    if (*class != '\0')
        strbuf_printf(b, ", %s", class);
    strbuf_puts(b, ")");
}

static const char *impact_of(struct arena *arena, const struct finding *f, const struct loop *l,
                             const struct sums *s, double rtt_ms)
{
    char wasted[DET_MS_MAX];
    char modelled[DET_MS_MAX];
    char gap[DET_MS_MAX];
    const struct repeat *e = l->repeats[0];
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b, "`%s` ", advice_sql(arena, e->child));
    if (l->n > 1)
        strbuf_printf(&b, "and %u more ", l->n - 1);
    strbuf_printf(&b, "%s %llu times a request (p50; p95 %llu, at most %llu)",
                  l->n > 1 ? "run" : "runs", (unsigned long long)f->occurrences.p50,
                  (unsigned long long)f->occurrences.p95, (unsigned long long)f->occurrences.max);
    put_origin(&b, f, e);
    put_growth(&b, f);
    strbuf_printf(&b,
                  ". That is %llu round trips too many (p95): %s of database time measured here "
                  "(p95), %s at %.3g ms a round trip; %.0f %% of the endpoint's database time.",
                  (unsigned long long)s->trips_p95, det_ms(s->wasted_ms_p95, wasted),
                  det_ms((double)s->trips_p95 * rtt_ms, modelled), rtt_ms, 100 * f->time_share);
    if (s->pipelined)
        strbuf_puts(&b, " The repeats travel in one round trip.");
    else
        strbuf_printf(&b, " Between repeats the client takes %s more (mean).",
                      det_ms(s->gap_ms, gap));
    return det_take(arena, &b);
}

static const char *improvement_text(struct arena *arena, const struct finding *f,
                                    const struct sums *s, double rtt_ms)
{
    char modelled[DET_MS_MAX];
    return det_text(arena,
                    "%llu statement%s instead of %llu a request (p50), and %s less at %.3g ms a "
                    "round trip (modelled)",
                    (unsigned long long)f->queries_after, det_plural(f->queries_after),
                    (unsigned long long)f->queries_before,
                    det_ms((double)s->trips_p50 * rtt_ms, modelled), rtt_ms);
}

static void fill_advice(struct arena *arena, struct finding *f, const struct loop *l)
{
    struct advice_repeat repeats[MAX_REPEATS];
    const struct repeat *e = l->repeats[0];
    struct span parent = repeat_parent_column(e);
    for (unsigned i = 0; i < l->n; i++) {
        const struct repeat *r = l->repeats[i];
        repeats[i] = (struct advice_repeat){
            .child = r->child,
            .column = repeat_key_column(r),
            .aggregate = statement_has(r->child, FACT_ONLY_AGGREGATES),
        };
        repeats[i].to_one = repeat_is_to_one(r);
    }
    struct advice_loop loop = {
        .parent = e->has_lineage ? e->parent : NULL,
        .parent_column = parent,
        .key_type = e->type_oid,
        .repeats = repeats,
        .n_repeats = l->n,
    };
    advice_n_plus_one(arena, f, &loop);
    f->recommendation = det_text(arena, "Load what %s loops over in one statement%s",
                                 f->endpoint->name, e->parent != NULL ? " beside its list" : "");
}

/* By wasted round trips first: the time of a development database says little about that of
 * production. */
static void judge_severity(struct arena *arena, struct finding *f, const struct sums *s)
{
    enum { MANY = 10, VERY_MANY = 20 };
    bool grows = f->growth.known && s->n_p95 >= VERY_MANY;
    const struct measure all[] = {
        {.what = "round trips too many (p95)",
         .value = (double)s->trips_p95,
         .levels = {0, 5, 20, 100}},
        {.what = "ms wasted (p95)", .value = s->wasted_ms_p95, .levels = {100, 100, 100, 500}},
        {.what = "of the endpoint's database time",
         .value = s->n_p95 >= MANY ? f->time_share : 0,
         .levels = {0.30, 0.30, 0.30, INFINITY}},
        {.what = "is the power of the rows that 20 and more statements grow with",
         .value = grows ? f->growth.exponent : 0,
         .levels = {0.8, 0.8, 0.8, 0.8}},
    };
    double confidence = f->confidence;
    enum confidence_basis basis = f->basis;
    measure_judge(arena, f, measure_highest(all, sizeof(all) / sizeof(all[0])));
    f->confidence = confidence;
    f->basis = basis;
    if (s->pipelined) {
        measure_lower(arena, f, "the repeats travel in one round trip");
        measure_cap(f, f->severity);
    }
}

static void add_finding(const struct audit *a, struct findings *out, const struct loop *l)
{
    const struct repeat *e = l->repeats[0];
    struct finding *f = findings_add(out, &det_n_plus_one, e->endpoint, e->child);
    if (f == NULL)
        return;
    double rtt_ms = audit_settings(a)->assumed_rtt_ms;
    struct sums s = sum_up(l);
    f->growth = repeat_growth(e);
    f->latency = repeat_latency(e);
    f->confidence = l->verdict.confidence;
    f->basis = l->verdict.basis;
    fill_evidence(f, a, l, &s);
    fill_lineage(out->arena, f, e, &s);
    judge_severity(out->arena, f, &s);
    fill_counts(f, &s);
    f->issue =
        det_text(out->arena, "N+1 query in %s: %llu statements a request where %llu would do",
                 e->endpoint->name, (unsigned long long)f->queries_before,
                 (unsigned long long)f->queries_after);
    f->impact = impact_of(out->arena, f, l, &s, rtt_ms);
    f->expected_improvement = improvement_text(out->arena, f, &s, rtt_ms);
    fill_advice(out->arena, f, l);
    if (e->fan != NULL)
        fan_out_tell(out->arena, a, f, l->repeats, l->n);
}

/* --- grouping --- */

struct candidate {
    const struct repeat *evidence;
    struct repeat_verdict verdict;
    bool taken;
};

/* Of several origins of one statement's repeats, the best proven one, then the most frequent. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if ((a->evidence->fan != NULL) != (b->evidence->fan != NULL)) /* the one that saw more of it */
        return a->evidence->n_each.max > b->evidence->n_each.max;
    if (a->verdict.confidence != b->verdict.confidence)
        return a->verdict.confidence > b->verdict.confidence;
    return a->evidence->of > b->evidence->of;
}

/* Two loops with one statement cannot be told apart well enough to advise on both. */
static void drop_doubles(struct candidate *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i + 1; k < n && !c[i].taken; k++) {
            if (c[k].taken || c[k].evidence->child != c[i].evidence->child ||
                c[k].evidence->endpoint != c[i].evidence->endpoint)
                continue;
            struct candidate *worse = is_better(&c[k], &c[i]) ? &c[i] : &c[k];
            worse->taken = true;
        }
    }
}

static bool same_loop(const struct candidate *a, const struct candidate *b)
{
    const struct repeat *x = a->evidence;
    const struct repeat *y = b->evidence;
    return x->endpoint == y->endpoint && x->parent != NULL && x->parent == y->parent &&
           x->has_lineage == y->has_lineage && x->column == y->column &&
           (x->fan != NULL) == (y->fan != NULL) && a->verdict.basis == b->verdict.basis;
}

static void add_loops(const struct audit *a, struct findings *out, struct candidate *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].taken)
            continue;
        struct loop loop = {.verdict = c[i].verdict};
        for (size_t k = i; k < n && loop.n < MAX_REPEATS; k++) {
            if (c[k].taken || (k != i && !same_loop(&c[i], &c[k])))
                continue;
            c[k].taken = true;
            loop.repeats[loop.n++] = c[k].evidence;
        }
        add_finding(a, out, &loop);
    }
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    const struct repeats *s = ((struct state *)state)->repeats;
    struct candidate *c = calloc(s->by_key.count + 1, sizeof(*c));
    if (c == NULL) {
        out->arena->no_memory++;
        return;
    }
    size_t n = 0;
    for (const struct repeat *e = s->first; e != NULL; e = e->next) {
        struct repeat_verdict v =
            e->fan != NULL ? fan_out_judge(audit, e) : repeat_judge(audit_settings(audit), e);
        if (v.is_n_plus_one)
            c[n++] = (struct candidate){.evidence = e, .verdict = v};
    }
    drop_doubles(c, n);
    add_loops(audit, out, c, n);
    free(c);
}

const struct detector det_n_plus_one = {
    .name = "n_plus_one",
    .id = "PA001",
    .title = "One statement a row where one for all rows would do (N+1)",
    .checklist = {1, 2},
    .confirm = CONFIRM_CALLS | CONFIRM_PLAN,
    .init = init,
    .on_unit_end = on_unit_end,
    .on_time = on_time,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
