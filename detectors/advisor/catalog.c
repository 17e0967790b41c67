#include "detectors/advisor/catalog.h"

#include "common/clock.h"
#include "detectors/advisor/advice.h"

#include <stdio.h>
#include <stdlib.h>

#define FRESH_US INT64_C(60000000)

enum { MAX_COLUMNS = 32 };

/* A table as it was read; its columns are found by name and function. */
struct advisor_cached {
    char schema[ADVISOR_NAME_SIZE];
    char name[ADVISOR_NAME_SIZE];
    char oid[16]; /* "" when there is no such table */
    int64_t read_us;
    struct advisor_table table;
    unsigned n_columns;
    struct cached_column {
        char column[ADVISOR_NAME_SIZE];
        char function[ADVISOR_NAME_SIZE];
        struct advisor_column about;
    } columns[MAX_COLUMNS];
};

/* reltuples is -1 until the table was vacuumed or analysed; the planner then guesses, see
 * read_guess. */
static const char *const table_sql =
    "SELECT c.oid, c.reltuples, pg_catalog.pg_relation_size(c.oid), "
    "pg_catalog.format('EXPLAIN (FORMAT JSON) SELECT FROM ONLY %I.%I', n.nspname, c.relname) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1::pg_catalog.name AND c.relname = $2::pg_catalog.name";

static const char *const column_sql =
    "SELECT CASE WHEN t.typtype = 'd' THEN b.typname ELSE t.typname END, "
    "coalesce((SELECT s.n_distinct FROM pg_catalog.pg_stats s WHERE s.schemaname = $2 "
    "AND s.tablename = $3 AND s.attname = a.attname AND NOT s.inherited), 0), "
    "coalesce(l.collname IN ('C', 'POSIX') OR l.collname = 'default' "
    "AND (SELECT d.datcollate IN ('C', 'POSIX') FROM pg_catalog.pg_database d "
    "WHERE d.datname = pg_catalog.current_database()), false), "
    "coalesce((SELECT pg_catalog.bool_and(p.provolatile = 'i') FROM pg_catalog.pg_proc p "
    "JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace WHERE p.proname = $5 "
    "AND p.pronargs = 1 AND f.nspname = ANY ($6::pg_catalog.name[])), false), "
    "EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid "
    "AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]) "
    "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype "
    "LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation "
    "WHERE a.attrelid = $1::pg_catalog.oid AND a.attname = $4 AND a.attnum > 0 "
    "AND NOT a.attisdropped";

/* The n-th key of an index when it is a column. */
#define MORE(n)                                                                                    \
    "coalesce((SELECT m.attname FROM pg_catalog.pg_attribute m WHERE m.attrelid = i.indrelid "     \
    "AND m.attnum > 0 AND m.attnum = i.indkey[" n " - 1] AND i.indnkeyatts >= " n "), '')"

static const char *const index_sql =
    "SELECT c.relname, m.amname, coalesce(a.attname, ''), "
    "pg_catalog.pg_get_indexdef(i.indexrelid, 1, false), o.opcname, "
    "i.indisvalid AND i.indisready, i.indpred IS NOT NULL, " MORE("2") ", " MORE("3") ", " MORE(
        "4") " "
             "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
             "JOIN pg_catalog.pg_am m ON m.oid = c.relam "
             "JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0] "
             "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = "
             "i.indkey[0] "
             "AND a.attnum > 0 WHERE i.indrelid = $1::pg_catalog.oid ORDER BY c.relname";

static const char *const children_sql =
    "SELECT n.nspname, c.relname, greatest(c.reltuples, 0), pg_catalog.pg_relation_size(c.oid), "
    "(SELECT pg_catalog.string_agg(a.attname::pg_catalog.text, ', ' ORDER BY k.at) "
    "FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY k(number, at) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number), "
    "pg_catalog.cardinality(f.conkey) "
    "FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_class p ON p.oid = f.confrelid "
    "JOIN pg_catalog.pg_namespace q ON q.oid = p.relnamespace "
    "WHERE f.contype = 'f' AND f.conparentid = 0 AND q.nspname = $1::pg_catalog.name "
    "AND p.relname = $2::pg_catalog.name AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i "
    "WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indpred IS NULL "
    "AND i.indkey[0] = ANY (f.conkey)) ORDER BY c.reltuples DESC, n.nspname, c.relname, f.conname";

static bool is_true(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column)[0] == 't';
}

/* Every name fits: the server cuts them. An expression that does not is kept out. */
static void copy(char *out, size_t size, const char *text)
{
    if (strlen(text) < size)
        snprintf(out, size, "%s", text);
    else
        out[0] = '\0';
}

