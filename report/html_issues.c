/* Findings, those first whose cure saves most: evidence, cure, code. */
#include "report/html_parts.h"

#include <stdlib.h>
#include <string.h>

/* --- order --- */

static int by_saving(const void *x, const void *y)
{
    const struct html_issue *a = x;
    const struct html_issue *b = y;
    if (a->saved > b->saved || a->saved < b->saved)
        return a->saved > b->saved ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

struct html_issue *html_issues_ranked(const json_t *tree, size_t *n)
{
    const json_t *issues = json_object_get(tree, "issues");
    size_t total = 0;
    for (size_t k = 0; k < RPT_SEVERITIES; k++)
        total += json_array_size(json_object_get(issues, rpt_severities[k].key));
    struct html_issue *out = calloc(total + 1, sizeof(*out));
    *n = 0;
    for (size_t k = 0; out != NULL && k < RPT_SEVERITIES; k++) {
        const json_t *list = json_object_get(issues, rpt_severities[k].key);
        for (size_t i = 0; i < json_array_size(list); i++, (*n)++) {
            const json_t *issue = json_array_get(list, i);
            const json_t *gain = rpt_value_at(issue, "improvement", "db_ms_saved_per_hour");
            out[*n] = (struct html_issue){.issue = issue,
                                          .severity = &rpt_severities[k],
                                          .saved = json_number_value(gain),
                                          .order = *n};
        }
    }
    if (out != NULL)
        qsort(out, *n, sizeof(*out), by_saving);
    return out;
}

void html_badge(struct strbuf *b, const struct rpt_severity *severity)
{
    strbuf_printf(b, "<span class=\"badge %s\">%s</span>", severity->key, severity->key);
}

/* --- code --- */

static void put_code(struct strbuf *b, const char *class, const char *title, const char *code)
{
    if (*code == '\0')
        return;
    strbuf_printf(b, "<figure class=\"code %s\"><figcaption>%s</figcaption><pre tabindex=0><code>",
                  class, title);
    html_text(b, code);
    strbuf_puts(b, "</code></pre></figure>");
}

static void put_variants(struct strbuf *b, const json_t *issue)
{
    static const char *const stacks[][2] = {
        {"sqlalchemy", "SQLAlchemy"}, {"django", "Django"}, {"asyncpg", "asyncpg"}};
    const json_t *variants = json_object_get(issue, "variants");
    const char *shown = rpt_text_at(issue, "optimized_code");
    for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
        const char *code = rpt_text_at(variants, stacks[i][0]);
        if (*code == '\0' || strcmp(code, shown) == 0)
            continue;
        strbuf_printf(b, "<details class=variant><summary>The same for %s</summary>", stacks[i][1]);
        put_code(b, "after", "After", code);
        strbuf_puts(b, "</details>");
    }
}

static void put_cure(struct strbuf *b, const json_t *issue)
{
    strbuf_puts(b, "<div class=compare>");
    put_code(b, "before", "Before", rpt_text_at(issue, "current_code"));
    put_code(b, "after", "After", rpt_text_at(issue, "optimized_code"));
    strbuf_puts(b, "</div>");
    put_variants(b, issue);
}

/* --- evidence --- */

static void put_reason(struct strbuf *b, const char *name, const char *text)
{
    if (*text == '\0')
        return;
    strbuf_printf(b, "<p class=reason><b>%s</b> ", name);
    html_prose(b, text);
    strbuf_puts(b, ".</p>");
}

static void put_statement(struct strbuf *b, const json_t *sql)
{
    const json_t *time = json_object_get(sql, "time_ms");
    const char *text = rpt_text_at(sql, "text");
    strbuf_puts(b, "<tr>");
    html_element(b, "th scope=row", rpt_text_at(sql, "role"));
    html_element(b, "td class=sql", *text != '\0' ? text : "(its text was not seen)");
    html_cell(b, json_object_get(sql, "calls"));
    html_cell(b, json_object_get(sql, "rows"));
    strbuf_puts(b, "<td>");
    html_bytes(b, json_object_get(sql, "bytes"));
    html_cell(b, json_object_get(time, "mean"));
    html_cell(b, json_object_get(time, "p95"));
    strbuf_puts(b, "\n");
}

static void put_statements(struct strbuf *b, const json_t *list)
{
    if (json_array_size(list) == 0)
        return;
    html_scroll(b, "Statements of the finding");
    strbuf_puts(
        b,
        "<table class=numbers><thead><tr><th scope=col>Role<th scope=col "
        "class=left>Statement<th scope=col>Calls<th scope=col>Rows<th scope=col>Bytes<th scope=col>"
        "Mean ms<th scope=col>p95 ms<tbody>\n");
    for (size_t i = 0; i < json_array_size(list); i++)
        put_statement(b, json_array_get(list, i));
    strbuf_puts(b, "</table></div>");
}

