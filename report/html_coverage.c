/* How much was seen, what was lost, and what pgsleuth itself cost the server. */
#include "detectors/overflow.h"
#include "report/html_parts.h"

#include <string.h>

static const struct {
    const char *key;
    const char *words;
    bool loss;
} lines[] = {
#define COVERAGE(key, words, loss) {#key, words, loss},
#include "report/html_coverage.def"
#undef COVERAGE
};

static void put_line(struct strbuf *b, const char *words, json_int_t n, bool loss)
{
    strbuf_printf(b, "<tr%s><th scope=row>%s<td>", loss && n > 0 ? " class=loss" : "", words);
    html_count(b, n);
    strbuf_puts(b, "\n");
}

static void put_opaque(struct strbuf *b, const json_t *reasons)
{
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *one = json_array_get(reasons, i);
        strbuf_puts(b, "<tr class=loss><th scope=row>— of these: ");
        html_text(b, rpt_text_at(one, "reason"));
        strbuf_puts(b, "<td>");
        html_count(b, rpt_count_at(one, "sessions"));
        strbuf_puts(b, "\n");
    }
}

static void put_overflow(struct strbuf *b, const json_t *overflow)
{
    for (size_t i = 0; i < OVERFLOWS; i++) {
        const struct overflow_text *t = &overflow_texts[i];
        json_int_t n = rpt_count_at(overflow, t->name);
        if (n > 0)
            put_line(b, n == 1 ? t->one : t->many, n, true);
    }
}

static void put_counts(struct strbuf *b, const json_t *coverage)
{
    strbuf_puts(b, "<div class=card><h3>What was seen, and what was lost</h3><table "
                   "class=\"numbers narrow\"><tbody>\n");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        put_line(b, lines[i].words, rpt_count_at(coverage, lines[i].key), lines[i].loss);
        if (strcmp(lines[i].key, "opaque_sessions") == 0)
            put_opaque(b, json_object_get(coverage, "opaque"));
    }
    put_overflow(b, json_object_get(coverage, "overflow"));
    strbuf_puts(b, "</table></div>\n");
}

static void put_sources(struct strbuf *b, const json_t *run)
{
    const json_t *sources = json_object_get(run, "sources");
    static const char *const names[][2] = {
        {"wire", "PostgreSQL's protocol"},
        {"tag", "Tags in comments, marks"},
        {"http", "HTTP listener"},
        {"explain", "Plans"},
        {"source", "The application's source"},
        {"redis", "Redis"},
    };
    strbuf_puts(b, "<div class=card><h3>Sources</h3><table class=narrow><tbody>\n");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *state = rpt_text_at(sources, names[i][0]);
        strbuf_printf(b, "<tr><th scope=row>%s<td><span class=\"switch %s\">", names[i][1],
                      strcmp(state, "on") == 0 ? "on" : "off");
        html_text(b, state);
        strbuf_puts(b, "</span>");
        if (strcmp(names[i][0], "explain") == 0) {
            strbuf_puts(b, " ");
            html_text(b, rpt_text_at(sources, "explain_reason"));
        }
        strbuf_puts(b, "\n");
    }
    strbuf_puts(b, "<tr><th scope=row>Requests told apart by<td>");
    html_text(b, rpt_text_at(run, "attribution"));
    strbuf_puts(b, "\n</table></div>\n");
}

/* The relay's own cost is on no record, so it is not claimed here. */
static void put_overhead(struct strbuf *b, const json_t *coverage, const json_t *run)
{
    strbuf_puts(b, "<div class=card><h3>Overhead</h3><p>pgsleuth asked the server for ");
    html_count(b, rpt_count_at(coverage, "explained"));
    strbuf_puts(b, " plans over a connection of its own: ");
    html_count(b, rpt_count_at(coverage, "explain_statements"));
    strbuf_puts(b, " statements, ");
    html_number(b, json_object_get(coverage, "explain_ms"));
    strbuf_puts(b, " ms. It sent nothing else. Beside the ");
    html_count(b, rpt_count_at(run, "statements"));
    strbuf_puts(b, " statements of the application its driver sent ");
    html_count(b, rpt_count_at(run, "driver_statements"));
    strbuf_puts(b, " (BEGIN, SET and the like), which are in no count of statements. ");
    html_bytes(b, json_object_get(run, "bytes"));
    strbuf_puts(b, " of results were relayed unchanged.</p></div>\n");
}

static void put_marks(struct strbuf *b, const json_t *marks)
{
    if (json_array_size(marks) == 0)
        return;
    strbuf_puts(b, "<div class=card><h3>Marks</h3><table class=\"numbers narrow\"><tbody>\n");
    for (size_t i = 0; i < json_array_size(marks); i++) {
        const json_t *mark = json_array_get(marks, i);
        strbuf_puts(b, "<tr>");
        html_element(b, "th scope=row", rpt_text_at(mark, "name"));
        strbuf_puts(b, "<td>");
        html_number(b, json_object_get(mark, "at_s"));
        strbuf_puts(b, " s\n");
    }
    strbuf_puts(b, "</table></div>\n");
}

static void put_criteria(struct strbuf *b, const json_t *tree)
{
    strbuf_puts(b, "<div class=card><h3>When it passes</h3><p>");
    html_text(b, rpt_text_at(json_object_get(tree, "pass_criteria"), "rule"));
    strbuf_puts(b, ".</p></div>\n");
}

void html_coverage(struct strbuf *b, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    const json_t *coverage = json_object_get(tree, "coverage");
    strbuf_puts(b, "<section id=coverage data-part aria-labelledby=h-coverage><h2 id=h-coverage>"
                   "Coverage and overhead</h2><div class=grid>\n");
    put_counts(b, coverage);
    strbuf_puts(b, "<div class=stack>");
    put_sources(b, run);
    put_overhead(b, coverage, run);
    put_criteria(b, tree);
    put_marks(b, json_object_get(run, "marks"));
    strbuf_puts(b, "</div></div></section>\n");
}
