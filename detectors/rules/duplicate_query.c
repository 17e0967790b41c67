/*
 * The same question asked again within one request: the same statement with the same values, which
 * gave the same rows, with nothing written to its tables in between.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/writes.h"
#include "detectors/text.h"
#include "wire/values.h"

#include <stdlib.h>

enum {
    LOOP_DISTINCT = 3
}; /* with as many different values it is a loop, which other rules judge */

/* Executions of one statement in the unit. */
struct asked {
    const struct statement *statement;
    uint64_t distinct; /* groups of equal values */
};

/* Executions with the same values and result. */
struct group {
    size_t first;
    size_t last; /* the latest execution, in whose place a repeat would stand */
    struct asked *asked;
    struct tally *tally; /* NULL when it is no case */
    uint64_t times;
    uint64_t repeat_us;
};

struct scan {
    struct map64 groups;
    struct map64 statements;
    struct writes writes;
    struct group *all;
    size_t n;
    struct asked *asked;
    size_t n_asked;
    struct group **repeats; /* exchange -> its group, when it repeats an earlier one */
};

static struct asked *asked_of(struct scan *s, const struct statement *statement)
{
    uint64_t key = statement_key(statement);
    struct asked *found = map64_get(&s->statements, key);
    if (found != NULL)
        return found;
    found = &s->asked[s->n_asked];
    if (map64_put(&s->statements, key, found) != MAP64_OK)
        return NULL;
    s->n_asked++;
    found->statement = statement;
    return found;
}

static void add_read(struct scan *s, const struct unit_exchange *x, size_t at)
{
    uint64_t key = wire_hash_combine(statement_key(x->statement), x->values_hash);
    key = wire_hash_combine(wire_hash_combine(key, x->result_hash), x->rows);
    struct group *g = map64_get(&s->groups, key);
    if (g != NULL) {
        /* Positions are counted from 1: a write at g->last + 1 or later lies between the two. */
        if (writes_last(&s->writes, x->statement) <= (int64_t)g->last + 1) {
            g->times++;
            g->repeat_us += x->total_us;
            s->repeats[at] = g;
        }
        g->last = at;
        return;
    }
    struct asked *asked = asked_of(s, x->statement);
    g = &s->all[s->n];
    if (asked == NULL || map64_put(&s->groups, key, g) != MAP64_OK)
        return;
    s->n++;
    asked->distinct++;
    *g = (struct group){.first = at, .last = at, .asked = asked, .times = 1};
}

static void scan_unit(struct scan *s, const struct unit *u)
{
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (unit_exchange_reads(x) && unit_values_known(x->values_hash, x->n_values, x->flags))
            add_read(s, x, i);
        else if (statement_may_write(x->statement, (enum sql_verb)x->verb) ||
                 (x->flags & EXCHANGE_ERROR) != 0)
            writes_add(&s->writes, x->statement, (int64_t)i + 1);
    }
}

static void count(struct tallies *t, const struct unit *u, struct group *g,
                  const struct levels *levels)
{
    const struct unit_exchange *x = &u->exchanges[g->first];
    if ((double)g->times < levels->low || g->asked->distinct >= LOOP_DISTINCT)
        return;
    struct tally *tally = tally_get(t, u->endpoint, x->statement, NULL, x->tag);
    if (tally == NULL)
        return;
    tally_add(tally, g->times, g->repeat_us);
    g->tally = tally;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    struct scan s = {.all = calloc(unit->n, sizeof(*s.all)),
                     .asked = calloc(unit->n, sizeof(*s.asked)),
                     .repeats = calloc(unit->n, sizeof(struct group *))};
    map64_init(&s.groups, unit->n);
    map64_init(&s.statements, unit->n);
    writes_init(&s.writes);
    if (unit->n > 1 && s.all != NULL && s.asked != NULL && s.repeats != NULL) {
        scan_unit(&s, unit);
        for (size_t i = 0; i < s.n; i++)
            count(state, unit, &s.all[i], &audit_settings(audit)->duplicate_query);
        for (size_t i = 0; i < unit->n; i++) {
            if (s.repeats[i] != NULL && s.repeats[i]->tally != NULL)
                tally_claim(state, s.repeats[i]->tally, &unit->exchanges[i]);
        }
    }
    ((struct tallies *)state)->lost += s.writes.lost;
    writes_fini(&s.writes);
    map64_fini(&s.groups);
    map64_fini(&s.statements);
    free(s.all);
    free(s.asked);
    free(s.repeats);
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# Ask once and hand the result on; by primary key the session itself remembers:\n"
        "{one} = session.get({Model}, key)  # no statement the second time\n"
        "# Elsewhere: pass {rows} as an argument, or keep it for the request, for instance\n"
        "# in a FastAPI dependency, which runs once a request.\n",
    .django = "# Ask once and hand the result on. A queryset that was evaluated keeps its rows:\n"
              "{rows} = list({Model}.objects.filter(...))  # keep your conditions\n"
              "# On a model: functools.cached_property for what is looked up again and again.\n",
    .asyncpg = "# Ask once and hand the rows on to whoever needs them.\n"
               "{rows} = await conn.fetch(\"SELECT ... FROM {table} WHERE ...\")\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    struct measure m = {
        .what = "times in one request (p95)",
        .value = (double)histogram_percentile(&t->count, 0.95),
        .levels = audit_settings(a)->duplicate_query,
        .confidence = 0.95,
        .role = "repeated",
    };
    if (t->statement->facts == NULL || t->statement->chatter != NULL)
        return;
    struct finding *f = tally_finding(out, a, &det_duplicate_query, t, &m);
    if (f == NULL)
        return;
    f->round_trips_saved = (double)(f->occurrences.p50 - 1);
    f->queries_after = f->queries_before - (f->occurrences.p50 - 1);
    f->issue = det_text(out->arena, "The same query %llu times in one request of %s",
                        (unsigned long long)f->occurrences.p50, t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "`%s` runs %llu times a request (p50; at most %llu) with the same values "
                 "and gives the same rows each time; nothing that was seen writes to its "
                 "tables in between.",
                 advice_sql(out->arena, t->statement), (unsigned long long)f->occurrences.p50,
                 (unsigned long long)f->occurrences.max);
    f->recommendation =
        det_text(out->arena, "Ask once a request in %s and hand the result on", t->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%llu fewer statements a request (p50)",
                                       (unsigned long long)f->occurrences.p50 - 1);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_duplicate_query = {
    .name = "duplicate_query",
    .id = "PA005",
    .title = "The same query again in one request",
    .checklist = {8, 39},
    .confirm = CONFIRM_CALLS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
