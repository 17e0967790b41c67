/*
 * Pools of the wrong size, as far as the wire shows: connections that nobody gives back, many more
 * than ever work at once, log-ins refused, or (only possibly: who waits for a connection does not
 * show here) so few that each is taken again as soon as it is free.
 */
#include "detectors/advice_template.h"
#include "detectors/audit.h"
#include "detectors/rules/measure.h"
#include "detectors/rules/pools.h"
#include "detectors/rules/rules.h"
#include "detectors/sessions.h"
#include "detectors/text.h"

#include <math.h>

enum {
    SILENT_US = 30 * 1000 * 1000, /* nobody comes back to it */
    LEAK_US = 60 * 1000 * 1000,   /* shortest time over which a growth is one */
    ALL_QUARTERS = 15,
    LARGE_US = 30 * 1000 * 1000,
    LARGE_UNITS = 100,
    SMALL_OPEN = 5, /* as small as pools usually are */
    SMALL_UNITS = 200,
    MIN_REFUSED = 2
};
#define SMALL_SHARE 0.9

static void *init(struct arena *arena)
{
    struct pools *p = arena_alloc(arena, sizeof(*p));
    if (p != NULL)
        pools_init(p, arena);
    return p;
}

static void fini(void *state)
{
    if (state != NULL)
        pools_fini(state);
}

static uint64_t lost(const void *state)
{
    return ((const struct pools *)state)->lost;
}

static void on_session_start(void *state, struct audit *audit, uint64_t session, uint64_t client,
                             int64_t at_us)
{
    (void)audit;
    pools_open(state, client, session, at_us);
}

static void on_exchange(void *state, struct audit *audit, const struct seen_exchange *x)
{
    const struct record_exchange *r = x->record;
    (void)audit;
    pools_work(state, r->session, r->start_us, r->start_us + (int64_t)r->total_us);
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    (void)audit;
    pools_unit(state, unit);
}

static void on_session_end(void *state, struct audit *audit, const struct session_summary *about)
{
    (void)audit;
    pools_close(state, about->session, about->startup_us > 0 || about->statements > 0,
                about->end_us);
}

/* --- advice --- */

static const struct advice_texts leak_texts = {
    .sqlalchemy = "# Every session is closed where it was opened, whatever happens in between.\n"
                  "async def get_session():\n"
                  "    async with async_session() as session:  # `with` for Session\n"
                  "        yield session\n",
    .django =
        "# Django closes the connections of requests only; threads and tasks close their own.\n"
        "from django.db import close_old_connections\n\n"
        "try:\n"
        "    ...\n"
        "finally:\n"
        "    close_old_connections()\n",
    .asyncpg = "# Never acquire() without its block: what is not released is lost to the pool.\n"
               "async with pool.acquire() as conn:\n"
               "    ...\n",
};

static const struct advice_texts size_texts = {
    .sqlalchemy = "# One engine a process; all processes together stay under max_connections.\n"
                  "engine = create_async_engine(  # create_engine for the synchronous API\n"
                  "    url, pool_size=5, max_overflow=5, pool_timeout=5, pool_recycle=1800\n"
                  ")\n",
    .django =
        "# settings.py, Django 5.1 and psycopg 3; all processes together stay under\n"
        "# max_connections.\n"
        "DATABASES[\"default\"][\"OPTIONS\"] = {\"pool\": {\"min_size\": 2, \"max_size\": 10}}\n",
    .asyncpg = "# One pool a process; all processes together stay under max_connections.\n"
               "pool = await asyncpg.create_pool(dsn, min_size=2, max_size=10)\n",
};

/* --- judging --- */

/* What is wrong with a pool. */
struct fault {
    struct measure measure;
    struct endpoint *endpoint;
    enum severity most;
    const char *issue;
    const char *impact;
    const char *recommendation;
    const struct advice_texts *texts;
};

static bool is_leaking(struct arena *arena, const struct pool *p, struct levels levels,
                       struct fault *out)
{
    unsigned spread;
    struct endpoint *e;
    uint64_t n = pool_forgotten(p, SILENT_US, &spread, &e);
    *out = (struct fault){
        .measure = {.what = "connections that nobody came back to",
                    .value = (double)n,
                    .levels = levels,
                    .confidence = 0.8},
        .endpoint = e,
        .most = SEVERITY_CRITICAL,
        .texts = &leak_texts,
        .recommendation = "Close or give back each connection where it was taken",
    };
    if (!measure_reached(&out->measure) || spread != ALL_QUARTERS ||
        p->last_us - p->first_us < LEAK_US)
        return false;
    out->issue = "Connections are taken and not given back";
    out->impact = det_text(
        arena,
        "Of %llu connections that were opened %llu are open and have been silent for 30 s and "
        "more; new ones were opened all the time. At most %llu worked at once.",
        (unsigned long long)p->opened, (unsigned long long)n, (unsigned long long)p->peak_busy);
    return true;
}