static void put_occurrences(struct strbuf *b, const json_t *evidence)
{
    const json_t *times = json_object_get(evidence, "occurrences");
    strbuf_puts(b, "<div><dt>Requests with it<dd>");
    html_number(b, json_object_get(evidence, "requests_seen"));
    strbuf_puts(b, " of ");
    html_number(b, json_object_get(evidence, "requests"));
    strbuf_puts(b, "</div><div><dt>Times a request, p50 (p95, most)<dd>");
    html_number(b, json_object_get(times, "p50"));
    strbuf_puts(b, " (");
    html_number(b, json_object_get(times, "p95"));
    strbuf_puts(b, ", ");
    html_number(b, json_object_get(times, "max"));
    strbuf_puts(b, ")</div>");
}

static void put_change(struct strbuf *b, const char *name, const json_t *before,
                       const json_t *after)
{
    if (!json_is_number(before) || !json_is_number(after))
        return;
    strbuf_printf(b, "<div><dt>%s<dd>", name);
    html_number(b, before);
    strbuf_puts(b, " → ");
    html_number(b, after);
    strbuf_puts(b, "</div>");
}

static void put_evidence(struct strbuf *b, const json_t *issue)
{
    const json_t *evidence = json_object_get(issue, "evidence");
    const json_t *gain = json_object_get(issue, "improvement");
    strbuf_puts(b, "<h4>Evidence</h4><dl class=facts>");
    put_occurrences(b, evidence);
    strbuf_puts(b, "<div><dt>Share of the endpoint's database time<dd>");
    html_percent(b, json_object_get(evidence, "time_share"));
    strbuf_puts(b, "</div><div><dt>Confidence<dd>");
    html_percent(b, json_object_get(issue, "confidence"));
    strbuf_puts(b, ", by ");
    html_words(b, rpt_text_at(issue, "confidence_basis"));
    strbuf_puts(b, "</div>");
    put_change(b, "Request, p95 ms", json_object_get(gain, "before_ms"),
               json_object_get(gain, "after_ms"));
    put_change(b, "Statements a request", json_object_get(gain, "queries_before"),
               json_object_get(gain, "queries_after"));
    strbuf_puts(b, "</dl>");
    put_reason(b, "Severity:", rpt_text_at(evidence, "severity_by"));
    put_reason(b, "How the gain is known:", rpt_text_at(gain, "method"));
    put_statements(b, json_object_get(evidence, "sql"));
}

/* Drawn by the script where there is one; the words say the same. */
static void put_growth(struct strbuf *b, const json_t *issue)
{
    const json_t *growth = rpt_value_at(issue, "evidence", "growth");
    if (!json_is_object(growth))
        return;
    static const char *const keys[][2] = {{"base", "statements_base"},
                                          {"slope", "statements_per_row"},
                                          {"from", "rows_from"},
                                          {"to", "rows_to"}};
    strbuf_puts(b, "<h4>Growth</h4><div class=growth");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        strbuf_printf(b, " data-%s=%g", keys[i][0],
                      json_number_value(json_object_get(growth, keys[i][1])));
    strbuf_printf(b, " data-after=%" JSON_INTEGER_FORMAT "></div><p>Statements grow by ",
                  json_integer_value(rpt_value_at(issue, "improvement", "queries_after")));
    html_number(b, json_object_get(growth, "statements_per_row"));
    strbuf_puts(b, " for each row of the parent, measured from ");
    html_number(b, json_object_get(growth, "rows_from"));
    strbuf_puts(b, " to ");
    html_number(b, json_object_get(growth, "rows_to"));
    strbuf_puts(b, " rows");
    if (json_is_number(json_object_get(growth, "ms_per_row"))) {
        strbuf_puts(b, ", and its time by ");
        html_number(b, json_object_get(growth, "ms_per_row"));
        strbuf_puts(b, " ms");
    }
    strbuf_puts(b, ".</p>");
}

/* --- the finding --- */

static void put_place(struct strbuf *b, const json_t *issue)
{
    const char *file = rpt_text_at(issue, "file");
    json_int_t line = rpt_count_at(issue, "line");
    if (*file == '\0')
        return;
    strbuf_puts(b, "<code class=place>");
    html_text(b, file);
    if (line > 0)
        strbuf_printf(b, ":%" JSON_INTEGER_FORMAT, line);
    strbuf_puts(b, "</code>");
}

static void put_saving(struct strbuf *b, const struct html_issue *i, double most)
{
    strbuf_puts(b, "<span class=saved><b>");
    html_real(b, i->saved);
    strbuf_printf(b,
                  "</b> ms/h<svg class=bar viewBox=\"0 0 100 6\" preserveAspectRatio=none "
                  "aria-hidden=true><rect class=track width=100 height=6 /><rect class=fill "
                  "width=%.1f height=6 /></svg></span>",
                  100 * i->saved / most);
}

