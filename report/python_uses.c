/* Where a chain of calls, and the variable that it is assigned to, go. */
#include "report/python_code.h"

/* Tokens of an expression. */
struct part {
    size_t first;
    size_t end; /* behind it */
};

/* Without the parentheses around it that call nothing. */
static struct part unwrapped(const struct py_range *r, struct part p)
{
    const struct py_tokens *t = r->t;
    while (p.first > r->from + 1 && py_is_op(t, p.first - 1, "(") && py_is_op(t, p.end, ")")) {
        size_t before = p.first - 2;
        bool called = t->items[before].kind == PY_NAME || py_is_op(t, before, ")") ||
                      py_is_op(t, before, "]") || t->items[before].kind == PY_STRING;
        bool keyword =
            py_is_word_of(py_text(t, before), "in return await yield and or not if else");
        if (called && !keyword)
            break;
        p = (struct part){p.first - 1, p.end + 1};
    }
    return p;
}

/* [a:b] at token i; a colon in brackets of its own does not make a slice. */
static bool is_slice(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    if (!py_is_op(t, i, "["))
        return false;
    for (size_t k = i + 1; k < t->items[i].mate; k++) {
        if (py_is_op(t, k, ":"))
            return true;
        if (t->items[k].mate > k)
            k = t->items[k].mate;
    }
    return false;
}

static bool ends_iterable(const struct py_tokens *t, size_t i)
{
    return py_is_op(t, i, ":") || py_is_op(t, i, "]") || py_is_op(t, i, ")") ||
           py_is_op(t, i, "}") || py_is_name(t, i, "if") || py_is_name(t, i, "for");
}

/* `for x in` before token i, not a test of membership. */
static bool is_iterated(const struct py_range *r, struct part p)
{
    const struct py_tokens *t = r->t;
    if (!py_is_name(t, p.first - 1, "in") || !ends_iterable(t, p.end))
        return false;
    for (size_t i = p.first - 1; i > r->from && !py_is_newline(t, i); i--) {
        if (py_is_name(t, i, "for"))
            return true;
        if (py_is_word_of(py_text(t, i), "if and or not return while assert"))
            return false;
    }
    return false;
}

/* f(x) and a.f(x, ...). */
static bool is_argument(const struct py_range *r, struct part p, const struct py_uses *uses)
{
    const struct py_tokens *t = r->t;
    bool first = py_is_op(t, p.first - 1, "(") && py_is_name(t, p.first - 2, NULL) &&
                 (py_is_op(t, p.end, ")") || py_is_op(t, p.end, ","));
    struct span callee = py_text(t, p.first - 2);
    if (!first)
        return false;
    return py_is_op(t, p.first - 3, ".") ? py_is_word_of(callee, uses->methods)
                                         : py_is_word_of(callee, uses->callees);
}

/* With the slice behind it, where there may be one, and the parentheses around it. */
static struct part widened(const struct py_range *r, struct part p, const struct py_uses *uses)
{
    if (uses->sliced && is_slice(r, p.end))
        p.end = r->t->items[p.end].mate + 1;
    return unwrapped(r, p);
}

/* Whether the expression stands where it may. */
static bool is_allowed(const struct py_range *r, struct part p, const struct py_uses *uses)
{
    p = widened(r, p, uses);
    return (uses->iterated && is_iterated(r, p)) || is_argument(r, p, uses);
}

/* The variable of `name = expression`; the empty span when it is no such statement. */
static struct span variable_of(const struct py_range *r, struct part p)
{
    const struct py_tokens *t = r->t;
    bool assigned = p.first >= r->from + 3 && py_is_op(t, p.first - 1, "=") &&
                    py_is_name(t, p.first - 2, NULL) && py_begins_statement(t, p.first - 2) &&
                    py_is_newline(t, p.end);
    return assigned ? py_text(t, p.first - 2) : span_of(NULL, 0);
}

static size_t behind(const struct py_range *r, size_t i, const char *words)
{
    struct py_chain c = {.first = i, .head_end = i, .end = i};
    py_take_calls(r, &c, words);
    return c.end;
}

static bool is_terminated(const struct py_range *r, size_t i, const struct py_uses *uses)
{
    return behind(r, i, uses->terminal) > i;
}

static bool is_inside_brackets(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    for (size_t k = i; k > r->from && !py_is_newline(t, k - 1); k--) {
        if (t->items[k - 1].mate > k - 1)
            return true;
        if (t->items[k - 1].mate < k - 1)
            k = t->items[k - 1].mate + 1;
    }
    return false;
}

