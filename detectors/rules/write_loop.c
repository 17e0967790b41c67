/*
 * Rows written one statement each: the same INSERT, UPDATE or DELETE again and again, each waiting
 * for the one before, where one statement for all of them would do.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"
#include "wire/values.h"

#include <stdlib.h>

enum { EXTRA_COMMITS }; /* units in which the rows were committed one by one */

struct loop {
    const struct unit_exchange *first;
    const struct unit_exchange *dearest; /* stays, as the statement for all of them */
    struct tally *tally;                 /* NULL when there are not enough of them */
    uint64_t writes;
    uint64_t trips; /* with a round trip of their own */
    uint64_t total_us;
    uint32_t last_trip;
    uint32_t last_transaction;
    uint64_t transactions;
};

static bool is_single_write(const struct unit_exchange *x)
{
    enum sql_verb verb = statement_verb(x->statement);
    bool writes = verb == SQL_VERB_INSERT || verb == SQL_VERB_UPDATE || verb == SQL_VERB_DELETE;
    return writes && x->statement->serial != 0 && x->affected <= 1 &&
           (x->flags & (EXCHANGE_ERROR | EXCHANGE_COPY)) == 0;
}

static void add_write(struct loop *l, const struct unit_exchange *x)
{
    bool first = l->writes++ == 0;
    if (first)
        l->first = x;
    l->trips += first || x->round_trip != l->last_trip;
    l->transactions += first || x->transaction == 0 || x->transaction != l->last_transaction;
    l->last_trip = x->round_trip;
    l->last_transaction = x->transaction;
    l->total_us += x->total_us;
    if (first || x->total_us > l->dearest->total_us)
        l->dearest = x;
}

static void count(struct tallies *t, const struct unit *u, struct loop *l,
                  const struct levels *levels)
{
    if ((double)l->trips < levels->low)
        return;
    struct tally *tally = tally_get(t, u->endpoint, l->first->statement, NULL, l->first->tag);
    if (tally == NULL)
        return;
    tally_add(tally, l->trips, l->total_us - l->dearest->total_us);
    l->tally = tally;
    tally->extra[EXTRA_COMMITS] += l->transactions * 2 > l->writes;
}

static void claim(const struct tallies *t, const struct unit *u, const struct map64 *by_statement)
{
    for (size_t i = 0; i < u->n; i++) {
        struct unit_exchange *x = &u->exchanges[i];
        const struct loop *l =
            is_single_write(x) ? map64_get(by_statement, statement_key(x->statement)) : NULL;
        if (l != NULL && l->tally != NULL && x != l->dearest)
            tally_claim(t, l->tally, x);
    }
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    struct map64 by_statement;
    size_t n = 0;
    struct loop *loops = calloc(unit->n, sizeof(*loops));
    map64_init(&by_statement, unit->n);
    for (size_t i = 0; i < unit->n && loops != NULL; i++) {
        const struct unit_exchange *x = &unit->exchanges[i];
        if (!is_single_write(x))
            continue;
        uint64_t key = statement_key(x->statement);
        struct loop *l = map64_get(&by_statement, key);
        if (l == NULL && map64_put(&by_statement, key, &loops[n]) == MAP64_OK)
            l = &loops[n++];
        if (l != NULL)
            add_write(l, x);
    }
    for (size_t i = 0; i < n; i++)
        count(state, unit, &loops[i], &audit_settings(audit)->write_loop);
    if (n > 0)
        claim(state, unit, &by_statement);
    map64_fini(&by_statement);
    free(loops);
}

static const struct advice_texts insert_texts = {
    .sqlalchemy = "from sqlalchemy import insert\n\n"
                  "# One statement a thousand rows; `values` is a list of dicts.\n"
                  "session.execute(insert({Model}), values)\n"
                  "# with AsyncSession: await session.execute(insert({Model}), values)\n"
                  "# Objects: session.add_all(...) and one commit at the end do the same.\n",
    .django = "{Model}.objects.bulk_create([{Model}(**row) for row in values], batch_size=1000)\n"
              "# One statement a batch. save() and its signals are not called.\n",
    .asyncpg =
        "# One round trip; `values` is a list of tuples in the order of the columns.\n"
        "await conn.executemany(\"INSERT INTO {table} (...) VALUES ($1, ...)\", values)\n"
        "# Thousands of rows: await conn.copy_records_to_table(\"{table}\", records=values)\n",
};

