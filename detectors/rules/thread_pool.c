/*
 * Requests that wait for a thread: FastAPI and Starlette run `def` routes in AnyIO's pool of 40
 * threads, and what comes while all of them are busy waits, however idle the machine is.
 *
 * It shows from outside by Little's law. Over a second, the requests that were answered times what
 * each takes when nothing is in its way is how many were served at once. When that stays at 40
 * while many more are in flight, the rest waited. An event loop serves as many as come, a busy
 * processor one or two, a pool of database connections as many as it has: requests that spend their
 * time in the database are left out.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

enum {
    REQUESTS_KEPT = 16384,
    WINDOW_US = 1000 * 1000,
    SETTLED_US = 5 * 1000 * 1000, /* a request is known when it has been answered */
    THREADS = 40,                 /* AnyIO's default, as of 4.x: `total_tokens` of its limiter */
    FEWEST = THREADS * 85 / 100,  /* served at once, as estimated */
    MOST = THREADS * 115 / 100,
    IN_FLIGHT = THREADS * 130 / 100,
    RANK = 10,      /* the tenth shortest of a route */
    MIN_KNOWN = 20, /* requests of a route */
    MIN_WINDOWS = 3,
};

struct answered {
    struct http_route *route;
    int64_t start_us;
    int64_t first_us;
};

struct threads {
    struct tallies *tallies;
    struct answered requests[REQUESTS_KEPT]; /* a ring, in the order in which they ended */
    uint64_t n_requests;
    int64_t window_us; /* begin of the next one to be judged; 0 before the first request */
    unsigned plateaus; /* windows */
    uint64_t lost;     /* windows of which not all requests were kept */
};

static void *init(struct arena *arena)
{
    struct threads *s = arena_alloc(arena, sizeof(*s));
    if (s != NULL)
        s->tallies = tallies_init(arena);
    return s != NULL && s->tallies != NULL ? s : NULL;
}

static void fini(void *state)
{
    if (state != NULL)
        tallies_fini(((struct threads *)state)->tallies);
}

static uint64_t lost(const void *state)
{
    const struct threads *s = state;
    return s->lost + tallies_lost(s->tallies);
}

static uint64_t oldest(const struct threads *s)
{
    return s->n_requests > REQUESTS_KEPT ? s->n_requests - REQUESTS_KEPT : 0;
}

/* How much of [begin, end] lies in [from, to]. */
static double overlap_us(double begin_us, double end_us, int64_t from_us, int64_t to_us)
{
    begin_us = begin_us > (double)from_us ? begin_us : (double)from_us;
    end_us = end_us < (double)to_us ? end_us : (double)to_us;
    return end_us > begin_us ? end_us - begin_us : 0;
}

/* What the request takes when nothing is in its way; the very shortest may be errors. */
static double least_us(const struct answered *r)
{
    const struct histogram *h = &r->route->first_us;
    return (double)histogram_percentile(h, RANK / (double)h->count);
}

/* Its time goes by outside of the database, as far as that is known. */
static bool may_hold_a_thread(const struct answered *r)
{
    const struct endpoint *e = r->route->endpoint;
    return r->route->first_us.count >= MIN_KNOWN && e != NULL && 2 * e->db_us <= e->wall_us;
}

/* How many were in flight over that time, times its length. */
static double in_flight_us(const struct threads *s, int64_t from_us, int64_t to_us)
{
    double sum_us = 0;
    for (uint64_t i = oldest(s); i < s->n_requests; i++) {
        const struct answered *r = &s->requests[i % REQUESTS_KEPT];
        if (may_hold_a_thread(r))
            sum_us += overlap_us((double)r->start_us, (double)r->first_us, from_us, to_us);
    }
    return sum_us;
}

/* How many were served at once, likewise: each in its last moments before the answer. */
static double served_us(const struct threads *s, int64_t from_us, int64_t to_us)
{
    double sum_us = 0;
    for (uint64_t i = oldest(s); i < s->n_requests; i++) {
        const struct answered *r = &s->requests[i % REQUESTS_KEPT];
        double end_us = (double)r->first_us;
        if (r->first_us > from_us && may_hold_a_thread(r))
            sum_us += overlap_us(end_us - least_us(r), end_us, from_us, to_us);
    }
    return sum_us;
}

static bool is_plateau(const struct threads *s, int64_t from_us)
{
    int64_t to_us = from_us + WINDOW_US;
    if (in_flight_us(s, from_us, to_us) < (double)IN_FLIGHT * WINDOW_US)
        return false;
    double served = served_us(s, from_us, to_us) / WINDOW_US;
    return served >= FEWEST && served <= MOST;
}

