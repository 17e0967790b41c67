#include "proxy/admin_metrics.h"

#include "report/value.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_BOUNDS = 14, LABEL_MAX = 1024 };

enum metric {
#define ADMIN_METRIC(id, name, type, unit, help) METRIC_##id,
#include "proxy/admin_metrics.def"
#undef ADMIN_METRIC
    METRICS
};

static const struct {
    const char *name;
    const char *type;
    const char *unit;
    const char *help;
} metrics[METRICS] = {
#define ADMIN_METRIC(id, name_, type_, unit_, help_)                                               \
    [METRIC_##id] = {.name = (name_), .type = (type_), .unit = (unit_), .help = (help_)},
#include "proxy/admin_metrics.def"
#undef ADMIN_METRIC
};

struct bound {
    uint64_t us;
    const char *text;
};

/* db.client.operation.duration */
static const struct bound db_bounds[] = {
    {1000, "0.001"}, {5000, "0.005"},  {10000, "0.01"},  {50000, "0.05"},    {100000, "0.1"},
    {500000, "0.5"}, {1000000, "1.0"}, {5000000, "5.0"}, {10000000, "10.0"}, {0, NULL},
};

/* http.server.request.duration */
static const struct bound http_bounds[MAX_BOUNDS + 1] = {
    {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},    {75000, "0.075"},
    {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {750000, "0.75"},   {1000000, "1.0"},
    {2500000, "2.5"}, {5000000, "5.0"}, {7500000, "7.5"}, {10000000, "10.0"}, {0, NULL},
};

static const char other[] = "other"; /* the routes that have no series of their own */

/* One histogram of a family. */
struct series {
    const char *method;
    const char *route;
    uint64_t count;
    uint64_t sum_us;
    uint64_t at_most[MAX_BOUNDS];
};

/* Those of one family; no two have the same labels. */
struct family {
    enum metric metric;
    const struct bound *bounds;
    struct series *items;
    size_t n;
};

static void head(struct strbuf *out, enum metric m)
{
    strbuf_printf(out, "# TYPE %s %s\n", metrics[m].name, metrics[m].type);
    if (metrics[m].unit[0] != '\0')
        strbuf_printf(out, "# UNIT %s %s\n", metrics[m].name, metrics[m].unit);
    strbuf_printf(out, "# HELP %s %s\n", metrics[m].name, metrics[m].help);
}

/* name="value", whatever the value is. */
static void label(struct strbuf *out, const char *name, const char *value)
{
    struct strbuf clean;
    strbuf_init(&clean, (size_t)LABEL_MAX * 4);
    rpt_clean(&clean, span_head(span_of_text(value), LABEL_MAX));
    out->failed = out->failed || clean.failed;
    strbuf_printf(out, "%s=\"", name);
    for (const char *c = strbuf_text(&clean); *c != '\0'; c++) {
        if (*c == '\\' || *c == '"')
            strbuf_putc(out, '\\');
        if (*c == '\n')
            strbuf_puts(out, "\\n");
        else
            strbuf_putc(out, *c);
    }
    strbuf_putc(out, '"');
    strbuf_fini(&clean);
}

/* --- histograms by route --- */

static struct series *series_of(struct family *f, const char *method, const char *route)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->items[i].method, method) == 0 && strcmp(f->items[i].route, route) == 0)
            return &f->items[i];
    }
    if (f->n >= ADMIN_MAX_ROUTES && route != other)
        return series_of(f, "", other);
    struct series *s = &f->items[f->n++];
    *s = (struct series){.method = method, .route = route};
    return s;
}

static void add(struct family *f, struct series *s, const struct histogram *h)
{
    s->count += h->count;
    s->sum_us += h->sum;
    for (size_t i = 0; f->bounds[i].text != NULL; i++)
        s->at_most[i] += histogram_at_most(h, f->bounds[i].us);
}

/* Only what was told is a label: names made of statements are not. */
static const char *route_of(const struct endpoint *e)
{
    if (e->route != NULL)
        return e->route;
    return e->attribution == ATTRIBUTION_TAG && e->name != NULL ? e->name : "unnamed";
}

static void add_endpoint(struct family *db, struct family *http, const struct endpoint *e)
{
    const char *method = e->method != NULL ? e->method : "";
    if (e->usages != NULL) {
        struct series *s = series_of(db, method, route_of(e));
        for (const struct usage *u = e->usages; u != NULL; u = u->next)
            add(db, s, &u->time_us);
    }
    const struct http_route *r = e->http;
    if (r != NULL && r->total_us.count > 0)
        add(http, series_of(http, r->method, r->route), &r->total_us);
}

