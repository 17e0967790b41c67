#include "report/source_edit.h"

#include "detectors/detector.h"
#include "report/source_edit_parts.h"
#include "report/utf8.h"

/* --- what the edits share --- */

bool edit_find_chain(const struct edit_place *p, enum py_head kind, enum py_head other,
                     struct span table, struct py_chain *out)
{
    unsigned found = 0;
    for (size_t i = p->r.from; i < p->r.to; i++) {
        struct py_chain c;
        if ((py_head_at(&p->r, i, kind, &c) || py_head_at(&p->r, i, other, &c)) &&
            py_names_table(c.class, table)) {
            *out = c;
            found++;
        }
    }
    return found == 1 && (!py_is_name(p->r.t, out->first, "select") ||
                          py_imported_from(p->r.t, "select", "sqlalchemy sqlmodel"));
}

size_t edit_before(const struct edit_place *p, size_t token)
{
    return p->r.t->items[token].at;
}

size_t edit_behind(const struct edit_place *p, size_t token)
{
    return edit_before(p, token) + p->r.t->items[token].len;
}

/* --- the function --- */

/* Text that the report writes as it is: layout by tabs and what is no text would change. */
static bool is_plain(struct span text)
{
    uint32_t code = 0;
    while (rpt_utf8_next(&text, &code)) {
        bool line_end = code == '\n' || (code == '\r' && span_starts(text, "\n"));
        if (code == RPT_REPLACEMENT || (!line_end && rpt_is_control(code)))
            return false;
    }
    return true;
}

/* The report cuts spaces at the ends of lines, which in a string are its value. */
static bool has_trailing_space(const struct py_range *r)
{
    for (size_t i = r->from; i < r->to; i++) {
        struct span s = py_text(r->t, i);
        bool string = r->t->items[i].kind == PY_STRING || r->t->items[i].kind == PY_FORMATTED;
        if (string && (span_find(s, " \n") < s.len || span_find(s, " \r") < s.len))
            return true;
    }
    return false;
}

/* The tokens of the function, if it begins and ends where logical lines do. */
static bool find_range(struct py_range *r, const struct source_function *fn)
{
    const struct py_tokens *t = r->t;
    size_t from = (size_t)(fn->text.data - t->text.data);
    size_t to = from + fn->text.len;
    r->from = 0;
    while (r->from < t->n && t->items[r->from].at < from)
        r->from++;
    r->to = r->from;
    while (r->to < t->n && t->items[r->to].at < to)
        r->to++;
    bool begins = r->from == 0 || py_is_newline(t, r->from - 1);
    bool ends = r->to > r->from && py_is_newline(t, r->to - 1);
    return begins && (ends || (r->to + 1 == t->n && r->to > r->from));
}

/* The logical line that the physical one is in. */
static bool find_logical(struct edit_place *p, unsigned line)
{
    bool found = false;
    for (size_t i = p->r.from; i < p->r.to && p->r.t->items[i].line <= line; i++) {
        p->logical = p->r.t->items[i].logical;
        found = true;
    }
    return found;
}

/* Names that change what a variable is, anywhere: nothing is certain then. */
static bool has_far_names(const struct py_range *r)
{
    for (size_t i = r->from; i < r->to; i++) {
        if (py_is_name(r->t, i, NULL) && !py_is_op(r->t, i - 1, ".") &&
            py_is_word_of(py_text(r->t, i),
                          "global nonlocal exec eval locals globals vars setattr"))
            return true;
    }
    return false;
}

/* --- faults that code to copy must not have, though it has them already --- */

static bool is_method(const struct py_range *r, size_t i, const char *words)
{
    return py_is_name(r->t, i, NULL) && py_is_op(r->t, i - 1, ".") && py_is_op(r->t, i + 1, "(") &&
           py_is_word_of(py_text(r->t, i), words);
}

/* A page of rows in no order. */
static bool has_page_without_order(const struct py_range *r)
{
    bool page = false;
    for (size_t i = r->from; i < r->to; i++) {
        if (is_method(r, i, "order_by"))
            return false;
        page |= is_method(r, i, "limit offset");
    }
    return page;
}

static bool is_async(const struct py_range *r)
{
    for (size_t i = r->from; i < r->to; i++) {
        if (py_is_name(r->t, i, "def"))
            return py_is_name(r->t, i - 1, "async");
    }
    return false;
}

/* A session's call in async code that nobody awaits: it stops the event loop. Without arguments it
 * is a method of a result. */
static bool has_blocking_call(const struct py_range *r)
{
    size_t to = is_async(r) ? r->to : r->from;
    for (size_t i = r->from; i < to; i++) {
        bool call =
            is_method(r, i, "execute scalars scalar exec query") && !py_is_op(r->t, i + 2, ")");
        if (call && !py_is_name(r->t, py_start_of_path(r, i) - 1, "await"))
            return true;
    }
    return false;
}

