#include "report/html.h"

#include "report/error.h"
#include "report/html_assets.h"
#include "report/html_parts.h"

#include <stdlib.h>

/* --- the policy --- */

/* Quotes of the policy are apostrophes, so that it fits an attribute. */
static void put_policy(struct strbuf *b, bool live)
{
    strbuf_printf(b,
                  "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
                  "base-uri 'none'; form-action 'none'%s",
                  html_script_hash, html_style_hash, live ? "; connect-src 'self'" : "");
}

void rpt_html_policy(struct strbuf *out)
{
    put_policy(out, true);
    strbuf_puts(out, "; frame-ancestors 'none'");
}

/* --- around the parts --- */

static void put_head(struct strbuf *b, const json_t *tree, bool live)
{
    strbuf_printf(b,
                  "<!doctype html>\n<html lang=en%s>\n<head>\n<meta charset=utf-8>\n"
                  "<meta http-equiv=Content-Security-Policy content=\"",
                  live ? " data-live" : "");
    put_policy(b, live);
    strbuf_puts(b, "\">\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                   "<meta name=color-scheme content=\"light dark\">\n"
                   "<meta name=referrer content=no-referrer>\n<title>");
    html_text(b, rpt_text_at(tree, "performance_score"));
    strbuf_puts(b, live ? " · pgsleuth, live" : " · pgsleuth report");
    strbuf_puts(b, "</title>\n<style>");
    strbuf_add(b, html_style, html_style_len);
    strbuf_puts(b, "</style>\n</head>\n");
}

static void put_top(struct strbuf *b, bool live)
{
    static const char *const sections[][2] = {
        {"overview", "Overview"},   {"opportunities", "Findings"}, {"endpoints", "Endpoints"},
        {"checklist", "Checklist"}, {"coverage", "Coverage"},
    };
    strbuf_puts(b, "<body>\n<a class=skip href=#main>Skip to the report</a>\n<header class=top>"
                   "<h1 class=brand><a href=#overview>pgsleuth</a></h1><nav aria-label=Sections>");
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        strbuf_printf(b, "<a href=#%s>%s</a>", sections[i][0], sections[i][1]);
    strbuf_puts(b, "</nav><div id=tools></div></header>\n<main id=main tabindex=-1>\n");
    if (live)
        strbuf_puts(b, "<section id=live class=card aria-label=\"Live figures\"></section>\n");
    else
        strbuf_puts(b, "<noscript><p class=note>Without scripts this report is complete; sorting, "
                       "filtering and trying out need them.</p></noscript>\n");
}

static void put_end(struct strbuf *b, const json_t *tree)
{
    const json_t *run = json_object_get(tree, "run");
    strbuf_puts(b, "</main>\n<footer>Made by ");
    html_text(b, rpt_text_at(run, "tool"));
    strbuf_puts(b, " ");
    html_text(b, rpt_text_at(run, "version"));
    strbuf_puts(b, ". Literals and parameters of statements are masked; no value of your data is "
                   "in this page.</footer>\n<script>");
    strbuf_add(b, html_script, html_script_len);
    strbuf_puts(b, "</script>\n</body>\n</html>\n");
}

/* --- the parts --- */

static int put_parts(struct strbuf *b, const json_t *tree)
{
    size_t n = 0;
    struct html_issue *issues = html_issues_ranked(tree, &n);
    if (issues == NULL)
        return RPT_E_NO_MEMORY;
    html_overview(b, tree);
    html_opportunities(b, tree, issues, n);
    html_endpoints(b, tree);
    html_endpoint_pages(b, tree, issues, n);
    html_checklist(b, tree);
    html_advice(b, tree);
    html_coverage(b, tree);
    free(issues);
    return b->failed ? RPT_E_NO_MEMORY : RPT_OK;
}

int rpt_html_parts(const json_t *tree, struct strbuf *out)
{
    return json_is_object(tree) ? put_parts(out, tree) : RPT_E_EMIT;
}

static int put_page(struct strbuf *b, const json_t *tree, bool live)
{
    if (!json_is_object(tree))
        return RPT_E_EMIT;
    put_head(b, tree, live);
    put_top(b, live);
    int r = put_parts(b, tree);
    put_end(b, tree);
    return r == RPT_OK && b->failed ? RPT_E_NO_MEMORY : r;
}

int rpt_html(const json_t *tree, struct strbuf *out)
{
    return put_page(out, tree, false);
}

int rpt_html_live(const json_t *tree, struct strbuf *out)
{
    return put_page(out, tree, true);
}
