/* Rows that a loop asks for one by one are loaded together with their parents. */
#include "report/source_edit_parts.h"

/* Of a statement that brings rows of one class, each once. */
static const char select_calls[] = "where filter filter_by order_by limit offset options";
static const char django_calls[] =
    "all filter exclude order_by reverse using select_related prefetch_related";

/* After these, rows that were loaded before need not be those that are read. */
static const char writes[] =
    "add add_all merge delete save create update bulk_create bulk_update get_or_create "
    "update_or_create remove expire expire_all expunge refresh flush refresh_from_db insert";

/* What becomes otherwise with a join, or asks for the rows itself. */
static const char refused[] = "with_for_update select_for_update group_by distinct having union "
                              "raiseload noload lazyload contains_eager aliased raw text";

static bool has_refused_name(const struct py_range *r)
{
    for (size_t i = r->from; i < r->to; i++) {
        struct span name = py_text(r->t, i);
        bool called = py_is_op(r->t, i + 1, "(");
        if (py_is_name(r->t, i, NULL) && called &&
            (py_is_word_of(name, refused) ||
             (py_is_op(r->t, i - 1, ".") && py_is_word_of(name, writes))))
            return true;
    }
    return false;
}

/* A string that may be a statement in SQL. */
static bool has_sql(const struct py_range *r)
{
    for (size_t i = r->from; i < r->to; i++) {
        struct span s = py_text(r->t, i);
        bool string = r->t->items[i].kind == PY_STRING || r->t->items[i].kind == PY_FORMATTED;
        if (string && (span_find(s, "SELECT ") < s.len || span_find(s, "select ") < s.len))
            return true;
    }
    return false;
}

/* The child's class: who names it may be asking for its rows by itself. */
static bool names_child(const struct py_range *r, struct span table)
{
    for (size_t i = r->from; i < r->to; i++) {
        struct span name = py_text(r->t, i);
        if (py_is_name(r->t, i, NULL) && py_is_class(name) && py_names_table(name, table))
            return true;
    }
    return false;
}

/* --- the relationship --- */

static bool may_be_relation(const struct finding_relation *rel, struct span name)
{
    struct span key = rel->key;
    if (rel->to_one && span_cut_end(&key, "_id") && span_equal(key, name))
        return true;
    (void)(!rel->to_one && span_cut_end(&name, "_set")); /* Django's, of no other name */
    return !py_is_class(name) && py_names_table(name, rel->table);
}

/* `row.name` at the token of the name, where row is what every loop with it takes of the chain. */
static bool is_read_of_row(const struct py_range *r, size_t i, const struct py_rows *rows)
{
    const struct py_tokens *t = r->t;
    size_t row = i - 2;
    if (py_is_name(t, row, "awaitable_attrs") && py_is_op(t, row - 1, "."))
        row -= 2;
    return py_is_op(t, i - 1, ".") && py_is_name(t, row, NULL) && !py_is_op(t, row - 1, ".") &&
           py_loops_over(r, py_text(t, row), rows);
}

/* What follows the name leaves a loaded relationship what it is. */
static bool is_plain_read(const struct py_range *r, size_t i, bool to_one, bool django)
{
    const struct py_tokens *t = r->t;
    if (py_is_op(t, i + 1, "(") || py_is_op(t, i + 1, "=") || py_is_op(t, i + 1, "+="))
        return false;
    if (to_one)
        return true;
    if (!django)
        return !py_is_op(t, i + 1, ".");
    return py_is_op(t, i + 1, ".") && py_is_name(t, i + 2, "all") && py_is_op(t, i + 3, "(") &&
           py_is_op(t, i + 4, ")") && !py_is_op(t, i + 5, ".") && !py_is_op(t, i + 5, "[");
}

/* The one attribute by which the function reads the relation, in the line that the statements came
 * from when `there`; the empty span when it is not certain. */
static struct span attribute_of(const struct edit_place *p, const struct py_rows *rows,
                                const struct finding_relation *rel, bool *there)
{
    const struct py_tokens *t = p->r.t;
    struct span found = span_of(NULL, 0);
    bool django = p->f->stack == STACK_DJANGO;
    for (size_t i = p->r.from; i < p->r.to; i++) {
        struct span name = py_text(t, i);
        if (!py_is_name(t, i, NULL) || !py_is_op(t, i - 1, ".") || !may_be_relation(rel, name))
            continue;
        bool same = found.len == 0 || span_equal(found, name);
        if (!same || !is_read_of_row(&p->r, i, rows) ||
            !is_plain_read(&p->r, i, rel->to_one, django))
            return span_of(NULL, 0);
        found = name;
        *there |= t->items[i].logical == p->logical;
    }
    return found;
}

/* The attributes of all relations of the finding, each certain. */
static bool find_attributes(const struct edit_place *p, const struct py_chain *chain,
                            struct span out[FINDING_MAX_STATEMENTS])
{
    const struct finding *f = p->f;
    const struct py_rows rows = py_rows_of(&p->r, chain);
    bool there = false;
    for (unsigned i = 0; i < f->n_relations; i++) {
        const struct finding_relation *rel = &f->relations[i];
        if (names_child(&p->r, rel->table) || py_names_table(chain->class, rel->table))
            return false;
        out[i] = attribute_of(p, &rows, rel, &there);
        if (out[i].len == 0 || py_mentions(&p->r, chain->first, chain->end, out[i]))
            return false;
        for (unsigned k = 0; k < i; k++) {
            if (span_equal(out[i], out[k]))
                return false;
        }
    }
    return f->n_relations > 0 && there;
}

