#include "proxy/admin_view.h"

#include "common/clock.h"
#include "report/html.h"
#include "report/json.h"
#include "report/tree.h"
#include "report/value.h"

#include <event2/buffer.h>
#include <stdlib.h>

enum {
    DOCUMENT_MAX = 256 * 1024 * 1024,
    LEAST_US = 1000 * 1000,
    PAUSE_FACTOR = 4,          /* times what it took, before it is made again */
    KEEP_US = 5 * 1000 * 1000, /* what nobody asked for again */
};

struct admin_text {
    size_t refs;
    size_t len;
    char *data;
};

static void text_unref(struct admin_text *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    free(t->data);
    free(t);
}

static void on_sent(const void *data, size_t len, void *context)
{
    (void)data;
    (void)len;
    text_unref(context);
}

void admin_view_init(struct admin_view *v, const struct documents *documents)
{
    *v = (struct admin_view){.documents = *documents};
}

static void forget_tree(struct admin_view *v)
{
    json_decref(v->tree);
    json_decref(v->statements);
    v->tree = NULL;
    v->statements = NULL;
}

void admin_view_forget(struct admin_view *v)
{
    forget_tree(v);
    for (int i = 0; i < ADMIN_DOCS; i++) {
        text_unref(v->items[i].text);
        v->items[i].text = NULL;
    }
}

void admin_view_fini(struct admin_view *v)
{
    admin_view_forget(v);
}

void admin_view_tidy(struct admin_view *v, int64_t now_us)
{
    if (v->tree != NULL && now_us > v->tree_until_us + KEEP_US)
        forget_tree(v);
    for (int i = 0; i < ADMIN_DOCS; i++) {
        if (v->items[i].text != NULL && now_us > v->items[i].use_until_us + KEEP_US) {
            text_unref(v->items[i].text);
            v->items[i].text = NULL;
        }
    }
}

/* --- making --- */

static int64_t use_until(int64_t began_us)
{
    int64_t now = clock_monotonic_us();
    int64_t pause = (now - began_us) * PAUSE_FACTOR;
    return now + (pause > LEAST_US ? pause : LEAST_US);
}

static int make_tree(struct admin_view *v, const struct audit *audit)
{
    int64_t began_us = clock_monotonic_us();
    if (v->tree != NULL && began_us < v->tree_until_us)
        return 0;
    forget_tree(v);
    struct result *result = documents_judge(audit, &v->documents, false);
    if (result == NULL)
        return -1;
    v->tree = rpt_tree(result);
    v->statements = rpt_statements(result);
    result_free(result);
    v->tree_until_us = use_until(began_us);
    if (v->tree != NULL && v->statements != NULL)
        return 0;
    forget_tree(v);
    return -1;
}

static bool is_of_tree(enum admin_document what)
{
    return what != ADMIN_DOC_METRICS && what != ADMIN_DOC_PAGE && what != ADMIN_DOC_PAGE_EVENT;
}

const char *admin_view_type(enum admin_document what)
{
    switch (what) {
    case ADMIN_DOC_METRICS:
        return ADMIN_METRICS_TYPE;
    case ADMIN_DOC_PAGE:
        return "text/html; charset=utf-8";
    case ADMIN_DOC_PAGE_EVENT:
        return "text/event-stream";
    default:
        return "application/json";
    }
}

/* The issues of all severities as one list, each with its severity. */
static json_t *findings(const json_t *tree)
{
    json_t *out = json_array();
    const char *severity;
    json_t *list;
    json_object_foreach(json_object_get(tree, "issues"), severity, list)
    {
        size_t i;
        json_t *issue;
        json_array_foreach(list, i, issue)
        {
            json_t *one = json_object();
            rpt_put(&one, "severity", json_string(severity));
            if (one != NULL && json_object_update(one, issue) != 0) {
                json_decref(one);
                one = NULL;
            }
            rpt_add(&out, one);
        }
    }
    return out;
}

