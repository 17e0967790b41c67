/* Status, score and what it is made of, and the run it is about. */
#include "report/html_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct metric_text {
    const char *id;
    const char *title;
    const char *unit; /* behind a value */
} metric_texts[] = {
    {"latency_p95", "Latency of a request, p95", " ms"},
    {"statements_per_request_p95", "Statements a request, p95", ""},
    {"avoidable_statement_ratio", "Avoidable statements", " of all"},
    {"db_time_per_request_p95", "Database time a request, p95", " ms"},
    {"result_kib_per_request_p95", "Result of a request, p95", " KiB"},
    {"new_connections_per_request", "New connections a request", ""},
    {"transfer_waste_ratio", "Avoidable bytes", " of all"},
};

const char *html_score_class(double score)
{
    if (score < 0)
        return "none";
    return score >= 90 ? "good" : score >= 50 ? "fair" : "poor";
}

double html_score_of(const json_t *map)
{
    const char *text = rpt_text_at(map, "performance_score");
    char *end;
    double score = strtod(text, &end);
    return end > text && *end == '/' ? score : -1;
}

/* Its circles have a circumference of 100, so that a dash is the score. */
static void put_gauge(struct strbuf *b, const json_t *tree)
{
    double score = html_score_of(tree);
    strbuf_printf(b, "<svg class=\"gauge %s\" viewBox=\"0 0 36 36\" role=img aria-label=\"",
                  html_score_class(score));
    if (score >= 0)
        strbuf_printf(b, "Score %.0f of 100\">", score);
    else
        strbuf_puts(b, "Score not known\">");
    strbuf_puts(b, "<circle class=track cx=18 cy=18 r=15.9155 />");
    if (score > 0)
        strbuf_printf(b,
                      "<circle class=arc cx=18 cy=18 r=15.9155 stroke-dasharray=\"%.0f 100\" "
                      "transform=\"rotate(-90 18 18)\" />",
                      score);
    strbuf_puts(b, "<text x=18 y=21.4 text-anchor=middle>");
    if (score >= 0)
        strbuf_printf(b, "%.0f", score);
    else
        strbuf_puts(b, "–");
    strbuf_puts(b, "</text></svg>");
}

static struct metric_text text_of(const char *id)
{
    for (size_t i = 0; i < sizeof(metric_texts) / sizeof(metric_texts[0]); i++) {
        if (strcmp(metric_texts[i].id, id) == 0)
            return metric_texts[i];
    }
    return (struct metric_text){.id = id, .title = id, .unit = ""};
}

static double number_at(const json_t *map, const char *key)
{
    return json_number_value(json_object_get(map, key));
}

static void put_metric(struct strbuf *b, const json_t *metric)
{
    struct metric_text text = text_of(rpt_text_at(metric, "id"));
    bool known = json_is_number(json_object_get(metric, "score"));
    double score = 100 * number_at(metric, "score");
    strbuf_printf(b, "<tr data-good=%g data-half=%g data-weight=%g", number_at(metric, "p10"),
                  number_at(metric, "median"), number_at(metric, "weight"));
    if (known)
        strbuf_printf(b, " data-score=%g data-value=%g", score, number_at(metric, "value"));
    strbuf_puts(b, ">");
    html_element(b, "th scope=row", text.title);
    if (known) {
        strbuf_puts(b, "<td class=num>");
        html_number(b, json_object_get(metric, "value"));
        strbuf_printf(b,
                      "%s<td><svg class=\"bar %s\" viewBox=\"0 0 100 6\" preserveAspectRatio=none "
                      "aria-hidden=true><rect class=track width=100 height=6 /><rect class=fill "
                      "width=%.0f height=6 /></svg> %.0f",
                      text.unit, html_score_class(score), score, score);
    } else {
        strbuf_puts(b, "<td class=\"num muted\">not observed<td class=muted>–");
    }
    strbuf_printf(b, "<td class=num>%g %%<td class=num>%g<td class=num>%g\n",
                  number_at(metric, "weight"), number_at(metric, "p10"),
                  number_at(metric, "median"));
}

