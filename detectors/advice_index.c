#include "detectors/advice_parts.h"

enum { MAX_INDEX_PARTS = 4, NAME_MAX_BYTES = 63, DJANGO_NAME_MAX = 30 };

/* One part of an index, as the advisor proposes it: a column's bare name, or an expression that is
 * SQL as it stands; with an operator class where LIKE asks for one, or a direction. */
struct index_part {
    struct span what;
    struct span operator_class; /* empty: the default one */
    bool expression;
    bool descending;
    const char *nulls; /* " NULLS FIRST", " NULLS LAST" or "" */
};

static struct index_part part_of(struct span text)
{
    struct index_part part = {.expression = span_find_byte(text, '(') < text.len};
    bool first = span_cut_end(&text, " NULLS FIRST");
    part.nulls = first ? " NULLS FIRST" : span_cut_end(&text, " NULLS LAST") ? " NULLS LAST" : "";
    part.descending = span_cut_end(&text, " DESC");
    part.what = text;
    size_t space = text.len;
    while (space > 0 && text.data[space - 1] != ' ')
        space--;
    struct span class = span_skip(text, space);
    struct span type = class;
    if (space > 0 && span_cut_end(&type, "_pattern_ops")) {
        part.operator_class = class;
        part.what = span_head(text, space - 1);
    }
    return part;
}

static unsigned split(struct span list, struct index_part out[MAX_INDEX_PARTS])
{
    unsigned n = 0;
    struct span one;
    while (n < MAX_INDEX_PARTS && name_next_part(&list, &one)) {
        if (one.len > 0)
            out[n++] = part_of(one);
    }
    return n;
}

/* Letters, lowered, digits and underscores of a text; what lies between them becomes one
 * underscore. */
static void put_word(struct strbuf *b, struct span text)
{
    bool gap = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (word && gap)
            strbuf_putc(b, '_');
        if (word)
            strbuf_putc(b, (char)c);
        gap = !word;
    }
}

/* "ix_orders_customer_email", within PostgreSQL's limit; a plain one for names that are none. */
static struct name index_name(struct arena *arena, struct span table,
                              const struct index_part *parts, unsigned n)
{
    struct strbuf b;
    struct name out = {.text = "ix_pgsleuth"};
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_puts(&b, "ix");
    put_word(&b, table);
    for (unsigned i = 0; i < n; i++)
        put_word(&b, parts[i].what);
    struct name checked;
    if (!b.failed && name_sql(span_head(strbuf_span(&b), NAME_MAX_BYTES), &checked) &&
        checked.text[0] != '"')
        out = checked;
    arena->no_memory += b.no_memory;
    strbuf_fini(&b);
    return out;
}

static bool put_sql_part(struct strbuf *b, const struct index_part *part)
{
    struct name column;
    if (part->expression)
        strbuf_add_span(b, part->what);
    else if (name_sql(part->what, &column))
        strbuf_puts(b, column.text);
    else
        return false;
    if (part->operator_class.len > 0)
        strbuf_putc(b, ' ');
    strbuf_add_span(b, part->operator_class);
    strbuf_printf(b, "%s%s", part->descending ? " DESC" : "", part->nulls);
    return true;
}

/* CREATE INDEX for people to run; NULL when a name cannot be written down. */
static const char *index_ddl(struct arena *arena, const struct advice_index *index,
                             const struct name *name, const struct index_part *parts, unsigned n)
{
    struct name table;
    struct name schema;
    struct strbuf b;
    bool ok = name_sql(index->table, &table);
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b, "CREATE INDEX CONCURRENTLY %s ON ", name->text);
    if (index->schema.len > 0) {
        ok &= name_sql(index->schema, &schema);
        strbuf_printf(&b, "%s.", schema.text);
    }
    strbuf_printf(&b, "%s (", table.text);
    for (unsigned i = 0; i < n; i++) {
        strbuf_puts(&b, i > 0 ? ", " : "");
        ok &= put_sql_part(&b, &parts[i]);
    }
    strbuf_puts(&b, ");");
    const char *out = det_take(arena, &b);
    return ok ? out : NULL;
}

/* As an element of a list in Python: "name", Django's "-name", or SQLAlchemy's text("name DESC").
 */
static void put_field(struct strbuf *b, const struct index_part *part, bool django)
{
    struct name name = name_attribute(part->what, "column");
    if (!part->descending)
        strbuf_printf(b, "\"%s\"", name.text);
    else if (django)
        strbuf_printf(b, "\"-%s\"", name.text);
    else
        strbuf_printf(b, "text(\"%s DESC\")", name_sql_in_python(part->what, "column").text);
}

