#include "detectors/rules/usages.h"

#include <stdio.h>

void usages_judge(const struct audit *a, struct findings *out, usage_judge *judge)
{
    for (const struct endpoint *e = audit_endpoints(a); e != NULL; e = e->next) {
        for (const struct usage *u = e->usages; u != NULL; u = u->next) {
            const struct statement *s = u->statement;
            bool known = s->facts != NULL && s->facts->status == FACTS_OK;
            if (known && s->chatter == NULL && statement_verb(s) == SQL_VERB_SELECT &&
                !statement_has(s, FACT_ONLY_CATALOG) && !statement_has(s, FACT_NO_FROM))
                judge(a, u, out);
        }
    }
}

double usage_time_share(const struct usage *u)
{
    return measure_share(u->time_us.sum, u->endpoint->db_us);
}

double usage_work_ms(const struct audit *a, const struct usage *u)
{
    double least_us = (double)audit_least_us(a) * (double)u->time_us.count;
    double work_us = (double)u->time_us.sum - least_us;
    return work_us > 0 ? work_us / 1000 : 0;
}

struct finding *usage_finding(struct findings *out, const struct detector *d, const struct usage *u)
{
    struct finding *f = findings_add(out, d, u->endpoint, u->statement);
    if (f == NULL)
        return NULL;
    f->tag = u->tag;
    f->requests_seen = u->units;
    f->occurrences.min = u->rows_each.count > 0 ? u->rows_each.min : 0;
    f->occurrences.p50 = histogram_percentile(&u->rows_each, 0.50);
    f->occurrences.p95 = histogram_percentile(&u->rows_each, 0.95);
    f->occurrences.max = u->max_rows;
    f->time_share = usage_time_share(u);
    f->statements[f->n_statements++] = (struct finding_statement){"statement", u->statement, u};
    f->queries_before = histogram_percentile(&u->endpoint->statements_each, 0.50);
    f->queries_after = f->queries_before;
    return f;
}

struct finding *usage_measured(struct findings *out, const struct detector *d,
                               const struct usage *u, const struct measure *m)
{
    struct finding *f = measure_reached(m) ? usage_finding(out, d, u) : NULL;
    if (f != NULL)
        measure_judge(out->arena, f, m);
    return f;
}

const char *usage_bytes(double bytes, char out[USAGE_BYTES_MAX])
{
    const double kib = 1024;
    if (bytes >= kib * kib)
        (void)snprintf(out, USAGE_BYTES_MAX, "%.1f MiB", bytes / kib / kib);
    else if (bytes >= kib)
        (void)snprintf(out, USAGE_BYTES_MAX, "%.0f KiB", bytes / kib);
    else
        (void)snprintf(out, USAGE_BYTES_MAX, "%.0f B", bytes);
    return out;
}
