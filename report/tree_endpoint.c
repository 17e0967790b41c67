/* An endpoint in numbers: the `endpoint` map of its own document and its row in `endpoints`. */
#include "report/tree_parts.h"
#include "report/value.h"

const char *rpt_attribution(enum unit_confidence confidence)
{
    switch (confidence) {
    case UNIT_BY_GAP:
        return "gap";
    case UNIT_BY_TRANSACTION:
        return "transaction";
    case UNIT_BY_MARKER:
        return "marker";
    case UNIT_BY_CONNECTION:
        return "connection";
    case UNIT_EXACT:
        return "exact";
    case UNIT_CONFIDENCES:
        break;
    }
    return "none";
}

const char *rpt_attribution_of(const struct endpoint *e)
{
    return e->learnt_units > 0 ? "learnt" : rpt_attribution(e->confidence);
}

static json_t *counts(const struct histogram *h)
{
    json_t *out = json_object();
    rpt_put(&out, "p50", rpt_count(histogram_percentile(h, 0.50)));
    rpt_put(&out, "p95", rpt_count(histogram_percentile(h, 0.95)));
    rpt_put(&out, "max", rpt_count(h->count > 0 ? h->max : 0));
    return out;
}

static json_t *times_ms(const struct histogram *us)
{
    json_t *out = json_object();
    rpt_put(&out, "p50", rpt_ms(histogram_percentile(us, 0.50)));
    rpt_put(&out, "p95", rpt_ms(histogram_percentile(us, 0.95)));
    rpt_put(&out, "p99", rpt_ms(histogram_percentile(us, 0.99)));
    return out;
}

static const char *named_by(enum attribution attribution)
{
    switch (attribution) {
    case ATTRIBUTION_SIGNATURE:
        return "signature";
    case ATTRIBUTION_HTTP:
        return "http";
    case ATTRIBUTION_MARK:
        return "mark";
    case ATTRIBUTION_TAG:
        break;
    }
    return "tag";
}

static void put_identity(json_t **out, const struct endpoint *e)
{
    rpt_put(out, "route", rpt_string(e->route));
    rpt_put(out, "method", rpt_string(e->method));
    rpt_put(out, "name", rpt_string(e->name));
    rpt_put(out, "key", rpt_hex(e->key));
    rpt_put(out, "named_by", json_string(named_by(e->attribution)));
    rpt_put(out, "attribution", json_string(rpt_attribution_of(e)));
    rpt_put(out, "requests", rpt_count(endpoint_requests(e)));
}

static json_t *statuses(const struct http_route *r)
{
    static const char *const names[ROUTE_STATUS_CLASSES] = {"none", "1xx", "2xx",
                                                            "3xx",  "4xx", "5xx"};
    json_t *out = json_object();
    for (int i = 0; i < ROUTE_STATUS_CLASSES; i++) {
        if (r->by_status[i] > 0)
            rpt_put(&out, names[i], rpt_count(r->by_status[i]));
    }
    return out;
}

static json_t *coding_numbers(const struct route_coding *c)
{
    json_t *out = json_object();
    rpt_put(&out, "compressed", rpt_count(c->coded));
    rpt_put(&out, "plain", rpt_count(c->plain));
    rpt_put(&out, "plain_bytes", rpt_count(c->plain_bytes));
    rpt_put(&out, "samples", rpt_count(c->samples));
    rpt_put(&out, "sampled_bytes", rpt_count(c->sampled_bytes));
    rpt_put(&out, "sampled_bytes_compressed", rpt_count(c->compressed_bytes));
    return out;
}

static json_t *caching_numbers(const struct route_caching *c)
{
    json_t *out = json_object();
    rpt_put(&out, "answers", rpt_count(c->answers));
    rpt_put(&out, "with_validator", rpt_count(c->validators));
    rpt_put(&out, "with_time_to_live", rpt_count(c->lasting));
    rpt_put(&out, "not_modified", rpt_count(c->not_modified));
    rpt_put(&out, "repeated", rpt_count(c->repeated));
    rpt_put(&out, "repeated_bytes", rpt_count(c->repeated_bytes));
    return out;
}

/* Every request of the route, also those whose statements could not be told apart. */
static json_t *http_numbers(const struct endpoint *e)
{
    const struct http_route *r = e->http;
    json_t *out = json_object();
    rpt_put(&out, "requests", rpt_count(r->requests));
    rpt_put(&out, "alone", rpt_count(r->alone));
    rpt_put(&out, "joined", rpt_count(e->split.units));
    rpt_put(&out, "learnt", rpt_count(e->learnt_units));
    rpt_put(&out, "cut", rpt_count(r->cut));
    rpt_put(&out, "statuses", statuses(r));
    rpt_put(&out, "first_byte_ms", times_ms(&r->first_us));
    rpt_put(&out, "last_byte_ms", times_ms(&r->total_us));
    rpt_put(&out, "request_bytes", rpt_count(r->request_bytes));
    rpt_put(&out, "response_bytes", rpt_count(r->response_bytes));
    rpt_put(&out, "connections", rpt_count(r->connections.first));
    rpt_put(&out, "compression", coding_numbers(&r->coding));
    rpt_put(&out, "caching", caching_numbers(&r->caching));
    return out;
}

static json_t *mean_ms(uint64_t sum_us, uint64_t n)
{
    return rpt_ms(n > 0 ? sum_us / n : 0);
}

