/* A page for each endpoint: its numbers, its findings, its slowest request, its statements. The
 * script shows one at a time; without it they follow each other. */
#include "report/html_parts.h"

#include <string.h>

static void put_fact(struct strbuf *b, const char *name, const json_t *value)
{
    strbuf_printf(b, "<div><dt>%s<dd>", name);
    html_number(b, value);
    strbuf_puts(b, "</div>");
}

static void put_three(struct strbuf *b, const char *name, const json_t *map, const char *last)
{
    const char *keys[] = {"p50", "p95", last};
    strbuf_printf(b, "<div><dt>%s<dd>", name);
    for (size_t i = 0; i < 3; i++) {
        strbuf_puts(b, i > 0 ? " · " : "");
        html_number(b, json_object_get(map, keys[i]));
    }
    strbuf_puts(b, "</div>");
}

static void put_growth(struct strbuf *b, const json_t *complexity)
{
    const char *class = rpt_text_at(complexity, "queries");
    if (*class == '\0')
        return;
    strbuf_puts(b, "<div><dt>Statements with its rows<dd>");
    html_text(b, class);
    strbuf_puts(b, "</div>");
}

static void put_facts(struct strbuf *b, const json_t *row, const json_t *detail)
{
    strbuf_puts(b, "<dl class=facts>");
    put_fact(b, "Requests", json_object_get(row, "requests"));
    put_three(b, "Latency ms, p50 · p95 · p99", json_object_get(row, "latency_ms"), "p99");
    put_three(b, "Database ms, p50 · p95 · p99", json_object_get(row, "db_ms"), "p99");
    put_three(b, "Queries, p50 · p95 · most", json_object_get(row, "queries"), "max");
    put_three(b, "Rows, p50 · p95 · most", json_object_get(row, "rows"), "max");
    put_fact(b, "Avoidable statements", json_object_get(row, "removable_queries"));
    put_fact(b, "Errors", json_object_get(row, "errors"));
    put_growth(b, json_object_get(detail, "complexity"));
    strbuf_puts(b, "<div><dt>Named by, requests told apart by<dd>");
    html_text(b, rpt_text_at(row, "named_by"));
    strbuf_puts(b, ", ");
    html_text(b, rpt_text_at(row, "attribution"));
    strbuf_puts(b, "</div></dl>");
}

/* Means that add up to the request. */
static void put_split(struct strbuf *b, const json_t *split)
{
    static const char *const parts[][2] = {{"pool_wait", "waiting for a connection"},
                                           {"database", "database"},
                                           {"idle_in_transaction", "idle in a transaction"},
                                           {"application", "application"},
                                           {"transfer", "transfer"}};
    double total = json_number_value(json_object_get(split, "total"));
    double at = 0;
    if (!json_is_object(split) || total <= 0)
        return;
    strbuf_puts(b, "<h4>Where its time goes</h4><svg class=split viewBox=\"0 0 1000 12\" "
                   "preserveAspectRatio=none aria-hidden=true>");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        double width = 1000 * json_number_value(json_object_get(split, parts[i][0])) / total;
        strbuf_printf(b, "<rect class=s%zu x=%.1f width=%.1f height=12 />", i, at, width);
        at += width;
    }
    strbuf_puts(b, "</svg><ul class=legend>");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        strbuf_printf(b, "<li class=s%zu>%s ", i, parts[i][1]);
        html_number(b, json_object_get(split, parts[i][0]));
        strbuf_puts(b, " ms");
    }
    strbuf_puts(b, "</ul>");
}

static void put_findings(struct strbuf *b, const char *name, const struct html_issue *issues,
                         size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rpt_text_at(issues[i].issue, "endpoint"), name) != 0)
            continue;
        strbuf_puts(b, any ? "<li>" : "<h4>Findings</h4><ul class=plain><li>");
        html_badge(b, issues[i].severity);
        strbuf_puts(b, " <a href=\"#issue-");
        html_text(b, rpt_text_at(issues[i].issue, "fingerprint"));
        strbuf_puts(b, "\">");
        html_text(b, rpt_text_at(issues[i].issue, "issue"));
        strbuf_puts(b, "</a>");
        any = true;
    }
    if (any)
        strbuf_puts(b, "</ul>");
}

static void put_statement(struct strbuf *b, const json_t *s, size_t number)
{
    const json_t *ms = json_object_get(s, "ms");
    const char *sql = rpt_text_at(s, "sql");
    strbuf_printf(b, "<tr><td>%zu<td>", number);
    html_text_cut(b, *sql != '\0' ? sql : "(its text was not seen)", HTML_SQL_MAX);
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(s, "calls"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(s, "rows"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(ms, "p50"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(ms, "p95"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(ms, "total"));
    strbuf_puts(b, "\n");
}

static void put_statements(struct strbuf *b, const json_t *detail)
{
    const json_t *list = json_object_get(detail, "statements");
    json_int_t left_out = rpt_count_at(detail, "statements_left_out");
    if (json_array_size(list) == 0)
        return;
    strbuf_puts(b, "<h4>Its statements</h4>");
    html_scroll(b, "Statements of the endpoint");
    strbuf_puts(
        b, "<table class=\"numbers sql2\"><thead><tr><th "
           "scope=col>#<th scope=col class=left>Statement<th scope=col>Calls<th scope=col>Rows<th "
           "scope=col>p50 ms<th scope=col>p95 ms<th scope=col>All ms<tbody>\n");
    for (size_t i = 0; i < json_array_size(list); i++)
        put_statement(b, json_array_get(list, i), i + 1);
    strbuf_puts(b, "</table></div>");
    if (left_out > 0) {
        strbuf_puts(b, "<p class=muted>");
        html_count(b, left_out);
        strbuf_puts(b, " more took less time and are not shown.</p>");
    }
}

static void put_page(struct strbuf *b, const json_t *row, const struct html_issue *issues, size_t n)
{
    const json_t *detail = json_object_get(row, "detail");
    const char *name = rpt_text_at(row, "name");
    double score = html_score_of(row);
    strbuf_puts(b, "<details class=\"card page\" id=\"endpoint-");
    html_text(b, rpt_text_at(row, "key"));
    strbuf_printf(b, "\"><summary><span class=\"score %s\">", html_score_class(score));
    html_text(b, rpt_text_at(row, "performance_score"));
    strbuf_puts(b, "</span> ");
    html_element(b, "h3", name);
    strbuf_puts(b, "</summary><div class=body>");
    put_facts(b, row, detail);
    put_split(b, json_object_get(row, "latency_split_ms"));
    put_findings(b, name, issues, n);
    if (json_is_object(detail))
        html_timeline(b, json_object_get(detail, "worst_sample"),
                      json_object_get(detail, "statements"));
    put_statements(b, detail);
    strbuf_puts(b, "</div></details>\n");
}

void html_endpoint_pages(struct strbuf *b, const json_t *tree, const struct html_issue *issues,
                         size_t n)
{
    const json_t *rows = json_object_get(tree, "endpoints");
    strbuf_puts(b, "<section id=endpoint-pages data-part aria-labelledby=h-pages><h2 id=h-pages>"
                   "Endpoint by endpoint</h2>\n");
    for (size_t i = 0; i < json_array_size(rows); i++)
        put_page(b, json_array_get(rows, i), issues, n);
    strbuf_puts(b, "</section>\n");
}
