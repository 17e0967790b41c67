/* What the page of an endpoint has beside its numbers: its slowest request, its statements. */
#include "detectors/worst.h"
#include "report/sql.h"
#include "report/tree_parts.h"
#include "report/value.h"

static json_t *step(const struct worst_step *s)
{
    json_t *out = json_object();
    rpt_put(&out, "at_ms", rpt_ms(s->start_us));
    rpt_put(&out, "span_ms", rpt_ms(s->span_us));
    rpt_put(&out, "busy_ms", rpt_ms(s->busy_us));
    rpt_put(&out, "id", rpt_hex(statement_key(s->statement)));
    rpt_put(&out, "sql", rpt_sql_line(s->statement->text));
    rpt_put(&out, "times", rpt_count(s->times));
    rpt_put(&out, "rows", rpt_count(s->rows));
    rpt_put(&out, "errors", rpt_count(s->errors));
    rpt_put(&out, "connection", rpt_count(s->connection));
    return out;
}

json_t *rpt_worst_sample(const struct endpoint *e)
{
    const struct worst *w = e->worst;
    if (w == NULL)
        return json_null();
    json_t *steps = json_array();
    for (size_t i = 0; i < w->n_steps; i++)
        rpt_add(&steps, step(&w->steps[i]));
    json_t *out = json_object();
    rpt_put(&out, "total_ms", rpt_ms(w->wall_us));
    rpt_put(&out, "db_ms", rpt_ms(w->db_us));
    rpt_put(&out, "statements", rpt_count(w->statements));
    rpt_put(&out, "from", json_string(w->by_http ? "request" : "first_statement"));
    rpt_put(&out, "steps", steps);
    rpt_put(&out, "statements_left_out", rpt_count(w->left_out));
    return out;
}

static json_t *detail(const struct endpoint_result *e)
{
    size_t left_out = 0;
    json_t *out = json_object();
    rpt_put(&out, "score", rpt_score(&e->score));
    rpt_put(&out, "complexity", rpt_complexity(e));
    rpt_put(&out, "worst_sample", rpt_worst_sample(e->endpoint));
    rpt_put(&out, "statements", rpt_endpoint_statements(e->endpoint, &left_out));
    rpt_put(&out, "statements_left_out", rpt_count(left_out));
    return out;
}

int rpt_put_details(json_t *endpoints, const struct result *r)
{
    for (size_t i = 0; i < r->n_endpoints; i++) {
        json_t *row = json_array_get(endpoints, i);
        if (json_object_set_new(row, "detail", detail(&r->endpoints[i])) != 0)
            return -1;
    }
    return 0;
}
