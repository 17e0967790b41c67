/* Figures of a finding: where the values of an N+1 came from, and plans as trees. */
#include "report/html_parts.h"

#include <string.h>

/* --- the proof of an N+1: parent, column, children --- */

static const json_t *with_role(const json_t *issue, const char *role)
{
    const json_t *list = rpt_value_at(issue, "evidence", "sql");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (strcmp(rpt_text_at(one, "role"), role) == 0)
            return one;
    }
    return NULL;
}

static void put_box(struct strbuf *b, const char *class, const char *title, const json_t *sql)
{
    strbuf_printf(b, "<li class=\"box %s\"><b>%s</b><code>", class, title);
    html_text(b, rpt_text_at(sql, "text"));
    strbuf_puts(b, "</code><span class=muted>");
    html_number(b, json_object_get(sql, "calls"));
    strbuf_puts(b, " calls, ");
    html_number(b, json_object_get(sql, "rows"));
    strbuf_puts(b, " rows</span></li>");
}

static void put_column(struct strbuf *b, const json_t *lineage)
{
    strbuf_puts(b, "<li class=\"box column\"><b>Column</b><code>");
    html_text(b, rpt_text_at(lineage, "from_column"));
    strbuf_puts(b, "</code><span>");
    html_number(b, json_object_get(lineage, "matched"));
    strbuf_puts(b, " of ");
    html_number(b, json_object_get(lineage, "of"));
    strbuf_puts(b, " values that the children asked for came out of it</span></li>");
}

void html_proof(struct strbuf *b, const json_t *issue)
{
    const json_t *parent = with_role(issue, "parent");
    const json_t *child = with_role(issue, "repeated");
    const json_t *lineage = rpt_value_at(issue, "evidence", "lineage");
    const json_t *times = rpt_value_at(issue, "evidence", "occurrences");
    if (parent == NULL || child == NULL)
        return;
    strbuf_puts(b, "<figure class=proof><figcaption>");
    strbuf_puts(b, json_is_object(lineage)
                       ? "Proof by data flow: the values of the loop are rows of its parent"
                       : "The loop and the statement before it; their values could not be matched");
    strbuf_puts(b, "</figcaption><ol>");
    put_box(b, "parent", "Parent, once a request", parent);
    if (json_is_object(lineage))
        put_column(b, lineage);
    strbuf_puts(b, "<li class=\"box children\"><b>Children, ");
    html_number(b, json_object_get(times, "p50"));
    strbuf_puts(b, " times a request</b><code>");
    html_text(b, rpt_text_at(child, "text"));
    strbuf_puts(b, "</code><span class=muted>");
    html_number(b, json_object_get(child, "calls"));
    strbuf_puts(b, " calls, each a round trip</span></li></ol></figure>");
}

/* --- plans --- */

static void put_cost(struct strbuf *b, const json_t *cost)
{
    if (!json_is_number(cost))
        return;
    strbuf_puts(b, " <span class=muted>cost ");
    html_number(b, cost);
    strbuf_puts(b, "</span>");
}

static void put_scan(struct strbuf *b, const json_t *before)
{
    const char *table = rpt_text_at(before, "table");
    const char *filter = rpt_text_at(before, "filter");
    strbuf_puts(b, "<ul><li><b>");
    html_text(b, rpt_text_at(before, "node"));
    strbuf_puts(b, "</b>");
    if (*table != '\0') {
        strbuf_puts(b, " on <code>");
        html_text(b, rpt_text_at(before, "schema"));
        strbuf_puts(b, ".");
        html_text(b, table);
        strbuf_puts(b, "</code>");
    }
    put_cost(b, json_object_get(before, "scan_cost"));
    if (json_is_number(json_object_get(before, "rows"))) {
        strbuf_puts(b, "<ul><li>reads ");
        html_number(b, json_object_get(before, "rows"));
        strbuf_puts(b, " rows<li>keeps ");
        html_number(b, json_object_get(before, "kept_rows"));
        if (*filter != '\0') {
            strbuf_puts(b, " where <code>");
            html_text(b, filter);
            strbuf_puts(b, "</code>");
        }
        strbuf_puts(b, "</ul>");
    }
    strbuf_puts(b, "</ul>");
}

static void put_before(struct strbuf *b, const json_t *before)
{
    const char *note = rpt_text_at(before, "index_note");
    strbuf_puts(b, "<figure class=plan><figcaption>Plan before</figcaption><ul><li>statement");
    put_cost(b, json_object_get(before, "cost"));
    put_scan(b, before);
    strbuf_puts(b, "</ul>");
    if (*note != '\0')
        html_element(b, "p class=muted", note);
    strbuf_puts(b, "</figure>");
}

static void put_after(struct strbuf *b, const json_t *after, const char *ddl)
{
    strbuf_puts(b, "<figure class=plan><figcaption>Plan after</figcaption>");
    if (json_is_object(after)) {
        strbuf_puts(b, "<ul><li>statement");
        put_cost(b, json_object_get(after, "cost"));
        strbuf_puts(b, "<ul><li><b>");
        html_text(b, rpt_text_at(after, "node"));
        strbuf_puts(b, "</b> <span class=muted>with the index, tried as a hypothetical one (");
        html_text(b, rpt_text_at(after, "source"));
        strbuf_puts(b, ")</span></ul></ul>");
    } else {
        strbuf_puts(b, "<p class=muted>Not known: HypoPG is not installed in this database, so "
                       "that the index could not be tried.</p>");
    }
    if (*ddl != '\0') {
        strbuf_puts(b, "<pre tabindex=0><code>");
        html_text(b, ddl);
        strbuf_puts(b, "</code></pre>");
    }
    strbuf_puts(b, "</figure>");
}

void html_plan(struct strbuf *b, const json_t *issue)
{
    const json_t *plan = json_object_get(issue, "plan");
    if (!json_is_object(plan))
        return;
    strbuf_puts(b, "<div class=compare>");
    put_before(b, json_object_get(plan, "before"));
    /* Not a second time what is the cure. */
    const char *ddl = rpt_text_at(plan, "ddl");
    bool said = strstr(rpt_text_at(issue, "optimized_code"), ddl) != NULL;
    put_after(b, json_object_get(plan, "after"), said ? "" : ddl);
    strbuf_puts(b, "</div>");
}
