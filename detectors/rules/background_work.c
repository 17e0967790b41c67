/*
 * Work between the last statement of a request and the first byte of its response: mail that is
 * sent, a file that is made, an image that is drawn, while the client waits.
 *
 * What it is does not show. Where the answer is made of it, it has to come before; so this is at
 * most a question, unless it is long.
 */
#include "detectors/rules/route_finding.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/text.h"

#define MIN_SHARE 0.3

/* Time after the last statement in which the client waits for the first byte; 0 when none. */
static uint64_t waits_us(const struct unit *u)
{
    int64_t first_us = u->http.start_us + (int64_t)u->http.first_us;
    return u->http.route != NULL && u->http.first_us > 0 && first_us > u->end_us
               ? (uint64_t)(first_us - u->end_us)
               : 0;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *u)
{
    uint64_t us = waits_us(u);
    if ((double)us < audit_settings(audit)->background_work_ms.low * 1000 ||
        (double)us < MIN_SHARE * u->http.total_us || u->endpoint == NULL)
        return;
    struct tally *t = tally_get(state, u->endpoint, NULL, NULL, u->tag);
    if (t != NULL)
        tally_add(t, 1, us);
}

static const char fastapi[] =
    "from fastapi import BackgroundTasks\n\n"
    "# After the response, in the same process; a queue (Celery, arq) for what is heavy or must\n"
    "# survive a restart. Keep what the answer itself is made of where it is.\n"
    "async def handler(background_tasks: BackgroundTasks):\n"
    "    ...\n"
    "    background_tasks.add_task(send_mail, user.id)\n";

static const char django[] =
    "from django.db import transaction\n\n"
    "# When the rows are sure to be there, in a worker. Keep what the answer itself is made of\n"
    "# where it is.\n"
    "transaction.on_commit(lambda: send_mail.delay(user.pk))\n";

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    double ms = (double)histogram_percentile(&t->cost_us, 0.95) / 1000;
    struct measure m = {
        .what = "ms between the last statement and the response (p95)",
        .value = ms,
        .levels = audit_settings(a)->background_work_ms,
        .confidence = 0.5,
    };
    struct finding *f = tally_finding(out, a, &det_background_work, t, &m);
    if (f == NULL)
        return;
    char shown[DET_MS_MAX];
    measure_cap(f, SEVERITY_HIGH);
    finding_once(f);
    f->time_share = 0; /* it is no database time */
    f->saved_ms = 0;
    f->wasted_ms_p95 = ms;
    f->issue = det_text(out->arena, "Work after the last statement of %s keeps its client waiting",
                        t->endpoint->name);
    f->impact = det_text(out->arena,
                         "In %llu requests the response began %s (p95) after the last statement "
                         "had ended. Whether the response needs that work does not show: mail, "
                         "files and calls of other services do not, rendering does.",
                         (unsigned long long)t->count.count, det_ms(ms, shown));
    f->recommendation =
        det_text(out->arena, "Look at what %s does after its last statement", t->endpoint->name);
    f->expected_improvement =
        det_text(out->arena, "up to %s less a request (measured), if it can come later", shown);
    route_advice(out->arena, f, fastapi, django);
}

const struct detector det_background_work = {
    .name = "background_work",
    .id = "PA029",
    .title = "Work that the response may not need",
    .checklist = {10},
    .confirm = CONFIRM_CALLS | CONFIRM_LOAD,
    .init = tallies_init,
    .on_unit_end = on_unit_end,
    .judge_tally = judge,
    .lost = tallies_lost,
    .fini = tallies_fini,
};
