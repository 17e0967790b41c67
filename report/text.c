#include "report/text.h"

#include "report/error.h"
#include "report/losses.h"
#include "report/text_parts.h"

enum {
    MAX_FINDINGS = 10,
    MAX_CODE_LINES = 6,
    MAX_IMPACT_LINES = 3,
    MAX_COVERAGE_LINES = 6,
    SCRATCH_MAX = 256 * 1024, /* one line before it is cut */
};

/* --- head --- */

static void put_head(struct rpt_screen *s, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    const json_t *score = json_object_get(tree, "score");
    bool pass = json_is_true(json_object_get(tree, "pass_criteria_met"));
    rpt_screen_printf(s, RPT_STYLE_DIM, "%s %s  ", rpt_text_at(run, "tool"),
                      rpt_text_at(run, "version"));
    rpt_screen_put(s, pass ? RPT_STYLE_GREEN : RPT_STYLE_ALARM, rpt_text_at(tree, "status"));
    rpt_screen_put(s, RPT_STYLE_NONE, "  score ");
    rpt_screen_put(s, RPT_STYLE_BOLD, rpt_text_at(tree, "performance_score"));
    if (json_is_true(json_object_get(score, "provisional")))
        rpt_screen_put(s, RPT_STYLE_YELLOW, " provisional");
    rpt_screen_printf(s, RPT_STYLE_DIM, " (%.0f %% of its weight measured)",
                      100 * json_number_value(json_object_get(score, "coverage")));
    rpt_screen_end(s);
}

static void put_run(struct rpt_screen *s, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    struct strbuf b;
    strbuf_init(&b, SCRATCH_MAX);
    rpt_counted(&b, rpt_count_at(run, "requests"), "request", "requests");
    strbuf_puts(&b, ", ");
    rpt_counted(&b, rpt_count_at(run, "statements"), "statement", "statements");
    strbuf_puts(&b, ", ");
    rpt_counted(&b, rpt_count_at(run, "sessions"), "session", "sessions");
    strbuf_printf(&b, "  %s to %s", rpt_text_at(run, "started"), rpt_text_at(run, "ended"));
    rpt_screen_put(s, RPT_STYLE_DIM, strbuf_text(&b));
    rpt_screen_end(s);
    s->out->failed |= b.failed;
    strbuf_fini(&b);
}

/* --- findings --- */

/* The first lines of a code block, each behind a bar. */
static void put_code(struct rpt_screen *s, const char *code)
{
    for (unsigned n = 0; *code != '\0' && n < MAX_CODE_LINES; n++) {
        size_t len = strcspn(code, "\n");
        rpt_screen_put(s, RPT_STYLE_DIM, "  │ ");
        rpt_screen_printf(s, RPT_STYLE_NONE, "%.*s", (int)len, code);
        rpt_screen_end(s);
        code += len + (code[len] == '\n');
    }
    if (*code != '\0') {
        rpt_screen_put(s, RPT_STYLE_DIM, "  │ …");
        rpt_screen_end(s);
    }
}

/* The place behind the title, or on a line of its own: it is what the reader clicks on. */
static void put_place(struct rpt_screen *s, const json_t *issue)
{
    const char *file = rpt_text_at(issue, "file");
    json_int_t line = rpt_count_at(issue, "line");
    struct strbuf place;
    if (*file == '\0')
        return;
    strbuf_init(&place, SCRATCH_MAX);
    strbuf_printf(&place, "  %s", file);
    if (line > 0)
        strbuf_printf(&place, ":%" JSON_INTEGER_FORMAT, line);
    if (s->column + rpt_text_columns(strbuf_span(&place)) > s->width)
        rpt_screen_end(s);
    rpt_screen_put(s, RPT_STYLE_BOLD, strbuf_text(&place));
    s->out->failed |= place.failed;
    strbuf_fini(&place);
}

static void put_finding(struct rpt_screen *s, const struct rpt_severity *severity,
                        const json_t *issue)
{
    const char *gain = rpt_text_at(issue, "expected_improvement");
    rpt_screen_end(s);
    rpt_screen_put(s, severity->style, severity->title);
    rpt_screen_printf(s, RPT_STYLE_DIM, " %s ", rpt_text_at(issue, "id"));
    rpt_screen_put(s, RPT_STYLE_BOLD, rpt_text_at(issue, "issue"));
    put_place(s, issue);
    rpt_screen_end(s);
    rpt_screen_paragraph(s, rpt_text_at(issue, "impact"), 2, MAX_IMPACT_LINES);
    put_code(s, rpt_text_at(issue, "optimized_code"));
    if (*gain != '\0') {
        rpt_screen_put(s, RPT_STYLE_GREEN, "  → ");
        rpt_screen_paragraph(s, gain, 4, 2);
    }
}