static bool is_clean(const struct edit_place *p)
{
    return p->f->n_relations > 0 && !has_refused_name(&p->r) && !has_sql(&p->r);
}

/* --- SQLAlchemy --- */

static const char *loader_of(const struct finding_relation *rel)
{
    return rel->to_one ? "joinedload" : "selectinload";
}

/* The imports that the file lacks; false when the name is something else there. */
static bool put_import(const struct py_tokens *t, struct strbuf *out, const char *name)
{
    if (py_imported_from(t, name, "sqlalchemy"))
        return true;
    if (py_occurs(t, name))
        return false;
    if (out->len == 0)
        strbuf_puts(out, "from sqlalchemy.orm import ");
    else if (span_find(strbuf_span(out), name) < out->len)
        return true;
    else
        strbuf_puts(out, ", ");
    strbuf_puts(out, name);
    return true;
}

/* Relationships that are queries cannot be loaded beforehand. The class may stand elsewhere. */
static bool has_dynamic(const struct py_tokens *t)
{
    const struct py_range all = {t, 0, t->n};
    static const char *const names[] = {"dynamic", "write_only", "DynamicMapped", "WriteOnlyMapped",
                                        "dynamic_loader"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (py_mentions(&all, 0, t->n, span_of_text(names[i])))
            return true;
    }
    return false;
}

static void put_assumption(struct edit *e, const struct finding *f)
{
    bool dynamic = false;
    for (unsigned i = 0; i < f->n_relations; i++)
        dynamic |= !f->relations[i].to_one;
    bool one = f->n_relations == 1;
    strbuf_puts(&e->assumes, one ? " to be a relationship" : " to be relationships");
    if (dynamic)
        strbuf_puts(&e->assumes, one ? ", not a dynamic one" : ", not dynamic ones");
}

static bool is_used_well(const struct edit_place *p, const struct py_chain *chain)
{
    static const struct py_uses statement = {
        .callees = "",
        .methods = "scalars execute stream stream_scalars exec",
        .calls = select_calls,
        .terminal = "",
    };
    static const struct py_uses query = {
        .callees = "list tuple",
        .methods = "",
        .calls = select_calls,
        .terminal = "all",
        .iterated = true,
    };
    bool legacy = py_is_name(p->r.t, chain->head_end - 4, "query");
    return py_goes_only_to(&p->r, chain, legacy ? &query : &statement);
}

static void put_attribute(struct strbuf *out, const struct py_chain *chain, struct span name)
{
    strbuf_add_span(out, chain->class);
    strbuf_putc(out, '.');
    strbuf_add_span(out, name);
}

bool edit_eager_sqlalchemy(const struct edit_place *p, struct edit *e)
{
    struct py_chain chain;
    struct span names[FINDING_MAX_STATEMENTS];
    const struct finding *f = p->f;
    if (!is_clean(p) || !edit_find_chain(p, PY_HEAD_SELECT, PY_HEAD_QUERY, f->parent_table, &chain))
        return false;
    py_take_calls(&p->r, &chain, select_calls);
    if (!is_used_well(p, &chain) || !find_attributes(p, &chain, names) || has_dynamic(p->r.t))
        return false;
    e->at = edit_behind(p, chain.head_end - 1);
    strbuf_puts(&e->text, ".options(");
    for (unsigned i = 0; i < f->n_relations; i++) {
        const char *loader = loader_of(&f->relations[i]);
        if (!put_import(p->r.t, &e->imports, loader))
            return false;
        strbuf_printf(&e->text, "%s%s(", i > 0 ? ", " : "", loader);
        put_attribute(&e->text, &chain, names[i]);
        strbuf_putc(&e->text, ')');
        strbuf_puts(&e->assumes, i > 0 ? ", " : "");
        put_attribute(&e->assumes, &chain, names[i]);
    }
    strbuf_putc(&e->text, ')');
    if (e->imports.len > 0)
        strbuf_putc(&e->imports, '\n');
    put_assumption(e, f);
    return true;
}

/* --- Django --- */

static void put_related(struct edit *e, const struct finding *f, const struct span *names,
                        bool to_one)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->n_relations; i++) {
        if (f->relations[i].to_one != to_one)
            continue;
        if (n++ == 0)
            strbuf_puts(&e->text, to_one ? ".select_related(" : ".prefetch_related(");
        else
            strbuf_puts(&e->text, ", ");
        strbuf_printf(&e->text, "\"%.*s\"", (int)names[i].len, (const char *)names[i].data);
    }
    if (n > 0)
        strbuf_putc(&e->text, ')');
}

bool edit_eager_django(const struct edit_place *p, struct edit *e)
{
    static const struct py_uses uses = {
        .callees = "list tuple sorted enumerate Paginator",
        .methods = "",
        .calls = django_calls,
        .terminal = "",
        .iterated = true,
        .sliced = true,
    };
    struct py_chain chain;
    struct span names[FINDING_MAX_STATEMENTS];
    if (!is_clean(p) ||
        !edit_find_chain(p, PY_HEAD_OBJECTS, PY_HEAD_OBJECTS, p->f->parent_table, &chain))
        return false;
    py_take_calls(&p->r, &chain, django_calls);
    if (chain.end == chain.head_end || !py_goes_only_to(&p->r, &chain, &uses) ||
        !find_attributes(p, &chain, names))
        return false;
    e->at = edit_behind(p, chain.end - 1);
    put_related(e, p->f, names, true);
    put_related(e, p->f, names, false);
    return true;
}
