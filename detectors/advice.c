#include "detectors/advice.h"

#include "detectors/advice_parts.h"
#include "wire/values.h"

enum { SENTENCE_SQL = 160, COLUMNS_SHOWN = 24 };

/* --- shared --- */

/* What the tag says, which may be followed by a version: "django:5.2". */
static bool is_tagged(const struct finding *f, const char *framework)
{
    return span_starts(span_of_text(f->tag->value[SQL_TAG_FRAMEWORK]), framework);
}

/* Django quotes every name; SQLAlchemy only those that need it. */
static bool looks_like_django(const struct statement *s)
{
    return s != NULL &&
           (span_starts(s->text, "select \"") || span_starts(s->text, "select distinct \""));
}

static enum stack stack_of(const struct finding *f, const struct statement *s)
{
    const struct endpoint *e = f->endpoint;
    bool tagged = f->tag != NULL && f->tag->value[SQL_TAG_FRAMEWORK] != NULL;
    if (tagged ? is_tagged(f, "django") : looks_like_django(s))
        return STACK_DJANGO;
    if (tagged && is_tagged(f, "sqlalchemy"))
        return STACK_SQLALCHEMY;
    return e->asyncpg_units * 2 > e->units ? STACK_ASYNCPG : STACK_UNKNOWN;
}

void advice_choose(struct arena *arena, struct finding *f, const struct statement *subject)
{
    f->stack = stack_of(f, subject);
    switch (f->stack) {
    case STACK_DJANGO:
        f->optimized_code = f->django;
        break;
    case STACK_SQLALCHEMY:
        f->optimized_code = f->sqlalchemy;
        break;
    case STACK_ASYNCPG:
        f->optimized_code = f->asyncpg;
        break;
    case STACK_UNKNOWN:
        f->optimized_code = f->sqlalchemy == NULL
                                ? NULL
                                : det_text(arena,
                                           "# Assumes SQLAlchemy 2: the traffic does not show "
                                           "the library. See the variants.\n%s",
                                           f->sqlalchemy);
        break;
    }
}

void advice_put_columns(struct strbuf *b, const struct statement *s, const char *prefix,
                        const char *otherwise)
{
    unsigned n = 0;
    for (unsigned i = 0; s->columns != NULL && i < s->columns->n_columns && n < COLUMNS_SHOWN;
         i++) {
        struct name column = name_sql_in_python(statement_column_name(s, i), "");
        if (column.text[0] != '\0')
            strbuf_printf(b, "%s%s%s", n++ > 0 ? ", " : "", prefix, column.text);
    }
    if (n == 0)
        strbuf_puts(b, otherwise);
}

const char *advice_array_cast(uint32_t type_oid)
{
    switch (type_oid) {
    case WIRE_OID_INT8:
        return "::bigint[]";
    case WIRE_OID_INT4:
        return "::int[]";
    case WIRE_OID_INT2:
        return "::smallint[]";
    case WIRE_OID_UUID:
        return "::uuid[]";
    case WIRE_OID_TEXT:
    case WIRE_OID_VARCHAR:
        return "::text[]";
    case WIRE_OID_NUMERIC:
        return "::numeric[]";
    default:
        return "";
    }
}

const char *advice_sql(struct arena *arena, const struct statement *s)
{
    char text[SENTENCE_SQL + 1];
    if (s->text.len == 0)
        return "(a statement whose text was not seen)";
    size_t n = sql_display(s->text, text, sizeof(text));
    if (n < SENTENCE_SQL)
        return det_text(arena, "%s", text);
    while (n > 0 && ((uint8_t)text[n - 1] & 0xc0) == 0x80)
        n--; /* not within a character */
    text[n > 0 ? n - 1 : 0] = '\0';
    return det_text(arena, "%s ...", text);
}

/* --- SELECT * --- */

void advice_select_star(struct arena *arena, struct finding *f, const struct statement *s)
{
    struct span table = ledger_table(s, 0);
    struct name model = name_class(table);
    struct name sql = name_sql_in_python(table, "your_table");
    struct name field = name_attribute(statement_column_name(s, 0), "id");
    f->sqlalchemy = det_text(
        arena,
        "from sqlalchemy import select\n"
        "from sqlalchemy.orm import load_only\n"
        "\n"
        "# Name what the endpoint uses; %s stands for it here. Keep your WHERE, ORDER BY, LIMIT.\n"
        "stmt = select(%s).options(load_only(%s.%s))  # entities\n"
        "stmt = select(%s.%s)  # or plain rows\n",
        field.text, model.text, model.text, field.text, model.text, field.text);
    f->django = det_text(
        arena,
        "# Name what the endpoint uses; %s stands for it here. Keep your filters and slices.\n"
        "%s.objects.only(\"%s\")  # instances\n"
        "%s.objects.values(\"%s\")  # or plain rows\n",
        field.text, model.text, field.text, model.text, field.text);
    f->asyncpg = det_text(
        arena,
        "# Name what the endpoint uses; %s stands for it here. Keep your WHERE, ORDER BY, LIMIT.\n"
        "rows = await conn.fetch(\"SELECT %s FROM %s WHERE ...\")\n",
        field.text, name_sql_in_python(statement_column_name(s, 0), "id").text, sql.text);
    advice_choose(arena, f, s);
}

/* --- no LIMIT --- */

void advice_unbounded(struct arena *arena, struct finding *f, const struct statement *s)
{
    struct span table = ledger_table(s, 0);
    struct name model = name_class(table);
    struct name rows = name_attribute(table, "rows");
    struct strbuf b;
    f->sqlalchemy =
        det_text(arena,
                 "from sqlalchemy import select\n"
                 "\n"
                 "# Pages that continue after the last id seen; assumes the key %s.id.\n"
                 "# FastAPI: after: int = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50\n"
                 "stmt = select(%s).where(%s.id > after).order_by(%s.id).limit(limit)\n"
                 "# Keep your other conditions. An export streams instead:\n"
                 "# session.scalars(stmt.execution_options(yield_per=1000))\n",
                 model.text, model.text, model.text, model.text);
    f->django = det_text(
        arena,
        "# Pages that continue after the last id seen; assumes the key %s.id.\n"
        "page = %s.objects.filter(id__gt=after).order_by(\"id\")[:limit]\n"
        "# DRF: CursorPagination with page_size. An export streams: .iterator(chunk_size=2000)\n",
        model.text, model.text);
    strbuf_init(&b, DET_TEXT_MAX);
    strbuf_printf(&b,
                  "# Pages that continue after the last id seen; assumes the key id.\n"
                  "%s = await conn.fetch(\n"
                  "    \"SELECT ",
                  rows.text);
    advice_put_columns(&b, s, "", "id");
    strbuf_printf(&b,
                  " FROM %s WHERE id > $1 ORDER BY id LIMIT $2\",\n"
                  "    after,\n"
                  "    limit,\n"
                  ")\n"
                  "# Keep your other conditions. An export streams: async for row in "
                  "conn.cursor(...)\n",
                  name_sql_in_python(table, "your_table").text);
    f->asyncpg = det_take(arena, &b);
    advice_choose(arena, f, s);
}
