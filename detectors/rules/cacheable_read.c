/*
 * Reads that a cache would answer: the same statement with the same values gives the same rows
 * again and again, over requests and connections.
 *
 * What a cache would have done is simulated on the traffic itself: for each pair of statement and
 * values a value is kept for 5, 60 and 300 seconds and dropped when a write to one of its tables is
 * seen. A hit saves the time that this execution took; one whose rows had changed, by a writer that
 * does not pass here, would have been stale.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/rules/writes.h"
#include "detectors/sessions.h"
#include "detectors/text.h"
#include "wire/values.h"

#include <stdlib.h>

enum { N_TTLS = 3, TTL_60 = 1, MAX_VALUES = 16384, MAX_READS = 2000, MIN_HITS = 20 };

static const int ttl_s[N_TTLS] = {5, 60, 300};

/* What the simulated cache holds for one statement with one set of values. */
struct cached {
    uint64_t result;
    int64_t since_us[N_TTLS];
};

/* Of one statement, over all values. */
struct read {
    struct statement *statement;
    uint64_t executions;
    uint64_t values; /* different ones */
    uint64_t hits[N_TTLS];
    uint64_t stale[N_TTLS];
    uint64_t saved_us[N_TTLS];
    int64_t first_us;
    int64_t last_us;
    struct read *next;
};

struct reads {
    struct arena *arena;
    struct map64 by_values;
    struct map64 by_statement;
    struct writes writes;
    struct read *first;
    struct read **end;
    uint64_t lost;
};

