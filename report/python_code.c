#include "report/python_code.h"

#include "detectors/names.h"

#include <ctype.h>

/* --- names --- */

/* In the singular, in lower case, without underscores: what Book and books have in common. */
static struct name fold(struct span s)
{
    struct name one = name_singular(s, "");
    struct name out = {.text = ""};
    size_t n = 0;
    for (const char *c = one.text; *c != '\0'; c++) {
        if (*c != '_')
            out.text[n++] = (char)tolower((unsigned char)*c);
    }
    return out;
}

bool py_names_table(struct span name, struct span table)
{
    struct name wanted = fold(name);
    if (wanted.text[0] == '\0')
        return false;
    for (size_t i = 0; i < table.len; i++) {
        /* Behind an underscore: Django puts the application before the model. */
        bool part = i == 0 || table.data[i - 1] == '_';
        if (part && strcmp(fold(span_skip(table, i)).text, wanted.text) == 0)
            return true;
    }
    return false;
}

bool py_is_class(struct span name)
{
    return name.len > 0 && isupper(name.data[0]);
}

bool py_is_word_of(struct span name, const char *words)
{
    struct span list = span_of_text(words);
    while (list.len > 0) {
        size_t n = span_find_byte(list, ' ');
        if (span_equal(span_head(list, n), name))
            return true;
        list = span_skip(list, n + 1);
    }
    return false;
}

/* --- chains --- */

size_t py_start_of_path(const struct py_range *r, size_t i)
{
    while (i >= r->from + 2 && py_is_op(r->t, i - 1, ".") && py_is_name(r->t, i - 2, NULL))
        i -= 2;
    return i;
}

/* `(` Name `)` at token i. */
static bool is_one_class(const struct py_range *r, size_t i)
{
    return i + 2 < r->to && py_is_op(r->t, i, "(") && py_is_name(r->t, i + 1, NULL) &&
           py_is_op(r->t, i + 2, ")") && py_is_class(py_text(r->t, i + 1));
}

static bool select_at(const struct py_range *r, size_t i, struct py_chain *c)
{
    const struct py_tokens *t = r->t;
    if (!py_is_name(t, i, "select") || !is_one_class(r, i + 1))
        return false;
    *c = (struct py_chain){i, i + 4, i + 4, py_text(t, i + 2)};
    if (!py_is_op(t, i - 1, "."))
        return true;
    c->first = py_start_of_path(r, i);
    return c->first + 2 == i && py_is_word_of(py_text(t, c->first), "sa sqlalchemy") &&
           !py_is_op(t, c->first - 1, ".");
}

static bool has_session(struct span name)
{
    return span_find(name, "session") < name.len || span_find(name, "Session") < name.len ||
           span_is(name, "db");
}

static bool query_at(const struct py_range *r, size_t i, struct py_chain *c)
{
    const struct py_tokens *t = r->t;
    if (!py_is_name(t, i, "query") || !is_one_class(r, i + 1) || !py_is_op(t, i - 1, ".") ||
        !py_is_name(t, i - 2, NULL) || !has_session(py_text(t, i - 2)))
        return false;
    *c = (struct py_chain){py_start_of_path(r, i), i + 4, i + 4, py_text(t, i + 2)};
    return c->first > r->from && !py_is_op(t, c->first - 1, ".");
}

static bool objects_at(const struct py_range *r, size_t i, struct py_chain *c)
{
    const struct py_tokens *t = r->t;
    if (!py_is_name(t, i, "objects") || !py_is_op(t, i - 1, ".") || !py_is_name(t, i - 2, NULL) ||
        !py_is_class(py_text(t, i - 2)))
        return false;
    *c = (struct py_chain){py_start_of_path(r, i), i + 1, i + 1, py_text(t, i - 2)};
    return c->first > r->from && !py_is_op(t, c->first - 1, ".");
}