static enum advisor_link_status read_guess(struct advisor_link *link, const char *sql, double *rows)
{
    PGresult *r;
    enum advisor_link_status status = advisor_link_query(link, sql, NULL, &r);
    if (status != LINK_OK)
        return status;
    if (PQntuples(r) == 1) {
        json_t *root = json_loads(PQgetvalue(r, 0, 0), 0, NULL);
        json_t *top = json_object_get(json_array_get(root, 0), "Plan");
        *rows = json_number_value(json_object_get(top, "Plan Rows"));
        json_decref(root);
    }
    PQclear(r);
    return LINK_OK;
}

static enum advisor_link_status read_table(struct advisor_link *link, struct advisor_cached *out)
{
    const char *const values[] = {out->schema, out->name};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, table_sql, 2, values, &r);
    if (status != LINK_OK)
        return status;
    if (PQntuples(r) == 1) {
        copy(out->oid, sizeof(out->oid), PQgetvalue(r, 0, 0));
        out->table.rows = strtod(PQgetvalue(r, 0, 1), NULL);
        out->table.bytes = strtod(PQgetvalue(r, 0, 2), NULL);
        if (out->table.rows < 0)
            status = read_guess(link, PQgetvalue(r, 0, 3), &out->table.rows);
    }
    PQclear(r);
    return status;
}

static enum advisor_link_status read_indexes(struct advisor_link *link, struct advisor_cached *out)
{
    const char *const values[] = {out->oid};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, index_sql, 1, values, &r);
    if (status != LINK_OK)
        return status;
    struct advisor_table *table = &out->table;
    for (int i = 0; i < PQntuples(r) && table->n_indexes < ADVISOR_MAX_INDEXES; i++) {
        struct advisor_index *index = &table->indexes[table->n_indexes++];
        copy(index->name, sizeof(index->name), PQgetvalue(r, i, 0));
        copy(index->method, sizeof(index->method), PQgetvalue(r, i, 1));
        copy(index->column, sizeof(index->column), PQgetvalue(r, i, 2));
        copy(index->expression, sizeof(index->expression), PQgetvalue(r, i, 3));
        copy(index->opclass, sizeof(index->opclass), PQgetvalue(r, i, 4));
        index->valid = is_true(r, i, 5);
        index->partial = is_true(r, i, 6);
        for (int k = 0; k < ADVISOR_MORE_COLUMNS; k++)
            copy(index->more[k], sizeof(index->more[k]), PQgetvalue(r, i, 7 + k));
    }
    PQclear(r);
    return LINK_OK;
}

static enum advisor_link_status read_column(struct advisor_link *link,
                                            const struct advisor_cached *table,
                                            const struct advisor_term *term, const char *schemas,
                                            struct advisor_column *out)
{
    const char *const values[] = {table->oid,   table->schema,  table->name,
                                  term->column, term->function, schemas};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, column_sql, 6, values, &r);
    if (status != LINK_OK)
        return status;
    *out = (struct advisor_column){.exists = PQntuples(r) == 1};
    if (out->exists) {
        copy(out->type, sizeof(out->type), PQgetvalue(r, 0, 0));
        out->n_distinct = strtod(PQgetvalue(r, 0, 1), NULL);
        out->c_collation = is_true(r, 0, 2);
        out->pure_call = is_true(r, 0, 3);
        out->foreign_key = is_true(r, 0, 4);
    }
    PQclear(r);
    return LINK_OK;
}

/* --- what was read --- */

void advisor_catalog_init(struct advisor_catalog *catalog)
{
    *catalog = (struct advisor_catalog){.next = 0};
}

void advisor_catalog_fini(struct advisor_catalog *catalog)
{
    for (unsigned i = 0; i < ADVISOR_MAX_TABLES; i++)
        free(catalog->tables[i]);
}

/* The slot of the table: the one that has it, or the one that gives way. */
static struct advisor_cached **slot_of(struct advisor_catalog *catalog, const char *schema,
                                       const char *name)
{
    for (unsigned i = 0; i < ADVISOR_MAX_TABLES; i++) {
        const struct advisor_cached *t = catalog->tables[i];
        if (t != NULL && strcmp(t->schema, schema) == 0 && strcmp(t->name, name) == 0)
            return &catalog->tables[i];
    }
    return &catalog->tables[catalog->next++ % ADVISOR_MAX_TABLES];
}

