/* What holds for a whole run: its score, its sources, the checklist, and what was not seen. */
#include "report/tree_parts.h"
#include "report/value.h"

json_t *rpt_performance_score(const struct score *s)
{
    return s->value < 0 ? json_string("--/100") : json_sprintf("%d/100", s->value);
}

static json_t *metric(const struct score_metric *m)
{
    json_t *out = json_object();
    rpt_put(&out, "id", rpt_string(m->id));
    rpt_put(&out, "value", m->observed ? rpt_number(m->value) : json_null());
    rpt_put(&out, "unit", rpt_string(m->unit));
    rpt_put(&out, "p10", rpt_number(m->p10));
    rpt_put(&out, "median", rpt_number(m->median));
    rpt_put(&out, "score", m->observed ? rpt_number(m->score) : json_null());
    rpt_put(&out, "weight", json_integer(m->weight));
    rpt_put(&out, "n", rpt_count(m->n));
    rpt_put(&out, "state", json_string(m->observed ? "measured" : "not_observed"));
    return out;
}

json_t *rpt_score(const struct score *s)
{
    json_t *metrics = json_array();
    for (size_t i = 0; i < SCORE_METRICS; i++)
        rpt_add(&metrics, metric(&s->metrics[i]));
    json_t *out = json_object();
    rpt_put(&out, "value", s->value < 0 ? json_null() : json_integer(s->value));
    rpt_put(&out, "coverage", rpt_number(s->coverage));
    rpt_put(&out, "basis", json_string("measured"));
    rpt_put(&out, "provisional", json_boolean(s->provisional));
    rpt_put(&out, "metrics", metrics);
    return out;
}

static const char *explain_reason(enum record_explain_state state)
{
    switch (state) {
    case RECORD_EXPLAIN_OFF_NO_DSN:
        return "no explain.dsn was given";
    case RECORD_EXPLAIN_OFF:
        return "switched off";
    case RECORD_EXPLAIN_ON:
        break;
    }
    return "plans were asked for over a connection of its own";
}

static json_t *on_off(bool on)
{
    return json_string(on ? "on" : "off");
}

static json_t *sources(const struct result *r)
{
    json_t *out = json_object();
    rpt_put(&out, "wire", on_off(true));
    rpt_put(&out, "http", on_off(r->http));
    rpt_put(&out, "redis", on_off(false));
    rpt_put(&out, "source", on_off(r->sourced));
    rpt_put(&out, "tag", on_off(r->tagged));
    rpt_put(&out, "explain", on_off(r->explain == RECORD_EXPLAIN_ON));
    rpt_put(&out, "explain_reason", json_string(explain_reason(r->explain)));
    return out;
}

/* A run is attributed as well as its worst endpoint. */
static const char *least_attribution(const struct result *r)
{
    enum unit_confidence least = UNIT_EXACT;
    if (r->learnt_units > 0)
        return "learnt";
    for (size_t i = 0; i < r->n_endpoints; i++) {
        if (r->endpoints[i].endpoint->confidence < least)
            least = r->endpoints[i].endpoint->confidence;
    }
    return r->n_endpoints > 0 ? rpt_attribution(least) : "none";
}

static json_t *moments(const struct result *r)
{
    json_t *out = json_array();
    for (size_t i = 0; i < r->n_moments; i++) {
        json_t *one = json_object();
        rpt_put(&one, "name", rpt_string(r->moments[i].name));
        rpt_put(&one, "at_s", rpt_number((double)(r->moments[i].at_us - r->run.began_us) / 1e6));
        rpt_add(&out, one);
    }
    return out;
}

static json_t *application(const struct application *a)
{
    json_t *out = json_object();
    json_t *middleware = json_array();
    json_t *settings = json_array();
    rpt_put(&out, "framework", rpt_string(a->framework));
    rpt_put(&out, "python", rpt_string(a->python));
    for (size_t i = 0; i < a->n_middleware; i++)
        rpt_add(&middleware, rpt_string(a->middleware[i]));
    for (size_t i = 0; i < a->n_settings; i++) {
        json_t *one = json_object();
        rpt_put(&one, "name", rpt_string(a->settings[i].name));
        rpt_put(&one, "value", rpt_string(a->settings[i].value));
        rpt_add(&settings, one);
    }
    rpt_put(&out, "middleware", middleware);
    rpt_put(&out, "settings", settings);
    return out;
}

json_t *rpt_run(const struct result *r)
{
    json_t *out = json_object();
    rpt_put(&out, "tool", json_string("pgsleuth"));
    rpt_put(&out, "version", rpt_string(r->version));
    rpt_put(&out, "started", rpt_time(r->started_wall_us));
    rpt_put(&out, "ended", rpt_time(r->ended_wall_us));
    rpt_put(&out, "duration_s", rpt_number((double)(r->ended_wall_us - r->started_wall_us) / 1e6));
    rpt_put(&out, "requests", rpt_count(r->units));
    rpt_put(&out, "http_requests", rpt_count(r->http_requests));
    rpt_put(&out, "statements", rpt_count(r->statements));
    rpt_put(&out, "driver_statements", rpt_count(r->chatter));
    rpt_put(&out, "sessions", rpt_count(r->sessions));
    rpt_put(&out, "bytes", rpt_count(r->bytes));
    rpt_put(&out, "sources", sources(r));
    rpt_put(&out, "attribution", json_string(least_attribution(r)));
    if (r->run.id > 1) {
        rpt_put(&out, "id", rpt_count(r->run.id));
        rpt_put(&out, "name", r->run.name[0] != '\0' ? rpt_string(r->run.name) : json_null());
    }
    if (r->n_moments > 0)
        rpt_put(&out, "marks", moments(r));
    if (r->application.known)
        rpt_put(&out, "application", application(&r->application));
    return out;
}

