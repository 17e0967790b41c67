#include "detectors/audit.h"

#include "detectors/audit_parts.h"
#include "detectors/chatter.h"
#include "detectors/claims.h"
#include "detectors/learnt.h"
#include "wire/values.h"

#include <stdlib.h>

static void close_unit(void *arg, struct unit *u);
static size_t *cut_unit(void *arg, const struct unit *u, size_t *count);
static void take_joined(void *arg, const struct record_header *record, struct request_mark mark,
                        const struct http_join *request);
static void end_connection(void *arg, const struct session_summary *about);

static bool init_detectors(struct audit *a)
{
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->init == NULL)
            continue;
        a->states[i] = det_detectors[i]->init(&a->arena);
        if (a->states[i] == NULL)
            return false; /* without it nothing would ever be found, and nobody told */
    }
    return true;
}

struct audit *audit_new(const struct det_settings *settings)
{
    struct audit *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->settings = *settings;
    a->run = 1;
    arena_init(&a->arena, AUDIT_EVIDENCE_BYTES);
    arena_init(&a->names, AUDIT_NAME_BYTES);
    catalogue_init(&a->catalogue, &a->names, AUDIT_MAX_STATEMENTS);
    map64_init(&a->tags, AUDIT_MAX_TAGS);
    sessions_init(&a->sessions, settings->unit_gap_ms * 1000, cut_unit, close_unit, end_connection,
                  a);
    routes_init(&a->routes, &a->arena);
    join_init(&a->join, take_joined, a);
    request_marks_init(&a->marks);
    a->ledger = &a->ledger_storage;
    ledger_init(a->ledger, &a->arena);
    if (init_detectors(a))
        return a;
    audit_free(a);
    return NULL;
}

struct audit *audit_next_run(const struct audit *old, const struct record_run_begin *r)
{
    struct audit *a = audit_new(&old->settings);
    if (a == NULL)
        return NULL;
    memcpy(a->version, old->version, sizeof(a->version));
    a->wall_us = old->wall_us;
    a->explain = old->explain;
    a->join.awaited = old->join.awaited;
    a->run = r->run;
    a->began_us = r->time_us;
    a->last_us = r->time_us;
    struct span name = span_head(record_tail(&r->h, sizeof(*r), 0, r->name_len), RECORD_NAME_MAX);
    if (name.len > 0)
        memcpy(a->run_name, name.data, name.len);
    return a;
}

void audit_free(struct audit *a)
{
    if (a == NULL)
        return;
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->fini != NULL)
            det_detectors[i]->fini(a->states[i]);
    }
    join_fini(&a->join);
    request_marks_fini(&a->marks);
    routes_fini(&a->routes);
    sessions_fini(&a->sessions);
    ledger_fini(a->ledger);
    map64_fini(&a->tags);
    catalogue_fini(&a->catalogue);
    arena_fini(&a->arena);
    arena_fini(&a->names);
    free(a);
}

/* --- units --- */

static bool is_ready(const struct audit *a, int detector)
{
    return det_detectors[detector]->init == NULL || a->states[detector] != NULL;
}

static void judge_unit(struct audit *a, struct unit *u)
{
    a->learnt_units += u->learnt != NULL;
    u->serial = ++a->next_serial;
    a->units++;
    a->tagged_units += u->tag != NULL;
    a->cut_units += u->overflow.statements > 0;
    a->lost_transactions += u->overflow.transactions;
    a->statements += unit_statements(u);
    a->bytes += unit_bytes(u);
    if (ledger_add(a->ledger, u) == NULL)
        return;
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_unit_end != NULL && is_ready(a, i))
            det_detectors[i]->on_unit_end(a->states[i], a, u);
    }
    claims_settle(u);
}

static void close_unit(void *arg, struct unit *u)
{
    struct audit *a = arg;
    u->learnt = learnt_route(&a->join, a->ledger, u);
    judge_unit(a, u);
}