static void sample(struct strbuf *out, const char *name, const char *end, const struct series *s,
                   bool of_database)
{
    strbuf_printf(out, "%s%s{", name, end);
    if (of_database)
        strbuf_puts(out, "db_system_name=\"postgresql\",");
    label(out, "http_request_method", s->method);
    strbuf_putc(out, ',');
    label(out, "http_route", s->route);
}

static void write_series(struct strbuf *out, const struct family *f, const struct series *s)
{
    const char *name = metrics[f->metric].name;
    bool db = f->metric == METRIC_DB_DURATION;
    for (size_t i = 0; f->bounds[i].text != NULL; i++) {
        sample(out, name, "_bucket", s, db);
        strbuf_printf(out, ",le=\"%s\"} %llu\n", f->bounds[i].text,
                      (unsigned long long)s->at_most[i]);
    }
    sample(out, name, "_bucket", s, db);
    strbuf_printf(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)s->count);
    sample(out, name, "_count", s, db);
    strbuf_printf(out, "} %llu\n", (unsigned long long)s->count);
    sample(out, name, "_sum", s, db);
    strbuf_printf(out, "} %llu.%06llu\n", (unsigned long long)(s->sum_us / 1000000),
                  (unsigned long long)(s->sum_us % 1000000));
}

static void write_family(struct strbuf *out, const struct family *f)
{
    head(out, f->metric);
    for (size_t i = 0; i < f->n; i++)
        write_series(out, f, &f->items[i]);
}

/* Endpoints come by their database time, so the first are those that count. */
static int write_histograms(struct strbuf *out, const struct result *r)
{
    size_t most = ADMIN_MAX_ROUTES + 1;
    struct family db = {.metric = METRIC_DB_DURATION,
                        .bounds = db_bounds,
                        .items = calloc(most, sizeof(struct series))};
    struct family http = {.metric = METRIC_HTTP_DURATION,
                          .bounds = http_bounds,
                          .items = calloc(most, sizeof(struct series))};
    int done = db.items != NULL && http.items != NULL ? 0 : -1;
    for (size_t i = 0; done == 0 && i < r->n_endpoints; i++)
        add_endpoint(&db, &http, r->endpoints[i].endpoint);
    if (done == 0) {
        write_family(out, &db);
        write_family(out, &http);
    }
    free(db.items);
    free(http.items);
    return done;
}

/* --- the others --- */

static void number(struct strbuf *out, enum metric m, const char *labels, uint64_t value)
{
    bool counter = strcmp(metrics[m].type, "counter") == 0;
    head(out, m);
    strbuf_printf(out, "%s%s%s %llu\n", metrics[m].name, counter ? "_total" : "", labels,
                  (unsigned long long)value);
}

static void findings(struct strbuf *out, const struct result *r)
{
    head(out, METRIC_FINDINGS);
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_LOW; s--)
        strbuf_printf(out, "%s{severity=\"%s\"} %zu\n", metrics[METRIC_FINDINGS].name,
                      severity_name((enum severity)s), r->by_severity[s]);
}

int admin_metrics(const struct result *r, const struct admin_figures *f, struct strbuf *out)
{
    if (write_histograms(out, r) != 0)
        return -1;
    number(out, METRIC_CONNECTIONS, "{db_system_name=\"postgresql\"}",
           f->sessions_open > 0 ? (uint64_t)f->sessions_open : 0);
    number(out, METRIC_SESSIONS, "", f->sessions);
    number(out, METRIC_REFUSED, "", f->refused);
    number(out, METRIC_STATEMENTS, "", f->statements);
    number(out, METRIC_REQUESTS, "", r->units);
    number(out, METRIC_DROPPED, "", f->dropped);
    findings(out, r);
    number(out, METRIC_DRAINING, "", f->draining);
    head(out, METRIC_UPTIME);
    strbuf_printf(out, "%s %lld.%03lld\n", metrics[METRIC_UPTIME].name,
                  (long long)(f->uptime_us / 1000000), (long long)(f->uptime_us / 1000 % 1000));
    head(out, METRIC_BUILD);
    strbuf_printf(out, "%s_info{", metrics[METRIC_BUILD].name);
    label(out, "version", PGSLEUTH_VERSION);
    strbuf_puts(out, "} 1\n# EOF\n");
    return out->failed ? -1 : 0;
}