/* --- checklist --- */

static bool concerns(const struct detector *d, int item)
{
    for (size_t i = 0; i < DETECTOR_MAX_CHECKLIST && d->checklist[i] != 0; i++) {
        if (d->checklist[i] == item)
            return true;
    }
    return false;
}

static json_t *issues_of_item(const struct rpt_scope *s, int item)
{
    json_t *out = json_array();
    for (size_t i = 0; i < s->n_findings; i++) {
        if (concerns(s->findings[i]->detector, item))
            rpt_add(&out, rpt_hex(s->findings[i]->fingerprint));
    }
    return out;
}

/* "wire+explain" as a list. */
static json_t *source_list(const char *source)
{
    json_t *out = json_array();
    while (source != NULL && *source != '\0') {
        size_t len = strcspn(source, "+");
        rpt_add(&out, rpt_text(span_of(source, len)));
        source += len + (source[len] == '+');
    }
    return out;
}

static json_t *checklist_item(const struct rpt_scope *s, const struct checklist_item *item)
{
    json_t *out = json_object();
    rpt_put(&out, "id", json_integer(item->id));
    rpt_put(&out, "text", rpt_string(item->text));
    rpt_put(&out, "verdict", rpt_string(verdict_name(item->verdict)));
    rpt_put(&out, "evidence_source", source_list(item->source));
    rpt_put(&out, "issues", issues_of_item(s, item->id));
    rpt_put(&out, "reason", rpt_string(item->reason));
    rpt_put(&out, "how_to_observe", rpt_string(item->how_to_observe));
    return out;
}

json_t *rpt_checklist(const struct rpt_scope *s)
{
    struct checklist_item narrowed[CHECKLIST_ITEMS];
    const struct checklist_item *items = s->result->checklist;
    if (s->endpoint != NULL) {
        result_checklist_of(s->result, s->endpoint, narrowed);
        items = narrowed;
    }
    json_t *out = json_array();
    for (size_t i = 0; i < CHECKLIST_ITEMS; i++)
        rpt_add(&out, checklist_item(s, &items[i]));
    return out;
}

/* --- coverage --- */

static json_t *opaque_sessions(const struct result *r, uint64_t *total)
{
    json_t *out = json_array();
    for (size_t i = 0; i < r->n_opaque; i++) {
        json_t *one = json_object();
        rpt_put(&one, "reason", rpt_string(r->opaque[i].reason));
        rpt_put(&one, "sessions", rpt_count(r->opaque[i].sessions));
        rpt_add(&out, one);
        *total += r->opaque[i].sessions;
    }
    return out;
}

static json_t *overflow(const struct result *r)
{
    json_t *out = json_object();
    for (size_t i = 0; i < OVERFLOWS; i++)
        rpt_put(&out, overflow_texts[i].name, rpt_count(r->overflow[i]));
    return out;
}

json_t *rpt_coverage(const struct result *r)
{
    uint64_t total = 0;
    json_t *reasons = opaque_sessions(r, &total);
    json_t *out = json_object();
    rpt_put(&out, "tagged_requests", rpt_count(r->tagged_units));
    rpt_put(&out, "untagged_requests",
            rpt_count(r->units > r->tagged_units ? r->units - r->tagged_units : 0));
    rpt_put(&out, "dropped_records", rpt_count(r->dropped_records));
    rpt_put(&out, "unread_statements", rpt_count(r->unread_statements));
    rpt_put(&out, "refused_sessions", rpt_count(r->refused_sessions));
    rpt_put(&out, "opaque_sessions", rpt_count(total));
    rpt_put(&out, "opaque", reasons);
    rpt_put(&out, "overflow", overflow(r));
    rpt_put(&out, "marked_statements", rpt_count(r->marked_statements));
    rpt_put(&out, "lost_marks", rpt_count(r->lost_marks));
    rpt_put(&out, "joined_statements", rpt_count(r->joined_statements));
    rpt_put(&out, "unjoined_statements", rpt_count(r->unjoined_statements));
    rpt_put(&out, "learnt_requests", rpt_count(r->learnt_units));
    rpt_put(&out, "hurried_records", rpt_count(r->hurried_records));
    rpt_put(&out, "statements_without_facts", rpt_count(r->without_facts));
    rpt_put(&out, "parser_restarts", rpt_count(r->parser_restarts));
    rpt_put(&out, "explained", rpt_count(r->explained));
    rpt_put(&out, "explain_failed", rpt_count(r->explain_failed));
    rpt_put(&out, "explain_statements", rpt_count(r->explain_statements));
    rpt_put(&out, "explain_ms", rpt_ms(r->explain_us));
    return out;
}
