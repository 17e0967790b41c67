/*
 * A request of many different statements. Statements that repeat are a loop's, which other rules
 * judge: here each one counts once.
 */
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"
#include "wire/values.h"

static uint64_t distinct_statements(const struct unit *u)
{
    struct map64 seen;
    uint64_t n = 0;
    map64_init(&seen, u->n);
    for (size_t i = 0; i < u->n; i++) {
        uint64_t key = statement_key(u->exchanges[i].statement);
        if (map64_get(&seen, key) == NULL && map64_put(&seen, key, &seen) == MAP64_OK)
            n++;
    }
    map64_fini(&seen);
    return n;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    double low = audit_settings(audit)->chatty.low;
    if ((double)unit->n < low)
        return;
    uint64_t n = distinct_statements(unit);
    struct tally *t =
        (double)n >= low ? tally_get(state, unit->endpoint, NULL, NULL, unit->tag) : NULL;
    if (t != NULL)
        tally_add(t, n, 0);
}

static const struct advice_texts texts = {
    .sqlalchemy = "# Load what belongs together in one statement:\n"
                  "from sqlalchemy.orm import joinedload, selectinload\n"
                  "stmt = select(Root).options(joinedload(Root.one), selectinload(Root.many))\n"
                  "# Aggregates of one table are one SELECT with several columns.\n",
    .django = "# Load what belongs together in one queryset:\n"
              "Root.objects.select_related(\"one\").prefetch_related(\"many\")\n"
              "# Aggregates of one table: .aggregate(a=Count(...), b=Sum(...)) in one call.\n",
    .asyncpg = "# Join what belongs together, or let independent statements travel on several\n"
               "# connections at once:\n"
               "one, two = await asyncio.gather(load_one(pool), load_two(pool))\n",
};

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    const struct det_settings *set = audit_settings(a);
    uint64_t p95 = histogram_percentile(&t->count, 0.95);
    struct measure m = {
        .what = "different statements in a request (p95)",
        .value = (double)p95,
        .levels = set->chatty,
        .confidence = 0.8,
    };
    struct finding *f = tally_finding(out, a, &det_chatty, t, &m);
    if (f == NULL)
        return;
    f->wasted_ms_p95 = -1;
    f->issue = det_text(out->arena, "%llu different statements in one request of %s",
                        (unsigned long long)p95, t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "A request sends %llu different statements (p95): %.0f ms of waiting for "
                 "the network at %.3g ms a round trip (modelled).",
                 (unsigned long long)p95, (double)p95 * set->assumed_rtt_ms, set->assumed_rtt_ms);
    f->recommendation = det_text(out->arena, "Join what %s asks in pieces", t->endpoint->name);
    advice_template(out->arena, f, NULL, &texts);
}

const struct detector det_chatty = {
    .name = "chatty",
    .id = "PA008",
    .title = "Many different statements in one request",
    .checklist = {2},
    .confirm = CONFIRM_CALLS,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
