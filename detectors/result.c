#include "detectors/result.h"

#include "detectors/audit_parts.h"
#include "detectors/checklist.h"
#include "detectors/commands.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

#include <stdlib.h>

enum { RESULT_ARENA_BYTES = 56 * 1024 * 1024, HIGH_IS_MANY = 3 };

#define PLAN_CONFIDENCE 0.7

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_PASS:
        return "pass";
    case VERDICT_FAIL:
        return "fail";
    case VERDICT_NOT_OBSERVED:
        return "not_observed";
    case VERDICT_NOT_APPLICABLE:
        return "not_applicable";
    case VERDICT_MANUAL:
        return "manual";
    }
    return "";
}

static const char *opaque_text(unsigned reason)
{
    switch (reason) {
#define WIRE_OPAQUE(name, id, text)                                                                \
    case id:                                                                                       \
        return text;
#include "wire/opaque_reasons.def"
#undef WIRE_OPAQUE
    default:
        return "unknown reason";
    }
}

/* --- the run --- */

static void fill_run(struct result *r, const struct audit *a)
{
    r->version = arena_text(&r->arena, span_of_text(a->version));
    if (r->version == NULL)
        r->version = "";
    r->run = audit_run(a);
    r->started_wall_us = r->run.started_wall_us;
    r->ended_wall_us = a->wall_us + a->last_us;
    r->moments = a->moments;
    r->n_moments = a->n_moments;
    r->units = a->units;
    r->learnt_units = a->learnt_units;
    r->tagged_units = a->tagged_units;
    r->tagged = a->tagged_units > 0;
    r->statements = a->statements;
    r->chatter = a->sessions.chatter;
    r->sessions = a->sessions.started;
    r->bytes = a->bytes;
    r->explain = a->explain;
    r->explained = a->explained;
    r->explain_failed = a->explain_failed;
    r->explain_statements = a->explain_statements;
    r->explain_us = a->explain_us;
    r->assumed_rtt_ms = a->settings.assumed_rtt_ms;
    r->http = a->join.seen;
    r->http_requests = a->join.http_requests;
    r->marked_statements = a->marks.named;
    r->lost_marks = a->marks.lost;
    r->joined_statements = a->join.joined;
    r->unjoined_statements = a->join.unjoined;
    r->hurried_records = a->join.forced;
}

static void count_facts(struct result *r, const struct audit *a)
{
    size_t at = 0;
    const struct statement *s;
    while ((s = map64_next(&a->catalogue.by_id, &at, NULL)) != NULL) {
        if (s->facts == NULL || s->chatter != NULL || s->calls == 0)
            continue;
        if (s->facts->status == FACTS_OK)
            r->with_facts++;
        else
            r->without_facts++;
    }
}

static void fill_coverage(struct result *r, const struct audit *a)
{
    r->dropped_records = a->end.dropped;
    r->unread_statements = a->unread;
    r->refused_sessions = a->end.refused;
    r->parser_restarts = a->end.parser_restarts;
    overflow_count(a, r->overflow);
    count_facts(r, a);
    r->opaque = arena_alloc(&r->arena, AUDIT_OPAQUE_REASONS * sizeof(*r->opaque));
    for (unsigned i = 0; r->opaque != NULL && i < AUDIT_OPAQUE_REASONS; i++) {
        if (a->opaque[i] > 0)
            r->opaque[r->n_opaque++] =
                (struct opaque_count){.reason = opaque_text(i), .sessions = a->opaque[i]};
    }
}

/* --- findings --- */

static int by_weight(const void *x, const void *y)
{
    const struct finding *a = *(struct finding *const *)x;
    const struct finding *b = *(struct finding *const *)y;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    if (a->wasted_ms_p95 != b->wasted_ms_p95)
        return a->wasted_ms_p95 > b->wasted_ms_p95 ? -1 : 1;
    return a->fingerprint < b->fingerprint ? -1 : a->fingerprint > b->fingerprint;
}

static void finish(const struct detector *d, void *state, const struct audit *a,
                   struct findings *out)
{
    if (d->on_finish != NULL)
        d->on_finish(state, a, out);
    if (d->judge_tally != NULL)
        tallies_judge(state, a, out, d->judge_tally);
    if (d->judge_usage != NULL)
        usages_judge(a, out, d->judge_usage);
    for (const struct http_route *h = a->routes.first; d->judge_route != NULL && h != NULL;
         h = h->next) {
        if (h->endpoint != NULL)
            d->judge_route(a, h, out);
    }
}