/* By what the routes in flight were seen to send, else by how the statements repeat. */
static size_t *cut_unit(void *arg, const struct unit *u, size_t *count)
{
    struct audit *a = arg;
    size_t *cuts;
    if (learnt_cuts(&a->join, a->ledger, u, &cuts, count))
        return cuts;
    return unit_cuts(u, count);
}

static void end_connection(void *arg, const struct session_summary *about)
{
    struct audit *a = arg;
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_session_end != NULL && is_ready(a, i))
            det_detectors[i]->on_session_end(a->states[i], a, about);
    }
}

/* --- records --- */

/* Without values; NULL when there is no room. */
static struct tag *new_tag(struct audit *a, uint64_t id)
{
    bool full = a->tags.count >= AUDIT_MAX_TAGS;
    struct tag *tag = full ? NULL : arena_alloc(&a->names, sizeof(*tag));
    if (tag == NULL || map64_put(&a->tags, id, tag) != MAP64_OK) {
        a->lost_tags++; /* what comes with it counts as untagged */
        return NULL;
    }
    tag->id = id;
    return tag;
}

static void add_tag(struct audit *a, const struct record_tag *r)
{
    if (r->id == 0 || map64_get(&a->tags, r->id) != NULL)
        return;
    struct tag *tag = new_tag(a, r->id);
    size_t at = 0;
    for (int k = 0; tag != NULL && k < SQL_TAG_COUNT; k++) {
        if (r->len[k] > 0)
            tag->value[k] = arena_text(&a->names, record_tail(&r->h, sizeof(*r), at, r->len[k]));
        at += r->len[k];
    }
}

static void show_exchange(struct audit *a, const struct record_exchange *r, struct statement *s,
                          const struct tag *tag)
{
    struct seen_exchange seen = {.record = r, .statement = s, .tag = tag};
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_exchange != NULL && is_ready(a, i))
            det_detectors[i]->on_exchange(a->states[i], a, &seen);
    }
}

/* What the SQL says, and the mark of what it does not say. */
static const struct tag *merged_tag(struct audit *a, const struct tag *sql, const struct tag *mark)
{
    if (sql == NULL || mark == NULL || ledger_tag_names(sql))
        return sql != NULL ? sql : mark;
    uint64_t id = wire_hash_combine(sql->id, mark->id);
    struct tag *both = map64_get(&a->tags, id);
    if (both != NULL)
        return both;
    both = new_tag(a, id);
    for (int k = 0; both != NULL && k < SQL_TAG_COUNT; k++)
        both->value[k] = sql->value[k] != NULL ? sql->value[k] : mark->value[k];
    return both != NULL ? both : mark;
}

/* What belongs to a request is gathered as what has a trace is: by a number that no other has. */
static uint64_t gathered_by(const char *kind, uint64_t id)
{
    uint64_t hash = wire_hash_combine(wire_value_hash_text(span_of_text(kind)), id);
    return hash + (hash == 0);
}

static struct exchange_origin origin_of(struct audit *a, const struct record_exchange *r,
                                        struct request_mark mark, const struct http_join *request)
{
    const struct tag *sql = r->tag != 0 ? map64_get(&a->tags, r->tag) : NULL;
    struct exchange_origin origin = {.trace = r->trace, .request = request};
    origin.tag = merged_tag(a, sql, mark.tag);
    origin.marked = mark.request != 0;
    if (mark.request != 0)
        origin.trace = gathered_by("mark", mark.request);
    else if (request != NULL)
        origin.trace = gathered_by("http", request->id);
    return origin;
}

static void add_exchange(struct audit *a, const struct record_exchange *r, struct request_mark mark,
                         const struct http_join *request)
{
    struct statement *s = catalogue_get(&a->catalogue, r->id);
    if (s->text.len == 0 && s->serial != 0 && r->verb < SQL_VERB_COUNT)
        s->verb = (enum sql_verb)r->verb;
    s->calls++;
    s->rows += r->rows;
    s->errors += (r->exchange_flags & EXCHANGE_ERROR) != 0;
    s->time_us += r->total_us;
    if (r->total_us > 0 && (a->least_us == 0 || r->total_us < a->least_us))
        a->least_us = r->total_us;
    if (r->total_us > s->max_us)
        s->max_us = r->total_us;
    int64_t end_us = r->start_us + (int64_t)r->total_us;
    if (end_us > a->last_us)
        a->last_us = end_us;
    struct exchange_origin origin = origin_of(a, r, mark, request);
    show_exchange(a, r, s, origin.tag);
    sessions_exchange(&a->sessions, r, s, &origin);
}

