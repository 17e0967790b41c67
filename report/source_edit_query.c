/* Edits of the statement itself, after which it answers the same with less. */
#include "detectors/ledger.h"
#include "detectors/names.h"
#include "report/source_edit_parts.h"

#include <ctype.h>
#include <strings.h>

static uint32_t logical_of(const struct edit_place *p, size_t token)
{
    return p->r.t->items[token].logical;
}

static const struct statement *statement_of(const struct edit_place *p)
{
    return p->f->n_statements > 0 ? p->f->statements[0].statement : NULL;
}

static struct span table_of(const struct edit_place *p)
{
    const struct statement *s = statement_of(p);
    return s != NULL ? ledger_table(s, 0) : span_of(NULL, 0);
}

/* --- SELECT * --- */

static bool is_word_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* Where the word next occurs by itself, in any case; the length without it. */
static size_t find_word(struct span s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.len; i++) {
        bool begins = i == 0 || !is_word_byte(s.data[i - 1]);
        bool ends = i + n == s.len || !is_word_byte(s.data[i + n]);
        if (begins && ends && strncasecmp((const char *)s.data + i, word, n) == 0)
            return i;
    }
    return s.len;
}

static size_t skip_space(struct span s, size_t i)
{
    while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\r'))
        i++;
    return i;
}

/* Behind the word at i, and the space behind it; 0 when another one is there. */
static size_t behind_word(struct span s, size_t i, const char *word)
{
    struct span rest = span_skip(s, i);
    return rest.len > 0 && find_word(rest, word) == 0 ? skip_space(s, i + strlen(word)) : 0;
}

static size_t word_length(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_word_byte(s.data[n]))
        n++;
    return n;
}

/* Whether the text begins with the table, with or without its schema. */
static bool names_in_sql(struct span s, struct span table)
{
    size_t n = word_length(s);
    if (n < s.len && s.data[n] == '.') {
        s = span_skip(s, n + 1);
        n = word_length(s);
    }
    bool whole = n == s.len || s.data[n] != '.';
    return n > 0 && n == table.len && whole &&
           strncasecmp((const char *)s.data, (const char *)table.data, n) == 0;
}

/* The star of a string that is "SELECT * FROM table" and what follows, nothing of it a second
 * statement; 0 when it is no such string. */
static size_t star_in(struct span s, struct span table)
{
    size_t select = find_word(s, "select");
    size_t star = select < s.len ? behind_word(s, select, "select") : 0;
    if (star == 0 || star >= s.len || s.data[star] != '*')
        return 0;
    size_t from = behind_word(s, skip_space(s, star + 1), "from");
    struct span rest = span_skip(s, from);
    bool again = find_word(rest, "select") < rest.len || find_word(rest, "join") < rest.len;
    return from > 0 && !again && names_in_sql(rest, table) ? star : 0;
}

/* All columns in their order, no name twice. */
static bool put_columns(struct strbuf *out, const struct statement *s)
{
    if (s->columns == NULL || s->columns->n_columns == 0 ||
        s->columns->n_columns != s->columns->total)
        return false;
    for (unsigned i = 0; i < s->columns->n_columns; i++) {
        struct span name = statement_column_name(s, i);
        struct name sql = name_sql_in_python(name, "");
        if (sql.text[0] == '\0')
            return false;
        for (unsigned k = 0; k < i; k++) {
            if (span_equal(name, statement_column_name(s, k)))
                return false;
        }
        strbuf_printf(out, "%s%s", i > 0 ? ", " : "", sql.text);
    }
    return true;
}

/* The function's only string with SQL, which is whole in one token. */
static size_t only_sql(const struct edit_place *p)
{
    const struct py_tokens *t = p->r.t;
    size_t found = p->r.to;
    for (size_t i = p->r.from + 1; i < p->r.to; i++) {
        struct span s = py_text(t, i);
        bool string = t->items[i].kind == PY_STRING || t->items[i].kind == PY_FORMATTED;
        if (!string || py_is_newline(t, i - 1) || find_word(s, "select") == s.len)
            continue; /* a docstring is one behind a line's end */
        bool joined = i + 1 < p->r.to &&
                      (t->items[i + 1].kind == PY_STRING || t->items[i + 1].kind == PY_FORMATTED);
        joined |= t->items[i - 1].kind == PY_STRING || t->items[i - 1].kind == PY_FORMATTED;
        bool added = py_is_op(t, i + 1, "+") || py_is_op(t, i + 1, "%") ||
                     py_is_op(t, i - 1, "+") || py_is_op(t, i + 1, ".");
        if (found != p->r.to || joined || added || t->items[i].kind == PY_FORMATTED)
            return p->r.to;
        found = i;
    }
    return found;
}

bool edit_star(const struct edit_place *p, struct edit *e)
{
    const struct statement *s = statement_of(p);
    size_t token = only_sql(p);
    if (s == NULL || token == p->r.to || ledger_table(s, 1).len > 0)
        return false;
    size_t star = star_in(py_text(p->r.t, token), ledger_table(s, 0));
    if (star == 0 || !put_columns(&e->text, s))
        return false;
    e->at = edit_before(p, token) + star;
    e->cut = 1;
    strbuf_puts(&e->assumes, "that all columns are wanted: leave out what is not used");
    return true;
}

/* --- rows that the function throws away --- */

/* [:10] at token i: its number's token, or 0. */
static size_t head_slice(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    bool slice = py_is_op(t, i, "[") && py_is_op(t, i + 1, ":") && py_is_op(t, i + 3, "]") &&
                 i + 3 < r->to && t->items[i + 2].kind == PY_NUMBER;
    struct span n = py_text(t, i + 2);
    bool digits = slice && n.len < 6 && n.data[0] != '0';
    for (size_t k = 0; digits && k < n.len; k++)
        digits = isdigit(n.data[k]);
    return digits ? i + 2 : 0;
}

