#include "report/losses.h"

#include "detectors/overflow.h"
#include "report/read.h"

static void separate(struct strbuf *b)
{
    if (b->len > 0)
        strbuf_puts(b, "; ");
}

static void add_opaque(struct strbuf *b, const json_t *coverage)
{
    const json_t *reasons = json_object_get(coverage, "opaque");
    json_int_t total = rpt_count_at(coverage, "opaque_sessions");
    if (total == 0)
        return;
    separate(b);
    rpt_counted(b, total, "session", "sessions");
    strbuf_puts(b, " relayed unread (");
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *one = json_array_get(reasons, i);
        strbuf_printf(b, "%s%s: %" JSON_INTEGER_FORMAT, i > 0 ? ", " : "",
                      rpt_text_at(one, "reason"), rpt_count_at(one, "sessions"));
    }
    strbuf_putc(b, ')');
}

static void add_loss(struct strbuf *b, json_int_t n, const char *one, const char *many)
{
    if (n == 0)
        return;
    separate(b);
    rpt_counted(b, n, one, many);
}

static void add_losses(struct strbuf *b, const json_t *coverage)
{
    static const struct {
        const char *key;
        const char *one;
        const char *many;
    } losses[] = {
        {"dropped_records", "record dropped", "records dropped"},
        {"unread_statements", "statement in a pipeline too deep to read",
         "statements in pipelines too deep to read"},
        {"refused_sessions", "session refused", "sessions refused"},
        {"untagged_requests", "request without a route tag", "requests without a route tag"},
        {"statements_without_facts", "statement the grammar refused",
         "statements the grammar refused"},
        {"parser_restarts", "restart of the parser", "restarts of the parser"},
        {"explain_failed", "plan refused", "plans refused"},
    };
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++)
        add_loss(b, rpt_count_at(coverage, losses[i].key), losses[i].one, losses[i].many);
    const json_t *overflow = json_object_get(coverage, "overflow");
    for (size_t i = 0; i < OVERFLOWS; i++) {
        const struct overflow_text *t = &overflow_texts[i];
        add_loss(b, rpt_count_at(overflow, t->name), t->one, t->many);
    }
}

static void add_sources(struct strbuf *b, const json_t *run)
{
    const json_t *sources = json_object_get(run, "sources");
    static const char *const names[] = {"http", "redis", "source"};
    if (strcmp(rpt_text_at(sources, "explain"), "off") == 0)
        strbuf_printf(b, "explain off (%s)", rpt_text_at(sources, "explain_reason"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(rpt_text_at(sources, names[i]), "off") != 0)
            continue;
        separate(b);
        strbuf_printf(b, "%s off", names[i]);
    }
}

/* "39 of 41 checklist items not judged" */
static void add_checklist(struct strbuf *b, const json_t *tree)
{
    const json_t *items = json_object_get(tree, "checklist");
    size_t judged = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *verdict = rpt_text_at(json_array_get(items, i), "verdict");
        judged += strcmp(verdict, "pass") == 0 || strcmp(verdict, "fail") == 0;
    }
    if (json_array_size(items) == 0)
        return;
    separate(b);
    strbuf_printf(b, "%zu of %zu checklist items not judged", json_array_size(items) - judged,
                  json_array_size(items));
}

void rpt_not_seen(struct strbuf *b, const json_t *tree)
{
    const json_t *coverage = json_object_get(tree, "coverage");
    struct strbuf text; /* parts have semicolons between them, whatever stands in `b` */
    strbuf_init(&text, b->max);
    add_sources(&text, json_object_get(tree, "run"));
    add_opaque(&text, coverage);
    add_losses(&text, coverage);
    add_checklist(&text, tree);
    strbuf_add_span(b, strbuf_span(&text));
    b->failed |= text.failed;
    strbuf_fini(&text);
}