static void start_run(struct audit *a, const struct record_run_start *r)
{
    struct span version =
        span_head(record_tail(&r->h, sizeof(*r), 0, r->version_len), AUDIT_VERSION_MAX - 1);
    if (version.len > 0)
        memcpy(a->version, version.data, version.len);
    a->version[version.len] = '\0';
    a->wall_us = r->wall_us;
    a->join.awaited = r->http != 0;
    a->explain = r->explain_state <= RECORD_EXPLAIN_ON ? (enum record_explain_state)r->explain_state
                                                       : RECORD_EXPLAIN_OFF;
}

static void add_plan(struct audit *a, const struct record_plan *r)
{
    if (r->status == PLAN_OK)
        a->explained++;
    else
        a->explain_failed++;
    a->explain_statements += r->queries;
    a->explain_us += r->busy_us;
    catalogue_add_plan(&a->catalogue, r);
}

static void start_session(struct audit *a, const struct record_session_start *r)
{
    sessions_start(&a->sessions, r);
    uint64_t client = sessions_client(&a->sessions, r->session);
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_session_start != NULL && is_ready(a, i))
            det_detectors[i]->on_session_start(a->states[i], a, r->session, client, r->time_us);
    }
}

static void end_session(struct audit *a, const struct record_session_end *r)
{
    if (r->time_us > a->last_us)
        a->last_us = r->time_us;
    sessions_end(&a->sessions, r);
}

static void add_opaque(struct audit *a, const struct record_session_opaque *r)
{
    if (r->reason < AUDIT_OPAQUE_REASONS)
        a->opaque[r->reason]++;
}

static void add_moment(struct audit *a, const struct record_moment *r)
{
    if (a->n_moments == RECORD_MAX_MOMENTS)
        return;
    struct audit_moment *moment = &a->moments[a->n_moments++];
    struct span name = record_tail(&r->h, sizeof(*r), 0, r->name_len);
    moment->at_us = r->time_us;
    memcpy(moment->name, name.data, name.len); /* whose length record_check bounds */
    moment->name[name.len] = '\0';
    if (r->time_us > a->last_us)
        a->last_us = r->time_us;
}

static void end_run(struct audit *a, const struct record_run_end *r)
{
    a->end = *r;
    if (r->time_us > a->last_us)
        a->last_us = r->time_us;
}

static void tell_time(struct audit *a, int64_t now_us)
{
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_time != NULL && is_ready(a, i))
            det_detectors[i]->on_time(a->states[i], a, now_us);
    }
}

static void pass_time(struct audit *a, int64_t now_us)
{
    sessions_advance(&a->sessions, now_us);
    tell_time(a, now_us);
}

/* --- records of sessions: at once, or when it is known to which request they belong --- */

static void take_session_record(struct audit *a, const struct record_header *record,
                                struct request_mark mark, const struct http_join *request)
{
    const void *r = record;
    switch ((enum record_type)record->type) {
    case RECORD_SESSION_START:
        start_session(a, r);
        break;
    case RECORD_SESSION_END:
        end_session(a, r);
        break;
    case RECORD_EXCHANGE:
        add_exchange(a, r, mark, request);
        break;
    case RECORD_MARK:
        pass_time(a, ((const struct record_mark *)r)->time_us);
        break;
    default:
        break;
    }
}

static void take_joined(void *arg, const struct record_header *record, struct request_mark mark,
                        const struct http_join *request)
{
    struct audit *a = arg;
    if (request != NULL) {
        uint64_t session = ((const struct record_exchange *)(const void *)record)->session;
        int64_t began_us = sessions_transaction_begin(&a->sessions, session);
        if (began_us != 0 && began_us < request->start_us)
            request = NULL; /* what an earlier request left open goes on */
    }
    take_session_record(a, record, mark, request);
}

