/*
 * SELECT *: columns that nobody named are sent, parsed and kept.
 *
 * A star costs by what it drags along: many columns, or long values the server keeps aside
 * (text, json, bytea). On a narrow table, or for a single row, it is a remark only.
 */
#include "detectors/advice.h"
#include "detectors/ledger.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { HIGH_BYTES = 1024 * 1024 };

static bool has_long_column(const struct statement *s)
{
    for (unsigned i = 0; s->columns != NULL && i < s->columns->n_columns; i++) {
        if (statement_column_is_long(s, i))
            return true;
    }
    return false;
}

static double bytes_a_request(const struct usage *u)
{
    return u->units > 0 ? (double)u->bytes / (double)u->units : 0;
}

static void judge_severity(struct finding *f, const struct det_settings *set, const struct usage *u)
{
    const struct record_columns *columns = u->statement->columns;
    double bytes = bytes_a_request(u);
    bool many = columns != NULL && columns->total >= set->select_star_min_columns;
    bool heavy = has_long_column(u->statement) && bytes >= (double)set->select_star_min_bytes;
    f->severity = SEVERITY_LOW;
    f->severity_by = u->max_rows <= 1 ? "one row at a time" : "few columns and few bytes";
    if (u->max_rows <= 1 || (!many && !heavy))
        return;
    f->severity = bytes >= HIGH_BYTES ? SEVERITY_HIGH : SEVERITY_MEDIUM;
    f->severity_by = bytes >= HIGH_BYTES ? "1 MiB a request and more"
                     : many              ? "many columns (select_star.min_columns)"
                                         : "long columns (select_star.min_bytes)";
}

static const char *impact_of(struct arena *arena, const struct usage *u)
{
    char bytes[USAGE_BYTES_MAX];
    const struct record_columns *columns = u->statement->columns;
    const char *how_many = columns != NULL ? det_text(arena, "%u", columns->total) : "all";
    return det_text(arena,
                    "`%s` returns %s columns and %s a request (mean, %llu requests); which of them "
                    "are used does not show on the wire.",
                    advice_sql(arena, u->statement), how_many != NULL ? how_many : "all",
                    usage_bytes(bytes_a_request(u), bytes), (unsigned long long)u->units);
}

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    const struct statement *s = u->statement;
    /* From a WITH query the star repeats columns that were named there. */
    if (!statement_has(s, FACT_STAR) || statement_has(s, FACT_CTE) ||
        statement_has(s, FACT_ONLY_AGGREGATES) || u->rows_each.count == 0)
        return;
    struct finding *f = usage_finding(out, &det_select_star, u);
    if (f == NULL)
        return;
    struct span table = ledger_table(s, 0);
    judge_severity(f, audit_settings(a), u);
    f->confidence = 0.95;
    f->basis = BASIS_MEASURED;
    f->issue = det_text(out->arena, "SELECT * from %.*s in %s", (int)table.len,
                        (const char *)table.data, u->endpoint->name);
    f->impact = impact_of(out->arena, u);
    f->recommendation = det_text(out->arena, "Name the columns of %.*s that %s uses",
                                 (int)table.len, (const char *)table.data, u->endpoint->name);
    advice_select_star(out->arena, f, s);
}

const struct detector det_select_star = {
    .name = "select_star",
    .id = "PA002",
    .title = "SELECT * where a few columns would do",
    .checklist = {6},
    .confirm = CONFIRM_MEMORY,
    .judge_usage = judge,
};