/* Nothing was found because nothing was there: what came, and what to look at. */
static void put_too_little(struct rpt_screen *s, const json_t *run)
{
    json_int_t sessions = rpt_count_at(run, "sessions");
    rpt_screen_end(s);
    rpt_screen_put(s, RPT_STYLE_YELLOW, "Too little to judge: ");
    struct strbuf b;
    strbuf_init(&b, SCRATCH_MAX);
    strbuf_printf(&b,
                  "no statement of the application was seen, %" JSON_INTEGER_FORMAT
                  " connections, %" JSON_INTEGER_FORMAT
                  " statements of drivers, %" JSON_INTEGER_FORMAT " HTTP requests. %s",
                  sessions, rpt_count_at(run, "driver_statements"),
                  rpt_count_at(run, "http_requests"),
                  sessions == 0 ? "Does the application connect to pgsleuth's address? Look at its "
                                  "DATABASE_URL, and at what else it reads host and port from."
                                : "It connects, but asked nothing: send it requests, or run its "
                                  "tests.");
    rpt_screen_paragraph(s, strbuf_text(&b), 0, 4);
    s->out->failed |= b.failed;
    strbuf_fini(&b);
}

static void put_findings(struct rpt_screen *s, const json_t *tree)
{
    size_t shown = 0, total = 0;
    for (size_t k = 0; k < RPT_SEVERITIES; k++) {
        const json_t *list = rpt_value_at(tree, "issues", rpt_severities[k].key);
        total += json_array_size(list);
        for (size_t i = 0; i < json_array_size(list) && shown < MAX_FINDINGS; i++, shown++)
            put_finding(s, &rpt_severities[k], json_array_get(list, i));
    }
    if (total > shown) {
        rpt_screen_end(s);
        rpt_screen_printf(s, RPT_STYLE_DIM, "and %zu more in report.yaml", total - shown);
        rpt_screen_end(s);
    }
    const json_t *run = json_object_get(tree, "run");
    if (total == 0 && json_is_object(run) && rpt_count_at(run, "statements") == 0) {
        put_too_little(s, run);
    } else if (total == 0) {
        rpt_screen_end(s);
        rpt_screen_put(s, RPT_STYLE_GREEN, "No findings.");
        rpt_screen_end(s);
    }
}

/* --- the end --- */

static void put_coverage(struct rpt_screen *s, const json_t *tree)
{
    struct strbuf b;
    strbuf_init(&b, SCRATCH_MAX);
    rpt_not_seen(&b, tree);
    rpt_screen_end(s);
    rpt_screen_put(s, RPT_STYLE_BOLD, "Not seen: ");
    rpt_screen_paragraph(s, strbuf_text(&b), (unsigned)strlen("Not seen: "), MAX_COVERAGE_LINES);
    s->out->failed |= b.failed;
    strbuf_fini(&b);
}

static void put_totals(struct rpt_screen *s, const json_t *tree)
{
    struct strbuf b;
    strbuf_init(&b, SCRATCH_MAX);
    rpt_issue_counts(&b, json_object_get(tree, "issues"));
    rpt_screen_end(s);
    rpt_screen_put(s, RPT_STYLE_BOLD, "Issues:   ");
    rpt_screen_put(s, RPT_STYLE_NONE, strbuf_text(&b));
    rpt_screen_end(s);
    rpt_screen_put(s, RPT_STYLE_BOLD, "Expected: ");
    rpt_screen_paragraph(s, rpt_text_at(tree, "estimated_improvement"),
                         (unsigned)strlen("Expected: "), 2);
    s->out->failed |= b.failed;
    strbuf_fini(&b);
}

unsigned rpt_text_width(struct rpt_text_options options)
{
    if (options.width == 0)
        return RPT_TEXT_WIDTH;
    return options.width < RPT_TEXT_MIN_WIDTH ? RPT_TEXT_MIN_WIDTH : options.width;
}

int rpt_text_summary(const json_t *tree, struct strbuf *out, struct rpt_text_options options)
{
    struct rpt_screen s;
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    rpt_screen_init(&s, out, rpt_text_width(options), options.color);
    put_head(&s, tree);
    put_run(&s, tree);
    rpt_put_endpoints(&s, tree);
    put_findings(&s, tree);
    put_totals(&s, tree);
    put_coverage(&s, tree);
    rpt_screen_fini(&s);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}

int rpt_plain(const json_t *tree, struct strbuf *out)
{
    return rpt_text_summary(tree, out, (struct rpt_text_options){0});
}