static int64_t time_of(const struct record_header *record)
{
    const void *r = record;
    switch ((enum record_type)record->type) {
    case RECORD_SESSION_START:
        return ((const struct record_session_start *)r)->time_us;
    case RECORD_SESSION_END:
        return ((const struct record_session_end *)r)->time_us;
    case RECORD_EXCHANGE:
        return ((const struct record_exchange *)r)->start_us +
               (int64_t)((const struct record_exchange *)r)->total_us;
    case RECORD_MARK:
        return ((const struct record_mark *)r)->time_us;
    default:
        return 0;
    }
}

static void add_request(struct audit *a, const struct record_http *r)
{
    struct http_route *route = routes_add(&a->routes, r);
    if (route != NULL && route->endpoint == NULL)
        route->endpoint = ledger_of_route(a->ledger, route);
    for (int i = 0; route != NULL && route->endpoint != NULL && i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->on_request != NULL && is_ready(a, i))
            det_detectors[i]->on_request(a->states[i], a, route, r);
    }
    join_end(&a->join, r, route);
}

static void add_session_record(struct audit *a, const struct record_header *record)
{
    const void *r = record;
    struct request_mark mark = {.request = 0};
    if (record->type == RECORD_EXCHANGE)
        mark = request_marks_find(&a->marks, r);
    else if (record->type == RECORD_SESSION_END)
        request_marks_end(&a->marks, r);
    if (a->join.awaited || a->join.seen)
        join_record(&a->join, record, mark, time_of(record));
    else
        take_session_record(a, record, mark, NULL);
}

static void add_request_mark(struct audit *a, const struct record_request *r)
{
    request_marks_add(&a->marks, r, r->tag != 0 ? map64_get(&a->tags, r->tag) : NULL);
}

void audit_record(struct audit *a, const struct record_header *record)
{
    const void *r = record;
    switch ((enum record_type)record->type) {
    case RECORD_RUN_START:
        start_run(a, r);
        break;
    case RECORD_SESSION_START:
    case RECORD_SESSION_END:
    case RECORD_EXCHANGE:
    case RECORD_MARK:
        add_session_record(a, record);
        break;
    case RECORD_PEER:
        request_marks_peer(&a->marks, r);
        break;
    case RECORD_REQUEST:
        add_request_mark(a, r);
        break;
    case RECORD_HTTP_BEGIN:
        join_begin(&a->join, r, routes_expect(&a->routes, r));
        break;
    case RECORD_HTTP:
        add_request(a, r);
        break;
    case RECORD_SESSION_OPAQUE:
        add_opaque(a, r);
        break;
    case RECORD_STATEMENT:
        catalogue_add_statement(&a->catalogue, r);
        break;
    case RECORD_TAG:
        add_tag(a, r);
        break;
    case RECORD_COLUMNS:
        catalogue_add_columns(&a->catalogue, r);
        break;
    case RECORD_SAMPLE:
        catalogue_add_sample(&a->catalogue, r);
        break;
    case RECORD_FACTS:
        catalogue_add_facts(&a->catalogue, r);
        break;
    case RECORD_PLAN:
        add_plan(a, r);
        break;
    case RECORD_WIDTHS:
        catalogue_add_widths(&a->catalogue, r);
        break;
    case RECORD_UNREAD:
        a->unread += ((const struct record_unread *)r)->statements;
        break;
    case RECORD_MOMENT:
        add_moment(a, r);
        break;
    case RECORD_RUN_END:
        end_run(a, r);
        break;
    case RECORD_RUN_BEGIN:
    case RECORD_EPOCH:
    case RECORD_NONE:
    case RECORD_TYPE_COUNT:
        break;
    }
}

void audit_finish(struct audit *a)
{
    join_finish(&a->join);
    sessions_finish(&a->sessions);
    tell_time(a, RECORD_TIME_MAX_US);
}

/* --- plans --- */

