/*
 * Statements that are parsed again and again on one connection, where the driver's cache of
 * prepared statements should have kept them: their text changes each time, or the cache is off or
 * too small.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"
#include "wire/values.h"

enum {
    MAX_PAIRS = 16384, /* of connection and statement */
    NATURAL = 6,       /* psycopg 3 prepares at the sixth time (prepare_threshold 5) */
    EXTRA_EXECUTED = 0,
    EXTRA_TRACED = 1,
    EXTRA_UNBOUND = 2,
};
#define MIN_SHARE 0.8

struct cache {
    struct tallies *tallies;
    struct map64 parses; /* (session, statement) -> count, as a pointer's number */
    uint64_t lost;       /* executions of pairs without room */
};

static void *init(struct arena *arena)
{
    struct cache *c = arena_alloc(arena, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->tallies = tallies_init(arena);
    map64_init(&c->parses, MAX_PAIRS);
    return c->tallies != NULL ? c : NULL;
}

static void fini(void *state)
{
    struct cache *c = state;
    if (c == NULL)
        return;
    tallies_fini(c->tallies);
    map64_fini(&c->parses);
}

static uint64_t lost(const void *state)
{
    const struct cache *c = state;
    return c->lost + tallies_lost(c->tallies);
}

/* How often this connection has parsed this statement, this time included; 0 when not known. */
static uint64_t parsed(struct cache *c, const struct unit_exchange *x)
{
    uint64_t key = wire_hash_combine(x->session, statement_key(x->statement));
    uint64_t n = (uint64_t)(uintptr_t)map64_get(&c->parses, key) + 1;
    void *value = (void *)(uintptr_t)n; /* NOLINT(performance-no-int-to-ptr) */
    if (map64_put(&c->parses, key, value) == MAP64_OK)
        return n;
    c->lost++;
    return 0;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    struct cache *c = state;
    (void)audit;
    for (size_t i = 0; i < unit->n; i++) {
        const struct unit_exchange *x = &unit->exchanges[i];
        if ((x->flags & EXCHANGE_EXTENDED) == 0 || (x->flags & EXCHANGE_UNKNOWN) != 0 ||
            x->statement->serial == 0)
            continue;
        bool again = (x->flags & EXCHANGE_REUSED) == 0 && parsed(c, x) > NATURAL;
        struct tally *t = tally_get(c->tallies, unit->endpoint, x->statement, NULL, x->tag);
        if (t == NULL)
            continue;
        t->extra[EXTRA_EXECUTED]++;
        if (again) {
            tally_add(t, 1, 0);
            t->extra[EXTRA_TRACED] += unit->trace != 0;
            t->extra[EXTRA_UNBOUND] += x->n_values == 0;
        }
    }
}

static bool has_literals(const struct statement *s)
{
    for (size_t i = 0; i < s->kinds.len; i++) {
        if (s->kinds.data[i] != SQL_HOLE_PARAM)
            return true;
    }
    return false;
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# Values as parameters, and nothing in the text that changes with each request:\n"
        "stmt = select({Model}).where({Model}.id == bindparam(\"id\"))\n"
        "# Comments: route and file are few; a traceparent makes each text new.\n"
        "# Caches: prepared_statement_cache_size (asyncpg), prepare_threshold (psycopg 3).\n",
    .django = "# psycopg 3: server-side binding, so that the text stays the same\n"
              "DATABASES[\"default\"][\"OPTIONS\"] = {\"server_side_binding\": True}\n",
    .asyncpg = "# Values as $1, $2, and nothing in the text that changes with each request:\n"
               "{rows} = await conn.fetch(\"SELECT ... FROM {table} WHERE id = $1\", key)\n"
               "# statement_cache_size=0 is for pgbouncer before 1.21 only; the default is 100.\n",
};

/* Only what can be told from the traffic: a cache that is too small, or that a driver empties at
 * each rollback as psycopg 3 does, looks the same as one that is off on purpose. */
static const char *cause_of(const struct tally *t)
{
    if (t->extra[EXTRA_TRACED] * 2 > t->count.count)
        return "Its comment carries a trace id, so each text is new to every cache.";
    if (t->extra[EXTRA_UNBOUND] * 2 > t->count.count && has_literals(t->statement))
        return "Its text holds values instead of parameters, so each text is new to every cache.";
    return NULL;
}

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    uint64_t n = t->count.count;
    double share = t->extra[EXTRA_EXECUTED] > 0 ? (double)n / (double)t->extra[EXTRA_EXECUTED] : 0;
    struct measure m = {
        .what = "times parsed again",
        .value = (double)n,
        .levels = audit_settings(a)->statement_cache,
        .confidence = 0.8,
        .role = "statement",
    };
    const char *cause = cause_of(t);
    struct finding *f = share >= MIN_SHARE && cause != NULL
                            ? tally_finding(out, a, &det_statement_cache, t, &m)
                            : NULL;
    if (f == NULL)
        return;
    measure_cap(f, SEVERITY_MEDIUM);
    finding_once(f);
    f->wasted_ms_p95 = -1;
    f->issue = det_text(out->arena, "A statement parsed again each time in %s", t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "`%s` was parsed and planned anew %llu times on connections that knew it "
                 "already (%.0f %% of its executions). %s",
                 advice_sql(out->arena, t->statement), (unsigned long long)n, 100 * share, cause);
    f->recommendation =
        det_text(out->arena, "Let the driver keep the statement of %s prepared", t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    const struct cache *c = state;
    tallies_judge(c->tallies, audit, out, judge);
}

const struct detector det_statement_cache = {
    .name = "statement_cache",
    .id = "PA017",
    .title = "Statement parsed again each time",
    .checklist = {14},
    .confirm = CONFIRM_SESSIONS,
    .init = init,
    .on_unit_end = on_unit_end,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
