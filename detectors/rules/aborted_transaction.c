/*
 * A transaction left open after a statement in it failed: every further statement is refused
 * (SQLSTATE 25P02), and connection and locks are held for nothing until somebody rolls back.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

#include <math.h>

enum { EXTRA_REFUSED }; /* statements refused with 25P02 */

static const struct unit_exchange *failed_in(const struct unit *u, uint64_t *refused)
{
    const struct unit_exchange *failed = NULL;
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        if ((x->flags & EXCHANGE_ERROR) == 0)
            continue;
        if (memcmp(x->sqlstate, "25P02", sizeof(x->sqlstate)) == 0)
            ++*refused;
        else if (failed == NULL)
            failed = x;
    }
    return failed;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    uint64_t failed_us = 0;
    uint64_t refused = 0;
    if (unit->errors == 0)
        return;
    for (size_t i = 0; i < unit->n_transactions; i++) {
        if (unit->transactions[i].failed_us > failed_us)
            failed_us = unit->transactions[i].failed_us;
    }
    const struct unit_exchange *x = failed_in(unit, &refused);
    bool long_enough =
        (double)failed_us >= audit_settings(audit)->aborted_transaction_ms.low * 1000;
    if (x == NULL || (!long_enough && refused == 0))
        return;
    struct tally *t = tally_get(state, unit->endpoint, x->statement, NULL, x->tag);
    if (t == NULL)
        return;
    tally_add(t, failed_us, 0);
    t->extra[EXTRA_REFUSED] += refused;
}

static const struct advice_texts texts = {
    .sqlalchemy = "try:\n"
                  "    with session.begin_nested():  # a savepoint: only this is lost\n"
                  "        ...\n"
                  "except IntegrityError:\n"
                  "    ...  # the transaction itself is still good\n"
                  "# Without a savepoint: session.rollback() at once.\n",
    .django = "try:\n"
              "    with transaction.atomic():  # a savepoint when inside another block\n"
              "        ...\n"
              "except IntegrityError:  # outside of the block, never inside\n"
              "    ...\n",
    .asyncpg = "try:\n"
               "    async with conn.transaction():  # a savepoint when inside another\n"
               "        ...\n"
               "except asyncpg.IntegrityConstraintViolationError:\n"
               "    ...\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char longest[DET_MS_MAX];
    double max_ms = (double)t->count.max / 1000;
    struct measure m = {
        .what = "ms that a failed transaction stays open (longest)",
        .value = max_ms,
        .levels = audit_settings(a)->aborted_transaction_ms,
        .confidence = 0.95,
        .role = "failed",
    };
    /* A statement refused is a finding however short the time; not when the rule is off. */
    if (t->extra[EXTRA_REFUSED] > 0 && isfinite(m.levels.low))
        m.levels.low = 0;
    struct finding *f = tally_finding(out, a, &det_aborted_transaction, t, &m);
    if (f == NULL)
        return;
    if (t->extra[EXTRA_REFUSED] > 0 && f->severity < SEVERITY_MEDIUM)
        measure_raise(out->arena, f, "statements were refused");
    finding_once(f);
    f->wasted_ms_p95 = -1;
    f->issue = det_text(out->arena, "Failed transaction kept open in %s", t->endpoint->name);
    f->impact = det_text(out->arena,
                         "After an error the transaction stays open, for up to %s; %llu statements "
                         "sent into it were refused (25P02).",
                         det_ms(max_ms, longest), (unsigned long long)t->extra[EXTRA_REFUSED]);
    f->recommendation =
        det_text(out->arena, "Roll back as soon as a statement of %s fails", t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_aborted_transaction = {
    .name = "aborted_transaction",
    .id = "PA011",
    .title = "Failed transaction kept open",
    .checklist = {7},
    .confirm = CONFIRM_SESSIONS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
