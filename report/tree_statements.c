/* The statements of a result, or of one endpoint, the costliest first: lists beside the report,
 * which shows only those that something is wrong with. */
#include "report/sql.h"
#include "report/tree.h"
#include "report/tree_parts.h"
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

static json_t *statement(const struct row *row, bool with_endpoint)
{
    const struct usage *u = row->usage;
    json_t *out = json_object();
    rpt_put(&out, "id", rpt_hex(statement_key(u->statement)));
    if (with_endpoint) {
        rpt_put(&out, "endpoint", rpt_string(row->endpoint->name));
        rpt_put(&out, "endpoint_key", rpt_hex(row->endpoint->key));
    }
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

static size_t collect_one(const struct endpoint *e, struct row *rows)
{
    size_t n = 0;
    for (const struct usage *u = e->usages; u != NULL; u = u->next, n++) {
        if (rows != NULL)
            rows[n] = (struct row){.endpoint = e, .usage = u};
    }
    return n;
}

static size_t collect(const struct result *r, struct row *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_endpoints; i++)
        n += collect_one(r->endpoints[i].endpoint, rows != NULL ? rows + n : NULL);
    return n;
}

/* Sorts the rows. */
static json_t *list(struct row *rows, size_t n, size_t most, bool with_endpoint)
{
    qsort(rows, n, sizeof(*rows), by_time);
    json_t *out = json_array();
    for (size_t i = 0; i < n && i < most; i++)
        rpt_add(&out, statement(&rows[i], with_endpoint));
    return out;
}

json_t *rpt_statements(const struct result *r)
{
    size_t n = collect(r, NULL);
    struct row *rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    collect(r, rows);
    json_t *out = list(rows, n, RPT_STATEMENTS_MAX, true);
    free(rows);
    return out;
}

json_t *rpt_endpoint_statements(const struct endpoint *e, size_t *left_out)
{
    size_t n = collect_one(e, NULL);
    struct row *rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    collect_one(e, rows);
    json_t *out = list(rows, n, RPT_ENDPOINT_STATEMENTS_MAX, false);
    free(rows);
    *left_out = n > RPT_ENDPOINT_STATEMENTS_MAX ? n - RPT_ENDPOINT_STATEMENTS_MAX : 0;
    return out;
}
