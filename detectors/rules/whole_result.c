/*
 * A result fetched in one piece that is so large that its rows should be taken as they come.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

static const struct advice_texts texts = {
    .sqlalchemy = "# Rows as they come, a thousand at a time; memory stays flat.\n"
                  "for {one} in session.scalars(stmt.execution_options(yield_per=1000)):\n"
                  "    ...\n"
                  "# with AsyncSession: async for {one} in await session.stream_scalars(stmt)\n",
    .django = "# Rows as they come, by a server-side cursor; memory stays flat.\n"
              "for {one} in {Model}.objects.iterator(chunk_size=2000):  # keep your filters\n"
              "    ...\n",
    .asyncpg = "async with conn.transaction():\n"
               "    async for {one} in conn.cursor(\"SELECT ... FROM {table}\", prefetch=1000):\n"
               "        ...\n",
};

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    struct measure m = {
        .what = "bytes in one piece (largest)",
        .value = (double)u->max_bytes,
        .levels = audit_settings(a)->whole_result_bytes,
        .confidence = 0.9,
    };
    if (u->limited * 2 > u->calls)
        return;
    struct finding *f = usage_measured(out, &det_whole_result, u, &m);
    if (f == NULL)
        return;
    char size[USAGE_BYTES_MAX];
    f->issue = det_text(out->arena, "A result of %s in one piece in %s",
                        usage_bytes((double)u->max_bytes, size), u->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "`%s` gave up to %llu rows and %s at once; the driver holds them all, and "
                 "then again as objects.",
                 advice_sql(out->arena, u->statement), (unsigned long long)u->max_rows, size);
    f->recommendation = det_text(out->arena, "Stream the large result of %s", u->endpoint->name);
    advice_template(out->arena, f, u->statement, &texts);
}

const struct detector det_whole_result = {
    .name = "whole_result",
    .id = "PA023",
    .title = "Large result fetched in one piece",
    .checklist = {28},
    .confirm = CONFIRM_MEMORY,
    .judge_usage = judge,
};
