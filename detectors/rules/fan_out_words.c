/* What fan-outs are, and how they are told. */
#include "detectors/advice.h"
#include "detectors/rules/fan_out.h"
#include "detectors/rules/measure.h"
#include "detectors/text.h"

enum { MIN_OCCURRENCES = 3 };
#define MIN_ORDER 0.8

/* Confidence of each tie; the last is below that from which a report calls code a plan. */
#define TIED_BY_TAG        0.9
#define TIED_BY_CONNECTION 0.85
#define NOT_TIED           0.6

/* --- judging --- */

/* Most executions of the child are such reads, not of pages of its own. */
static bool are_most(const struct repeat *e, uint64_t calls, double share)
{
    return (double)e->of >= share * (double)calls;
}

static double confidence_of(const struct audit *a, const struct repeat *e)
{
    const struct fan *f = e->fan;
    if (f->tagged * 10 >= e->units * 9) {
        const struct usage *u = audit_usage(a, e->endpoint, e->child);
        return u != NULL && are_most(e, u->calls, 0.5) ? TIED_BY_TAG : 0;
    }
    if (f->held * 2 >= e->units)
        return are_most(e, e->child->calls, 0.5) ? TIED_BY_CONNECTION : 0;
    return are_most(e, e->child->calls, 0.8) ? NOT_TIED : 0;
}

struct repeat_verdict fan_out_judge(const struct audit *a, const struct repeat *e)
{
    const struct repeat_verdict none = {.is_n_plus_one = false};
    bool every_list = e->units * 2 >= e->fan->list->judged;
    bool in_order = e->fan->order >= MIN_ORDER * (double)e->units;
    bool by_chance = e->dense * 2 > e->proven && !repeat_agrees_by_name(e);
    if (e->units < MIN_OCCURRENCES || !every_list || !in_order || by_chance ||
        repeat_is_something_else(e))
        return none;
    double confidence = confidence_of(a, e);
    return confidence > 0 ? (struct repeat_verdict){true, confidence, BASIS_VALUE_LINEAGE} : none;
}

/* --- telling --- */

/* Of all the children of one list. */
struct totals {
    uint64_t n_p50;
    uint64_t connections_p50;
    uint64_t batches; /* statements that take the place of the reads */
    double span_ms_p95;
    double batch_ms;
};

static struct totals add_up(const struct repeat *const *repeats, unsigned n)
{
    struct totals t = {.n_p50 = 0};
    for (unsigned i = 0; i < n; i++) {
        const struct repeat *e = repeats[i];
        uint64_t connections = histogram_percentile(&e->fan->connections, 0.50);
        double span_ms = (double)histogram_percentile(&e->fan->span_us, 0.95) / 1000;
        t.n_p50 += histogram_percentile(&e->n_each, 0.50);
        t.batches += !repeat_is_to_one(e);
        t.batch_ms += (double)histogram_percentile(&e->fan->dearest_us, 0.95) / 1000;
        if (connections > t.connections_p50)
            t.connections_p50 = connections;
        if (span_ms > t.span_ms_p95)
            t.span_ms_p95 = span_ms;
    }
    return t;
}

static void tell_times(struct finding *f, const struct totals *t)
{
    f->before_ms = t->span_ms_p95;
    f->after_ms = f->before_ms > f->wasted_ms_p95 ? f->before_ms - f->wasted_ms_p95 : 0;
    if (f->after_ms < t->batch_ms)
        f->after_ms = t->batch_ms < f->before_ms ? t->batch_ms : f->before_ms;
    f->method = "p95 of the time from the list to the last repeat, less the measured time in which "
                "repeats 2 to last run (p95; what overlaps counts once); the batch is taken to "
                "cost as much as the slowest repeat";
    f->kind = GAIN_ESTIMATED;
    f->queries_before = t->n_p50 + 1;
    f->queries_after = 1 + t->batches;
}

static const char *impact_of(struct arena *arena, const struct finding *f,
                             const struct repeat *const *repeats, unsigned n,
                             const struct totals *t, double rtt_ms)
{
    char wasted[DET_MS_MAX];
    char modelled[DET_MS_MAX];
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b, "`%s` ", advice_sql(arena, repeats[0]->child));
    if (n > 1)
        strbuf_printf(&b, "and %u more ", n - 1);
    strbuf_printf(&b, "%s %llu times a request (p50; p95 %llu, at most %llu), once for each value ",
                  n > 1 ? "run" : "runs", (unsigned long long)f->occurrences.p50,
                  (unsigned long long)f->occurrences.p95, (unsigned long long)f->occurrences.max);
    strbuf_printf(&b, "of %s (%llu of %llu values match), in parallel over %llu connections (p50)",
                  f->lineage.from_column, (unsigned long long)f->lineage.matched,
                  (unsigned long long)f->lineage.of, (unsigned long long)t->connections_p50);
    if (f->growth.known)
        strbuf_printf(&b, ". It grows with the data: %.3g + %.3g x rows", f->growth.base,
                      f->growth.slope);
    strbuf_printf(&b,
                  ". To run them together hides some of the wait and keeps that many connections "
                  "from other requests: %s too long (p95, measured; what overlaps counts once)",
                  det_ms(f->wasted_ms_p95, wasted));
    if (f->round_trips_saved > 0)
        strbuf_printf(&b, ", %s more at %.3g ms a round trip, for %.0f rounds over the connections",
                      det_ms(f->round_trips_saved * rtt_ms, modelled), rtt_ms,
                      f->round_trips_saved);
    strbuf_putc(&b, '.');
    if (f->confidence <= NOT_TIED)
        strbuf_puts(&b, " Nothing on the wire ties them to one request: they are possibly requests "
                        "of their own, of a client that loads the list and then each item. Tag the "
                        "statements with their route to know.");
    return det_take(arena, &b);
}

static const char *improvement_of(struct arena *arena, const struct finding *f)
{
    char before[DET_MS_MAX];
    char after[DET_MS_MAX];
    return det_text(arena,
                    "%llu statement%s on one connection instead of %llu a request (p50); from the "
                    "list to the last row p95 %s -> %s (estimated)",
                    (unsigned long long)f->queries_after, det_plural(f->queries_after),
                    (unsigned long long)f->queries_before, det_ms(f->before_ms, before),
                    det_ms(f->after_ms, after));
}

void fan_out_tell(struct arena *arena, const struct audit *a, struct finding *f,
                  const struct repeat *const *repeats, unsigned n)
{
    bool tied = f->confidence > NOT_TIED;
    struct totals t = add_up(repeats, n);
    f->label = "parallel_n_plus_one";
    if (!tied)
        measure_cap(f, SEVERITY_MEDIUM);
    tell_times(f, &t);
    f->issue =
        det_text(arena, "%s N+1 query in %s: %llu statements a request where %llu would do",
                 tied ? "Parallel" : "Possibly a parallel", f->endpoint->name,
                 (unsigned long long)f->queries_before, (unsigned long long)f->queries_after);
    f->impact = impact_of(arena, f, repeats, n, &t, audit_settings(a)->assumed_rtt_ms);
    f->expected_improvement = improvement_of(arena, f);
}
