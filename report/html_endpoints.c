/* The table of endpoints. Names and numbers only: its rows are many, so end tags that HTML does not
 * ask for are left out. */
#include "report/html_parts.h"

static void put_value(struct strbuf *b, const json_t *row, const char *key, const char *inner)
{
    html_cell(b, rpt_value_at(row, key, inner));
}

static void put_score(struct strbuf *b, const json_t *row)
{
    double score = html_score_of(row);
    if (score < 0)
        strbuf_puts(b, "<td class=muted title=\"too little was measured\">–");
    else
        strbuf_printf(b, "<td data-v=%.0f><span class=\"score %s\">%.0f</span>", score,
                      html_score_class(score), score);
}

static void put_findings(struct strbuf *b, const json_t *row)
{
    const json_t *issues = json_object_get(row, "issues");
    json_int_t total = 0;
    json_int_t worst = 0; /* orders by the most severe first */
    const json_int_t step = 1000;
    for (size_t i = 0; i < RPT_SEVERITIES; i++) {
        json_int_t n = rpt_issue_count(issues, &rpt_severities[i]);
        total += n;
        worst = worst * step + (n < step ? n : step - 1);
    }
    strbuf_printf(b, "<td data-v=%" JSON_INTEGER_FORMAT ">", worst);
    for (size_t i = 0; i < RPT_SEVERITIES; i++) {
        json_int_t n = rpt_issue_count(issues, &rpt_severities[i]);
        if (n > 0)
            strbuf_printf(b, "<span class=\"badge %s\">%" JSON_INTEGER_FORMAT " %s</span> ",
                          rpt_severities[i].key, n, rpt_severities[i].key);
    }
    if (total == 0)
        strbuf_puts(b, "<span class=muted>none</span>");
}

static void put_row(struct strbuf *b, const json_t *row)
{
    strbuf_puts(b, "<tr><th scope=row><a href=\"#endpoint-");
    html_text(b, rpt_text_at(row, "key"));
    strbuf_puts(b, "\">");
    html_text(b, rpt_text_at(row, "name"));
    strbuf_puts(b, "</a>");
    put_score(b, row);
    html_cell(b, json_object_get(row, "requests"));
    put_value(b, row, "queries", "p50");
    put_value(b, row, "latency_ms", "p50");
    put_value(b, row, "latency_ms", "p95");
    put_value(b, row, "latency_ms", "p99");
    put_value(b, row, "rows", "p50");
    const json_t *bytes = rpt_value_at(row, "bytes", "p50");
    if (json_is_integer(bytes))
        strbuf_printf(b, "<td data-v=%" JSON_INTEGER_FORMAT ">", json_integer_value(bytes));
    else
        strbuf_puts(b, "<td>");
    html_bytes(b, bytes);
    put_findings(b, row);
    strbuf_puts(b, "\n");
}

void html_endpoints(struct strbuf *b, const json_t *tree)
{
    const json_t *rows = json_object_get(tree, "endpoints");
    strbuf_puts(b,
                "<section id=endpoints aria-labelledby=h-endpoints><h2 id=h-endpoints>Endpoints"
                "</h2><p class=lead>Those with most database time first. Queries, rows and bytes "
                "are of a request, p50.</p><div id=filter></div><div class=card>");
    html_scroll(b, "Table of endpoints");
    strbuf_puts(b,
                "<table class=numbers id=endpoint-table><thead><tr><th scope=col>Endpoint<th "
                "scope=col>Score<th "
                "scope=col>Calls<th scope=col>Queries<th scope=col>p50 ms<th scope=col>p95 ms<th "
                "scope=col>p99 ms<th scope=col>Rows<th scope=col>Bytes<th scope=col>Findings"
                "<tbody id=endpoint-rows data-part>\n");
    for (size_t i = 0; i < json_array_size(rows); i++)
        put_row(b, json_array_get(rows, i));
    if (json_array_size(rows) == 0)
        strbuf_puts(b, "<tr class=empty><td colspan=10>No request was seen.\n");
    strbuf_puts(b, "</table></div></div></section>\n");
}
