/* The checklist by verdict, each item with its reason; and what to do besides. */
#include "report/html_parts.h"

#include <string.h>

static const struct verdict_text {
    const char *key;
    const char *title;
    bool open;
} verdicts[] = {
    {"fail", "Failed", true},
    {"pass", "Passed", false},
    {"not_applicable", "Not applicable", false},
    {"not_observed", "Not observed", false},
    {"manual", "For a person to judge", false},
};

static void put_sources(struct strbuf *b, const json_t *sources)
{
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const char *source = json_string_value(json_array_get(sources, i));
        strbuf_puts(b, i > 0 ? ", " : " <span class=muted>Judged by ");
        html_text(b, source != NULL ? source : "");
    }
    if (json_array_size(sources) > 0)
        strbuf_puts(b, ".</span>");
}

static void put_issues(struct strbuf *b, const json_t *issues)
{
    for (size_t i = 0; i < json_array_size(issues); i++) {
        const char *fingerprint = json_string_value(json_array_get(issues, i));
        strbuf_puts(b, " <a href=\"#issue-");
        html_text(b, fingerprint != NULL ? fingerprint : "");
        strbuf_printf(b, "\">finding %zu</a>", i + 1);
    }
}

static void put_item(struct strbuf *b, const json_t *item)
{
    const char *how = rpt_text_at(item, "how_to_observe");
    json_int_t id = rpt_count_at(item, "id");
    strbuf_printf(b,
                  "<li id=check-%" JSON_INTEGER_FORMAT "><span class=number>%" JSON_INTEGER_FORMAT
                  "</span><div>",
                  id, id);
    html_element(b, "b", rpt_text_at(item, "text"));
    strbuf_puts(b, "<p>");
    html_text(b, rpt_text_at(item, "reason"));
    strbuf_puts(b, ".");
    put_issues(b, json_object_get(item, "issues"));
    if (*how != '\0') {
        strbuf_puts(b, " To observe it: ");
        html_text(b, how);
        strbuf_puts(b, ".");
    }
    put_sources(b, json_object_get(item, "evidence_source"));
    strbuf_puts(b, "</p></div>\n");
}

static size_t count_of(const json_t *items, const char *verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(items); i++)
        n += strcmp(rpt_text_at(json_array_get(items, i), "verdict"), verdict) == 0;
    return n;
}

static void put_group(struct strbuf *b, const json_t *items, const struct verdict_text *v)
{
    size_t n = count_of(items, v->key);
    if (n == 0)
        return;
    strbuf_printf(b,
                  "<details class=\"card verdict %s\" id=verdict-%s%s><summary><h3>%s</h3> "
                  "<span class=muted>%zu</span></summary><ul class=items>",
                  v->key, v->key, v->open ? " open" : "", v->title, n);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (strcmp(rpt_text_at(item, "verdict"), v->key) == 0)
            put_item(b, item);
    }
    strbuf_puts(b, "</ul></details>\n");
}

void html_checklist(struct strbuf *b, const json_t *tree)
{
    const json_t *items = json_object_get(tree, "checklist");
    strbuf_puts(b, "<section id=checklist data-part aria-labelledby=h-checklist><h2 "
                   "id=h-checklist>Checklist</h2><p class=lead>A thing that was not seen is not "
                   "passed.</p>\n");
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        put_group(b, items, &verdicts[i]);
    strbuf_puts(b, "</section>\n");
}

/* --- what to do besides --- */

static void put_list(struct strbuf *b, const json_t *list, const char *before, const char *after)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        strbuf_puts(b, before);
        html_text(b, text != NULL ? text : "");
        strbuf_puts(b, after);
    }
}

void html_advice(struct strbuf *b, const json_t *tree)
{
    const json_t *words = json_object_get(tree, "recommendations");
    const json_t *commands = json_object_get(tree, "profiling_commands");
    if (json_array_size(words) + json_array_size(commands) == 0)
        return;
    strbuf_puts(b, "<section id=advice data-part aria-labelledby=h-advice><h2 id=h-advice>What to "
                   "do next</h2><div class=card>");
    if (json_array_size(words) > 0) {
        strbuf_puts(b, "<ul>");
        put_list(b, words, "<li>", "\n");
        strbuf_puts(b, "</ul>");
    }
    if (json_array_size(commands) > 0) {
        strbuf_puts(b, "<h3>To measure again</h3>");
        put_list(b, commands, "<figure class=code><pre tabindex=0><code>",
                 "</code></pre></figure>");
    }
    strbuf_puts(b, "</div></section>\n");
}