/* --- the document --- */

/* Whether the byte is within a string, whose lines stay as they are. `token` is where the search
 * goes on from: bytes are asked for in their order. */
static bool is_in_string(const struct py_range *r, size_t *token, size_t at)
{
    const struct py_token *items = r->t->items;
    while (*token < r->to && items[*token].at + (size_t)items[*token].len <= at)
        (*token)++;
    const struct py_token *k = &items[*token];
    return *token < r->to && k->at < at && (k->kind == PY_STRING || k->kind == PY_FORMATTED);
}

/* A part of the function that the edit leaves alone, without its indentation. */
static void put_part(struct strbuf *out, const struct py_range *r, size_t from, size_t to,
                     unsigned indent)
{
    const uint8_t *text = r->t->text.data;
    size_t token = r->from;
    for (size_t i = from; i < to; i++) {
        bool line = i == 0 || text[i - 1] == '\n';
        bool margin = line && !is_in_string(r, &token, i);
        for (unsigned n = 0; margin && n < indent && i < to && text[i] == ' '; n++)
            i++;
        if (i < to)
            strbuf_putc(out, (char)text[i]);
    }
}

static void put_function(struct strbuf *out, const struct edit_place *p, const struct edit *e,
                         const struct source_function *fn)
{
    size_t from = (size_t)(fn->text.data - p->r.t->text.data);
    if (e->imports.len > 0) {
        strbuf_add_span(out, strbuf_span(&e->imports));
        strbuf_puts(out, "\n\n");
    }
    if (e->assumes.len > 0)
        strbuf_printf(out, "# Assumes %s.\n", strbuf_text(&e->assumes));
    put_part(out, &p->r, from, e->at, fn->indent);
    strbuf_add_span(out, strbuf_span(&e->text));
    put_part(out, &p->r, e->at + e->cut, from + fn->text.len, fn->indent);
}

/* --- the edit --- */

static edit_function *edit_for(const struct finding *f)
{
#define SOURCE_EDIT(rule, seen, function)                                                          \
    if (f->detector == det_detectors[DETECTOR_##rule] && f->stack == (seen))                       \
        return function;
#include "report/source_edits.def"
#undef SOURCE_EDIT
    return NULL;
}

static void edit_init(struct edit *e)
{
    *e = (struct edit){.at = 0};
    strbuf_init(&e->text, EDIT_MAX_BYTES);
    strbuf_init(&e->imports, EDIT_MAX_BYTES);
    strbuf_init(&e->assumes, EDIT_MAX_BYTES);
}

static void edit_fini(struct edit *e)
{
    strbuf_fini(&e->text);
    strbuf_fini(&e->imports);
    strbuf_fini(&e->assumes);
}

static bool is_whole(const struct edit *e)
{
    return !e->text.failed && !e->imports.failed && !e->assumes.failed;
}

/* What comes out is Python as far as tokens tell. */
static bool put_if_good(struct strbuf *out, const struct strbuf *made)
{
    struct py_tokens t;
    bool good = !made->failed && py_read(&t, strbuf_span(made));
    if (good) {
        py_free(&t);
        strbuf_add_span(out, strbuf_span(made));
    }
    return good && !out->failed;
}

static bool edit(struct strbuf *out, const struct py_tokens *t, const struct source_function *fn,
                 unsigned line, const struct finding *f)
{
    struct edit_place p = {.r = {.t = t}, .f = f};
    struct edit e;
    struct strbuf made;
    if (!find_range(&p.r, fn) || !find_logical(&p, line) || has_far_names(&p.r) ||
        has_trailing_space(&p.r) || has_page_without_order(&p.r) || has_blocking_call(&p.r))
        return false;
    edit_init(&e);
    strbuf_init(&made, SOURCE_EDIT_BYTES + 3 * EDIT_MAX_BYTES);
    bool found = edit_for(f)(&p, &e) && is_whole(&e);
    if (found)
        put_function(&made, &p, &e, fn);
    found = found && put_if_good(out, &made);
    strbuf_fini(&made);
    edit_fini(&e);
    return found;
}

bool source_edit(struct strbuf *out, struct span text, const struct source_place *place,
                 const struct finding *f)
{
    struct source_function fn;
    struct py_tokens t;
    if (edit_for(f) == NULL || !source_function(&fn, text, place) ||
        fn.text.len > SOURCE_EDIT_BYTES || !is_plain(fn.text) || !py_read(&t, text))
        return false;
    bool found = edit(out, &t, &fn, place->line, f);
    py_free(&t);
    return found;
}
