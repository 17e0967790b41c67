/*
 * Connections made anew for request after request: each costs a TCP (and TLS) handshake, a login
 * and a new backend process, where a pool would hand out one that is there.
 *
 * Connections that served one request or none and were closed again count; those a pool keeps do
 * not, however few requests a short test gave them.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/sessions.h"
#include "detectors/text.h"

enum { MIN_CONNECTIONS = 10, MAX_UNITS = 1 };

static void on_session_end(void *state, struct audit *audit, const struct session_summary *about)
{
    (void)audit;
    if (!about->start_seen || about->endpoint == NULL || about->units > MAX_UNITS)
        return;
    struct tally *t = tally_get(state, about->endpoint, NULL, NULL, NULL);
    if (t != NULL)
        tally_add(t, about->statements, about->startup_us);
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# One engine for the whole process, made when it starts; its pool keeps connections.\n"
        "engine = create_async_engine(  # create_engine for the synchronous API\n"
        "    url, pool_size=10, max_overflow=10, pool_timeout=5, pool_pre_ping=True\n"
        ")\n"
        "# Not NullPool, and no engine inside a request handler.\n",
    .django = "# settings.py, WSGI:\n"
              "DATABASES[\"default\"][\"CONN_MAX_AGE\"] = 60\n"
              "DATABASES[\"default\"][\"CONN_HEALTH_CHECKS\"] = True\n"
              "# ASGI, Django 5.1 and psycopg 3: a pool instead\n"
              "DATABASES[\"default\"][\"OPTIONS\"] = {\"pool\": True}\n",
    .asyncpg = "# Once, when the application starts:\n"
               "pool = await asyncpg.create_pool(dsn, min_size=2, max_size=10)\n"
               "# In a handler:\n"
               "async with pool.acquire() as conn:\n"
               "    ...\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char mean[DET_MS_MAX];
    uint64_t n = t->count.count;
    double share = t->endpoint->units > 0 ? (double)n / (double)t->endpoint->units : 0;
    struct measure m = {
        .what = "new connections a request",
        .value = share,
        .levels = audit_settings(a)->connection_churn,
        .confidence = 0.95,
    };
    struct finding *f =
        n >= MIN_CONNECTIONS ? tally_finding(out, a, &det_connection_churn, t, &m) : NULL;
    if (f == NULL)
        return;
    double mean_ms = (double)t->cost_us.sum / (double)n / 1000;
    finding_once(f);
    f->time_share = 0; /* connecting is no database time of the endpoint */
    f->saved_ms = 0;
    f->issue = det_text(out->arena, "A new connection for %.0f %% of the requests of %s",
                        100 * (share < 1 ? share : 1), t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "%llu connections served one request each and were closed. Logging in took "
                 "%s (mean, measured from the start-up packet to ready); the server forks a "
                 "process for each.",
                 (unsigned long long)n, det_ms(mean_ms, mean));
    f->recommendation =
        det_text(out->arena, "Take the connections of %s from a pool", t->endpoint->name);
    /* Logging in comes before the request's time begins. */
    f->after_ms = f->before_ms;
    f->before_ms += mean_ms;
    f->kind = GAIN_ESTIMATED;
    f->method = "p95 of the unit and the mean time of a login, less that login (both measured)";
    f->expected_improvement = det_text(out->arena, "%s less a request (measured)", mean);
    advice_template(out->arena, f, NULL, &texts);
}

const struct detector det_connection_churn = {
    .name = "connection_churn",
    .id = "PA015",
    .title = "A new connection for each request",
    .checklist = {5},
    .confirm = CONFIRM_SESSIONS | CONFIRM_LOAD,
    .init = tallies_init,
    .on_session_end = on_session_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
