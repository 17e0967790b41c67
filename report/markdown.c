#include "report/markdown.h"

#include "report/error.h"
#include "report/losses.h"
#include "report/markdown_text.h"
#include "report/place.h"
#include "report/read.h"

#include <stdlib.h>

/* By these the tail stays below its bytes, although code spans make hostile prose up to four times
 * as long; the findings have what it and the head leave. */
enum {
    WORST_ENDPOINTS = 10,
    NAME_MAX_BYTES = 120,
    PROSE_MAX_BYTES = 2000,
    TAIL_PROSE_MAX_BYTES = 1000,
    CODE_MAX_BYTES = 4000,
    CODE_MAX_LINES = 60,
    TAIL_BYTES = 8 * 1024,
};

/* --- verdict and score --- */

static void put_verdict(struct strbuf *b, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    bool pass = json_is_true(json_object_get(tree, "pass_criteria_met"));
    bool provisional = json_is_true(rpt_value_at(tree, "score", "provisional"));
    strbuf_printf(b, "## pgsleuth: %s, score ", pass ? "pass" : "needs optimization");
    rpt_markdown_code(b, rpt_text_at(tree, "performance_score"), RPT_MARKDOWN_LINE, NAME_MAX_BYTES);
    strbuf_printf(b, "%s\n\n", provisional ? " (provisional)" : "");
    rpt_counted(b, rpt_count_at(run, "requests"), "request", "requests");
    strbuf_puts(b, ", ");
    rpt_counted(b, rpt_count_at(run, "statements"), "statement", "statements");
    strbuf_puts(b, ", ");
    rpt_counted(b, rpt_count_at(run, "sessions"), "session", "sessions");
    strbuf_puts(b, ". Findings: ");
    rpt_issue_counts(b, json_object_get(tree, "issues"));
    strbuf_puts(b, ".\n");
}

static bool is_measured(const json_t *metric)
{
    return strcmp(rpt_text_at(metric, "state"), "measured") == 0;
}

static void put_score(struct strbuf *b, const json_t *tree)
{
    const json_t *metrics = rpt_value_at(tree, "score", "metrics");
    if (json_array_size(metrics) == 0)
        return;
    strbuf_puts(b, "\n<details><summary>Score</summary>\n\n");
    strbuf_puts(b, "| metric | value | score | weight |\n|---|---:|---:|---:|\n");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i);
        strbuf_puts(b, "| ");
        rpt_markdown_code(b, rpt_text_at(m, "id"), RPT_MARKDOWN_CELL, NAME_MAX_BYTES);
        strbuf_puts(b, " | ");
        if (is_measured(m)) {
            strbuf_printf(b, "%.6g ", json_number_value(json_object_get(m, "value")));
            rpt_markdown_prose(b, rpt_text_at(m, "unit"), RPT_MARKDOWN_CELL, NAME_MAX_BYTES);
            strbuf_printf(b, " | %.0f", 100 * json_number_value(json_object_get(m, "score")));
        } else {
            strbuf_puts(b, "not observed | ");
        }
        strbuf_printf(b, " | %" JSON_INTEGER_FORMAT " |\n", rpt_count_at(m, "weight"));
    }
    strbuf_puts(b, "\n</details>\n");
}

/* --- endpoints --- */

struct row {
    const json_t *endpoint;
    size_t order; /* in the report: by time */
};

static int by_findings(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        json_int_t n = rpt_issue_count(json_object_get(x->endpoint, "issues"), &rpt_severities[s]);
        json_int_t m = rpt_issue_count(json_object_get(y->endpoint, "issues"), &rpt_severities[s]);
        if (n != m)
            return n < m ? 1 : -1;
    }
    return (x->order > y->order) - (x->order < y->order);
}

static void put_number(struct strbuf *b, const json_t *value)
{
    if (json_is_integer(value))
        strbuf_printf(b, " %" JSON_INTEGER_FORMAT " |", json_integer_value(value));
    else if (json_is_real(value))
        strbuf_printf(b, " %.1f |", json_real_value(value));
    else
        strbuf_puts(b, " ? |");
}

static void put_row(struct strbuf *b, const json_t *e)
{
    strbuf_puts(b, "| ");
    rpt_markdown_code(b, rpt_text_at(e, "name"), RPT_MARKDOWN_CELL, NAME_MAX_BYTES);
    strbuf_puts(b, " | ");
    rpt_markdown_code(b, rpt_text_at(e, "performance_score"), RPT_MARKDOWN_CELL, NAME_MAX_BYTES);
    strbuf_puts(b, " | ");
    rpt_issue_counts(b, json_object_get(e, "issues"));
    strbuf_puts(b, " |");
    put_number(b, json_object_get(e, "requests"));
    put_number(b, rpt_value_at(e, "queries", "p95"));
    put_number(b, rpt_value_at(e, "db_ms", "p95"));
    put_number(b, rpt_value_at(e, "latency_ms", "p95"));
    strbuf_putc(b, '\n');
}

/* False when there is no memory. */
static bool put_endpoints(struct strbuf *b, const json_t *tree)
{
    const json_t *endpoints = json_object_get(tree, "endpoints");
    size_t n = json_array_size(endpoints);
    if (n == 0)
        return true;
    struct row *rows = calloc(n, sizeof(*rows));
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){json_array_get(endpoints, i), i};
    qsort(rows, n, sizeof(*rows), by_findings);
    strbuf_puts(b,
                "\n| endpoint | score | findings | requests | queries p95 | database ms p95 | ms "
                "p95 |\n|---|---:|---|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < n && i < WORST_ENDPOINTS; i++)
        put_row(b, rows[i].endpoint);
    if (n > WORST_ENDPOINTS)
        strbuf_printf(b, "\nThe %d worst of %zu endpoints.\n", WORST_ENDPOINTS, n);
    free(rows);
    return true;
}

