/*
 * A TCP connection, and mostly a TLS handshake, for nearly each request. One cause serves all
 * routes, so it is told once, at the route where most connections began.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/text.h"

#define MOSTLY 0.9

static const char by_application[] =
    "# In the command that starts the application (gunicorn's sync worker has no keep-alive):\n"
    "#   uvicorn app:app --timeout-keep-alive 75\n"
    "#   gunicorn app:app -k uvicorn.workers.UvicornWorker --keep-alive 75\n";

static const char by_client[] =
    "import httpx\n\n"
    "# One client for all requests, made when the caller starts: it keeps its connections.\n"
    "client = httpx.AsyncClient(base_url=\"http://service\")\n";

struct totals {
    struct route_connections connections;
    uint64_t requests;
    const struct http_route *most;
};

static struct totals sum_up(const struct audit *a)
{
    struct totals t = {.requests = 0};
    for (const struct http_route *r = audit_routes(a); r != NULL; r = r->next) {
        t.requests += r->requests;
        t.connections.first += r->connections.first;
        t.connections.closed += r->connections.closed;
        t.connections.client_closing += r->connections.client_closing;
        bool more = t.most == NULL || r->connections.first > t.most->connections.first;
        t.most = r->endpoint != NULL && more ? r : t.most;
    }
    return t;
}

static void on_finish(void *state, const struct audit *a, struct findings *out)
{
    (void)state;
    struct totals t = sum_up(a);
    struct measure m = {
        .what = "connections a request",
        .value = measure_ratio(t.connections.first, t.requests),
        .levels = audit_settings(a)->http_keep_alive,
        .confidence = 0.8,
    };
    if (t.requests < ROUTE_MIN_REQUESTS || t.most == NULL)
        return;
    struct finding *f = route_finding(out, &det_http_keep_alive, t.most, &m, t.connections.first);
    if (f == NULL)
        return;
    bool application = measure_ratio(t.connections.closed, t.requests) >= MOSTLY;
    bool asked = measure_ratio(t.connections.client_closing, t.requests) >= MOSTLY;
    measure_cap(f, application ? SEVERITY_MEDIUM : SEVERITY_LOW);
    f->requests = t.requests;
    f->issue = det_text(out->arena, "%s for nearly each request, at %s most",
                        application ? "The application closes its connection"
                                    : "The client opens a connection",
                        f->endpoint->name);
    f->impact = det_text(
        out->arena, "%llu connections for %llu requests of all routes. %s",
        (unsigned long long)t.connections.first, (unsigned long long)t.requests,
        application ? "The application closes behind its answer, unasked."
        : asked     ? "The client asks for that; a load generator often does, browsers do not."
                    : "Neither side says that it will close; the client does not use it again.");
    f->recommendation = application ? "Let the application keep its HTTP connections open"
                                    : "Let clients use their HTTP connections again";
    const char *code = application ? by_application : by_client;
    route_advice(out->arena, f, code, code);
}

const struct detector det_http_keep_alive = {
    .name = "http_keep_alive",
    .id = "PA028",
    .title = "HTTP connections that are not used again",
    .checklist = {16},
    .confirm = CONFIRM_RESPONSE,
    .on_finish = on_finish,
};
