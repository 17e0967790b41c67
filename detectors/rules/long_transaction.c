/*
 * A transaction that takes long because of its statements. One that takes long because nothing
 * happens in it is idle_transaction's.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

static bool is_maintenance(const struct unit *u)
{
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        if ((x->flags & EXCHANGE_COPY) != 0 ||
            sql_verb_class((enum sql_verb)x->verb) == SQL_CLASS_DDL || x->verb == SQL_VERB_VACUUM)
            return true;
    }
    return false;
}

static const struct unit_exchange *dearest_of(const struct unit *u,
                                              const struct unit_transaction *t)
{
    const struct unit_exchange *dearest = NULL;
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (x->session == t->session && x->transaction == t->number &&
            (dearest == NULL || x->total_us > dearest->total_us))
            dearest = x;
    }
    return dearest;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    const struct unit_transaction *longest = NULL;
    uint64_t longest_us = 0;
    for (size_t i = 0; i < unit->n_transactions; i++) {
        const struct unit_transaction *t = &unit->transactions[i];
        uint64_t us = (uint64_t)(t->end_us - t->begin_us);
        if (t->idle_us * 2 < us && us > longest_us) {
            longest = t;
            longest_us = us;
        }
    }
    if (longest == NULL ||
        (double)longest_us < audit_settings(audit)->long_transaction_ms.low * 1000 ||
        is_maintenance(unit))
        return;
    const struct unit_exchange *x = dearest_of(unit, longest);
    struct tally *t =
        x != NULL ? tally_get(state, unit->endpoint, x->statement, NULL, x->tag) : NULL;
    if (t != NULL)
        tally_add(t, longest_us, 0);
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "import itertools\n\n"
        "from sqlalchemy import update\n\n"
        "# Work in pieces, each with a transaction of its own.\n"
        "for chunk in itertools.batched(ids, 1000):  # Python 3.12; slice before\n"
        "    with session.begin():\n"
        "        session.execute(update({Model}).where({Model}.id.in_(chunk)).values(...))\n"
        "# Reads that need no common snapshot: isolation_level=\"AUTOCOMMIT\".\n",
    .django = "# Work in pieces, each with a transaction of its own.\n"
              "for start in range(0, len(ids), 1000):\n"
              "    with transaction.atomic():\n"
              "        {Model}.objects.filter(id__in=ids[start : start + 1000]).update(...)\n",
    .asyncpg =
        "# Work in pieces, each with a transaction of its own.\n"
        "for start in range(0, len(ids), 1000):\n"
        "    async with conn.transaction():\n"
        "        await conn.execute(\n"
        "            \"UPDATE {table} SET ... WHERE id = ANY($1)\", ids[start : start + 1000]\n"
        "        )\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    char p95[DET_MS_MAX];
    double p95_ms = (double)histogram_percentile(&t->count, 0.95) / 1000;
    struct measure m = {
        .what = "ms that the transaction lasts (p95)",
        .value = p95_ms,
        .levels = audit_settings(a)->long_transaction_ms,
        .confidence = 0.9,
        .role = "longest in it",
    };
    struct finding *f = tally_finding(out, a, &det_long_transaction, t, &m);
    if (f == NULL)
        return;
    finding_once(f);
    f->wasted_ms_p95 = -1;
    f->issue = det_text(out->arena, "Long transaction in %s: %s (p95)", t->endpoint->name,
                        det_ms(p95_ms, p95));
    f->impact = det_text(out->arena,
                         "The transaction lasts %s (p95), most of it in statements. Rows it has "
                         "changed stay locked for as long, and rows that others delete cannot be "
                         "cleaned up.",
                         det_ms(p95_ms, p95));
    f->recommendation =
        det_text(out->arena, "Cut the transaction of %s into shorter ones", t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_long_transaction = {
    .name = "long_transaction",
    .id = "PA010",
    .title = "Transaction that takes long",
    .checklist = {7},
    .confirm = CONFIRM_SESSIONS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
