/* The statements of a result, the costliest first: a list beside the report, which shows only those
 * that something is wrong with. */
#include "report/sql.h"
#include "report/tree.h"
#include "report/value.h"

#include <stdlib.h>

struct row {
    const struct endpoint *endpoint;
    const struct usage *usage;
};

static int by_time(const void *x, const void *y)
{
    const struct usage *a = ((const struct row *)x)->usage;
    const struct usage *b = ((const struct row *)y)->usage;
    if (a->time_us.sum != b->time_us.sum)
        return a->time_us.sum > b->time_us.sum ? -1 : 1;
    uint64_t one = statement_key(a->statement);
    uint64_t other = statement_key(b->statement);
    if (one != other)
        return one < other ? -1 : 1;
    return a->endpoint->key < b->endpoint->key ? -1 : a->endpoint->key > b->endpoint->key;
}

static json_t *times(const struct histogram *us)
{
    json_t *out = json_object();
    rpt_put(&out, "p50", rpt_ms(histogram_percentile(us, 0.50)));
    rpt_put(&out, "p95", rpt_ms(histogram_percentile(us, 0.95)));
    rpt_put(&out, "p99", rpt_ms(histogram_percentile(us, 0.99)));
    rpt_put(&out, "max", rpt_ms(us->count > 0 ? us->max : 0));
    rpt_put(&out, "total", rpt_ms(us->sum));
    return out;
}

static json_t *statement(const struct row *row)
{
    const struct usage *u = row->usage;
    json_t *out = json_object();
    rpt_put(&out, "id", rpt_hex(statement_key(u->statement)));
    rpt_put(&out, "endpoint", rpt_string(row->endpoint->name));
    rpt_put(&out, "endpoint_key", rpt_hex(row->endpoint->key));
    rpt_put(&out, "verb", rpt_string(sql_verb_name(statement_verb(u->statement))));
    rpt_put(&out, "sql", rpt_sql_line(u->statement->text));
    rpt_put(&out, "requests", rpt_count(u->units));
    rpt_put(&out, "calls", rpt_count(u->calls));
    rpt_put(&out, "rows", rpt_count(u->rows));
    rpt_put(&out, "bytes", rpt_count(u->bytes));
    rpt_put(&out, "errors", rpt_count(u->errors));
    rpt_put(&out, "ms", times(&u->time_us));
    return out;
}

static size_t collect(const struct result *r, struct row *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_endpoints; i++) {
        const struct endpoint *e = r->endpoints[i].endpoint;
        for (const struct usage *u = e->usages; u != NULL; u = u->next) {
            if (rows != NULL)
                rows[n] = (struct row){.endpoint = e, .usage = u};
            n++;
        }
    }
    return n;
}

json_t *rpt_statements(const struct result *r)
{
    size_t n = collect(r, NULL);
    struct row *rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    collect(r, rows);
    qsort(rows, n, sizeof(*rows), by_time);
    json_t *out = json_array();
    for (size_t i = 0; i < n && i < RPT_STATEMENTS_MAX; i++)
        rpt_add(&out, statement(&rows[i]));
    free(rows);
    return out;
}
