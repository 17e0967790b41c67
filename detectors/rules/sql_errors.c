/*
 * Errors that tell of contention or exhausted resources rather than of bad input: deadlocks,
 * serialisation failures, lock and statement time-outs, no connections left (PostgreSQL manual,
 * appendix A).
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

static const struct advice_texts retry_texts = {
    .sqlalchemy = "from sqlalchemy.exc import OperationalError  # check that its orig.sqlstate is "
                  "this one\n\n"
                  "for attempt in range(3):\n"
                  "    try:\n"
                  "        with Session(engine) as session, session.begin():\n"
                  "            ...  # the whole transaction again\n"
                  "        break\n"
                  "    except OperationalError:\n"
                  "        if attempt == 2:\n"
                  "            raise\n",
    .django = "for attempt in range(3):\n"
              "    try:\n"
              "        with transaction.atomic():\n"
              "            ...  # the whole transaction again\n"
              "        break\n"
              "    except OperationalError:\n"
              "        if attempt == 2:\n"
              "            raise\n",
    .asyncpg = "for attempt in range(3):\n"
               "    try:\n"
               "        async with conn.transaction():\n"
               "            ...  # the whole transaction again\n"
               "        break\n"
               "    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):\n"
               "        if attempt == 2:\n"
               "            raise\n",
};

static const struct advice_texts plan_texts = {
    .sqlalchemy =
        "# Where does the time go, and how many rows? (read only: ANALYZE runs it)\n"
        "plan = session.execute(text(\"EXPLAIN (ANALYZE, BUFFERS) \" + sql), parameters)\n"
        "# Until then a limit of its own for what may take long:\n"
        "session.execute(text(\"SET LOCAL statement_timeout = '30s'\"))\n",
    .django = "# Where does the time go, and how many rows?\n"
              "print({Model}.objects.filter(...).explain(analyze=True, buffers=True))\n",
    .asyncpg = "# Where does the time go, and how many rows? (read only: ANALYZE runs it)\n"
               "plan = await conn.fetch(\"EXPLAIN (ANALYZE, BUFFERS) \" + sql, *arguments)\n"
               "# Until then a limit of its own for what may take long:\n"
               "await conn.fetch(sql, *arguments, timeout=30)\n",
};

static const struct advice_texts pool_texts = {
    .sqlalchemy = "# All processes together stay under the server's max_connections.\n"
                  "engine = create_engine(url, pool_size=5, max_overflow=5, pool_timeout=5)\n",
    .django =
        "# settings.py, Django 5.1 and psycopg 3; all processes together stay under the\n"
        "# server's max_connections.\n"
        "DATABASES[\"default\"][\"OPTIONS\"] = {\"pool\": {\"min_size\": 1, \"max_size\": 5}}\n",
    .asyncpg = "# All processes together stay under the server's max_connections.\n"
               "pool = await asyncpg.create_pool(dsn, min_size=1, max_size=5)\n",
};

static const struct advice_texts idle_texts = {
    .sqlalchemy = "# Nothing but statements between the beginning and the end of a transaction.\n"
                  "with session.begin():\n"
                  "    ...  # statements only; other work before or after\n",
    .django = "# Nothing but statements between the beginning and the end of a transaction.\n"
              "with transaction.atomic():\n"
              "    ...  # statements only; other work before or after\n",
    .asyncpg = "# Nothing but statements between the beginning and the end of a transaction.\n"
               "async with conn.transaction():\n"
               "    ...  # statements only; other work before or after\n",
};

struct condition {
    char sqlstate[6];
    const char *name;
    const char *cure;
    const struct advice_texts *texts;
};

static const struct condition conditions[] = {
    {"40P01", "deadlocks", "Lock rows in one order everywhere, and retry", &retry_texts},
    {"40001", "serialization failures", "Retry the whole transaction; keep it short", &retry_texts},
    {"55P03", "locks that could not be had", "Keep the transactions that hold them short",
     &retry_texts},
    {"57014", "statements cancelled or timed out", "Look at their plans and at who holds locks",
     &plan_texts},
    {"53300", "connections refused for their number", "Use a smaller pool, or pgbouncer",
     &pool_texts},
    {"53200", "statements out of memory", "Lower work_mem or the size of the result", &plan_texts},
    {"25P03", "transactions ended because they were idle", "Do slow work outside of transactions",
     &idle_texts},
};

enum { N_CONDITIONS = sizeof(conditions) / sizeof(conditions[0]), EXTRA_CONDITION = 0 };

static int condition_of(const struct unit_exchange *x)
{
    for (int i = 0; i < N_CONDITIONS; i++) {
        if (memcmp(x->sqlstate, conditions[i].sqlstate, sizeof(x->sqlstate)) == 0)
            return i;
    }
    return -1;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    (void)audit;
    for (size_t i = 0; i < unit->n && unit->errors > 0; i++) {
        const struct unit_exchange *x = &unit->exchanges[i];
        int condition = (x->flags & EXCHANGE_ERROR) != 0 ? condition_of(x) : -1;
        if (condition < 0)
            continue;
        struct tally *t = tally_get(state, unit->endpoint, x->statement, NULL, x->tag);
        if (t == NULL)
            continue;
        t->extra[EXTRA_CONDITION] = (uint64_t)condition; /* the last one speaks for all */
        tally_add(t, 1, x->total_us);
    }
}

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    uint64_t n = t->count.count;
    const struct condition *c = &conditions[t->extra[EXTRA_CONDITION]];
    struct measure m = {
        .what = "statements that failed",
        .value = (double)n,
        .levels = audit_settings(a)->sql_errors,
        .confidence = 0.98,
        .role = "failed",
    };
    struct finding *f = tally_finding(out, a, &det_sql_errors, t, &m);
    if (f == NULL)
        return;
    f->issue = det_text(out->arena, "Errors in %s: %s", t->endpoint->name, c->name);
    f->impact =
        det_text(out->arena, "%llu statements failed with SQLSTATE %s in %llu requests.",
                 (unsigned long long)n, c->sqlstate, (unsigned long long)t->endpoint->units);
    f->saved_ms = 0;
    f->recommendation = det_text(out->arena, "%s (%s)", c->cure, t->endpoint->name);
    advice_template(out->arena, f, t->statement, c->texts);
}

const struct detector det_sql_errors = {
    .name = "sql_errors",
    .id = "PA014",
    .title = "Deadlocks, time-outs, exhausted resources",
    .checklist = {7},
    .confirm = CONFIRM_CONFLICTS | CONFIRM_LOAD,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