static void fill_findings(struct result *r, const struct audit *a)
{
    struct findings found = {.arena = &r->arena};
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        bool ready = det_detectors[i]->init == NULL || a->states[i] != NULL;
        if (ready)
            finish(det_detectors[i], a->states[i], a, &found);
    }
    for (size_t i = 0; i < found.count; i++)
        improvement_judge(&r->arena, found.items[i]);
    if (found.count > 0)
        qsort(found.items, found.count, sizeof(struct finding *), by_weight);
    r->findings = found.items;
    r->n_findings = found.count;
    r->overflow[OVERFLOW_findings] = found.lost;
}

static bool has_plan(const struct finding *f)
{
    return f->optimized_code != NULL && *f->optimized_code != '\0' &&
           f->confidence >= PLAN_CONFIDENCE;
}

/* Pass criteria: no critical finding, fewer than three high ones, and a plan for each of those. */
static bool needs_work(struct finding *const *findings, size_t n, size_t by_severity[SEVERITIES],
                       size_t *without_plan)
{
    for (size_t i = 0; i < n; i++) {
        by_severity[findings[i]->severity]++;
        *without_plan += findings[i]->severity == SEVERITY_HIGH && !has_plan(findings[i]);
    }
    return by_severity[SEVERITY_CRITICAL] > 0 || by_severity[SEVERITY_HIGH] >= HIGH_IS_MANY ||
           *without_plan > 0;
}

/* --- endpoints --- */

static void score_statements(struct score *s, const struct endpoint *e, uint64_t removable)
{
    const double us = 1000;
    const uint64_t n = endpoint_requests(e);
    double requests = n > 0 ? (double)n : 1;
    score_set(s, SCORE_STATEMENTS, (double)histogram_percentile(&e->statements_each, 0.95), n);
    double statements = e->statements > 0 ? (double)e->statements : 1;
    score_set(s, SCORE_AVOIDABLE, (double)removable / statements, e->statements);
    score_set(s, SCORE_DB_TIME, (double)histogram_percentile(&e->db_us_each, 0.95) / us, n);
    score_set(s, SCORE_RESULT_BYTES, (double)histogram_percentile(&e->bytes_each, 0.95) / 1024, n);
    score_set(s, SCORE_CONNECTIONS, (double)e->new_connections / requests, n);
}

static void score_endpoint(struct score *s, const struct endpoint *e, uint64_t removable)
{
    const uint64_t n = endpoint_requests(e);
    score_init(s);
    score_set(s, SCORE_LATENCY, (double)histogram_percentile(endpoint_latency(e), 0.95) / 1000, n);
    if (endpoint_statements_known(e))
        score_statements(s, e, removable);
    if (e->http != NULL)
        score_set(s, SCORE_TRANSFER, routes_transfer_waste(e->http), e->http->requests);
    score_finish(s, n);
}

static int by_time(const void *x, const void *y)
{
    const struct endpoint *a = ((const struct endpoint_result *)x)->endpoint;
    const struct endpoint *b = ((const struct endpoint_result *)y)->endpoint;
    if (a->db_us != b->db_us)
        return a->db_us > b->db_us ? -1 : 1;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    return a->key < b->key ? -1 : a->key > b->key;
}

/* The endpoint's findings, in the order of the result's. */
static void pick_findings(struct result *r, struct endpoint_result *e)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_findings; i++)
        n += r->findings[i]->endpoint == e->endpoint;
    if (n == 0)
        return;
    e->findings = arena_alloc(&r->arena, n * sizeof(struct finding *));
    for (size_t i = 0; e->findings != NULL && i < r->n_findings; i++) {
        if (r->findings[i]->endpoint == e->endpoint)
            e->findings[e->n_findings++] = r->findings[i];
    }
}

/* A route whose requests have an endpoint of another name, by their tags. */
static bool is_elsewhere(const struct endpoint *e)
{
    return e->units == 0 && e->http != NULL && e->http->endpoint != e;
}

static void fill_endpoints(struct result *r, const struct audit *a)
{
    size_t n = a->ledger->endpoints.count;
    r->endpoints = arena_alloc(&r->arena, (n > 0 ? n : 1) * sizeof(*r->endpoints));
    if (r->endpoints == NULL)
        return;
    for (const struct endpoint *e = a->ledger->first; e != NULL && r->n_endpoints < n;
         e = e->next) {
        if (!is_elsewhere(e))
            r->endpoints[r->n_endpoints++].endpoint = e;
    }
    qsort(r->endpoints, r->n_endpoints, sizeof(r->endpoints[0]), by_time);
    for (size_t i = 0; i < r->n_endpoints; i++) {
        struct endpoint_result *e = &r->endpoints[i];
        pick_findings(r, e);
        size_t by_severity[SEVERITIES] = {0};
        size_t without_plan = 0;
        e->needs_optimization = needs_work(e->findings, e->n_findings, by_severity, &without_plan);
        e->gain = improvement_of(e->endpoint, e->findings, e->n_findings);
        score_endpoint(&e->score, e->endpoint, e->gain.statements);
    }
}