/* A name that stands for itself: no attribute, no name of an argument. */
static bool is_variable(const struct py_range *r, size_t i, struct span name)
{
    const struct py_tokens *t = r->t;
    if (!py_is_name(t, i, NULL) || !span_equal(py_text(t, i), name) || py_is_op(t, i - 1, "."))
        return false;
    return !(py_is_op(t, i + 1, "=") && is_inside_brackets(r, i));
}

static bool is_in_formatted(const struct py_range *r, size_t i, struct span name)
{
    return r->t->items[i].kind == PY_FORMATTED && py_mentions(r, i, i + 1, name);
}

/* One occurrence of the variable, at token i. */
static bool is_good_use(const struct py_range *r, size_t i, struct span name,
                        const struct py_uses *uses)
{
    const struct py_tokens *t = r->t;
    if (py_is_op(t, i + 1, "=")) { /* x = x.filter(...), whose right side is judged by itself */
        return py_begins_statement(t, i) && py_is_name(t, i + 2, NULL) &&
               span_equal(py_text(t, i + 2), name) && py_is_op(t, i + 3, ".");
    }
    struct part p = {i, behind(r, i + 1, uses->calls)};
    struct span again = variable_of(r, widened(r, p, uses));
    return (p.end > i + 1 && span_equal(again, name)) || is_terminated(r, p.end, uses) ||
           is_allowed(r, p, uses);
}

bool py_goes_only_to(const struct py_range *r, const struct py_chain *chain,
                     const struct py_uses *uses)
{
    struct part p = {chain->first, chain->end};
    if (is_terminated(r, p.end, uses) || is_allowed(r, p, uses))
        return true;
    p = widened(r, p, uses);
    struct span name = variable_of(r, p);
    unsigned used = 0;
    for (size_t i = r->from; i < r->to && name.len > 0; i++) {
        if (is_in_formatted(r, i, name))
            return false;
        if (!is_variable(r, i, name) || i + 2 == p.first)
            continue;
        if (!is_good_use(r, i, name, uses))
            return false;
        used++;
    }
    return used > 0;
}

/* --- loops --- */

enum { HOPS = 3 }; /* variables between a chain and the loop over its rows */

static bool is_carrier(const struct py_rows *rows, struct span name)
{
    for (unsigned i = 0; i < rows->n; i++) {
        if (span_equal(rows->names[i], name))
            return true;
    }
    return false;
}

/* Whether the chain is among the tokens, or a variable that carries its rows. */
static bool has_rows(const struct py_range *r, size_t from, size_t to, const struct py_rows *rows)
{
    const struct py_tokens *t = r->t;
    if (rows->chain->first >= from && rows->chain->first < to)
        return true;
    for (size_t i = from; i < to; i++) {
        bool variable = py_is_name(t, i, NULL) && !py_is_op(t, i - 1, ".") &&
                        !py_is_op(t, i + 1, "(") && !py_is_op(t, i + 1, "=");
        if (variable && is_carrier(rows, py_text(t, i)))
            return true;
    }
    return false;
}

static size_t statement_end(const struct py_range *r, size_t i)
{
    while (i < r->to && !py_is_newline(r->t, i))
        i++;
    return i;
}

struct py_rows py_rows_of(const struct py_range *r, const struct py_chain *chain)
{
    const struct py_tokens *t = r->t;
    struct py_rows rows = {.chain = chain};
    for (unsigned hop = 0; hop < HOPS; hop++) {
        for (size_t i = r->from; i < r->to; i++) {
            bool assigned = py_is_name(t, i, NULL) && py_is_op(t, i + 1, "=") &&
                            py_begins_statement(t, i) && !is_carrier(&rows, py_text(t, i));
            if (assigned && rows.n < PY_CARRIERS && has_rows(r, i + 2, statement_end(r, i), &rows))
                rows.names[rows.n++] = py_text(t, i);
        }
    }
    return rows;
}

/* Behind the expression that begins at token i, behind `in`. */
static size_t iterable_end(const struct py_range *r, size_t i)
{
    const struct py_tokens *t = r->t;
    while (i < r->to && !py_is_newline(t, i) && !ends_iterable(t, i))
        i = (t->items[i].mate > i ? t->items[i].mate : i) + 1;
    return i;
}

bool py_loops_over(const struct py_range *r, struct span name, const struct py_rows *rows)
{
    const struct py_tokens *t = r->t;
    bool found = false;
    for (size_t i = r->from; i < r->to; i++) {
        bool target = false;
        if (!py_is_name(t, i, "for"))
            continue;
        for (i++; i < r->to && !py_is_name(t, i, "in"); i++)
            target |= py_is_name(t, i, NULL) && span_equal(py_text(t, i), name);
        if (target && !has_rows(r, i + 1, iterable_end(r, i + 1), rows))
            return false;
        found |= target;
    }
    return found;
}