static void *init(struct arena *arena)
{
    struct reads *r = arena_alloc(arena, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->arena = arena;
    r->end = &r->first;
    map64_init(&r->by_values, MAX_VALUES);
    map64_init(&r->by_statement, MAX_READS);
    writes_init(&r->writes);
    return r;
}

static void fini(void *state)
{
    struct reads *r = state;
    if (r == NULL)
        return;
    map64_fini(&r->by_values);
    map64_fini(&r->by_statement);
    writes_fini(&r->writes);
}

static uint64_t lost(const void *state)
{
    const struct reads *r = state;
    return r->lost + r->writes.lost;
}

static struct read *read_of(struct reads *r, struct statement *s, uint64_t key)
{
    struct read *found = map64_get(&r->by_statement, key);
    if (found != NULL)
        return found;
    bool full = r->by_statement.count >= MAX_READS;
    found = full ? NULL : arena_alloc(r->arena, sizeof(*found));
    if (found == NULL || map64_put(&r->by_statement, key, found) != MAP64_OK) {
        r->lost++;
        return NULL;
    }
    found->statement = s;
    *r->end = found;
    r->end = &found->next;
    return found;
}

static struct cached *cached_of(struct reads *r, struct read *read, uint64_t key)
{
    struct cached *found = map64_get(&r->by_values, key);
    if (found != NULL)
        return found;
    bool full = r->by_values.count >= MAX_VALUES;
    found = full ? NULL : arena_alloc(r->arena, sizeof(*found));
    /* The simulated cache is full: what is new stays outside, which loses hits but nothing else. */
    if (found == NULL || map64_put(&r->by_values, key, found) != MAP64_OK)
        return NULL;
    read->values++;
    return found;
}

static void look_up(struct read *read, struct cached *c, const struct record_exchange *x,
                    int64_t written_us)
{
    uint64_t result = wire_hash_combine(x->result_hash, x->rows);
    for (int i = 0; i < N_TTLS; i++) {
        int64_t since = c->since_us[i];
        bool hit =
            since != 0 && x->start_us - since < (int64_t)ttl_s[i] * 1000000 && written_us <= since;
        if (!hit) {
            c->since_us[i] = x->start_us;
            continue;
        }
        read->hits[i]++;
        read->saved_us[i] += x->total_us;
        read->stale[i] += c->result != result;
    }
    c->result = result;
}

static bool is_read(const struct seen_exchange *x)
{
    const struct statement *s = x->statement;
    const struct record_exchange *r = x->record;
    const unsigned odd = EXCHANGE_ERROR | EXCHANGE_UNKNOWN | EXCHANGE_SUSPENDED | EXCHANGE_COPY;
    return s->serial != 0 && s->chatter == NULL && s->facts != NULL &&
           s->facts->status == FACTS_OK && s->facts->n_tables > 0 &&
           unit_values_known(r->values_hash, r->n_values, r->exchange_flags) &&
           (r->exchange_flags & odd) == 0 && statement_verb(s) == SQL_VERB_SELECT &&
           !statement_has(s, FACT_FOR_UPDATE) && !statement_has(s, FACT_ONLY_CATALOG);
}

static void on_exchange(void *state, struct audit *audit, const struct seen_exchange *x)
{
    struct reads *r = state;
    const struct record_exchange *record = x->record;
    (void)audit;
    if (!is_read(x)) {
        if (statement_may_write(x->statement, (enum sql_verb)record->verb))
            writes_add(&r->writes, x->statement, record->start_us + (int64_t)record->total_us + 1);
        return;
    }
    uint64_t key = statement_key(x->statement);
    struct read *read = read_of(r, x->statement, key);
    struct cached *c =
        read != NULL ? cached_of(r, read, wire_hash_combine(key, record->values_hash)) : NULL;
    if (c == NULL)
        return;
    if (read->executions++ == 0)
        read->first_us = record->start_us;
    read->last_us = record->start_us;
    look_up(read, c, record, writes_last(&r->writes, x->statement));
}

/* --- judging --- */

/* The endpoint that asks most often. */
static const struct usage *main_usage(const struct audit *a, const struct statement *s)
{
    const struct usage *most = NULL;
    for (const struct endpoint *e = audit_endpoints(a); e != NULL; e = e->next) {
        const struct usage *u = audit_usage(a, e, s);
        if (u != NULL && (most == NULL || u->calls > most->calls))
            most = u;
    }
    return most;
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# One answer for all requests of the next minute; drop it where {table} is written.\n"
        "async def {rows}_cached(key):\n"
        "    found = await redis.get(f\"{table}:{key}\")\n"
        "    if found is None:\n"
        "        found = serialize(await load_{rows}(key))\n"
        "        await redis.set(f\"{table}:{key}\", found, ex=60)\n"
        "    return found\n",
    .django =
        "from django.core.cache import cache\n\n"
        "# One answer for all requests of the next minute; delete it where {table} is written.\n"
        "{rows} = cache.get_or_set(f\"{table}:{key}\", load_{rows}, timeout=60)\n",
    .asyncpg =
        "# One answer for all requests of the next minute; drop it where {table} is written.\n"
        "found = await redis.get(f\"{table}:{key}\")\n"
        "if found is None:\n"
        "    found = serialize(await conn.fetch(\"SELECT ... FROM {table} WHERE ...\", key))\n"
        "    await redis.set(f\"{table}:{key}\", found, ex=60)\n",
};

static const char *simulation_of(struct arena *arena, const struct read *r, double minutes)
{
    struct strbuf b;
    strbuf_init(&b, DET_TEXT_MAX);
    for (int i = 0; i < N_TTLS; i++) {
        char saved[DET_MS_MAX];
        strbuf_printf(&b, "%s%d s: %.0f %% hits, %s a minute saved, %.1f %% stale",
                      i > 0 ? "; " : "", ttl_s[i], 100 * measure_ratio(r->hits[i], r->executions),
                      det_ms((double)r->saved_us[i] / 1000 / minutes, saved),
                      100 * measure_ratio(r->stale[i], r->hits[i]));
    }
    return det_take(arena, &b);
}

static void fill(struct findings *out, struct finding *f, const struct read *r,
                 const struct usage *u, double minutes)
{
    const char *simulation = simulation_of(out->arena, r, minutes);
    double hits = measure_ratio(r->hits[TTL_60], r->executions);
    f->tag = u->tag;
    f->confidence = 0.7; /* writers that do not pass here are not seen */
    f->basis = BASIS_MEASURED;
    f->requests_seen = u->units;
    finding_once(f);
    f->statements[f->n_statements++] = (struct finding_statement){"statement", r->statement, u};
    f->issue = det_text(out->arena, "The same rows read again and again in %s", u->endpoint->name);
    f->impact = det_text(
        out->arena,
        "`%s` ran %llu times with %llu different values. A cache on what was seen would have done: "
        "%s. Writers that do not pass here were not seen.",
        advice_sql(out->arena, r->statement), (unsigned long long)r->executions,
        (unsigned long long)r->values, simulation != NULL ? simulation : "");
    f->recommendation =
        det_text(out->arena, "Cache this read of %s for 60 s (predicted hit ratio %.0f %%)",
                 u->endpoint->name, 100 * hits);
    /* Hits are counted over all endpoints: this one's part of them, by its calls. */
    f->saved_ms = (double)r->saved_us[TTL_60] / 1000 * measure_ratio(u->calls, r->executions);
    f->kind = GAIN_MODELLED;
    f->method =
        "measured time of the executions that a cache of 60 s would have answered, simulated "
        "on this traffic";
    f->time_share = usage_time_share(u);
    f->expected_improvement =
        det_text(out->arena, "%.0f %% fewer executions with a TTL of 60 s (simulated)", 100 * hits);
    advice_template(out->arena, f, r->statement, &texts);
}

static void judge(const struct audit *a, const struct read *r, struct findings *out)
{
    const double shortest_run = 1;
    const double max_stale = 0.01;
    const double min_hits = 0.5;
    double minutes = (double)(r->last_us - r->first_us) / 60e6;
    if (minutes < shortest_run || r->hits[TTL_60] < MIN_HITS ||
        measure_ratio(r->hits[TTL_60], r->executions) < min_hits ||
        measure_ratio(r->stale[TTL_60], r->hits[TTL_60]) > max_stale)
        return;
    double saved_ms = (double)r->saved_us[TTL_60] / 1000 / minutes;
    const struct measure m = {
        .what = "ms of database time a minute that a cache of 60 s saves (simulated)",
        .value = saved_ms,
        .levels = audit_settings(a)->cacheable_read_ms,
        .confidence = 0.7, /* writers that do not pass here are not seen */
    };
    const struct usage *u = measure_reached(&m) ? main_usage(a, r->statement) : NULL;
    struct finding *f =
        u != NULL ? findings_add(out, &det_cacheable_read, u->endpoint, r->statement) : NULL;
    if (f == NULL)
        return;
    measure_judge(out->arena, f, &m);
    measure_cap(f, SEVERITY_MEDIUM);
    fill(out, f, r, u, minutes);
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    const struct reads *reads = state;
    for (const struct read *r = reads->first; r != NULL; r = r->next)
        judge(audit, r, out);
}

const struct detector det_cacheable_read = {
    .name = "cacheable_read",
    .id = "PA018",
    .title = "Reads that a cache would answer",
    .checklist = {8, 39},
    .confirm = CONFIRM_LOAD,
    .init = init,
    .on_exchange = on_exchange,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
