/*
 * Calls that block the event loop: while one request computes, or sleeps, or asks another service
 * without await, all others of its process stand still.
 *
 * It shows from outside. A request that is answered at once elsewhere (its victim) comes in and
 * nothing happens: no byte of any response, no statement, none under way in the database that it
 * could wait for. Then all goes on. In flight all that time was a request of an endpoint that never
 * takes less: that one is blamed, when it is the only such endpoint.
 *
 * What it does not see: stalls of one process while others of the application work on, and those in
 * which nobody else came. A machine without time to spare makes stalls, too: hence three of them.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

enum {
    REQUESTS_KEPT = 1024,
    EXCHANGES_KEPT = 8192,
    SETTLED_US =
        2 * 1000 * 1000, /* records of other workers may be late, statements wait for HTTP */
    SAME_STALL_US = 10 * 1000,
    MIN_KNOWN = 20, /* requests of the victim's route */
    MIN_STALLS = 3,
    THREADS = 40, /* of AnyIO's pool: with as many in flight a request may wait for one of them */
    QUICKER = 5,
};
#define LEAST 0.05 /* percentile: what a route takes when nothing is in its way */

struct answered {
    struct http_route *route;
    int64_t start_us;
    int64_t first_us;
    int64_t end_us;
};

struct interval {
    int64_t start_us;
    int64_t end_us;
};

struct stalls {
    struct tallies *tallies;
    struct answered requests[REQUESTS_KEPT]; /* a ring, in the order in which they ended */
    uint64_t n_requests;
    uint64_t judged;
    struct interval exchanges[EXCHANGES_KEPT]; /* a ring */
    uint64_t n_exchanges;
    int64_t last_end_us; /* of the stall seen last */
    uint64_t lost;       /* requests that were overtaken before they were judged */
};

static void *init(struct arena *arena)
{
    struct stalls *s = arena_alloc(arena, sizeof(*s));
    if (s != NULL)
        s->tallies = tallies_init(arena);
    return s != NULL && s->tallies != NULL ? s : NULL;
}

static void fini(void *state)
{
    if (state != NULL)
        tallies_fini(((struct stalls *)state)->tallies);
}

static uint64_t lost(const void *state)
{
    const struct stalls *s = state;
    return s->lost + tallies_lost(s->tallies);
}

/* --- what was seen --- */

static uint64_t oldest(uint64_t n, uint64_t kept)
{
    return n > kept ? n - kept : 0;
}

static void on_request(void *state, struct audit *audit, struct http_route *route,
                       const struct record_http *r)
{
    struct stalls *s = state;
    (void)audit;
    if ((r->http_flags & (HTTP_CUT | HTTP_TUNNEL)) != 0)
        return;
    s->requests[s->n_requests++ % REQUESTS_KEPT] = (struct answered){
        .route = route,
        .start_us = r->start_us,
        .first_us = r->start_us + (int64_t)r->first_us,
        .end_us = r->start_us + (int64_t)r->total_us,
    };
    uint64_t first = oldest(s->n_requests, REQUESTS_KEPT);
    if (s->judged < first) {
        s->lost += first - s->judged;
        s->judged = first;
    }
}

/* --- one victim --- */

static double least_us(const struct histogram *h)
{
    return (double)histogram_percentile(h, LEAST);
}

/* Until when nothing happened after `from_us`: the first byte or end of a response, or a statement.
 * `from_us` itself when a statement was under way then, or when too little is remembered. */
static int64_t quiet_until(const struct stalls *s, int64_t from_us, int64_t to_us)
{
    bool whole = s->n_exchanges <= EXCHANGES_KEPT;
    for (uint64_t i = oldest(s->n_exchanges, EXCHANGES_KEPT); i < s->n_exchanges; i++) {
        const struct interval *x = &s->exchanges[i % EXCHANGES_KEPT];
        whole |= x->end_us < from_us;
        if (x->start_us <= from_us && x->end_us >= from_us)
            return from_us;
        if (x->start_us > from_us && x->start_us < to_us)
            to_us = x->start_us;
    }
    for (uint64_t i = oldest(s->n_requests, REQUESTS_KEPT); i < s->n_requests; i++) {
        const struct answered *r = &s->requests[i % REQUESTS_KEPT];
        if (r->first_us > from_us && r->first_us < to_us)
            to_us = r->first_us;
        if (r->end_us > from_us && r->end_us < to_us)
            to_us = r->end_us;
    }
    return whole ? to_us : from_us;
}

/* The only endpoint in flight all that time which never takes less; NULL when none or several are,
 * or when so many requests were that they may have waited for a thread. */
