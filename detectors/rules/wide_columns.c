/*
 * Columns that make up most of a large result: long texts, documents, images. Whether they are used
 * does not show on the wire; that they cost does.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/rules/usages.h"
#include "detectors/text.h"

enum { MIN_ROWS = 10 };
#define MIN_SHARE 0.5

/* The long column with most bytes and its share of all, 0..1. */
static double widest(const struct statement *s, unsigned *column)
{
    uint64_t all = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < s->widths->n; i++) {
        uint64_t bytes = s->widths->columns[i].bytes;
        all += bytes;
        if (bytes > most && statement_column_is_long(s, i)) {
            most = bytes;
            *column = i;
        }
    }
    return all > 0 ? (double)most / (double)all : 0;
}

static const struct advice_texts texts = {
    .sqlalchemy = "from sqlalchemy.orm import defer\n\n"
                  "# Leave the long column out of lists; load it where one row is shown.\n"
                  "stmt = select({Model}).options(defer({Model}.{column}, raiseload=True))\n",
    .django = "# Leave the long column out of lists; load it where one row is shown.\n"
              "{Model}.objects.defer(\"{column}\")  # keep your filters and slices\n",
    .asyncpg = "# Name the columns of the list, without {column}.\n"
               "{rows} = await conn.fetch(\"SELECT id, ... FROM {table} WHERE ...\")\n",
};

static void judge(const struct audit *a, const struct usage *u, struct findings *out)
{
    const struct statement *s = u->statement;
    unsigned column = 0;
    double share = s->widths != NULL && u->max_rows >= MIN_ROWS ? widest(s, &column) : 0;
    if (share < MIN_SHARE || u->units == 0)
        return;
    double bytes = share * (double)u->bytes / (double)u->units;
    struct measure m = {
        .what = "bytes of the column in a request (mean)",
        .value = bytes,
        .levels = audit_settings(a)->wide_columns_bytes,
        .confidence = 0.9,
    };
    struct finding *f = usage_measured(out, &det_wide_columns, u, &m);
    if (f == NULL)
        return;
    char size[USAGE_BYTES_MAX];
    struct span name = statement_column_name(s, column);
    f->issue = det_text(out->arena, "Long column %.*s in a list of %s", (int)name.len,
                        (const char *)name.data, u->endpoint->name);
    f->impact = det_text(out->arena,
                         "Column %u (%.*s) of `%s` makes up %.0f %% of the result: %s a request "
                         "(mean). Whether it is used does not show on the wire.",
                         column + 1, (int)name.len, (const char *)name.data,
                         advice_sql(out->arena, s), 100 * share, usage_bytes(bytes, size));
    f->recommendation = det_text(out->arena, "Leave %.*s out of the list of %s", (int)name.len,
                                 (const char *)name.data, u->endpoint->name);
    f->expected_improvement = det_text(out->arena, "%s less a request (measured)", size);
    advice_template_column(out->arena, f, s, name, &texts);
}

const struct detector det_wide_columns = {
    .name = "wide_columns",
    .id = "PA019",
    .title = "Long columns in lists",
    .checklist = {6},
    .confirm = CONFIRM_MEMORY,
    .judge_usage = judge,
};