static bool is_fresh(const struct advisor_cached *t, const struct advisor_scan *scan)
{
    return t != NULL && strcmp(t->schema, scan->schema) == 0 && strcmp(t->name, scan->table) == 0 &&
           clock_monotonic_us() - t->read_us < FRESH_US;
}

/* NULL unless LINK_OK. */
static enum advisor_link_status find_table(struct advisor_catalog *catalog,
                                           struct advisor_link *link,
                                           const struct advisor_scan *scan,
                                           struct advisor_cached **out)
{
    struct advisor_cached **slot = slot_of(catalog, scan->schema, scan->table);
    *out = *slot;
    if (is_fresh(*slot, scan))
        return LINK_OK;
    free(*slot);
    *slot = NULL;
    struct advisor_cached *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return LINK_DOWN;
    copy(t->schema, sizeof(t->schema), scan->schema);
    copy(t->name, sizeof(t->name), scan->table);
    t->read_us = clock_monotonic_us();
    enum advisor_link_status status = read_table(link, t);
    if (status == LINK_OK && t->oid[0] != '\0')
        status = read_indexes(link, t);
    if (status == LINK_OK)
        *slot = t;
    else
        free(t);
    *out = *slot;
    return status;
}

static enum advisor_link_status find_column(struct advisor_link *link, struct advisor_cached *t,
                                            const struct advisor_term *term, const char *schemas,
                                            struct advisor_column *out)
{
    for (unsigned i = 0; i < t->n_columns; i++) {
        const struct cached_column *c = &t->columns[i];
        if (strcmp(c->column, term->column) == 0 && strcmp(c->function, term->function) == 0) {
            *out = c->about;
            return LINK_OK;
        }
    }
    enum advisor_link_status status = read_column(link, t, term, schemas, out);
    if (status == LINK_OK && t->n_columns < MAX_COLUMNS) {
        struct cached_column *c = &t->columns[t->n_columns++];
        copy(c->column, sizeof(c->column), term->column);
        copy(c->function, sizeof(c->function), term->function);
        c->about = *out;
    }
    return status;
}

enum advisor_link_status advisor_catalog_read(struct advisor_catalog *catalog,
                                              struct advisor_link *link,
                                              const struct advisor_scan *scan,
                                              const struct advisor_filter *filter,
                                              const char *schemas, struct advisor_table *out)
{
    struct advisor_cached *t;
    memset(out, 0, sizeof(*out));
    enum advisor_link_status status = find_table(catalog, link, scan, &t);
    if (status != LINK_OK)
        return status;
    *out = t->table;
    for (unsigned i = 0; t->oid[0] != '\0' && i < filter->n_terms && status == LINK_OK; i++)
        status = find_column(link, t, &filter->terms[i], schemas, &out->columns[i]);
    return status;
}

/* --- foreign keys --- */

static unsigned count_commas(const char *text)
{
    unsigned n = 0;
    for (; *text != '\0'; text++)
        n += *text == ',';
    return n;
}

/* Names that cannot stand in a list are left alone. */
static bool is_list(const char *columns, unsigned n)
{
    char name[4 * ADVISOR_NAME_SIZE];
    if (n == 0 || count_commas(columns) != n - 1 || strlen(columns) >= sizeof(name))
        return false;
    for (unsigned i = 0; i < n; i++) {
        size_t len = strcspn(columns, ",");
        snprintf(name, sizeof(name), "%.*s", (int)len, columns);
        if (!advisor_advice_is_name(name))
            return false;
        columns += len + (columns[len] == ',' ? 2 : 0);
    }
    return true;
}

enum advisor_link_status advisor_catalog_children(struct advisor_link *link,
                                                  const struct advisor_deleted *parent,
                                                  struct advisor_child *out, unsigned *n)
{
    const char *const values[] = {parent->schema, parent->table};
    PGresult *r;
    *n = 0;
    enum advisor_link_status status = advisor_link_query_text(link, children_sql, 2, values, &r);
    if (status != LINK_OK)
        return status;
    for (int i = 0; i < PQntuples(r); i++) {
        const char *columns = PQgetvalue(r, i, 4);
        if (!is_list(columns, (unsigned)strtoul(PQgetvalue(r, i, 5), NULL, 10)) || (*n)++ > 0)
            continue;
        copy(out->schema, sizeof(out->schema), PQgetvalue(r, i, 0));
        copy(out->table, sizeof(out->table), PQgetvalue(r, i, 1));
        copy(out->columns, sizeof(out->columns), columns);
        out->rows = strtod(PQgetvalue(r, i, 2), NULL);
        out->bytes = strtod(PQgetvalue(r, i, 3), NULL);
    }
    PQclear(r);
    return LINK_OK;
}
