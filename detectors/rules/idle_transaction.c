/*
 * Idle in transaction: between a reply and the next request a transaction stays open. Nobody works,
 * but its locks are held, its snapshot keeps VACUUM from cleaning up, and its connection is taken.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

enum {
    EXTRA_LOCKED, /* units in which it held locks */
    EXTRA_HALF,   /* units in which it was idle for half its time */
    MIN_UNITS = 3 /* a single short pause may be the machine's */
};

static const struct unit_exchange *first_of(const struct unit *u, const struct unit_transaction *t)
{
    for (size_t i = 0; i < u->n; i++) {
        if (u->exchanges[i].session == t->session && u->exchanges[i].transaction == t->number)
            return &u->exchanges[i];
    }
    return u->n > 0 ? &u->exchanges[0] : NULL;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    const struct unit_transaction *worst = NULL;
    uint64_t idle_us = 0;
    for (size_t i = 0; i < unit->n_transactions; i++) {
        const struct unit_transaction *t = &unit->transactions[i];
        idle_us += t->longest_idle_us;
        if (worst == NULL || t->longest_idle_us > worst->longest_idle_us)
            worst = t;
    }
    double low_us = audit_settings(audit)->idle_transaction_ms.low * 1000;
    if (worst == NULL || (double)worst->longest_idle_us < low_us)
        return;
    const struct unit_exchange *x = first_of(unit, worst);
    if (x == NULL)
        return;
    struct tally *t = tally_get(state, unit->endpoint, x->statement, NULL, x->tag);
    if (t == NULL)
        return;
    tally_add(t, worst->longest_idle_us, idle_us);
    t->extra[EXTRA_LOCKED] += worst->writes + worst->locks > 0;
    t->extra[EXTRA_HALF] += worst->idle_us * 2 > (uint64_t)(worst->end_us - worst->begin_us);
}

static const struct advice_texts texts = {
    .sqlalchemy = "# Read what is needed, end the transaction, then do what takes time.\n"
                  "async with session.begin():  # `with` for Session\n"
                  "    ...  # statements only\n"
                  "# calls to other services, files, long computations: after the block\n"
                  "async with session.begin():\n"
                  "    ...  # write the outcome; check that what it rests on still holds\n",
    .django = "# Keep slow work out of the block, and out of views with ATOMIC_REQUESTS.\n"
              "with transaction.atomic():\n"
              "    ...  # statements only\n"
              "# mails, calls to other services: after it, or\n"
              "transaction.on_commit(send)\n",
    .asyncpg = "async with conn.transaction():\n"
               "    ...  # statements only\n"
               "# calls to other services, files, long computations: after the block\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char longest[DET_MS_MAX];
    char p95[DET_MS_MAX];
    double p95_ms = (double)histogram_percentile(&t->count, 0.95) / 1000;
    struct measure m = {
        .what = "ms that an open transaction waits (p95)",
        .value = p95_ms,
        .levels = audit_settings(a)->idle_transaction_ms,
        .confidence = 0.95,
        .role = "first in it",
    };
    bool often = t->count.count >= MIN_UNITS || m.value >= m.levels.medium;
    struct finding *f = often ? tally_finding(out, a, &det_idle_transaction, t, &m) : NULL;
    if (f == NULL)
        return;
    bool locked = t->extra[EXTRA_LOCKED] * 2 > t->count.count;
    if (locked)
        measure_raise(out->arena, f, "it holds locks");
    finding_once(f);
    f->time_share = 0;
    f->saved_ms = 0;
    f->issue = det_text(out->arena, "Transaction left idle in %s: %s (p95)", t->endpoint->name,
                        det_ms(p95_ms, p95));
    f->impact = det_text(
        out->arena,
        "The transaction waits for the application for %s in one piece (p95; at "
        "most %s)%s%s. Its connection, its snapshot and its locks are held.",
        det_ms(p95_ms, p95), det_ms((double)t->count.max / 1000, longest),
        locked ? ", after it has locked or changed rows" : "",
        t->extra[EXTRA_HALF] * 2 > t->count.count ? ", more than half of the time it lasts" : "");
    f->recommendation = det_text(out->arena, "End the transaction of %s before slow work begins",
                                 t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_idle_transaction = {
    .name = "idle_transaction",
    .id = "PA009",
    .title = "Transaction left open while the application does something else",
    .checklist = {7, 14},
    .confirm = CONFIRM_SESSIONS | CONFIRM_CALLS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
