#include "report/compare.h"

#include "report/baseline.h"
#include "report/read.h"
#include "report/value.h"

/* A count of one request that grew by less than this share is the same. */
static const double noise = 0.25;

struct found {
    const json_t *issue;
    size_t severity; /* of rpt_severities: 0 is the worst */
};

struct diff {
    const json_t *base;
    const json_t *head;
    json_t *lists[RPT_DIFF_LISTS];
    size_t unchanged;
};

static const char *const list_names[RPT_DIFF_LISTS] = {
    [RPT_DIFF_NEW] = "new",     [RPT_DIFF_WORSE] = "worse",       [RPT_DIFF_BETTER] = "better",
    [RPT_DIFF_FIXED] = "fixed", [RPT_DIFF_NOT_SEEN] = "not_seen",
};

static struct found find(const json_t *report, const char *fingerprint)
{
    const json_t *issues = json_object_get(report, "issues");
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *issue = json_array_get(list, i);
            if (strcmp(rpt_text_at(issue, "fingerprint"), fingerprint) == 0)
                return (struct found){.issue = issue, .severity = s};
        }
    }
    return (struct found){.issue = NULL};
}

static const json_t *endpoint_of(const json_t *report, const char *name)
{
    const json_t *rows = json_object_get(report, "endpoints");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(rpt_text_at(row, "name"), name) == 0)
            return row;
    }
    return NULL;
}

/* --- promised and measured --- */

static json_t *copied(const json_t *map, const char *key)
{
    json_t *value = json_object_get(map, key);
    return value != NULL ? json_incref(value) : json_null();
}

static json_t *promised(const json_t *issue)
{
    static const char *const keys[] = {
        "kind",    "before_ms",      "after_ms",     "after_ms_with_client_gaps",
        "speedup", "queries_before", "queries_after"};
    const json_t *improvement = json_object_get(issue, "improvement");
    if (!json_is_object(improvement))
        return json_null();
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        rpt_put(&out, keys[i], copied(improvement, keys[i]));
    return out;
}

static double p95(const json_t *row, const char *key)
{
    const json_t *value = rpt_value_at(row, key, "p95");
    return json_is_number(value) ? json_number_value(value) : -1;
}

static json_t *count_or_null(double n)
{
    return n >= 0 ? rpt_number(n) : json_null();
}

/* The same quantities that were promised: the 95th percentile of a request. */
static json_t *measured(const json_t *before, const json_t *after)
{
    if (before == NULL || after == NULL)
        return json_null();
    double was = p95(before, "latency_ms");
    double is = p95(after, "latency_ms");
    json_t *out = json_object();
    rpt_put(&out, "kind", json_string("measured"));
    rpt_put(&out, "before_ms", rpt_known(was));
    rpt_put(&out, "after_ms", rpt_known(is));
    rpt_put(&out, "speedup", was >= 0 && is > 0 ? rpt_ratio(was, is) : json_null());
    rpt_put(&out, "queries_before", count_or_null(p95(before, "queries")));
    rpt_put(&out, "queries_after", count_or_null(p95(after, "queries")));
    rpt_put(&out, "requests_before", copied(before, "requests"));
    rpt_put(&out, "requests_after", copied(after, "requests"));
    return out;
}

/* --- the lists --- */

static void add(struct diff *d, enum rpt_diff_list list, struct found base, struct found head)
{
    static const char *const kept[] = {"id",    "rule", "fingerprint", "endpoint",
                                       "issue", "file", "line"};
    struct found now = head.issue != NULL ? head : base;
    const char *endpoint = rpt_text_at(now.issue, "endpoint");
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        rpt_put(&out, kept[i], copied(now.issue, kept[i]));
    rpt_put(&out, "severity", json_string(rpt_severities[now.severity].key));
    rpt_put(&out, "severity_before",
            base.issue != NULL ? json_string(rpt_severities[base.severity].key) : json_null());
    rpt_put(&out, "promised", base.issue != NULL ? promised(base.issue) : json_null());
    rpt_put(&out, "measured",
            measured(endpoint_of(d->base, endpoint), endpoint_of(d->head, endpoint)));
    rpt_add(&d->lists[list], out);
}

static double occurrences(const json_t *issue)
{
    const json_t *evidence = json_object_get(issue, "evidence");
    return json_number_value(rpt_value_at(evidence, "occurrences", "p95"));
}

