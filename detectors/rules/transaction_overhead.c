/*
 * Transactions around single reads: BEGIN and COMMIT or ROLLBACK take a round trip each, and a
 * single SELECT is as consistent without them. One around the whole request is a habit of ORMs and
 * costs little; several in one request add up.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

enum { TRIPS_EACH = 2 };

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    uint64_t single = 0;
    for (size_t i = 0; i < unit->n_transactions; i++) {
        const struct unit_transaction *t = &unit->transactions[i];
        single += t->statements == 1 && t->writes == 0 && t->locks == 0 && t->errors == 0;
    }
    double low = audit_settings(audit)->transaction_overhead.low;
    if (single < 2 || (double)(single * TRIPS_EACH) < low || unit->n == 0)
        return;
    struct tally *t = tally_get(state, unit->endpoint, unit->exchanges[0].statement, NULL,
                                unit->exchanges[0].tag);
    if (t == NULL)
        return;
    tally_add(t, single * TRIPS_EACH, 0);
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "# One session, and so one transaction, a request; or none where only reads happen:\n"
        "readers = engine.execution_options(isolation_level=\"AUTOCOMMIT\")\n"
        "with Session(readers) as session:\n"
        "    ...\n",
    .django = "# One block around the reads that belong together, none around a single one.\n"
              "with transaction.atomic():\n"
              "    ...\n",
    .asyncpg = "# A single statement needs no transaction; several reads share one:\n"
               "async with conn.transaction(readonly=True):\n"
               "    ...\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    const struct det_settings *set = audit_settings(a);
    uint64_t p50 = histogram_percentile(&t->count, 0.50);
    struct measure m = {
        .what = "round trips a request (p50)",
        .value = (double)p50,
        .levels = set->transaction_overhead,
        .confidence = 0.9,
        .role = "first",
    };
    struct finding *f = tally_finding(out, a, &det_transaction_overhead, t, &m);
    if (f == NULL)
        return;
    f->wasted_ms_p95 = -1;
    f->round_trips_saved = (double)(p50 - TRIPS_EACH);
    f->issue = det_text(out->arena, "%llu transactions around single reads in one request of %s",
                        (unsigned long long)(p50 / TRIPS_EACH), t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "%llu round trips a request (p50) only begin and end transactions that "
                 "hold one SELECT: %.0f ms at %.3g ms a round trip (modelled).",
                 (unsigned long long)p50, (double)p50 * set->assumed_rtt_ms, set->assumed_rtt_ms);
    f->before_ms += (double)p50 * set->assumed_rtt_ms;
    f->after_ms = f->before_ms - f->round_trips_saved * set->assumed_rtt_ms;
    f->kind = GAIN_MODELLED;
    f->method = "p95 of the unit with the round trips of its transactions at the assumed time, and "
                "with those of one transaction";
    f->recommendation =
        det_text(out->arena, "Use one transaction for the reads of %s, or none", t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

const struct detector det_transaction_overhead = {
    .name = "transaction_overhead",
    .id = "PA012",
    .title = "Transactions around single reads",
    .checklist = {7, 14},
    .confirm = CONFIRM_CALLS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