static bool is_refused(struct arena *arena, const struct pool *p, struct levels levels,
                       struct fault *out)
{
    *out = (struct fault){
        .measure = {.what = "connections open when log-ins were refused",
                    .value = (double)p->peak_open,
                    .levels = levels,
                    .confidence = 0.6},
        .endpoint = p->endpoint,
        .most = SEVERITY_HIGH,
        .texts = &size_texts,
        .recommendation = "Let all pools together stay under max_connections, or use pgbouncer",
        .issue = "Log-ins refused while the pool holds many connections",
    };
    if (p->refused < MIN_REFUSED || !measure_reached(&out->measure))
        return false;
    out->impact = det_text(arena,
                           "%llu log-ins failed while up to %llu connections of this client were "
                           "open: most likely max_connections was reached (53300).",
                           (unsigned long long)p->refused, (unsigned long long)p->peak_open);
    return true;
}

static bool is_large(struct arena *arena, const struct pool *p, struct levels levels,
                     struct fault *out)
{
    double spare = (double)p->peak_open - 2 * (double)p->peak_busy;
    *out = (struct fault){
        .measure = {.what = "connections beyond twice those that ever worked at once",
                    .value = spare,
                    .levels = levels,
                    .confidence = 0.7},
        .endpoint = p->endpoint,
        .most = SEVERITY_MEDIUM,
        .texts = &size_texts,
        .recommendation = "Make the pool as large as what works at once, and little more",
        .issue = "A pool larger than what it is used for",
    };
    if (!measure_reached(&out->measure) || p->units < LARGE_UNITS ||
        p->last_us - p->first_us < LARGE_US)
        return false;
    out->impact = det_text(arena,
                           "%llu connections were open at once and never more than %llu of them "
                           "worked while one request lasted (%llu requests). Each is a process of "
                           "the server with memory of its own.",
                           (unsigned long long)p->peak_open, (unsigned long long)p->peak_busy,
                           (unsigned long long)p->units);
    return true;
}

static bool is_small(struct arena *arena, const struct pool *p, struct levels levels,
                     struct fault *out)
{
    double share = p->units > 0 ? (double)p->queued / (double)p->units : 0;
    *out = (struct fault){
        .measure = {.what = "of the requests began when all connections worked but the one that "
                            "had just become free",
                    .value = share,
                    .levels = {SMALL_SHARE, INFINITY, INFINITY, INFINITY},
                    .confidence = 0.4},
        .endpoint = p->endpoint,
        .most = SEVERITY_LOW,
        .texts = &size_texts,
        .recommendation = "Compare the requests in flight with the size of the pool",
        .issue = "Possibly requests wait for a connection of the pool",
    };
    if (isinf(levels.low) || share < SMALL_SHARE || p->units < SMALL_UNITS ||
        p->peak_open < SMALL_OPEN)
        return false;
    out->impact = det_text(arena,
                           "All %llu connections were at work, and %.0f %% of the requests began "
                           "within 2 ms of one becoming free. Possibly they had waited for it: the "
                           "HTTP side, which would show it, was not seen.",
                           (unsigned long long)p->peak_open, 100 * share);
    return true;
}

static bool find_fault(struct arena *arena, const struct pool *p, struct levels levels,
                       struct fault *out)
{
    return is_leaking(arena, p, levels, out) || is_refused(arena, p, levels, out) ||
           is_large(arena, p, levels, out) || is_small(arena, p, levels, out);
}

/* One finding an endpoint, since it is told from others by that: pools of several clients of one
 * endpoint are the same code. */
static bool is_told(const struct findings *out, const struct endpoint *e)
{
    for (size_t i = 0; i < out->count; i++) {
        if (out->items[i]->detector == &det_pool_size && out->items[i]->endpoint == e)
            return true;
    }
    return false;
}

static void judge(const struct audit *a, const struct pool *p, struct findings *out)
{
    static const struct statement nothing;
    struct fault fault;
    if (!find_fault(out->arena, p, audit_settings(a)->pool_size, &fault) ||
        fault.endpoint == NULL || is_told(out, fault.endpoint))
        return;
    struct finding *f = findings_add(out, &det_pool_size, fault.endpoint, &nothing);
    if (f == NULL)
        return;
    measure_judge(out->arena, f, &fault.measure);
    measure_cap(f, fault.most);
    if (fault.texts == &leak_texts)
        measure_raise(out->arena, f, "their number only grows");
    f->requests_seen = p->units;
    f->issue = det_text(out->arena, "%s (%s)", fault.issue, fault.endpoint->name);
    f->impact = fault.impact;
    f->recommendation = det_text(out->arena, "%s (%s)", fault.recommendation, fault.endpoint->name);
    finding_once(f);
    advice_template(out->arena, f, NULL, fault.texts);
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    const struct pools *pools = state;
    for (const struct pool *p = pools->first; p != NULL; p = p->next)
        judge(audit, p, out);
}

const struct detector det_pool_size = {
    .name = "pool_size",
    .id = "PA016",
    .title = "Pool of the wrong size, or leaking",
    .checklist = {5, 14},
    .confirm = CONFIRM_SESSIONS | CONFIRM_LOAD,
    .init = init,
    .on_session_start = on_session_start,
    .on_exchange = on_exchange,
    .on_session_end = on_session_end,
    .on_unit_end = on_unit_end,
    .on_finish = on_finish,
    .fini = fini,
    .lost = lost,
};