static const struct advice_texts update_texts = {
    .sqlalchemy = "from sqlalchemy import update\n\n"
                  "# Rows that change alike take one statement:\n"
                  "session.execute(update({Model}).where({Model}.id.in_(ids)).values(...))\n"
                  "# Rows that change each in its own way travel together, by primary key:\n"
                  "session.execute(update({Model}), [{\"id\": ..., \"column\": ...}, ...])\n"
                  "# with AsyncSession: await session.execute(...)\n",
    .django = "# Rows that change alike take one statement:\n"
              "{Model}.objects.filter(id__in=ids).update(...)\n"
              "# Rows that change each in its own way:\n"
              "{Model}.objects.bulk_update({rows}, [\"column\"], batch_size=1000)\n",
    .asyncpg =
        "# One statement for all rows, by arrays:\n"
        "await conn.execute(\n"
        "    \"UPDATE {table} AS t SET state = v.state\"  # `state` stands for your column\n"
        "    \" FROM unnest($1::bigint[], $2::text[]) AS v (id, state) WHERE t.id = v.id\",\n"
        "    ids, states,\n"
        ")\n",
};

static const struct advice_texts delete_texts = {
    .sqlalchemy = "from sqlalchemy import delete\n\n"
                  "session.execute(delete({Model}).where({Model}.id.in_(ids)))\n"
                  "# with AsyncSession: await session.execute(...). ORM cascades do not run; the\n"
                  "# database's ON DELETE does.\n",
    .django = "{Model}.objects.filter(id__in=ids).delete()\n",
    .asyncpg = "await conn.execute(\"DELETE FROM {table} WHERE id = ANY($1::bigint[])\", ids)\n",
};

static const struct advice_texts *texts_for(enum sql_verb verb)
{
    if (verb == SQL_VERB_INSERT)
        return &insert_texts;
    return verb == SQL_VERB_UPDATE ? &update_texts : &delete_texts;
}

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    const struct det_settings *set = audit_settings(a);
    struct measure m = {
        .what = "round trips of one row each in a request (p95)",
        .value = (double)histogram_percentile(&t->count, 0.95),
        .levels = set->write_loop,
        .confidence = 0.95,
        .role = "repeated",
    };
    struct finding *f = tally_finding(out, a, &det_write_loop, t, &m);
    if (f == NULL)
        return;
    enum sql_verb verb = statement_verb(t->statement);
    bool commits = t->extra[EXTRA_COMMITS] * 2 > t->count.count;
    if (commits)
        measure_raise(out->arena, f, "each row is committed by itself");
    f->round_trips_saved = (double)(f->occurrences.p50 - 1);
    f->queries_after = f->queries_before - (f->occurrences.p50 - 1);
    f->issue =
        det_text(out->arena, "%s of one row at a time in %s: %llu statements a request",
                 sql_verb_name(verb), t->endpoint->name, (unsigned long long)f->occurrences.p50);
    f->impact =
        det_text(out->arena,
                 "`%s` runs %llu times a request (p50; at most %llu), each for one row and "
                 "in a round trip of its own%s: %.0f ms of waiting for the network at %.3g "
                 "ms a round trip (modelled).",
                 advice_sql(out->arena, t->statement), (unsigned long long)f->occurrences.p50,
                 (unsigned long long)f->occurrences.max,
                 commits ? ", and is committed row by row, each commit a flush to disk" : "",
                 (double)(f->occurrences.p50 - 1) * set->assumed_rtt_ms, set->assumed_rtt_ms);
    f->recommendation =
        det_text(out->arena, "Write the rows of %s in one statement", t->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%llu fewer round trips a request (p50)",
                                       (unsigned long long)f->occurrences.p50 - 1);
    advice_template(out->arena, f, t->statement, texts_for(verb));
}

const struct detector det_write_loop = {
    .name = "write_loop",
    .id = "PA006",
    .title = "Rows written one statement each",
    .checklist = {7},
    .confirm = CONFIRM_CALLS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