/* One SELECT of the application's tables, without locks, or one DELETE; anything else is no
 * EXPLAIN's business. */
static bool may_explain(const struct statement *s)
{
    bool verb = statement_verb(s) == SQL_VERB_SELECT || statement_verb(s) == SQL_VERB_DELETE;
    return s->facts != NULL && s->facts->status == FACTS_OK && s->chatter == NULL && verb &&
           !statement_has(s, FACT_ONLY_CATALOG) && !statement_has(s, FACT_NO_FROM) &&
           !statement_has(s, FACT_FOR_UPDATE) && !statement_has(s, FACT_SKIP_LOCKED) &&
           (s->scan_flags & SQL_SCAN_TRUNCATED) == 0;
}

static bool has_sample(const struct statement *s)
{
    bool needs_params =
        s->kinds.len > 0 && memchr(s->kinds.data, SQL_HOLE_PARAM, s->kinds.len) != NULL;
    return s->sample_text.len > 0 && (!needs_params || s->sample_n_params > 0);
}

/* What a DELETE costs where the tables grow is not seen from its time here. */
static bool is_costly(const struct statement *s, const struct det_settings *set)
{
    const double single_ms = 50;
    if (s->calls == 0)
        return false;
    if (statement_verb(s) == SQL_VERB_DELETE)
        return true;
    double total_ms = (double)s->time_us / 1000;
    return s->child_of_n_plus_one || total_ms >= (double)set->explain_min_total_ms ||
           total_ms / (double)s->calls >= set->explain_min_mean_ms ||
           (double)s->max_us / 1000 >= single_ms;
}

static bool costs_more(const struct statement *a, const struct statement *b)
{
    return b == NULL || a->time_us > b->time_us ||
           (a->time_us == b->time_us && a->serial < b->serial);
}

/* Where the plan for some values asks for an index, others are asked about too before the recheck.
 */
static bool wants_other_values(const struct statement *s)
{
    return s->sample_fresh && s->plans_asked == s->plans_answered && s->plans[0] != NULL &&
           s->plans[0]->columns_len > 0 && s->plans[0]->reason != PLAN_FOREIGN_KEY &&
           s->plans[STATEMENT_PLANS - 1] == NULL;
}

const struct statement *audit_next_to_explain(struct audit *a, int64_t now_us)
{
    struct statement *best = NULL;
    struct statement *s;
    size_t at = 0;
    while ((s = map64_next(&a->catalogue.by_id, &at, NULL)) != NULL) {
        bool due =
            s->explain_after_us == 0 || now_us >= s->explain_after_us || wants_other_values(s);
        if (due && is_costly(s, &a->settings) && may_explain(s) && has_sample(s) &&
            costs_more(s, best))
            best = s;
    }
    if (best == NULL)
        return NULL;
    best->explain_after_us = now_us + a->settings.explain_recheck_s * 1000000;
    best->sample_fresh = false;
    best->plans_asked++;
    return best;
}

/* --- reading --- */

struct audit_counts audit_counts(const struct audit *a)
{
    return (struct audit_counts){
        .requests = a->units,
        .statements = a->statements,
        .plans = a->explained + a->explain_failed,
    };
}

struct audit_run audit_run(const struct audit *a)
{
    return (struct audit_run){.id = a->run,
                              .name = a->run_name,
                              .began_us = a->began_us,
                              .started_wall_us = a->wall_us + a->began_us};
}

const struct det_settings *audit_settings(const struct audit *a)
{
    return &a->settings;
}

const struct endpoint *audit_endpoints(const struct audit *a)
{
    return a->ledger->first;
}

const struct http_route *audit_routes(const struct audit *a)
{
    return a->routes.first;
}

const struct usage *audit_usage(const struct audit *a, const struct endpoint *e,
                                const struct statement *s)
{
    return ledger_usage(a->ledger, e, s);
}

uint64_t audit_least_us(const struct audit *a)
{
    double most = a->settings.assumed_rtt_ms * 1000;
    return (double)a->least_us < most ? a->least_us : (uint64_t)most;
}
