/*
 * Unbounded result: a SELECT without LIMIT whose rows nobody limits, so that it grows with the
 * table.
 *
 * Rows are evidence only where all of them came: with a row limit in Execute, or a portal that was
 * left before its end, their number says nothing. Several keys bound a result by themselves.
 */
#include "detectors/advice.h"
#include "detectors/ledger.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum {
    MIB = 1024 * 1024,
    MEDIUM_MIB = 1,
    HIGH_MIB = 10,
    CRITICAL_MIB = 100,
    LIST_ROWS = 100, /* fewer rows are no list, however many bytes they have */
    PAGE_ROWS = 50,
};

static bool is_bounded(const struct usage *u)
{
    const struct statement *s = u->statement;
    return statement_has(s, FACT_LIMIT) || statement_has(s, FACT_ONLY_AGGREGATES) ||
           u->limited > 0 || u->suspended > 0;
}

static double mean_bytes(const struct usage *u)
{
    return u->rows_each.count > 0 ? (double)u->bytes / (double)u->rows_each.count : 0;
}

static struct finding *find(struct findings *out, const struct det_settings *set,
                            const struct usage *u)
{
    uint64_t rows = histogram_percentile(&u->rows_each, 0.95);
    const struct measure all[] = {
        {.what = "rows a statement (p95)",
         .value = (double)rows,
         .levels = {(double)set->unbounded_min_rows, (double)set->unbounded_medium_rows,
                    (double)set->unbounded_high_rows, (double)set->unbounded_critical_rows},
         .confidence = 0.9},
        {.what = "MiB a statement (mean)",
         .value = rows >= LIST_ROWS ? mean_bytes(u) / MIB : 0,
         .levels = {MEDIUM_MIB, MEDIUM_MIB, HIGH_MIB, CRITICAL_MIB},
         .confidence = 0.9},
    };
    if (is_bounded(u) ||
        (statement_has(u->statement, FACT_MANY_KEYS) && rows < (uint64_t)set->unbounded_high_rows))
        return NULL;
    const struct measure *m = measure_highest(all, sizeof(all) / sizeof(all[0]));
    return m != NULL ? usage_measured(out, &det_unbounded_result, u, m) : NULL;
}

static void describe(struct arena *arena, struct finding *f, const struct audit *a,
                     const struct usage *u)
{
    char bytes[USAGE_BYTES_MAX];
    char time[DET_MS_MAX];
    unsigned long long rows = f->occurrences.p95;
    struct span table = ledger_table(u->statement, 0);
    f->issue = det_text(arena, "No LIMIT on %.*s in %s: %llu rows a statement", (int)table.len,
                        (const char *)table.data, u->endpoint->name, rows);
    f->impact = det_text(
        arena,
        "`%s` returns %llu rows (p95; at most %llu) and %s (mean) each time, in %s (p95), and "
        "grows with its table; seen in %llu requests.",
        advice_sql(arena, u->statement), rows, (unsigned long long)f->occurrences.max,
        usage_bytes(mean_bytes(u), bytes),
        det_ms((double)histogram_percentile(&u->time_us, 0.95) / 1000, time),
        (unsigned long long)u->units);
    f->expected_improvement =
        rows > PAGE_ROWS ? det_text(arena,
                                    "%d rows a page instead of %llu: %.0f %% fewer rows and bytes "
                                    "(modelled)",
                                    PAGE_ROWS, rows, 100 - 100.0 * PAGE_ROWS / (double)rows)
                         : NULL;
    if (rows > PAGE_ROWS) {
        f->saved_ms = usage_work_ms(a, u) * (1 - (double)PAGE_ROWS / (double)rows);
        f->kind = GAIN_MODELLED;
        f->method =
            "the statement's measured time beyond a bare round trip, taken to be in proportion "
            "to its rows (p95), with pages of 50";
    }
    f->recommendation =
        det_text(arena, "Give %s pages, or stream what is an export", u->endpoint->name);
}

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    struct finding *f = find(out, audit_settings(a), u);
    if (f == NULL)
        return;
    describe(out->arena, f, a, u);
    advice_unbounded(out->arena, f, u->statement);
}

const struct detector det_unbounded_result = {
    .name = "unbounded_result",
    .id = "PA003",
    .title = "A result without LIMIT that grows with its table",
    .checklist = {4, 28},
    .confirm = CONFIRM_PLAN | CONFIRM_MEMORY,
    .judge_usage = judge,
};