/* --- findings --- */

static void put_place(struct strbuf *b, const json_t *issue)
{
    struct rpt_place place = rpt_place_of(issue);
    if (place.file == NULL)
        return;
    strbuf_puts(b, " in ");
    rpt_markdown_code(b, place.file, RPT_MARKDOWN_LINE, NAME_MAX_BYTES);
    if (place.line > 0)
        strbuf_printf(b, " line %" JSON_INTEGER_FORMAT, place.line);
}

/* A labelled paragraph: prose does not begin a line. */
static void put_paragraph(struct strbuf *b, const char *label, const char *text, size_t most)
{
    if (*text == '\0')
        return;
    strbuf_printf(b, "%s: ", label);
    rpt_markdown_prose(b, text, RPT_MARKDOWN_LINE, most);
    strbuf_puts(b, "\n\n");
}

/* What "-- SQL" begins is no source. */
static const char *language_of(const char *code)
{
    return strncmp(code, "-- ", 3) == 0 || strncmp(code, "CREATE ", 7) == 0 ? "sql" : "python";
}

static void put_code(struct strbuf *b, const char *label, const char *code)
{
    if (*code == '\0')
        return;
    strbuf_printf(b, "%s:\n\n", label);
    rpt_markdown_block(b, language_of(code), code, CODE_MAX_BYTES, CODE_MAX_LINES);
    strbuf_putc(b, '\n');
}

static void put_finding(struct strbuf *b, const struct rpt_severity *severity, const json_t *issue)
{
    strbuf_printf(b, "<details><summary><b>%s</b> ", severity->title);
    rpt_markdown_prose(b, rpt_text_at(issue, "id"), RPT_MARKDOWN_HTML, NAME_MAX_BYTES);
    strbuf_putc(b, ' ');
    rpt_markdown_prose(b, rpt_text_at(issue, "issue"), RPT_MARKDOWN_HTML, PROSE_MAX_BYTES);
    strbuf_puts(b, "</summary>\n\n");
    strbuf_puts(b, "Rule ");
    rpt_markdown_code(b, rpt_text_at(issue, "rule"), RPT_MARKDOWN_LINE, NAME_MAX_BYTES);
    put_place(b, issue);
    strbuf_printf(b, ", confidence %.2f, fingerprint ",
                  json_number_value(json_object_get(issue, "confidence")));
    rpt_markdown_code(b, rpt_text_at(issue, "fingerprint"), RPT_MARKDOWN_LINE, NAME_MAX_BYTES);
    strbuf_puts(b, ".\n\n");
    put_paragraph(b, "Impact", rpt_text_at(issue, "impact"), PROSE_MAX_BYTES);
    put_code(b, "Now", rpt_text_at(issue, "current_code"));
    put_code(b, "Better", rpt_text_at(issue, "optimized_code"));
    put_paragraph(b, "Expected", rpt_text_at(issue, "expected_improvement"), PROSE_MAX_BYTES);
    strbuf_puts(b, "</details>\n");
}

/* Puts a finding whole, or not at all when it would pass `most`. */
static bool put_if_it_fits(struct strbuf *b, const struct rpt_severity *severity,
                           const json_t *issue, size_t most)
{
    struct strbuf text;
    strbuf_init(&text, b->max);
    put_finding(&text, severity, issue);
    bool fits = b->len <= most && text.len <= most - b->len;
    if (fits)
        strbuf_add_span(b, strbuf_span(&text));
    b->failed |= text.failed;
    strbuf_fini(&text);
    return fits;
}

static void put_findings(struct strbuf *b, const json_t *tree, size_t most)
{
    size_t total = 0, shown = 0;
    bool fits = true;
    if (b->len > 0)
        strbuf_putc(b, '\n');
    for (size_t s = 0; s < RPT_SEVERITIES; s++) {
        const json_t *list = rpt_value_at(tree, "issues", rpt_severities[s].key);
        total += json_array_size(list);
        for (size_t i = 0; i < json_array_size(list) && fits; i++) {
            fits = put_if_it_fits(b, &rpt_severities[s], json_array_get(list, i), most);
            shown += fits;
        }
    }
    if (total > shown)
        strbuf_printf(b, "\n%zu more in the report.\n", total - shown);
}

/* --- the end --- */

static void put_end(struct strbuf *b, const json_t *tree)
{
    struct strbuf line;
    strbuf_init(&line, b->max);
    rpt_not_seen(&line, tree);
    strbuf_putc(b, '\n');
    put_paragraph(b, "Expected of all", rpt_text_at(tree, "estimated_improvement"),
                  TAIL_PROSE_MAX_BYTES);
    put_paragraph(b, "Not seen", strbuf_text(&line), TAIL_PROSE_MAX_BYTES);
    b->failed |= line.failed;
    strbuf_fini(&line);
    strbuf_puts(b, "Written by pgsleuth ");
    rpt_markdown_code(b, rpt_text_at(json_object_get(tree, "run"), "version"), RPT_MARKDOWN_LINE,
                      NAME_MAX_BYTES);
    strbuf_puts(b, ".\n");
}

int rpt_markdown(const json_t *tree, struct strbuf *out)
{
    size_t most = out->len + RPT_MARKDOWN_MAX - TAIL_BYTES;
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    put_verdict(out, tree);
    put_score(out, tree);
    if (!put_endpoints(out, tree))
        return RPT_E_NO_MEMORY;
    put_findings(out, tree, most);
    put_end(out, tree);
    return out->failed ? RPT_E_NO_MEMORY : RPT_OK;
}
