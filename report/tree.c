#include "report/tree.h"

#include "report/assertions.h"
#include "report/tree_parts.h"
#include "report/value.h"

static bool has_plan(const struct finding *f)
{
    return f->optimized_code != NULL && *f->optimized_code != '\0' &&
           f->confidence >= RPT_PLAN_MIN_CONFIDENCE;
}

static struct rpt_scope scope_of_result(const struct result *r)
{
    struct rpt_scope s = {
        .result = r,
        .findings = r->findings,
        .n_findings = r->n_findings,
        .score = &r->score,
        .needs_optimization = r->needs_optimization,
        .high_without_plan = r->high_without_plan,
    };
    memcpy(s.by_severity, r->by_severity, sizeof s.by_severity);
    return s;
}

static struct rpt_scope scope_of_endpoint(const struct result *r, const struct endpoint_result *e)
{
    struct rpt_scope s = {
        .result = r,
        .endpoint = e,
        .findings = e->findings,
        .n_findings = e->n_findings,
        .score = &e->score,
        .needs_optimization = e->needs_optimization,
    };
    for (size_t i = 0; i < e->n_findings; i++) {
        s.by_severity[e->findings[i]->severity]++;
        s.high_without_plan +=
            e->findings[i]->severity == SEVERITY_HIGH && !has_plan(e->findings[i]);
    }
    return s;
}

/* --- lists of texts --- */

static json_t *texts(const char *const *items, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        rpt_add(&out, rpt_string(items[i]));
    return out;
}

static bool said_before(const struct rpt_scope *s, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const char *earlier = s->findings[k]->recommendation;
        if (earlier != NULL && strcmp(earlier, s->findings[i]->recommendation) == 0)
            return true;
    }
    return false;
}

static json_t *recommendations(const struct rpt_scope *s)
{
    const struct result *r = s->result;
    if (s->endpoint == NULL)
        return texts(r->recommendations, r->n_recommendations);
    json_t *out = json_array();
    for (size_t i = 0; i < s->n_findings; i++) {
        if (s->findings[i]->recommendation != NULL && !said_before(s, i))
            rpt_add(&out, rpt_string(s->findings[i]->recommendation));
    }
    return out;
}

/* --- improvement --- */

static json_t *estimated_improvement(const struct rpt_scope *s)
{
    enum { NAME_MAX_BYTES = 1024 };
    struct strbuf text;
    if (s->endpoint == NULL)
        return rpt_string(s->result->estimated_improvement);
    const struct improvement *gain = &s->endpoint->gain;
    const struct endpoint *e = s->endpoint->endpoint;
    if (gain->saved_ms <= 0)
        return json_string("not estimated");
    strbuf_init(&text, RPT_TEXT_MAX);
    strbuf_printf(&text, "%.1fx faster ", improvement_speedup(gain->saved_ms, gain->wall_ms));
    strbuf_add_span(&text, span_head(span_of_text(e->name), NAME_MAX_BYTES));
    strbuf_printf(&text, " (%s: %.1f of %.1f ms in its requests", improvement_kind_name(gain->kind),
                  gain->saved_ms, gain->wall_ms);
    if (gain->saved_gap_ms > gain->saved_ms)
        strbuf_printf(&text, "; up to %.1fx with the client's time between",
                      improvement_speedup(gain->saved_gap_ms, gain->wall_ms));
    strbuf_puts(&text, ")");
    if (gain->statements > 0 && e->statements > 0)
        strbuf_printf(&text, ", %.0f %% fewer statements",
                      100 * (double)gain->statements / (double)e->statements);
    strbuf_puts(&text, "; memory: not observed");
    json_t *out = text.failed ? NULL : rpt_text(strbuf_span(&text));
    strbuf_fini(&text);
    return out;
}