static struct endpoint *blamed(const struct stalls *s, int64_t from_us, int64_t to_us)
{
    struct endpoint *found = NULL;
    unsigned in_flight = 0;
    for (uint64_t i = oldest(s->n_requests, REQUESTS_KEPT); i < s->n_requests; i++) {
        const struct answered *r = &s->requests[i % REQUESTS_KEPT];
        if (r->start_us >= from_us || r->end_us < to_us)
            continue;
        in_flight++;
        if (2 * least_us(&r->route->total_us) < (double)(to_us - from_us))
            continue;
        if (found != NULL && found != r->route->endpoint)
            return NULL;
        found = r->route->endpoint;
    }
    return in_flight < THREADS ? found : NULL;
}

static void judge_victim(struct stalls *s, const struct audit *a, const struct answered *victim)
{
    const struct histogram *usual = &victim->route->first_us;
    double waited_us = (double)(victim->first_us - victim->start_us);
    if (waited_us < audit_settings(a)->loop_stall_ms.low * 1000 || usual->count < MIN_KNOWN ||
        QUICKER * least_us(usual) > waited_us)
        return;
    int64_t until_us = quiet_until(s, victim->start_us, victim->first_us);
    double stall_us = (double)(until_us - victim->start_us);
    if (stall_us < audit_settings(a)->loop_stall_ms.low * 1000 ||
        QUICKER * least_us(usual) > stall_us)
        return;
    struct endpoint *e = blamed(s, victim->start_us, until_us);
    bool same = until_us - s->last_end_us < SAME_STALL_US && s->last_end_us <= until_us;
    struct tally *t = e != NULL && !same ? tally_get(s->tallies, e, NULL, NULL, NULL) : NULL;
    if (t != NULL)
        tally_add(t, 1, (uint64_t)stall_us);
    s->last_end_us = until_us;
}

static void judge_until(struct stalls *s, const struct audit *a, int64_t now_us)
{
    while (s->judged < s->n_requests) {
        const struct answered *r = &s->requests[s->judged % REQUESTS_KEPT];
        if (r->end_us > now_us - SETTLED_US)
            break;
        judge_victim(s, a, r);
        s->judged++;
    }
}

static void on_exchange(void *state, struct audit *audit, const struct seen_exchange *x)
{
    struct stalls *s = state;
    const struct record_exchange *r = x->record;
    if (s->n_requests == 0)
        return;
    s->exchanges[s->n_exchanges++ % EXCHANGES_KEPT] =
        (struct interval){.start_us = r->start_us, .end_us = r->start_us + (int64_t)r->total_us};
    judge_until(s, audit, r->start_us);
}

static void on_time(void *state, struct audit *audit, int64_t now_us)
{
    judge_until(state, audit, now_us);
}

/* --- the finding --- */

static const char fastapi[] =
    "import asyncio\n\n"
    "# What waits without await, or computes for long, goes to a thread; heavy computation to a\n"
    "# process, since threads share the interpreter. Or make the route a plain `def`.\n"
    "async def handler():\n"
    "    result = await asyncio.to_thread(blocking_call)\n"
    "    # time.sleep -> await asyncio.sleep, requests -> httpx.AsyncClient\n";

static const char django[] =
    "from asgiref.sync import sync_to_async\n\n"
    "# In an async view: what waits without await goes to a thread. A view that has much of it is\n"
    "# better a plain `def`.\n"
    "async def view(request):\n"
    "    result = await sync_to_async(blocking_call)()\n";

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    double ms = (double)histogram_percentile(&t->cost_us, 0.95) / 1000;
    struct measure m = {
        .what = "ms in which no other request was served (p95)",
        .value = ms,
        .levels = audit_settings(a)->loop_stall_ms,
        .confidence = 0.8,
    };
    struct finding *f =
        t->count.count >= MIN_STALLS ? tally_finding(out, a, &det_loop_stall, t, &m) : NULL;
    if (f == NULL)
        return;
    char shown[DET_MS_MAX];
    finding_once(f);
    f->time_share = 0; /* it is no database time */
    f->saved_ms = 0;
    f->wasted_ms_p95 = ms;
    f->issue = det_text(out->arena, "%s blocks the event loop", t->endpoint->name);
    f->impact = det_text(out->arena,
                         "%llu times no other request was served for %s (p95) while one of these "
                         "was under way and the database had nothing to do: requests that are "
                         "answered at once elsewhere waited. A blocking call or computation; which "
                         "of the two does not show.",
                         (unsigned long long)t->count.count, det_ms(ms, shown));
    f->recommendation = det_text(out->arena, "Find the blocking call of %s", t->endpoint->name);
    f->expected_improvement = det_text(out->arena, "other requests wait %s less (measured)", shown);
    route_advice(out->arena, f, fastapi, django);
}

static void on_finish(void *state, const struct audit *a, struct findings *out)
{
    tallies_judge(((const struct stalls *)state)->tallies, a, out, judge);
}

const struct detector det_loop_stall = {
    .name = "loop_stall",
    .id = "PA030",
    .title = "Calls that block the event loop",
    .checklist = {36, 33},
    .confirm = CONFIRM_CALLS | CONFIRM_LOAD,
    .init = init,
    .on_request = on_request,
    .on_exchange = on_exchange,
    .on_time = on_time,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