/* `.all()` at token i: behind it, or 0. */
static size_t behind_all(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    bool all = py_is_op(t, i, ".") && py_is_name(t, i + 1, "all") && py_is_op(t, i + 2, "(") &&
               py_is_op(t, i + 3, ")");
    return all ? i + 4 : 0;
}

/* session.scalars(CHAIN).all() and (await session.scalars(CHAIN)).all(): behind it, or 0. */
static size_t behind_execution(const struct py_range *r, const struct py_chain *c)
{
    const struct py_tokens *t = r->t;
    if (py_is_name(t, c->head_end - 4, "query"))
        return behind_all(r, c->end);
    bool executed = py_is_op(t, c->end, ")") && py_is_op(t, c->first - 1, "(") &&
                    py_is_name(t, c->first - 2, "scalars");
    size_t end = c->end + 1;
    if (executed && py_is_op(t, end, ")") && t->items[end].mate >= r->from &&
        py_is_name(t, t->items[end].mate + 1, "await"))
        end++;
    return executed ? behind_all(r, end) : 0;
}

/* An order is asked for, and no part of the rows yet. */
static bool may_be_cut(const struct edit_place *p, const struct py_chain *c)
{
    return py_call_in(&p->r, c, "order_by") > 0 && py_call_in(&p->r, c, "limit") == 0 &&
           py_call_in(&p->r, c, "offset") == 0 && logical_of(p, c->first) == p->logical;
}

bool edit_limit_sqlalchemy(const struct edit_place *p, struct edit *e)
{
    struct py_chain c;
    if (!edit_find_chain(p, PY_HEAD_SELECT, PY_HEAD_QUERY, table_of(p), &c))
        return false;
    py_take_calls(&p->r, &c, "where filter filter_by order_by limit offset");
    size_t slice = behind_execution(&p->r, &c);
    size_t number = slice > 0 ? head_slice(&p->r, slice) : 0;
    if (number == 0 || !may_be_cut(p, &c))
        return false;
    struct span n = py_text(p->r.t, number);
    e->at = edit_behind(p, c.end - 1);
    strbuf_printf(&e->text, ".limit(%.*s)", (int)n.len, (const char *)n.data);
    return true;
}

bool edit_limit_django(const struct edit_place *p, struct edit *e)
{
    struct py_chain c;
    if (!edit_find_chain(p, PY_HEAD_OBJECTS, PY_HEAD_OBJECTS, table_of(p), &c))
        return false;
    py_take_calls(&p->r, &c, "all filter exclude order_by");
    bool listed = py_is_op(p->r.t, c.first - 1, "(") && py_is_name(p->r.t, c.first - 2, "list") &&
                  !py_is_op(p->r.t, c.first - 3, ".") && py_is_op(p->r.t, c.end, ")");
    size_t number = listed ? head_slice(&p->r, c.end + 1) : 0;
    if (number == 0 || !may_be_cut(p, &c))
        return false;
    struct span n = py_text(p->r.t, number);
    e->at = edit_behind(p, c.end - 1);
    strbuf_printf(&e->text, "[:%.*s]", (int)n.len, (const char *)n.data);
    return true;
}

/* --- counting to see whether there is any --- */

/* `> 0` and what means the same at token i, with nothing behind it that it would bind to. */
static bool asks_for_any(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    bool zero = (py_is_op(t, i, ">") || py_is_op(t, i, "!=")) && span_is(py_text(t, i + 1), "0");
    bool one = py_is_op(t, i, ">=") && span_is(py_text(t, i + 1), "1");
    bool ends = py_is_newline(t, i + 2) || py_is_op(t, i + 2, ")") || py_is_op(t, i + 2, ":") ||
                py_is_op(t, i + 2, ",") || py_is_op(t, i + 2, "]") || py_is_op(t, i + 2, "}") ||
                py_is_word_of(py_text(t, i + 2), "and or if else");
    return (zero || one) && ends;
}

static bool begins_comparison(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    return py_is_op(t, i, "(") || py_is_op(t, i, ",") || py_is_op(t, i, "=") ||
           py_is_op(t, i, "[") || py_is_op(t, i, ":") ||
           py_is_word_of(py_text(t, i), "if elif and or not return else while");
}

/* `.count()` behind the chain that begins with the head at token i. */
static bool is_counted(const struct edit_place *p, size_t i, struct py_chain *c)
{
    if (!py_head_at(&p->r, i, PY_HEAD_OBJECTS, c) || !py_names_table(c->class, table_of(p)))
        return false;
    py_take_calls(&p->r, c, "all filter exclude order_by");
    return py_is_op(p->r.t, c->end, ".") && py_is_name(p->r.t, c->end + 1, "count") &&
           py_is_op(p->r.t, c->end + 2, "(") && py_is_op(p->r.t, c->end + 3, ")");
}

bool edit_exists(const struct edit_place *p, struct edit *e)
{
    struct py_chain c = {.first = 0};
    unsigned counted = 0;
    for (size_t i = p->r.from; i < p->r.to; i++) {
        struct py_chain one;
        if (is_counted(p, i, &one)) {
            c = one;
            counted++;
        }
    }
    if (counted != 1 || !asks_for_any(&p->r, c.end + 4) || !begins_comparison(&p->r, c.first - 1) ||
        logical_of(p, c.first) != p->logical)
        return false;
    e->at = edit_before(p, c.end + 1);
    e->cut = edit_behind(p, c.end + 5) - e->at;
    strbuf_puts(&e->text, "exists()");
    return true;
}