static json_t *improvement_detail(const struct rpt_scope *s)
{
    const struct result *r = s->result;
    const struct endpoint_result *e = s->endpoint;
    double saved_ms = e == NULL ? r->db_time_saved_ms : e->gain.saved_ms;
    double db_ms = e == NULL ? r->db_time_ms : (double)e->endpoint->db_us / 1000;
    double speedup =
        e == NULL ? r->speedup : improvement_speedup(e->gain.saved_ms, e->gain.wall_ms);
    bool known = saved_ms > 0;
    json_t *out = json_object();
    rpt_put(&out, "latency_speedup", known ? rpt_number(speedup) : json_null());
    rpt_put(&out, "kind",
            json_string(improvement_kind_name(e == NULL ? r->gain_kind : e->gain.kind)));
    rpt_put(&out, "db_time_ms", rpt_number(db_ms));
    rpt_put(&out, "db_time_saved_ms", rpt_number(saved_ms));
    rpt_put(&out, "db_time_saved_share", rpt_ratio(saved_ms, db_ms));
    rpt_put(&out, "bytes_saved", json_null());
    rpt_put(&out, "memory", json_string("not observed"));
    return out;
}

/* --- the whole --- */

static json_t *pass_criteria(const struct rpt_scope *s)
{
    json_t *out = json_object();
    rpt_put(&out, "critical", rpt_count(s->by_severity[SEVERITY_CRITICAL]));
    rpt_put(&out, "high", rpt_count(s->by_severity[SEVERITY_HIGH]));
    rpt_put(&out, "high_without_plan", rpt_count(s->high_without_plan));
    rpt_put(&out, "rule",
            json_string("PASS: no critical issue, fewer than 3 high ones, and a plan for each high "
                        "one (optimized code at confidence 0.7 or more)"));
    return out;
}

static json_t *build(const struct rpt_scope *s, const struct rpt_slugs *slugs)
{
    const struct result *r = s->result;
    json_t *out = json_object();
    rpt_put(&out, "schema_version", json_string("1.0"));
    rpt_put(&out, "status", json_string(s->needs_optimization ? "NEEDS_OPTIMIZATION" : "PASS"));
    rpt_put(&out, "performance_score", rpt_performance_score(s->score));
    rpt_put(&out, "score", rpt_score(s->score));
    rpt_put(&out, "run", rpt_run(r));
    rpt_put(&out, "endpoint", s->endpoint != NULL ? rpt_endpoint(s->endpoint) : json_null());
    if (slugs != NULL)
        rpt_put(&out, "endpoints", rpt_endpoints(r, slugs));
    rpt_put(&out, "issues", rpt_issues(s));
    const struct endpoint_result *e = s->endpoint;
    rpt_put(&out, "profiling_commands",
            e != NULL ? texts(e->profiling_commands, e->n_profiling_commands)
                      : texts(r->profiling_commands, r->n_profiling_commands));
    rpt_put(&out, "recommendations", recommendations(s));
    rpt_put(&out, "checklist", rpt_checklist(s));
    rpt_put(&out, "estimated_improvement", estimated_improvement(s));
    rpt_put(&out, "estimated_improvement_detail", improvement_detail(s));
    rpt_put(&out, "pass_criteria_met", json_boolean(!s->needs_optimization));
    rpt_put(&out, "pass_criteria", pass_criteria(s));
    rpt_put(&out, "coverage", rpt_coverage(r));
    return out;
}

json_t *rpt_tree(const struct result *r)
{
    struct rpt_slugs *slugs = rpt_slugs_new(r);
    if (slugs == NULL)
        return NULL;
    struct rpt_scope s = scope_of_result(r);
    json_t *out = build(&s, slugs);
    rpt_slugs_free(slugs);
    return out;
}

json_t *rpt_tree_detailed(const struct result *r)
{
    json_t *out = rpt_tree(r);
    if (out == NULL || rpt_put_details(json_object_get(out, "endpoints"), r) == 0)
        return out;
    json_decref(out);
    return NULL;
}

json_t *rpt_tree_endpoint(const struct result *r, const struct endpoint_result *e)
{
    struct rpt_scope s = scope_of_endpoint(r, e);
    return build(&s, NULL);
}