static void put_fields(struct strbuf *b, const struct index_part *parts, unsigned n, bool django)
{
    for (unsigned i = 0; i < n; i++) {
        strbuf_puts(b, i > 0 ? ", " : "");
        put_field(b, &parts[i], django);
    }
}

/* Columns alone: an expression, an operator class or a place for nulls has no short form in the
 * ORMs. */
static bool is_plain(const struct index_part *parts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].expression || parts[i].operator_class.len > 0 || parts[i].nulls[0] != '\0')
            return false;
    }
    return true;
}

static bool has_descending(const struct index_part *parts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].descending)
            return true;
    }
    return false;
}

static void index_in_sqlalchemy(struct arena *arena, struct finding *f,
                                const struct advice_index *index, const struct name *name,
                                const struct index_part *parts, unsigned n)
{
    struct strbuf b;
    bool in_public = index->schema.len == 0 || span_is(index->schema, "public");
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b, "from sqlalchemy import Index%s\n\n# In %s\n__table_args__ = (Index(\"%s\", ",
                  has_descending(parts, n) ? ", text" : "", name_class(index->table).text,
                  name->text);
    put_fields(&b, parts, n, false);
    strbuf_printf(&b,
                  "),)\n\n# Alembic, which runs it outside the migration's transaction\n"
                  "with op.get_context().autocommit_block():\n"
                  "    op.create_index(\"%s\", \"%s\", [",
                  name->text, name_sql_in_python(index->table, "your_table").text);
    put_fields(&b, parts, n, false);
    strbuf_puts(&b, "], postgresql_concurrently=True");
    if (!in_public)
        strbuf_printf(&b, ", schema=\"%s\"", name_sql_in_python(index->schema, "your_schema").text);
    strbuf_puts(&b, ")\n");
    f->sqlalchemy = det_take(arena, &b);
}

static void index_in_django(struct arena *arena, struct finding *f, struct span table,
                            const struct name *name, const struct index_part *parts, unsigned n)
{
    struct strbuf b;
    struct name model = name_class(table);
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b, "# In %s\nclass Meta:\n    indexes = [models.Index(fields=[", model.text);
    put_fields(&b, parts, n, true);
    strbuf_printf(&b,
                  "], name=\"%.*s\")]\n\n"
                  "# In the migration: from django.contrib.postgres.operations import "
                  "AddIndexConcurrently\n"
                  "atomic = False\noperations = [\n"
                  "    AddIndexConcurrently(\"%s\", models.Index(fields=[",
                  DJANGO_NAME_MAX, name->text, model.text);
    put_fields(&b, parts, n, true);
    strbuf_printf(&b, "], name=\"%.*s\")),\n]\n", DJANGO_NAME_MAX, name->text);
    f->django = det_take(arena, &b);
}

/* A note of the advisor, as a comment of one line. */
static const char *note_comment(struct arena *arena, struct span note)
{
    struct strbuf b;
    if (note.len == 0)
        return "";
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_puts(&b, "-- ");
    for (size_t i = 0; i < note.len; i++)
        strbuf_putc(&b, note.data[i] < ' ' || note.data[i] == 0x7f ? ' ' : (char)note.data[i]);
    strbuf_putc(&b, '\n');
    const char *out = det_take(arena, &b);
    return out != NULL ? out : "";
}

void advice_missing_index(struct arena *arena, struct finding *f, const struct advice_index *index)
{
    struct index_part parts[MAX_INDEX_PARTS];
    unsigned n = split(index->columns, parts);
    const char *note = note_comment(arena, index->note);
    if (n == 0) {
        f->optimized_code = det_text(
            arena, "%s-- Write the filter so that an index serves it, or index its expression.\n",
            note);
        return;
    }
    struct name name = index_name(arena, index->table, parts, n);
    f->plan_ddl = index_ddl(arena, index, &name, parts, n);
    f->asyncpg = f->plan_ddl;
    if (is_plain(parts, n)) {
        index_in_sqlalchemy(arena, f, index, &name, parts, n);
        index_in_django(arena, f, index->table, &name, parts, n);
    }
    const char *code = f->plan_ddl != NULL ? f->plan_ddl : f->sqlalchemy;
    f->optimized_code = code != NULL ? det_text(arena, "%s%s\n", note, code) : note;
}
