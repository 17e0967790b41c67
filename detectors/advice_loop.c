/* What to write instead of one statement a row. */
#include "detectors/advice_parts.h"

static struct span table_of(const struct statement *s)
{
    return s != NULL ? ledger_table(s, 0) : span_of(NULL, 0);
}

/* "key" when the column is not known or is no name. */
static struct name key_column(const struct advice_repeat *r)
{
    return name_attribute(r->column, "key");
}

/* Whether every repeat loads rows that the ORM would reach through a relationship. */
static bool are_relationships(const struct advice_loop *loop)
{
    for (unsigned i = 0; i < loop->n_repeats; i++) {
        if (loop->repeats[i].aggregate || loop->repeats[i].column.len == 0)
            return false;
    }
    return loop->parent != NULL && table_of(loop->parent).len > 0;
}

/* The attribute by which the parent's class reaches the child: author.books, book.author. */
static struct name relationship(const struct advice_loop *loop, const struct advice_repeat *r)
{
    struct span table = table_of(r->child);
    if (!r->to_one)
        return name_attribute(table, "children");
    struct name by_key = name_reference(loop->parent_column, "");
    return by_key.text[0] != '\0' ? by_key : name_singular(table, "child");
}

/* --- SQLAlchemy --- */

static void put_assumptions(struct strbuf *b, const struct advice_loop *loop)
{
    struct name parent = name_class(table_of(loop->parent));
    strbuf_puts(b, "# Assumes ");
    for (unsigned i = 0; i < loop->n_repeats; i++)
        strbuf_printf(b, "%s%s.%s", i > 0 ? ", " : "", parent.text,
                      relationship(loop, &loop->repeats[i]).text);
    strbuf_puts(b, loop->n_repeats > 1 ? " to be relationships.\n" : " to be a relationship.\n");
}

static bool uses(const struct advice_loop *loop, bool to_one)
{
    for (unsigned i = 0; i < loop->n_repeats; i++) {
        if (loop->repeats[i].to_one == to_one)
            return true;
    }
    return false;
}

static unsigned statements_after(const struct advice_loop *loop)
{
    unsigned n = 1;
    for (unsigned i = 0; i < loop->n_repeats; i++)
        n += !loop->repeats[i].to_one;
    return n;
}

static void put_options(struct strbuf *b, const struct advice_loop *loop, const char *class)
{
    for (unsigned i = 0; i < loop->n_repeats; i++)
        strbuf_printf(b, "%s%s(%s.%s)", i > 0 ? ", " : "",
                      loop->repeats[i].to_one ? "joinedload" : "selectinload", class,
                      relationship(loop, &loop->repeats[i]).text);
}

static void sqlalchemy_relationships(struct strbuf *b, const struct advice_loop *loop)
{
    struct name parent = name_class(table_of(loop->parent));
    struct name rows = name_attribute(table_of(loop->parent), "rows");
    unsigned after = statements_after(loop);
    strbuf_puts(b, "from sqlalchemy import select\nfrom sqlalchemy.orm import ");
    strbuf_puts(b, uses(loop, true) ? "joinedload" : "");
    strbuf_puts(b, uses(loop, true) && uses(loop, false) ? ", " : "");
    strbuf_puts(b, uses(loop, false) ? "selectinload" : "");
    strbuf_puts(b, "\n\n");
    put_assumptions(b, loop);
    strbuf_printf(b, "stmt = select(%s).options(", parent.text);
    put_options(b, loop, parent.text);
    strbuf_printf(b,
                  ")  # keep your WHERE, ORDER BY, LIMIT\n"
                  "%s = session.scalars(stmt).all()\n"
                  "# with AsyncSession: (await session.scalars(stmt)).all()\n"
                  "# %u statement%s instead of 1+N%s; raiseload(\"*\") in tests keeps it so.\n",
                  rows.text, after, det_plural(after),
                  uses(loop, false) ? " (selectinload asks for 500 parents at a time)" : "");
}

static void sqlalchemy_batch(struct strbuf *b, const struct advice_repeat *r)
{
    struct name model = name_class(table_of(r->child));
    struct name key = key_column(r);
    strbuf_printf(b, "from sqlalchemy import %sselect\n\n", r->aggregate ? "func, " : "");
    strbuf_puts(b, "# keys: those of all rows of the page, gathered before the loop.\n");
    if (r->aggregate)
        strbuf_printf(
            b,
            "stmt = (\n"
            "    select(%s.%s, func.count())  # and the other aggregates of the statement\n"
            "    .where(%s.%s.in_(keys))\n"
            "    .group_by(%s.%s)\n"
            ")\n",
            model.text, key.text, model.text, key.text, model.text, key.text);
    else
        strbuf_printf(b, "stmt = select(%s).where(%s.%s.in_(keys))\n", model.text, model.text,
                      key.text);
    strbuf_printf(b,
                  "found = session.%s(stmt).all()\n"
                  "# with AsyncSession: (await session.%s(stmt)).all()\n",
                  r->aggregate ? "execute" : "scalars", r->aggregate ? "execute" : "scalars");
    strbuf_puts(b, "# One statement for the whole page; look rows up by key in the loop.\n");
}

/* --- Django --- */