static void blame(struct threads *s, int64_t from_us)
{
    for (uint64_t i = oldest(s); i < s->n_requests; i++) {
        const struct answered *r = &s->requests[i % REQUESTS_KEPT];
        bool within = r->first_us >= from_us && r->first_us < from_us + WINDOW_US;
        if (!within || !may_hold_a_thread(r))
            continue;
        double waited_us = (double)(r->first_us - r->start_us) - least_us(r);
        struct tally *t = tally_get(s->tallies, r->route->endpoint, NULL, NULL, NULL);
        if (t != NULL && waited_us > 0)
            tally_add(t, 1, (uint64_t)waited_us);
    }
}

static void judge_until(struct threads *s, int64_t now_us)
{
    while (s->window_us != 0 && s->window_us + WINDOW_US + SETTLED_US <= now_us) {
        const struct answered *first = &s->requests[oldest(s) % REQUESTS_KEPT];
        s->lost += oldest(s) > 0 && first->first_us > s->window_us;
        if (is_plateau(s, s->window_us)) {
            s->plateaus++;
            blame(s, s->window_us);
        }
        s->window_us += WINDOW_US;
        /* Silence needs no window. */
        const struct answered *last = &s->requests[(s->n_requests - 1) % REQUESTS_KEPT];
        if (last->first_us < s->window_us)
            s->window_us = 0;
    }
}

static void on_request(void *state, struct audit *audit, struct http_route *route,
                       const struct record_http *r)
{
    struct threads *s = state;
    (void)audit;
    if ((r->http_flags & (HTTP_CUT | HTTP_TUNNEL)) != 0)
        return;
    judge_until(s, r->start_us);
    if (s->window_us == 0)
        s->window_us = r->start_us > 0 ? r->start_us : 1;
    s->requests[s->n_requests++ % REQUESTS_KEPT] = (struct answered){
        .route = route,
        .start_us = r->start_us,
        .first_us = r->start_us + (int64_t)r->first_us,
    };
}

static void on_time(void *state, struct audit *audit, int64_t now_us)
{
    (void)audit;
    judge_until(state, now_us);
}

/* --- the finding --- */

static const char fastapi[] = "import httpx\n"
                              "from anyio.to_thread import current_default_thread_limiter\n\n"
                              "# A route that mostly waits is better `async def`, with clients "
                              "that await: no thread is held.\n"
                              "async def handler():\n"
                              "    async with httpx.AsyncClient() as client:\n"
                              "        return (await client.get(url)).json()\n\n"
                              "# Or more threads, in the lifespan of the application (each one may "
                              "hold a database connection):\n"
                              "async def lifespan(app):\n"
                              "    current_default_thread_limiter().total_tokens = 100\n"
                              "    yield\n";

static const char django[] =
    "# Each request of a synchronous view holds a thread: give the server more of them.\n"
    "# gunicorn --worker-class gthread --workers 4 --threads 25 project.wsgi\n";

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    double ms = (double)histogram_percentile(&t->cost_us, 0.95) / 1000;
    struct measure m = {
        .what = "ms of waiting for one of 40 threads (p95)",
        .value = ms,
        .levels = audit_settings(a)->thread_pool_ms,
        .confidence = 0.7,
    };
    struct finding *f = tally_finding(out, a, &det_thread_pool, t, &m);
    if (f == NULL)
        return;
    char shown[DET_MS_MAX];
    finding_once(f);
    f->time_share = 0; /* it is no database time */
    f->saved_ms = 0;
    f->wasted_ms_p95 = ms;
    f->issue = det_text(out->arena, "%s waits for a thread", t->endpoint->name);
    f->impact = det_text(out->arena,
                         "%llu requests came while 40 were served at once and more were in flight, "
                         "and took %s (p95) longer than they do alone. 40 is the number of threads "
                         "in which FastAPI and Starlette run `def` routes.",
                         (unsigned long long)t->count.count, det_ms(ms, shown));
    f->recommendation =
        det_text(out->arena, "Let %s wait without a thread, or give it more", t->endpoint->name);
    f->expected_improvement = det_text(out->arena, "these requests wait %s less (measured)", shown);
    route_advice(out->arena, f, fastapi, django);
}

static void on_finish(void *state, const struct audit *a, struct findings *out)
{
    const struct threads *s = state;
    if (s->plateaus >= MIN_WINDOWS)
        tallies_judge(s->tallies, a, out, judge);
}

const struct detector det_thread_pool = {
    .name = "thread_pool",
    .id = "PA031",
    .title = "Requests that wait for a thread",
    .checklist = {9},
    .confirm = CONFIRM_CALLS | CONFIRM_LOAD,
    .init = init,
    .on_request = on_request,
    .on_time = on_time,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
