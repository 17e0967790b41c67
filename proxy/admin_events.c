#include "proxy/admin_events.h"

#include "common/clock.h"
#include "proxy/admin_parts.h"
#include "report/value.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

enum { FIGURES_S = 1, PAGE_US = 2 * 1000 * 1000 };

/* --- who watches --- */

static bool is_watched(const struct admin_events *e)
{
    for (size_t i = 0; i < ADMIN_MAX_WATCHERS; i++) {
        if (e->watchers[i].request != NULL)
            return true;
    }
    return false;
}

/* evhttp has taken a request that was not answered to its end from its connection: it is ours. */
static void forget(struct admin_watcher *w)
{
    struct evhttp_request *request = w->request;
    w->request = NULL;
    if (request != NULL && evhttp_request_get_connection(request) == NULL)
        evhttp_request_free(request);
}

static void on_close(struct evhttp_connection *connection, void *context)
{
    (void)connection;
    forget(context);
}

static struct bufferevent *stream_of(const struct admin_watcher *w)
{
    return evhttp_connection_get_bufferevent(evhttp_request_get_connection(w->request));
}

/* --- what they are told --- */

static struct evbuffer *figures_event(const struct admin *a)
{
    const struct admin_figures f = admin_figures(a);
    struct audit_counts counts = audit_counts(auditor_audit(a->parts.auditor));
    json_t *body = json_object();
    rpt_put(&body, "run", rpt_count(audit_run(auditor_audit(a->parts.auditor)).id));
    rpt_put(&body, "uptime_s", rpt_number((double)f.uptime_us / 1e6));
    rpt_put(&body, "requests", rpt_count(counts.requests));
    rpt_put(&body, "statements", rpt_count(counts.statements));
    rpt_put(&body, "sessions_open",
            rpt_count((uint64_t)(f.sessions_open > 0 ? f.sessions_open : 0)));
    rpt_put(&body, "records_dropped", rpt_count(f.dropped));
    char *text =
        body != NULL ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(RPT_REAL_DIGITS)) : NULL;
    json_decref(body);
    struct evbuffer *out = text != NULL ? evbuffer_new() : NULL;
    if (out != NULL && evbuffer_add_printf(out, "event: figures\ndata: %s\n\n", text) < 0) {
        evbuffer_free(out);
        out = NULL;
    }
    free(text);
    return out;
}

static void send_event(struct admin_watcher *w, struct evbuffer *event)
{
    if (event != NULL)
        evhttp_send_reply_chunk(w->request, event);
}

/* Whether the page tells of more than it did, and its time has come. */
static bool page_is_due(const struct admin *a, const struct admin_watcher *w, int64_t now_us)
{
    struct audit_counts counts = audit_counts(auditor_audit(a->parts.auditor));
    return now_us >= w->page_from_us && (w->run != audit_run(auditor_audit(a->parts.auditor)).id ||
                                         memcmp(&counts, &w->counts, sizeof(counts)) != 0);
}

static void send_page(struct admin *a, struct admin_watcher *w, int64_t now_us)
{
    struct admin_figures figures = admin_figures(a);
    const struct audit *audit = auditor_audit(a->parts.auditor);
    struct evbuffer *event = evbuffer_new();
    struct audit_counts counts = audit_counts(audit);
    if (event != NULL &&
        admin_view_add(&a->view, ADMIN_DOC_PAGE_EVENT, audit, &figures, event) == 0) {
        w->run = audit_run(audit).id;
        w->counts = counts;
        send_event(w, event);
    }
    w->page_from_us = now_us + PAGE_US;
    if (event != NULL)
        evbuffer_free(event);
}

/* A watcher that still has something to read is left alone. */
static void tell(struct admin *a, struct admin_watcher *w, int64_t now_us)
{
    if (evbuffer_get_length(bufferevent_get_output(stream_of(w))) > 0)
        return;
    admin_touch(a, w->request);
    struct evbuffer *figures = figures_event(a);
    send_event(w, figures);
    if (figures != NULL)
        evbuffer_free(figures);
    if (page_is_due(a, w, now_us))
        send_page(a, w, now_us);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct admin *a = context;
    int64_t now_us = clock_monotonic_us();
    for (size_t i = 0; i < ADMIN_MAX_WATCHERS; i++) {
        if (a->events.watchers[i].request != NULL)
            tell(a, &a->events.watchers[i], now_us);
    }
    if (!is_watched(&a->events))
        event_del(a->events.tick);
}

/* --- begin and end --- */

void admin_watch(struct admin *a, struct evhttp_request *request)
{
    const struct timeval every = {.tv_sec = FIGURES_S};
    struct admin_watcher *w = a->events.watchers;
    while (w < a->events.watchers + ADMIN_MAX_WATCHERS && w->request != NULL)
        w++;
    if (w == a->events.watchers + ADMIN_MAX_WATCHERS) {
        admin_refuse(request, HTTP_SERVUNAVAIL, "as many watch as may", "close another live page");
        return;
    }
    if (!is_watched(&a->events) && event_add(a->events.tick, &every) != 0) {
        admin_refuse(request, HTTP_INTERNAL, "out of memory", "try again later");
        return;
    }
    *w = (struct admin_watcher){.request = request};
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    evhttp_connection_set_closecb(connection, on_close, w);
    /* It says nothing more; admin.c watches over what it reads. */
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), NULL, NULL);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "text/event-stream");
    evhttp_send_reply_start(request, HTTP_OK, NULL);
    struct evbuffer *figures = figures_event(a);
    send_event(w, figures);
    if (figures != NULL)
        evbuffer_free(figures);
}

bool admin_events_init(struct admin *a)
{
    a->events.tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    return a->events.tick != NULL;
}

void admin_events_fini(struct admin *a)
{
    for (size_t i = 0; i < ADMIN_MAX_WATCHERS; i++) {
        struct admin_watcher *w = &a->events.watchers[i];
        struct evhttp_connection *connection =
            w->request != NULL ? evhttp_request_get_connection(w->request) : NULL;
        if (connection != NULL)
            evhttp_connection_set_closecb(connection, NULL, NULL);
        forget(w);
    }
    if (a->events.tick != NULL)
        event_free(a->events.tick);
    a->events.tick = NULL;
}