static void compare(struct diff *d, struct found base, struct found head)
{
    double was = occurrences(base.issue);
    double is = occurrences(head.issue);
    if (head.severity < base.severity || (head.severity == base.severity && is > was * (1 + noise)))
        add(d, RPT_DIFF_WORSE, base, head);
    else if (head.severity > base.severity || was > is * (1 + noise))
        add(d, RPT_DIFF_BETTER, base, head);
    else
        d->unchanged++;
}

static bool source_is_on(const json_t *report, const char *source)
{
    const json_t *sources = rpt_value_at(report, "run", "sources");
    return strcmp(rpt_text_at(sources, source), "on") == 0;
}

/* Findings of HTTP are about no statement. */
static const char *source_of(const json_t *issue)
{
    if (strcmp(rpt_text_at(issue, "confidence_basis"), "plan") == 0)
        return "explain";
    return json_array_size(rpt_value_at(issue, "evidence", "sql")) == 0 ? "http" : "wire";
}

static bool was_looked_for(const struct diff *d, const json_t *issue)
{
    const char *source = source_of(issue);
    const json_t *row = endpoint_of(d->head, rpt_text_at(issue, "endpoint"));
    return row != NULL && rpt_count_at(row, "requests") > 0 &&
           (source_is_on(d->head, source) || !source_is_on(d->base, source));
}

static void take_base(struct diff *d, struct found base)
{
    struct found head = find(d->head, rpt_text_at(base.issue, "fingerprint"));
    if (head.issue != NULL)
        compare(d, base, head);
    else
        add(d, was_looked_for(d, base.issue) ? RPT_DIFF_FIXED : RPT_DIFF_NOT_SEEN, base, head);
}

static void take_head(struct diff *d, struct found head)
{
    struct found base = find(d->base, rpt_text_at(head.issue, "fingerprint"));
    if (base.issue == NULL)
        add(d, RPT_DIFF_NEW, base, head);
}

static void each(struct diff *d, const json_t *report,
                 void (*take)(struct diff *d, struct found found))
{
    const json_t *issues = json_object_get(report, "issues");
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = json_object_get(issues, rpt_severities[s].key);
        for (size_t i = 0; i < json_array_size(list); i++)
            take(d, (struct found){.issue = json_array_get(list, i), .severity = s});
    }
}

static json_t *side(const json_t *report)
{
    json_t *out = json_object();
    rpt_put(&out, "status", copied(report, "status"));
    rpt_put(&out, "performance_score", copied(report, "performance_score"));
    rpt_put(&out, "started", copied(json_object_get(report, "run"), "started"));
    rpt_put(&out, "requests", copied(json_object_get(report, "run"), "requests"));
    rpt_put(&out, "statements", copied(json_object_get(report, "run"), "statements"));
    return out;
}

json_t *rpt_diff(const json_t *base, const json_t *head)
{
    struct diff d = {.base = base, .head = head};
    for (size_t i = 0; i < RPT_DIFF_LISTS; i++)
        d.lists[i] = json_array();
    each(&d, base, take_base);
    each(&d, head, take_head);
    json_t *out = json_object();
    rpt_put(&out, "base", side(base));
    rpt_put(&out, "head", side(head));
    for (size_t i = 0; i < RPT_DIFF_LISTS; i++)
        rpt_put(&out, list_names[i], d.lists[i]);
    rpt_put(&out, "unchanged", rpt_count(d.unchanged));
    return out;
}

const json_t *rpt_diff_list(const json_t *diff, enum rpt_diff_list list)
{
    return json_object_get(diff, list_names[list]);
}

const char *rpt_diff_list_name(enum rpt_diff_list list)
{
    return list_names[list];
}

static size_t severity_of(const json_t *issue)
{
    const char *key = rpt_text_at(issue, "severity");
    size_t s = 0;
    while (s < RPT_SEVERITIES - 1 && strcmp(key, rpt_severities[s].key) != 0)
        s++;
    return s;
}

size_t rpt_diff_failures(const json_t *diff, const json_t *baseline, const char *today,
                         enum rpt_fail_on fail_on)
{
    static const enum rpt_diff_list counted[] = {RPT_DIFF_NEW, RPT_DIFF_WORSE};
    const struct rpt_weighed none = {0};
    size_t n = 0;
    if (fail_on == RPT_FAIL_ON_STATUS)
        fail_on = RPT_FAIL_ON_LOW;
    for (size_t l = 0; l < 2; l++) {
        const json_t *list = rpt_diff_list(diff, counted[l]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *issue = json_array_get(list, i);
            n += rpt_baseline_find(baseline, rpt_text_at(issue, "fingerprint"), today) !=
                     RPT_KNOWN &&
                 rpt_fails(&none, issue, severity_of(issue), fail_on);
        }
    }
    return n;
}