/* --- the whole --- */

/* Hot endpoints weigh by their share of the time that requests took. */
static double weight_of(const struct endpoint *e)
{
    uint64_t us = e->units == 0 && e->http != NULL ? e->http->total_us.sum : e->wall_us;
    return (double)(us > 0 ? us : 1);
}

static void mean_metric(struct score *s, int m, const struct result *r)
{
    double sum = 0;
    double weights = 0;
    for (size_t i = 0; i < r->n_endpoints; i++) {
        const struct score_metric *one = &r->endpoints[i].score.metrics[m];
        if (!one->observed)
            continue;
        double w = weight_of(r->endpoints[i].endpoint);
        weights += w;
        sum += w * one->score;
        s->metrics[m].value += w * one->value;
        s->metrics[m].n += one->n;
    }
    if (weights <= 0)
        return;
    s->metrics[m].observed = true;
    s->metrics[m].value /= weights;
    s->metrics[m].score = sum / weights;
}

static void fill_score(struct result *r)
{
    score_init(&r->score);
    for (int m = 0; m < SCORE_METRICS; m++)
        mean_metric(&r->score, m, r);
    score_finish(&r->score, r->units);
    double sum = 0;
    double weights = 0;
    for (size_t i = 0; i < r->n_endpoints; i++) {
        if (r->endpoints[i].score.value < 0)
            continue;
        double w = weight_of(r->endpoints[i].endpoint);
        weights += w;
        sum += w * r->endpoints[i].score.value;
    }
    if (r->score.value >= 0 && weights > 0)
        r->score.value = (int)(sum / weights + 0.5);
}

/* Endpoints weigh by the time that their requests took. */
static void fill_improvement(struct result *r)
{
    double wall_ms = 0;
    uint64_t removable = 0;
    for (size_t i = 0; i < r->n_endpoints; i++) {
        const struct endpoint_result *e = &r->endpoints[i];
        r->db_time_ms += (double)e->endpoint->db_us / 1000;
        r->db_time_saved_ms += e->gain.saved_ms;
        wall_ms += e->gain.wall_ms;
        removable += e->gain.statements;
        r->gain_kind = e->gain.kind > r->gain_kind ? e->gain.kind : r->gain_kind;
    }
    r->speedup = improvement_speedup(r->db_time_saved_ms, wall_ms);
    const char *text =
        r->db_time_saved_ms > 0 || removable > 0
            ? det_text(&r->arena,
                       "%.1fx faster over all requests (%s): %.0f of %.0f ms, %.0f %% less "
                       "database time, %.0f %% fewer statements; memory: not observed",
                       r->speedup, improvement_kind_name(r->gain_kind), r->db_time_saved_ms,
                       wall_ms, r->db_time_ms > 0 ? 100 * r->db_time_saved_ms / r->db_time_ms : 0,
                       r->statements > 0 ? 100.0 * (double)removable / (double)r->statements : 0)
            : "nothing that was measured would become faster; memory: not observed";
    r->estimated_improvement = text != NULL ? text : "";
}

struct result *result_new(const struct audit *audit)
{
    struct result *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    arena_init(&r->arena, (size_t)RESULT_ARENA_BYTES);
    ledger_name(audit->ledger);
    fill_run(r, audit);
    fill_coverage(r, audit);
    fill_findings(r, audit);
    fill_endpoints(r, audit);
    r->needs_optimization =
        needs_work(r->findings, r->n_findings, r->by_severity, &r->high_without_plan);
    fill_score(r);
    fill_improvement(r);
    checklist_judge(r, NULL, r->checklist);
    commands_fill(r);
    if (r->arena.no_memory == 0)
        return r;
    /* Something is left out of it: no result is better than one that looks well. */
    result_free(r);
    return NULL;
}

void result_free(struct result *r)
{
    if (r == NULL)
        return;
    arena_fini(&r->arena);
    free(r);
}

void result_checklist_of(const struct result *r, const struct endpoint_result *e,
                         struct checklist_item out[CHECKLIST_ITEMS])
{
    checklist_judge(r, e, out);
}
