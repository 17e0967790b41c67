#include "detectors/advisor/catalog.h"

#include <stdio.h>
#include <stdlib.h>

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
    "coalesce((SELECT bool_and(p.provolatile = 'i') FROM pg_catalog.pg_proc p "
    "WHERE p.proname = $5 AND p.pronargs = 1 AND pg_catalog.pg_function_is_visible(p.oid)), false) "
    "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype "
    "LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation "
    "WHERE a.attrelid = $1::pg_catalog.oid AND a.attname = $4 AND a.attnum > 0 "
    "AND NOT a.attisdropped";

static const char *const index_sql =
    "SELECT c.relname, m.amname, coalesce(a.attname, ''), "
    "pg_catalog.pg_get_indexdef(i.indexrelid, 1, false), o.opcname, "
    "i.indisvalid AND i.indisready, i.indpred IS NOT NULL "
    "FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_catalog.pg_am m ON m.oid = c.relam "
    "JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[0] "
    "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
    "AND a.attnum > 0 WHERE i.indrelid = $1::pg_catalog.oid ORDER BY c.relname";

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

static enum advisor_link_status read_table(struct advisor_link *link,
                                           const struct advisor_scan *scan,
                                           struct advisor_table *out, char *oid, size_t oid_size)
{
    const char *const values[] = {scan->schema, scan->table};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, table_sql, 2, values, &r);
    if (status != LINK_OK)
        return status;
    if (PQntuples(r) == 1) {
        copy(oid, oid_size, PQgetvalue(r, 0, 0));
        out->rows = strtod(PQgetvalue(r, 0, 1), NULL);
        out->bytes = strtod(PQgetvalue(r, 0, 2), NULL);
        if (out->rows < 0)
            status = read_guess(link, PQgetvalue(r, 0, 3), &out->rows);
    }
    PQclear(r);
    return status;
}

static enum advisor_link_status read_column(struct advisor_link *link,
                                            const struct advisor_scan *scan, const char *oid,
                                            const struct advisor_term *term,
                                            struct advisor_column *out)
{
    const char *const values[] = {oid, scan->schema, scan->table, term->column, term->function};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, column_sql, 5, values, &r);
    if (status != LINK_OK)
        return status;
    if (PQntuples(r) == 1) {
        out->exists = true;
        copy(out->type, sizeof(out->type), PQgetvalue(r, 0, 0));
        out->n_distinct = strtod(PQgetvalue(r, 0, 1), NULL);
        out->c_collation = is_true(r, 0, 2);
        out->pure_call = is_true(r, 0, 3);
    }
    PQclear(r);
    return LINK_OK;
}

static enum advisor_link_status read_indexes(struct advisor_link *link, const char *oid,
                                             struct advisor_table *out)
{
    const char *const values[] = {oid};
    PGresult *r;
    enum advisor_link_status status = advisor_link_query_text(link, index_sql, 1, values, &r);
    if (status != LINK_OK)
        return status;
    for (int i = 0; i < PQntuples(r) && out->n_indexes < ADVISOR_MAX_INDEXES; i++) {
        struct advisor_index *index = &out->indexes[out->n_indexes++];
        copy(index->name, sizeof(index->name), PQgetvalue(r, i, 0));
        copy(index->method, sizeof(index->method), PQgetvalue(r, i, 1));
        copy(index->column, sizeof(index->column), PQgetvalue(r, i, 2));
        copy(index->expression, sizeof(index->expression), PQgetvalue(r, i, 3));
        copy(index->opclass, sizeof(index->opclass), PQgetvalue(r, i, 4));
        index->valid = is_true(r, i, 5);
        index->partial = is_true(r, i, 6);
    }
    PQclear(r);
    return LINK_OK;
}

enum advisor_link_status advisor_catalog_read(struct advisor_link *link,
                                              const struct advisor_scan *scan,
                                              const struct advisor_filter *filter,
                                              struct advisor_table *out)
{
    char oid[16] = "";
    memset(out, 0, sizeof(*out));
    enum advisor_link_status status = read_table(link, scan, out, oid, sizeof(oid));
    if (status != LINK_OK || oid[0] == '\0')
        return status;
    for (unsigned i = 0; i < filter->n_terms && status == LINK_OK; i++)
        status = read_column(link, scan, oid, &filter->terms[i], &out->columns[i]);
    return status == LINK_OK ? read_indexes(link, oid, out) : status;
}
