/* The slowest request of an endpoint: a picture of its steps, and the same as a table. */
#include "report/html_parts.h"

#include <string.h>

enum { LANE = 16, BAR = 12 };

static double number_at(const json_t *map, const char *key)
{
    return json_number_value(json_object_get(map, key));
}

/* A bar in a path. What is too short to be seen is drawn all the same. */
static void put_bar(struct strbuf *b, double at, size_t lane, double width)
{
    const double least = 2;
    width = width > least ? width : least;
    strbuf_printf(b, "M%.0f %zuh%.0fv%dh-%.0fz", at, lane * LANE + (LANE - BAR) / 2, width, BAR,
                  width);
}

/* Where the client took its time between the executions of a step. */
static bool has_gaps(double span, double busy)
{
    const double shown_apart = 20;
    return span - busy >= shown_apart;
}

/* All steps in one path: the whole of those with gaps, or what the database took of each. */
static void put_bars(struct strbuf *b, const json_t *steps, double total, bool gaps)
{
    strbuf_puts(b, gaps ? "<path class=gaps d=\"" : "<path d=\"");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        double at = 1000 * number_at(step, "at_ms") / total;
        double span = 1000 * number_at(step, "span_ms") / total;
        double busy = 1000 * number_at(step, "busy_ms") / total;
        if (gaps && has_gaps(span, busy))
            put_bar(b, at, i, span);
        else if (!gaps)
            put_bar(b, at, i, has_gaps(span, busy) ? busy : span);
    }
    strbuf_puts(b, "\" />");
}

/* One lane a step; x is a thousandth of the request. */
static void put_picture(struct strbuf *b, const json_t *steps, double total)
{
    size_t height = json_array_size(steps) * LANE;
    strbuf_printf(b,
                  "<svg class=timeline viewBox=\"0 0 1000 %zu\" height=%zu "
                  "preserveAspectRatio=none aria-hidden=true>",
                  height, height);
    put_bars(b, steps, total, true);
    put_bars(b, steps, total, false);
    strbuf_puts(b, "</svg><p class=axis><span>0</span><span>");
    html_real(b, total / 2);
    strbuf_puts(b, "</span><span>");
    html_real(b, total);
    strbuf_puts(b, " ms</span></p>");
}

/* Where a statement stands in the list of the page, from 1; 0 when it does not. */
static size_t place_of(const json_t *statements, const char *id)
{
    for (size_t i = 0; i < json_array_size(statements); i++) {
        if (strcmp(rpt_text_at(json_array_get(statements, i), "id"), id) == 0)
            return i + 1;
    }
    return 0;
}

static void put_step(struct strbuf *b, const json_t *step, const json_t *statements)
{
    size_t place = place_of(statements, rpt_text_at(step, "id"));
    json_int_t errors = rpt_count_at(step, "errors");
    strbuf_puts(b, "<tr><td>");
    html_number(b, json_object_get(step, "at_ms"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(step, "span_ms"));
    strbuf_puts(b, "<td>");
    if (place > 0)
        strbuf_printf(b, "#%zu", place);
    else
        html_text_cut(b, rpt_text_at(step, "sql"), HTML_SQL_MAX);
    if (errors > 0)
        strbuf_printf(b, " <span class=\"badge high\">%" JSON_INTEGER_FORMAT " failed</span>",
                      errors);
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(step, "times"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(step, "rows"));
    strbuf_puts(b, "<td>");
    html_number(b, json_object_get(step, "connection"));
    strbuf_puts(b, "\n");
}

static void put_words(struct strbuf *b, const json_t *sample)
{
    bool request = strcmp(rpt_text_at(sample, "from"), "request") == 0;
    strbuf_puts(b, "<p>");
    html_number(b, json_object_get(sample, "total_ms"));
    strbuf_puts(b, " ms, ");
    html_number(b, json_object_get(sample, "db_ms"));
    strbuf_puts(b, " ms of it with the database at work; ");
    html_number(b, json_object_get(sample, "statements"));
    strbuf_puts(b, " statements. Times are from the ");
    strbuf_puts(b, request ? "request's first byte" : "first statement");
    strbuf_puts(b, " on; runs of one statement are one step. <span class=key>database</span> <span "
                   "class=\"key gaps\">the client between them</span></p>");
}

void html_timeline(struct strbuf *b, const json_t *sample, const json_t *statements)
{
    const json_t *steps = json_object_get(sample, "steps");
    json_int_t left_out = rpt_count_at(sample, "statements_left_out");
    double total = number_at(sample, "total_ms");
    strbuf_puts(b, "<h4>Its slowest request</h4>");
    if (json_array_size(steps) == 0) {
        strbuf_puts(b, "<p class=muted>Not kept: none of its statements could be told apart, or "
                       "there was no memory for it.</p>");
        return;
    }
    put_words(b, sample);
    put_picture(b, steps, total > 0 ? total : 1);
    html_scroll(b, "Steps of the slowest request");
    strbuf_puts(b, "<table class=\"numbers sql3\"><thead><tr><th scope=col>At ms<th "
                   "scope=col>For ms<th scope=col class=left>Statement<th scope=col>Times<th "
                   "scope=col>Rows<th "
                   "scope=col>Connection<tbody>\n");
    for (size_t i = 0; i < json_array_size(steps); i++)
        put_step(b, json_array_get(steps, i), statements);
    strbuf_puts(b, "</table></div>");
    if (left_out > 0) {
        strbuf_puts(b, "<p class=muted>");
        html_count(b, left_out);
        strbuf_puts(b, " statements after these are not shown.</p>");
    }
}