static void put_metrics(struct strbuf *b, const json_t *score)
{
    const json_t *list = json_object_get(score, "metrics");
    strbuf_puts(b, "<div class=card><h2>What the score is made of</h2>");
    html_scroll(b, "Metrics of the score");
    strbuf_puts(b, "<table class=metrics "
                   "id=metrics><thead><tr><th scope=col>Metric<th scope=col class=num>Measured"
                   "<th scope=col>Score<th scope=col class=num>Weight<th scope=col class=num>90 "
                   "at<th scope=col class=num>50 at<tbody>\n");
    for (size_t i = 0; i < json_array_size(list); i++)
        put_metric(b, json_array_get(list, i));
    strbuf_puts(b, "</table></div><p class=muted>Means over the endpoints, each by its share of "
                   "the time; ");
    html_percent(b, json_object_get(score, "coverage"));
    strbuf_puts(b, " of the weight was measured");
    if (json_is_true(json_object_get(score, "provisional")))
        strbuf_puts(b, ", on too little to be sure: the score is provisional");
    strbuf_puts(b, ". Findings never move the score, only measurements do.</p></div>\n");
}

static void put_fact(struct strbuf *b, const char *name, const json_t *count)
{
    strbuf_printf(b, "<div><dt>%s<dd>", name);
    html_number(b, count);
    strbuf_puts(b, "</div>");
}

/* "2026-11-22T10:00:00.123Z" to the second. */
static void put_time(struct strbuf *b, const json_t *run)
{
    char day[16] = "";
    char clock[16] = "";
    if (sscanf(rpt_text_at(run, "started"), "%15[0-9-]T%8[0-9:]", day, clock) != 2)
        return;
    strbuf_puts(b, "<div><dt>Began (UTC)<dd><time>");
    html_text(b, day);
    strbuf_puts(b, " ");
    html_text(b, clock);
    strbuf_puts(b, "</time></div>");
}

static void put_run(struct strbuf *b, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    const json_t *gain = json_object_get(tree, "estimated_improvement_detail");
    strbuf_puts(b, "<dl class=facts>");
    put_fact(b, "Requests", json_object_get(run, "requests"));
    put_fact(b, "Statements", json_object_get(run, "statements"));
    put_fact(b, "Sessions", json_object_get(run, "sessions"));
    strbuf_puts(b, "<div><dt>Avoidable database time<dd>");
    html_percent(b, json_object_get(gain, "db_time_saved_share"));
    strbuf_puts(b, "</div>");
    put_time(b, run);
    put_fact(b, "Seconds", json_object_get(run, "duration_s"));
    strbuf_puts(b, "</dl>");
}

static void put_status(struct strbuf *b, const json_t *tree)
{
    bool pass = json_is_true(json_object_get(tree, "pass_criteria_met"));
    const char *name = rpt_text_at(json_object_get(tree, "run"), "name");
    strbuf_printf(b, "<p class=\"status %s\">", pass ? "good" : "poor");
    html_words(b, rpt_text_at(tree, "status"));
    strbuf_puts(b, "</p><h2>Performance audit");
    if (*name != '\0') {
        strbuf_puts(b, ": ");
        html_text(b, name);
    }
    strbuf_puts(b, "</h2><p class=lead>");
    rpt_issue_counts(b, json_object_get(tree, "issues"));
    strbuf_puts(b, ". ");
    html_text(b, rpt_text_at(tree, "estimated_improvement"));
    strbuf_puts(b, "</p>");
}

void html_overview(struct strbuf *b, const json_t *tree)
{
    strbuf_puts(b, "<section id=overview data-part aria-label=Overview><div class=\"card hero\">"
                   "<div class=dial>");
    put_gauge(b, tree);
    strbuf_puts(b, "<p class=muted>90 and more is good, under 50 poor</p></div><div>");
    put_status(b, tree);
    put_run(b, tree);
    strbuf_puts(b, "</div></div>\n");
    put_metrics(b, json_object_get(tree, "score"));
    strbuf_puts(b, "</section>\n");
}