static json_t *list_of(const struct admin_view *v, enum admin_document what)
{
    json_t *out = json_object();
    rpt_put(&out, "schema_version", json_incref(json_object_get(v->tree, "schema_version")));
    rpt_put(&out, "run", json_incref(json_object_get(v->tree, "run")));
    if (what == ADMIN_DOC_ENDPOINTS)
        rpt_put(&out, "endpoints", json_incref(json_object_get(v->tree, "endpoints")));
    else if (what == ADMIN_DOC_FINDINGS)
        rpt_put(&out, "findings", findings(v->tree));
    else
        rpt_put(&out, "statements", json_incref(v->statements));
    return out;
}

static int make_json(struct admin_view *v, enum admin_document what, const struct audit *audit,
                     struct strbuf *out)
{
    if (make_tree(v, audit) != 0)
        return -1;
    json_t *document = what == ADMIN_DOC_REPORT ? json_incref(v->tree) : list_of(v, what);
    int r = document != NULL ? rpt_json(document, out) : -1;
    json_decref(document);
    return r;
}

static int make_metrics(const struct audit *audit, const struct admin_figures *figures,
                        struct strbuf *out)
{
    struct result *result = result_new(audit);
    int r = result != NULL ? admin_metrics(result, figures, out) : -1;
    result_free(result);
    return r;
}

/* Each line of a text as a line of data. */
static void put_event(struct strbuf *out, const char *name, struct span text)
{
    strbuf_printf(out, "event: %s\n", name);
    while (text.len > 0) {
        struct span line = span_head(text, span_find_byte(text, '\n'));
        strbuf_puts(out, "data: ");
        strbuf_add_span(out, line);
        strbuf_putc(out, '\n');
        text = span_skip(text, line.len + (line.len < text.len));
    }
    strbuf_putc(out, '\n');
}

static int make_event(const json_t *tree, struct strbuf *out)
{
    struct strbuf parts;
    strbuf_init(&parts, DOCUMENT_MAX);
    int r = rpt_html_parts(tree, &parts);
    if (r == 0)
        put_event(out, "page", strbuf_span(&parts));
    strbuf_fini(&parts);
    return r;
}

static int make_page(const struct admin_view *v, enum admin_document what,
                     const struct audit *audit, struct strbuf *out)
{
    struct result *result = documents_judge(audit, &v->documents, false);
    json_t *tree = result != NULL ? rpt_tree_detailed(result) : NULL;
    result_free(result);
    int r = -1;
    if (tree != NULL)
        r = what == ADMIN_DOC_PAGE ? rpt_html_live(tree, out) : make_event(tree, out);
    json_decref(tree);
    return r;
}

static int make(struct admin_view *v, enum admin_document what, const struct audit *audit,
                const struct admin_figures *figures)
{
    struct strbuf text;
    struct admin_text *t = calloc(1, sizeof(*t));
    int64_t began_us = clock_monotonic_us();
    strbuf_init(&text, DOCUMENT_MAX);
    int r = -1;
    if (t != NULL && what == ADMIN_DOC_METRICS)
        r = make_metrics(audit, figures, &text);
    else if (t != NULL && (what == ADMIN_DOC_PAGE || what == ADMIN_DOC_PAGE_EVENT))
        r = make_page(v, what, audit, &text);
    else if (t != NULL)
        r = make_json(v, what, audit, &text);
    if (r != 0 || text.failed) {
        strbuf_fini(&text);
        free(t);
        return -1;
    }
    *t = (struct admin_text){.refs = 1, .len = text.len, .data = strbuf_take(&text)};
    v->items[what].text = t;
    v->items[what].use_until_us = is_of_tree(what) ? v->tree_until_us : use_until(began_us);
    return 0;
}

int admin_view_add(struct admin_view *v, enum admin_document what, const struct audit *audit,
                   const struct admin_figures *figures, struct evbuffer *out)
{
    if (v->items[what].text != NULL && clock_monotonic_us() >= v->items[what].use_until_us) {
        text_unref(v->items[what].text);
        v->items[what].text = NULL;
    }
    if (v->items[what].text == NULL && make(v, what, audit, figures) != 0)
        return -1;
    struct admin_text *t = v->items[what].text;
    t->refs++;
    if (evbuffer_add_reference(out, t->data, t->len, on_sent, t) == 0)
        return 0;
    t->refs--;
    return -1;
}