static void put_summary(struct strbuf *b, const struct html_issue *i, double most)
{
    strbuf_puts(b, "<summary>");
    html_badge(b, i->severity);
    strbuf_puts(b, "<div class=what>");
    html_element(b, "h3", rpt_text_at(i->issue, "issue"));
    put_place(b, i->issue);
    strbuf_puts(b, "</div>");
    if (i->saved > 0)
        put_saving(b, i, most);
    strbuf_puts(b, "</summary>");
}

static void put_key(struct strbuf *b, const struct html_issue *i, const json_t *tree)
{
    const char *name = rpt_text_at(i->issue, "endpoint");
    const json_t *rows = json_object_get(tree, "endpoints");
    const json_t *items = json_object_get(i->issue, "checklist");
    strbuf_puts(b, "<p class=meta>");
    html_text(b, rpt_text_at(i->issue, "id"));
    strbuf_puts(b, " ");
    html_words(b, rpt_text_at(i->issue, "rule"));
    for (size_t k = 0; k < json_array_size(rows); k++) {
        const json_t *row = json_array_get(rows, k);
        if (strcmp(rpt_text_at(row, "name"), name) != 0)
            continue;
        strbuf_puts(b, " · <a href=\"#endpoint-");
        html_text(b, rpt_text_at(row, "key"));
        strbuf_puts(b, "\">");
        html_text(b, name);
        strbuf_puts(b, "</a>");
        break;
    }
    for (size_t k = 0; k < json_array_size(items); k++) {
        json_int_t item = json_integer_value(json_array_get(items, k));
        strbuf_printf(
            b, " · <a href=#check-%" JSON_INTEGER_FORMAT ">item %" JSON_INTEGER_FORMAT "</a>", item,
            item);
    }
    strbuf_puts(b, " · <a class=permalink href=\"#issue-");
    html_text(b, rpt_text_at(i->issue, "fingerprint"));
    strbuf_puts(b, "\">link to this finding</a></p>");
}

static void put_issue(struct strbuf *b, const struct html_issue *i, const json_t *tree, double most,
                      bool open)
{
    strbuf_puts(b, "<details class=\"card issue\" id=\"issue-");
    html_text(b, rpt_text_at(i->issue, "fingerprint"));
    strbuf_printf(b, "\" data-saved=%.3f data-removable=%" JSON_INTEGER_FORMAT "%s>", i->saved,
                  json_integer_value(rpt_value_at(i->issue, "evidence", "removable_statements")),
                  open ? " open" : "");
    put_summary(b, i, most);
    strbuf_puts(b, "<div class=body>");
    strbuf_puts(b, "<p class=impact>");
    html_prose(b, rpt_text_at(i->issue, "impact"));
    strbuf_puts(b, "</p>");
    html_proof(b, i->issue);
    html_plan(b, i->issue);
    put_cure(b, i->issue);
    if (*rpt_text_at(i->issue, "expected_improvement") != '\0')
        html_element(b, "p class=gain", rpt_text_at(i->issue, "expected_improvement"));
    put_growth(b, i->issue);
    put_evidence(b, i->issue);
    put_key(b, i, tree);
    strbuf_puts(b, "</div></details>\n");
}

void html_opportunities(struct strbuf *b, const json_t *tree, const struct html_issue *issues,
                        size_t n)
{
    size_t i = 0;
    const json_t *gain = json_object_get(tree, "estimated_improvement_detail");
    strbuf_printf(
        b,
        "<section id=opportunities data-part aria-labelledby=h-opportunities data-most=%g "
        "data-total=%g data-seconds=%g data-statements=%" JSON_INTEGER_FORMAT ">",
        json_number_value(json_object_get(gain, "db_time_saved_ms")),
        json_number_value(json_object_get(gain, "db_time_ms")),
        json_number_value(rpt_value_at(tree, "run", "duration_s")),
        json_integer_value(rpt_value_at(tree, "run", "statements")));
    strbuf_puts(b, "<h2 id=h-opportunities>Opportunities</h2><p class=lead>By the database "
                   "milliseconds that the cure saves in an hour, at the rate of this run.</p>\n");
    if (n == 0)
        strbuf_puts(b, "<p class=\"card good\">No findings.</p>");
    else if (issues[0].saved <= 0)
        strbuf_puts(b, "<p class=card>No finding saves database time by itself.</p>");
    for (; i < n && issues[i].saved > 0; i++)
        put_issue(b, &issues[i], tree, issues[0].saved, i == 0);
    if (i < n)
        strbuf_puts(b,
                    "<h2 id=diagnostics>Diagnostics</h2><p class=lead>Faults that cost something "
                    "else than database time, or nobody can say how much.</p>\n");
    for (size_t k = i; k < n; k++)
        put_issue(b, &issues[k], tree, 1, k == 0);
    strbuf_puts(b, "</section>\n");
}