/* Means over the requests that were joined: they add up to `total`. */
static json_t *latency_split(const struct latency_split *s)
{
    json_t *out = json_object();
    rpt_put(&out, "total", mean_ms(s->total_us, s->units));
    rpt_put(&out, "pool_wait", mean_ms(s->pool_wait_us, s->units));
    rpt_put(&out, "database", mean_ms(s->database_us, s->units));
    rpt_put(&out, "idle_in_transaction", mean_ms(s->idle_in_transaction_us, s->units));
    rpt_put(&out, "transfer", mean_ms(s->transfer_us, s->units));
    rpt_put(&out, "application", mean_ms(s->application_us, s->units));
    return out;
}

static void put_numbers(json_t **out, const struct endpoint_result *r)
{
    const struct endpoint *e = r->endpoint;
    rpt_put(out, "latency_ms", times_ms(endpoint_latency(e)));
    bool known = endpoint_statements_known(e);
    rpt_put(out, "db_ms", known ? times_ms(&e->db_us_each) : json_null());
    rpt_put(out, "db_time_share", rpt_ratio((double)e->db_us, (double)e->wall_us));
    rpt_put(out, "queries", known ? counts(&e->statements_each) : json_null());
    rpt_put(out, "rows", known ? counts(&e->rows_each) : json_null());
    rpt_put(out, "bytes", known ? counts(&e->bytes_each) : json_null());
    rpt_put(out, "removable_queries", rpt_count(r->gain.statements));
    rpt_put(out, "errors", rpt_count(e->errors));
    rpt_put(out, "new_connections", rpt_count(e->new_connections));
    rpt_put(out, "http", e->http != NULL ? http_numbers(e) : json_null());
    rpt_put(out, "latency_split_ms", e->http != NULL ? latency_split(&e->split) : json_null());
}

static json_t *class_of(const struct growth *g)
{
    const char *class = growth_class(g);
    return *class != '\0' ? rpt_string(class) : json_null();
}

/* How the endpoint grows with its rows, where a finding could tell. */
json_t *rpt_complexity(const struct endpoint_result *e)
{
    const struct finding *f = NULL;
    for (size_t i = 0; i < e->n_findings && f == NULL; i++) {
        if (e->findings[i]->growth.known)
            f = e->findings[i];
    }
    if (f == NULL)
        return json_null();
    json_t *range = json_array();
    rpt_add(&range, rpt_number(f->growth.from));
    rpt_add(&range, rpt_number(f->growth.to));
    json_t *out = json_object();
    rpt_put(&out, "queries", class_of(&f->growth));
    rpt_put(&out, "exponent", rpt_number(f->growth.exponent));
    rpt_put(&out, "latency", class_of(&f->latency));
    rpt_put(&out, "rows_range", range);
    return out;
}

/* Where the function for the route begins, when a manifest told. */
static void put_handler(json_t **out, const struct handler *h)
{
    if (h->file == NULL)
        return;
    json_t *handler = json_object();
    rpt_put(&handler, "file", rpt_string(h->file));
    rpt_put(&handler, "line", json_integer((json_int_t)h->line));
    rpt_put(&handler, "function", rpt_string(h->function));
    rpt_put(out, "handler", handler);
}

json_t *rpt_endpoint(const struct endpoint_result *e)
{
    json_t *out = json_object();
    put_identity(&out, e->endpoint);
    put_handler(&out, &e->handler);
    put_numbers(&out, e);
    rpt_put(&out, "complexity", rpt_complexity(e));
    rpt_put(&out, "worst_sample", rpt_worst_sample(e->endpoint));
    return out;
}

static json_t *issue_counts(const struct endpoint_result *e)
{
    size_t n[SEVERITIES] = {0};
    for (size_t i = 0; i < e->n_findings; i++)
        n[e->findings[i]->severity]++;
    json_t *out = json_object();
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_LOW; s--)
        rpt_put(&out, severity_name((enum severity)s), rpt_count(n[s]));
    return out;
}

static json_t *items_with(const struct checklist_item items[CHECKLIST_ITEMS], enum verdict verdict)
{
    json_t *out = json_array();
    for (int i = 0; i < CHECKLIST_ITEMS; i++) {
        if (items[i].verdict == verdict)
            rpt_add(&out, json_integer(items[i].id));
    }
    return out;
}

/* The items that were judged here; of the others the checklist of the whole says why not. */
static json_t *judged_items(const struct result *r, const struct endpoint_result *e)
{
    struct checklist_item items[CHECKLIST_ITEMS];
    result_checklist_of(r, e, items);
    json_t *out = json_object();
    rpt_put(&out, "fail", items_with(items, VERDICT_FAIL));
    rpt_put(&out, "pass", items_with(items, VERDICT_PASS));
    return out;
}

static json_t *row(const struct result *r, const struct endpoint_result *e, const char *slug)
{
    json_t *out = json_object();
    put_identity(&out, e->endpoint);
    put_handler(&out, &e->handler);
    rpt_put(&out, "status", json_string(e->needs_optimization ? "NEEDS_OPTIMIZATION" : "PASS"));
    rpt_put(&out, "performance_score", rpt_performance_score(&e->score));
    rpt_put(&out, "issues", issue_counts(e));
    rpt_put(&out, "checklist", judged_items(r, e));
    put_numbers(&out, e);
    rpt_put(&out, "report", json_sprintf("endpoints/%s.yaml", slug));
    return out;
}

json_t *rpt_endpoints(const struct result *r, const struct rpt_slugs *slugs)
{
    json_t *out = json_array();
    for (size_t i = 0; i < r->n_endpoints; i++)
        rpt_add(&out, row(r, &r->endpoints[i], rpt_slug(slugs, i)));
    return out;
}