static void django_relationships(struct strbuf *b, const struct advice_loop *loop)
{
    put_assumptions(b, loop);
    if (uses(loop, false))
        strbuf_puts(b, "# Without related_name the reverse side is called <model>_set.\n");
    strbuf_printf(b, "%s.objects", name_class(table_of(loop->parent)).text);
    for (int to_one = 1; to_one >= 0; to_one--) {
        if (!uses(loop, to_one))
            continue;
        strbuf_puts(b, to_one ? ".select_related(" : ".prefetch_related(");
        unsigned n = 0;
        for (unsigned i = 0; i < loop->n_repeats; i++) {
            if (loop->repeats[i].to_one == (bool)to_one)
                strbuf_printf(b, "%s\"%s\"", n++ > 0 ? ", " : "",
                              relationship(loop, &loop->repeats[i]).text);
        }
        strbuf_puts(b, ")");
    }
    unsigned after = statements_after(loop);
    strbuf_printf(b, "  # keep your filters and slices\n# %u statement%s instead of 1+N.\n", after,
                  det_plural(after));
}

static void django_batch(struct strbuf *b, const struct advice_loop *loop,
                         const struct advice_repeat *r)
{
    struct name model = name_class(table_of(r->child));
    struct name key = key_column(r);
    struct span parent = table_of(loop->parent);
    if (r->aggregate && parent.len > 0) {
        strbuf_printf(b,
                      "from django.db.models import Count\n\n"
                      "# Assumes that %s refers to %s; add the other aggregates beside it.\n"
                      "%s.objects.annotate(n=Count(\"%s\", distinct=True))\n"
                      "# 1 statement instead of 1+N.\n",
                      model.text, name_class(parent).text, name_class(parent).text,
                      name_singular(table_of(r->child), "child").text);
        return;
    }
    strbuf_printf(b,
                  "# keys: those of all rows of the page, gathered before the loop.\n"
                  "found = %s.objects.filter(%s__in=keys)\n"
                  "# One statement for the whole page; look rows up by key in the loop.\n",
                  model.text, key.text);
}

/* --- asyncpg --- */

static bool has_column(const struct statement *s, struct span column)
{
    for (unsigned i = 0; s->columns != NULL && i < s->columns->n_columns; i++) {
        if (span_equal(statement_column_name(s, i), column))
            return true;
    }
    return false;
}

static void put_select(struct strbuf *b, const struct advice_loop *loop,
                       const struct advice_repeat *r)
{
    struct name key = name_sql_in_python(r->column, "key");
    strbuf_puts(b, "    \"SELECT ");
    if (r->aggregate) {
        strbuf_printf(b, "%s, count(*)", key.text);
    } else {
        if (!has_column(r->child, r->column))
            strbuf_printf(b, "%s, ", key.text);
        advice_put_columns(b, r->child, "", "...");
    }
    strbuf_printf(b, " FROM %s\"\n    \" WHERE %s = ANY($1%s)%s%s\",\n",
                  name_sql_in_python(table_of(r->child), "child").text, key.text,
                  advice_array_cast(loop->key_type), r->aggregate ? " GROUP BY " : "",
                  r->aggregate ? key.text : "");
}

static void asyncpg_batch(struct strbuf *b, const struct advice_loop *loop,
                          const struct advice_repeat *r)
{
    struct name of = name_sql_in_python(loop->parent_column, "id");
    struct name parents = name_attribute(table_of(loop->parent), "rows");
    struct name found = name_attribute(table_of(r->child), "found");
    struct name key = name_sql_in_python(r->column, "key");
    strbuf_printf(b, "%s = await conn.fetch(\n", found.text);
    put_select(b, loop, r);
    strbuf_printf(b, "    [row[\"%s\"] for row in %s],\n)\n", of.text, parents.text);
    if (r->aggregate || r->to_one)
        strbuf_printf(b, "%s_by_key = {row[\"%s\"]: row for row in %s}\n", found.text, key.text,
                      found.text);
    else
        strbuf_printf(b,
                      "%s_by_key = {}\nfor row in %s:\n"
                      "    %s_by_key.setdefault(row[\"%s\"], []).append(row)\n",
                      found.text, found.text, found.text, key.text);
}

static void asyncpg_batches(struct strbuf *b, const struct advice_loop *loop)
{
    strbuf_printf(b, "# %s: the rows of the page. Keep the other conditions of the statement.\n",
                  name_attribute(table_of(loop->parent), "rows").text);
    for (unsigned i = 0; i < loop->n_repeats; i++)
        asyncpg_batch(b, loop, &loop->repeats[i]);
    strbuf_printf(b, "# %u statements instead of 1+N.\n", 1 + loop->n_repeats);
}

/* ---------------------------------------------------------------------------------------------------------
 */

static void note_relations(struct finding *f, const struct advice_loop *loop)
{
    f->parent_table = table_of(loop->parent);
    for (unsigned i = 0; i < loop->n_repeats && i < FINDING_MAX_STATEMENTS; i++) {
        const struct advice_repeat *r = &loop->repeats[i];
        f->relations[f->n_relations++] = (struct finding_relation){
            .table = table_of(r->child), .key = loop->parent_column, .to_one = r->to_one};
    }
}

void advice_n_plus_one(struct arena *arena, struct finding *f, const struct advice_loop *loop)
{
    bool related = are_relationships(loop);
    struct strbuf b;
    if (related)
        note_relations(f, loop);
    strbuf_init(&b, DET_TEXT_MAX);
    if (related)
        sqlalchemy_relationships(&b, loop);
    for (unsigned i = 0; !related && i < loop->n_repeats; i++)
        sqlalchemy_batch(&b, &loop->repeats[i]);
    f->sqlalchemy = det_take(arena, &b);
    strbuf_init(&b, DET_TEXT_MAX);
    if (related)
        django_relationships(&b, loop);
    for (unsigned i = 0; !related && i < loop->n_repeats; i++)
        django_batch(&b, loop, &loop->repeats[i]);
    f->django = det_take(arena, &b);
    strbuf_init(&b, DET_TEXT_MAX);
    asyncpg_batches(&b, loop);
    f->asyncpg = det_take(arena, &b);
    advice_choose(arena, f, loop->repeats[0].child);
}