bool py_head_at(const struct py_range *r, size_t i, enum py_head kind, struct py_chain *chain)
{
    if (i < r->from + 2 || i >= r->to)
        return false;
    switch (kind) {
    case PY_HEAD_SELECT:
        return select_at(r, i, chain);
    case PY_HEAD_QUERY:
        return query_at(r, i, chain);
    case PY_HEAD_OBJECTS:
        return objects_at(r, i, chain);
    }
    return false;
}

/* The token behind `.name(...)` at token i; i when there is no such call. */
static size_t behind_call(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    bool call = i + 3 < r->to && py_is_op(t, i, ".") && py_is_name(t, i + 1, NULL) &&
                py_is_op(t, i + 2, "(");
    return call && t->items[i + 2].mate < r->to ? t->items[i + 2].mate + 1 : i;
}

static size_t behind_calls(const struct py_range *r, size_t i, const char *words)
{
    for (;;) {
        size_t next = behind_call(r, i);
        if (next == i || !py_is_word_of(py_text(r->t, i + 1), words))
            return i;
        i = next;
    }
}

void py_take_calls(const struct py_range *r, struct py_chain *chain, const char *words)
{
    chain->end = behind_calls(r, chain->end, words);
}

size_t py_call_in(const struct py_range *r, const struct py_chain *chain, const char *method)
{
    size_t i = chain->head_end;
    while (i <= chain->end) {
        size_t next = behind_call(r, i);
        if (next == i)
            return 0;
        if (span_is(py_text(r->t, i + 1), method))
            return i + 1;
        i = next;
    }
    return 0;
}

bool py_mentions(const struct py_range *r, size_t from, size_t to, struct span name)
{
    for (size_t i = from; i < to && i < r->t->n; i++) {
        enum py_kind kind = r->t->items[i].kind;
        struct span text = py_text(r->t, i);
        bool string = kind == PY_STRING || kind == PY_FORMATTED;
        if (kind == PY_NAME && span_equal(text, name))
            return true;
        if (string && name.len > 0 && memmem(text.data, text.len, name.data, name.len) != NULL)
            return true;
    }
    return false;
}

/* --- the file --- */

bool py_begins_statement(const struct py_tokens *t, size_t i)
{
    return i == 0 || py_is_newline(t, i - 1) || py_is_op(t, i - 1, ";");
}

bool py_occurs(const struct py_tokens *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (py_is_name(t, i, name))
            return true;
    }
    return false;
}

enum binding { BINDS_NOT, BINDS_AS_WANTED, BINDS_OTHERWISE };

/* `from module import a, b as c` at token i. */
static enum binding binding_of(const struct py_tokens *t, size_t i, const char *name,
                               const char *modules)
{
    bool wanted = py_is_word_of(py_text(t, i + 1), modules);
    while (i < t->n && !py_is_newline(t, i) && !py_is_name(t, i, "import"))
        i++;
    for (; i < t->n && !py_is_newline(t, i); i++) {
        if (!py_is_name(t, i, name) || py_is_name(t, i + 1, "as"))
            continue;
        return wanted && !py_is_name(t, i - 1, "as") ? BINDS_AS_WANTED : BINDS_OTHERWISE;
    }
    return BINDS_NOT;
}

static bool is_indented(const struct py_tokens *t, size_t i)
{
    uint32_t at = t->items[i].at;
    return at > 0 && t->text.data[at - 1] != '\n';
}

bool py_imported_from(const struct py_tokens *t, const char *name, const char *modules)
{
    bool found = false;
    for (size_t i = 0; i < t->n; i++) {
        bool from = py_is_name(t, i, "from") || py_is_name(t, i, "import");
        if (!from || !py_begins_statement(t, i))
            continue;
        enum binding b = binding_of(t, i, name, modules);
        if (b == BINDS_OTHERWISE)
            return false;
        found |= b == BINDS_AS_WANTED && !is_indented(t, i);
    }
    return found;
}
