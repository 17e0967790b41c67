#include "common/clock.h"
#include "common/log.h"
#include "proxy/admin_parts.h"
#include "report/value.h"

#include <dirent.h>
#include <event2/buffer.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t now_us(const struct admin *a)
{
    return clock_monotonic_us() - a->parts.epoch_us;
}

struct admin_figures admin_figures(const struct admin *a)
{
    const struct worker_shared *shared = a->parts.shared;
    struct auditor_figures seen = auditor_figures(a->parts.auditor);
    return (struct admin_figures){
        .uptime_us = now_us(a),
        .sessions_open = atomic_load(&shared->sessions),
        .sessions = atomic_load(&shared->started),
        .refused = atomic_load(&shared->refused),
        .statements = seen.statements,
        .dropped = seen.dropped,
        .draining = a->draining,
    };
}

static struct admin_figures figures_of(const struct admin *a)
{
    auditor_drain(a->parts.auditor); /* whoever asks has its own statements in the answer */
    return admin_figures(a);
}

/* --- bodies --- */

/* A body is a JSON object with a name in it, or nothing where none is needed. NULL when it was
 * refused, and that was replied. */
static json_t *body_of(struct evhttp_request *request)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(in);
    if (len == 0)
        return json_object();
    const char *text = (const char *)evbuffer_pullup(in, -1);
    json_error_t error;
    json_t *body = text != NULL ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    const char *key;
    json_t *value;
    bool good = json_is_object(body);
    json_object_foreach(body, key, value) good =
        good && strcmp(key, "name") == 0 && json_is_string(value);
    if (good)
        return body;
    json_decref(body);
    admin_refuse(request, 400, "the body is not a JSON object with nothing but a name",
                 "send {\"name\": \"spawning_complete\"}");
    return NULL;
}

static struct span name_in(const json_t *body)
{
    const json_t *name = json_object_get(body, "name");
    return name != NULL ? span_of(json_string_value(name), json_string_length(name))
                        : span_of(NULL, 0);
}

static void refuse_name(struct evhttp_request *request)
{
    admin_refuse(request, 400, "the name is missing, or not one",
                 "send {\"name\": \"...\"} with 1 to 64 of A-Z a-z 0-9 space . _ -");
}

/* --- verbs --- */

static void do_livez(struct admin *a, struct evhttp_request *request)
{
    (void)a;
    struct evbuffer *out = evhttp_request_get_output_buffer(request);
    evbuffer_add(out, "ok\n", 3);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "text/plain; charset=utf-8");
    evhttp_send_reply(request, HTTP_OK, NULL, NULL);
}

static void do_readyz(struct admin *a, struct evhttp_request *request)
{
    json_t *body = json_object();
    rpt_put(&body, "ready", json_boolean(!a->draining));
    if (a->draining)
        rpt_put(&body, "reason", json_string("draining: no new database session is taken"));
    admin_reply(request, a->draining ? HTTP_SERVUNAVAIL : HTTP_OK, body);
}

static void do_status(struct admin *a, struct evhttp_request *request)
{
    struct admin_figures f = figures_of(a);
    json_t *sessions = json_object();
    rpt_put(&sessions, "open", rpt_count((uint64_t)(f.sessions_open > 0 ? f.sessions_open : 0)));
    rpt_put(&sessions, "total", rpt_count(f.sessions));
    rpt_put(&sessions, "refused", rpt_count(f.refused));
    json_t *body = json_object();
    rpt_put(&body, "version", json_string(PGSLEUTH_VERSION));
    rpt_put(&body, "uptime_s", rpt_number((double)f.uptime_us / 1e6));
    rpt_put(&body, "run", admin_run(a));
    rpt_put(&body, "sessions", sessions);
    rpt_put(&body, "statements", rpt_count(f.statements));
    rpt_put(&body, "records_dropped", rpt_count(f.dropped));
    rpt_put(&body, "draining", json_boolean(a->draining));
    rpt_put(&body, "report_dir", rpt_string(a->parts.report_dir));
    admin_reply(request, HTTP_OK, body);
}

static void send_document(struct admin *a, enum admin_document what, struct evhttp_request *request)
{
    struct admin_figures figures = figures_of(a);
    if (admin_view_add(&a->view, what, auditor_audit(a->parts.auditor), &figures,
                       evhttp_request_get_output_buffer(request)) != 0) {
        admin_refuse(request, HTTP_INTERNAL, "out of memory", "try again later");
        return;
    }
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      admin_view_type(what));
    evhttp_send_reply(request, HTTP_OK, NULL, NULL);
}

static void do_page(struct admin *a, struct evhttp_request *request)
{
    if (admin_allow_page(request))
        send_document(a, ADMIN_DOC_PAGE, request);
    else
        admin_refuse(request, HTTP_INTERNAL, "out of memory", "try again later");
}

static void do_events(struct admin *a, struct evhttp_request *request)
{
    admin_watch(a, request);
}

