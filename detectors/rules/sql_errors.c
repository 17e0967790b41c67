/*
 * Errors that tell of contention or exhausted resources rather than of bad input: deadlocks,
 * serialisation failures, lock and statement time-outs, no connections left (PostgreSQL manual,
 * appendix A).
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

struct condition {
    char sqlstate[6];
    const char *name;
    const char *cure;
};

static const struct condition conditions[] = {
    {"40P01", "deadlocks", "Lock rows in one order everywhere, and retry"},
    {"40001", "serialization failures", "Retry the whole transaction; keep it short"},
    {"55P03", "locks that could not be had", "Keep the transactions that hold them short"},
    {"57014", "statements cancelled or timed out", "Look at their plans and at who holds locks"},
    {"53300", "connections refused for their number", "Use a smaller pool, or pgbouncer"},
    {"53200", "statements out of memory", "Lower work_mem or the size of the result"},
    {"25P03", "transactions ended because they were idle", "Do slow work outside of transactions"},
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

static const struct advice_texts texts = {
    .sqlalchemy = "from sqlalchemy.exc import OperationalError  # its orig.sqlstate tells which\n\n"
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
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_sql_errors = {
    .name = "sql_errors",
    .id = "PA014",
    .title = "Deadlocks, time-outs, exhausted resources",
    .checklist = {7},
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .fini = tallies_fini,
};