static void do_metrics(struct admin *a, struct evhttp_request *request)
{
    send_document(a, ADMIN_DOC_METRICS, request);
}

static void do_endpoints(struct admin *a, struct evhttp_request *request)
{
    send_document(a, ADMIN_DOC_ENDPOINTS, request);
}

static void do_findings(struct admin *a, struct evhttp_request *request)
{
    send_document(a, ADMIN_DOC_FINDINGS, request);
}

static void do_statements(struct admin *a, struct evhttp_request *request)
{
    send_document(a, ADMIN_DOC_STATEMENTS, request);
}

static void do_report(struct admin *a, struct evhttp_request *request)
{
    send_document(a, ADMIN_DOC_REPORT, request);
}

static void do_runs(struct admin *a, struct evhttp_request *request)
{
    json_t *body = body_of(request);
    if (body == NULL)
        return;
    if (record_name_is_good(name_in(body)))
        admin_begin_run(a, name_in(body), request);
    else
        refuse_name(request);
    json_decref(body);
}

static void do_reset(struct admin *a, struct evhttp_request *request)
{
    json_t *body = body_of(request);
    if (body == NULL)
        return;
    if (json_object_size(body) == 0)
        admin_begin_run(a, span_of(NULL, 0), request);
    else
        admin_refuse(request, 400, "a reset takes no name", "POST /api/v1/runs takes one");
    json_decref(body);
}

static void do_marks(struct admin *a, struct evhttp_request *request)
{
    json_t *body = body_of(request);
    if (body == NULL)
        return;
    int64_t at_us = 0;
    struct span name = name_in(body);
    if (!record_name_is_good(name)) {
        refuse_name(request);
    } else if (!auditor_mark(a->parts.auditor, name, &at_us)) {
        admin_refuse(request, 409, "this run has all the marks it can have",
                     "a run has 100 of them at most");
    } else {
        admin_view_forget(&a->view);
        json_t *mark = json_object();
        rpt_put(&mark, "name", rpt_text(name));
        rpt_put(&mark, "at_s", rpt_number((double)at_us / 1e6));
        json_t *reply = json_object();
        rpt_put(&reply, "mark", mark);
        admin_reply(request, HTTP_OK, reply);
    }
    json_decref(body);
}

static int is_yaml(const struct dirent *entry)
{
    struct span name = span_of_text(entry->d_name);
    return entry->d_name[0] != '.' && span_cut_end(&name, ".yaml");
}

/* Names of the files that the report is made of, as they stand in its folder. */
static json_t *files_of(const char *folder)
{
    char sub[PATH_MAX];
    struct dirent **entries = NULL;
    json_t *out = json_array();
    rpt_add(&out, json_string("report.yaml"));
    int len = snprintf(sub, sizeof(sub), "%s/endpoints", folder);
    int n = len > 0 && (size_t)len < sizeof(sub) ? scandir(sub, &entries, is_yaml, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        char name[NAME_MAX + 16];
        snprintf(name, sizeof(name), "endpoints/%s", entries[i]->d_name);
        rpt_add(&out, rpt_string(name));
        free(entries[i]);
    }
    free(entries);
    return out;
}

static void do_snapshot(struct admin *a, struct evhttp_request *request)
{
    if (auditor_write_report(a->parts.auditor) != 0) {
        admin_refuse(request, HTTP_INTERNAL, "the report could not be written",
                     "the log of pgsleuth tells why");
        return;
    }
    json_t *body = json_object();
    rpt_put(&body, "report_dir", rpt_string(a->parts.report_dir));
    rpt_put(&body, "files", files_of(a->parts.report_dir));
    admin_reply(request, HTTP_OK, body);
}

static void do_drain(struct admin *a, struct evhttp_request *request)
{
    if (!a->draining)
        log_info("draining: no new database session is taken");
    a->draining = true;
    for (size_t i = 0; i < a->parts.n_workers; i++)
        worker_drain(a->parts.workers[i]);
    json_t *body = json_object();
    long open = atomic_load(&a->parts.shared->sessions);
    rpt_put(&body, "draining", json_true());
    rpt_put(&body, "sessions_open", rpt_count((uint64_t)(open > 0 ? open : 0)));
    admin_reply(request, HTTP_OK, body);
}

static void do_reload(struct admin *a, struct evhttp_request *request)
{
    renewal_reload(a->parts.renewal);
    json_t *body = json_object();
    rpt_put(&body, "reloading", json_true());
    admin_reply(request, 202, body);
}

void admin_do(struct admin *a, enum admin_verb verb, struct evhttp_request *request)
{
    static void (*const verbs[ADMIN_VERBS])(struct admin *, struct evhttp_request *) = {
#define ADMIN_ROUTE(method, path, role, name) [ADMIN_VERB_##name] = do_##name,
#include "proxy/admin_routes.def"
#undef ADMIN_ROUTE
    };
    verbs[verb](a, request);
}
