#include "common/reader.h"
#include "detectors/facts/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static _Alignas(8) uint8_t answer[FACTS_RECORD_MAX];

static const struct record_facts *read_facts(const char *sql)
{
    static char text[20000];
    static char kinds[20000];
    struct sql_scan scan;
    struct sql_masked out = {text, sizeof(text), kinds, sizeof(kinds)};
    sql_scan(span_of_text(sql), 0, (struct sql_dialect){true}, out, &scan);
    size_t len =
        facts_read(scan.id, span_of(text, scan.text_len), span_of(kinds, scan.n_holes), answer);
    assert_true(record_check(span_of(answer, len)));
    const struct record_facts *facts = (const struct record_facts *)(const void *)answer;
    assert_int_equal(facts->h.len, len);
    assert_true(sql_id_equal(facts->id, scan.id));
    return facts;
}

/* "orders,users|EQ orders.id IN ?.kind" */
static const char *describe(const struct record_facts *f)
{
    static char out[FACTS_RECORD_MAX * 2];
    static const char *const ops[] = {"EQ", "IN", "RANGE", "LIKE", "NULL", "JOIN", "OTHER"};
    struct reader r = reader_of(record_tail(&f->h, sizeof(*f), 0, f->tail_len));
    struct span tables[256] = {{.data = NULL, .len = 0}};
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < f->n_tables; i++) {
        tables[i] = reader_bytes(&r, reader_u8(&r));
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%.*s", i > 0 ? "," : "",
                               (int)tables[i].len, (const char *)tables[i].data);
    }
    at += (size_t)snprintf(out + at, sizeof(out) - at, "|");
    for (unsigned i = 0; i < f->n_predicates; i++) {
        uint8_t op = reader_u8(&r);
        uint8_t table = reader_u8(&r);
        struct span column = reader_bytes(&r, reader_u8(&r));
        struct span owner = table == 255 ? span_of_text("?") : tables[table];
        assert_true(op <= PREDICATE_OTHER);
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s %.*s.%.*s", i > 0 ? " " : "",
                               ops[op], (int)owner.len, (const char *)owner.data, (int)column.len,
                               (const char *)column.data);
    }
    assert_true(reader_done(&r));
    return out;
}

struct sample {
    const char *sql;
    enum sql_verb verb;
    uint32_t flags;
    unsigned n_targets;
    const char *tables_and_predicates;
};

static void check(const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record_facts *f = read_facts(samples[i].sql);
        const char *got = describe(f);
        if (f->status != FACTS_OK || f->verb != samples[i].verb ||
            f->fact_flags != samples[i].flags || f->n_targets != samples[i].n_targets ||
            strcmp(got, samples[i].tables_and_predicates) != 0)
            fail_msg("%s\n  status %u verb %s flags %x (want %x) targets %u\n  %s\n  want %s",
                     samples[i].sql, f->status, sql_verb_name(f->verb), f->fact_flags,
                     samples[i].flags, f->n_targets, got, samples[i].tables_and_predicates);
    }
}

#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))

static void test_facts_read_orm_selects(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"SELECT orders.id, orders.total FROM orders WHERE $1::INTEGER = orders.user_id",
         SQL_VERB_SELECT, FACT_WHERE, 2, "orders|EQ orders.user_id"},
        {"SELECT * FROM shop.users AS u WHERE u.email = 'x' ORDER BY u.id LIMIT 1 OFFSET 3",
         SQL_VERB_SELECT, FACT_STAR | FACT_WHERE | FACT_ORDER_BY | FACT_LIMIT | FACT_OFFSET, 1,
         "shop.users|EQ shop.users.email"},
        {"SELECT u.*, o.id FROM users u JOIN orders o ON o.user_id = u.id AND o.kind = 'a' "
         "WHERE u.age BETWEEN 1 AND 2 AND o.note LIKE 'x%' AND u.gone IS NULL AND total > 3",
         SQL_VERB_SELECT, FACT_STAR | FACT_JOIN | FACT_WHERE, 2,
         "users,orders|RANGE users.age LIKE orders.note NULL users.gone RANGE ?.total "
         "JOIN orders.user_id JOIN users.id EQ orders.kind"},
        {"SELECT a FROM t LEFT JOIN s ON t.id = s.t_id AND s.kind = 1", SQL_VERB_SELECT, FACT_JOIN,
         1, "t,s|JOIN t.id JOIN s.t_id"},
        {"SELECT a FROM t JOIN s USING (x)", SQL_VERB_SELECT, FACT_JOIN, 1,
         "t,s|JOIN t.x JOIN s.x"},
        {"SELECT a FROM t, s WHERE t.id = s.id FETCH FIRST 3 ROWS ONLY", SQL_VERB_SELECT,
         FACT_JOIN | FACT_WHERE | FACT_LIMIT, 1, "t,s|JOIN t.id JOIN s.id"},
        {"SELECT a.id FROM emp a JOIN emp b ON a.boss = b.id WHERE b.name = 'x'", SQL_VERB_SELECT,
         FACT_JOIN | FACT_WHERE, 1, "emp|EQ emp.name JOIN emp.boss JOIN emp.id"},
        {"SELECT 1", SQL_VERB_SELECT, FACT_NO_FROM, 1, "|"},
        {"SELECT DISTINCT a FROM t LIMIT ALL", SQL_VERB_SELECT, FACT_DISTINCT, 1, "t|"},
        {"(SELECT a FROM \"Mixed Case\")", SQL_VERB_SELECT, 0, 1, "Mixed Case|"},
    };
    CHECK(samples);
}

static void test_facts_read_keys_and_lists(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"SELECT a FROM t WHERE id IN (1, 2, 3)", SQL_VERB_SELECT, FACT_WHERE | FACT_MANY_KEYS, 1,
         "t|IN t.id"},
        {"SELECT a FROM t WHERE id IN (1)", SQL_VERB_SELECT, FACT_WHERE, 1, "t|IN t.id"},
        {"SELECT a FROM t WHERE id = ANY($1)", SQL_VERB_SELECT, FACT_WHERE | FACT_MANY_KEYS, 1,
         "t|IN t.id"},
        {"SELECT a FROM t WHERE (x, y) IN ((1, 2), (3, 4))", SQL_VERB_SELECT,
         FACT_WHERE | FACT_MANY_KEYS, 1, "t|IN t.x IN t.y"},
        {"SELECT a FROM t WHERE id NOT IN (1, 2)", SQL_VERB_SELECT, FACT_WHERE, 1, "t|OTHER t.id"},
        {"SELECT \"in(\" FROM t WHERE (a, b) = (1, 2) AND (c, d) < ($1, $2)", SQL_VERB_SELECT,
         FACT_WHERE, 1, "t|EQ t.a EQ t.b RANGE t.c RANGE t.d"},
        {"SELECT a FROM t WHERE id IN (SELECT t_id FROM s WHERE k = 1)", SQL_VERB_SELECT,
         FACT_WHERE | FACT_SUBQUERY, 1, "t,s|OTHER t.id"},
        {"SELECT min(a) FROM t WHERE a = 1 OR b = 2", SQL_VERB_SELECT,
         FACT_WHERE | FACT_ONLY_AGGREGATES, 1, "t|OTHER t.a OTHER t.b"},
        {"SELECT a FROM t WHERE lower(b) = 'x' AND c::text = '1' AND NOT d AND e = f + 1 AND "
         "g ILIKE 'x'",
         SQL_VERB_SELECT, FACT_WHERE, 1,
         "t|OTHER t.b OTHER t.c OTHER t.d OTHER t.e OTHER t.f LIKE t.g"},
        {"SELECT a FROM t WHERE id = (SELECT max(x) FROM s)", SQL_VERB_SELECT,
         FACT_WHERE | FACT_SUBQUERY, 1, "t,s|EQ t.id"},
    };
    CHECK(samples);
}

static void test_facts_read_aggregates(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"SELECT count(*) FROM t", SQL_VERB_SELECT, FACT_ONLY_AGGREGATES | FACT_COUNT, 1, "t|"},
        {"SELECT coalesce(sum(x), 0), 'total' FROM t", SQL_VERB_SELECT, FACT_ONLY_AGGREGATES, 2,
         "t|"},
        {"SELECT k, count(*) FROM t GROUP BY k", SQL_VERB_SELECT, FACT_GROUP_BY, 2, "t|"},
        {"SELECT a, count(*) OVER () FROM t", SQL_VERB_SELECT, 0, 2, "t|"},
        {"SELECT a, (SELECT count(*) FROM s) FROM t", SQL_VERB_SELECT, FACT_SUBQUERY, 2, "t,s|"},
        {"SELECT count(*) FROM (SELECT id FROM t WHERE a = 1) q", SQL_VERB_SELECT,
         FACT_ONLY_AGGREGATES | FACT_COUNT | FACT_SUBQUERY, 1, "t|"},
        {"SELECT EXISTS (SELECT 1 FROM t WHERE a = 1)", SQL_VERB_SELECT,
         FACT_NO_FROM | FACT_SUBQUERY | FACT_EXISTS, 1, "t|"},
        {"SELECT my_agg(DISTINCT x) FROM t", SQL_VERB_SELECT, FACT_ONLY_AGGREGATES, 1, "t|"},
    };
    CHECK(samples);
}

static void test_facts_read_with_and_set_operations(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"WITH x AS (SELECT id FROM a) UPDATE t SET n = 1 FROM x WHERE t.id = x.id RETURNING *",
         SQL_VERB_UPDATE, FACT_WHERE | FACT_RETURNING | FACT_CTE | FACT_JOIN, 1,
         "t,a|JOIN t.id JOIN ?.id"},
        {"WITH orders AS (SELECT * FROM orders WHERE a = 1) SELECT id FROM orders", SQL_VERB_SELECT,
         FACT_CTE, 1, "orders|"},
        {"WITH RECURSIVE r AS (SELECT id FROM n UNION ALL SELECT n.id FROM n JOIN r ON n.up = "
         "r.id) SELECT id FROM r",
         SQL_VERB_SELECT, FACT_CTE | FACT_JOIN, 1, "n|"},
        {"SELECT a, b FROM t WHERE a = 1 UNION SELECT a, b FROM s ORDER BY 1 LIMIT 5",
         SQL_VERB_SELECT, FACT_SET_OPERATION | FACT_ORDER_BY | FACT_LIMIT, 2, "t,s|"},
        {"WITH p AS (SELECT id FROM jobs LIMIT 1 FOR UPDATE SKIP LOCKED) DELETE FROM jobs USING p "
         "WHERE jobs.id = p.id",
         SQL_VERB_DELETE, FACT_CTE | FACT_FOR_UPDATE | FACT_SKIP_LOCKED | FACT_WHERE | FACT_JOIN, 0,
         "jobs|JOIN jobs.id JOIN ?.id"},
        {"SELECT a FROM t x WHERE x.id = 1 FOR UPDATE OF x", SQL_VERB_SELECT,
         FACT_WHERE | FACT_FOR_UPDATE, 1, "t|EQ t.id"},
    };
    CHECK(samples);
}

static void test_facts_read_writes_and_wrappers(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"INSERT INTO s.t (a, b) VALUES (1, 2), (3, 4) RETURNING id", SQL_VERB_INSERT,
         FACT_RETURNING, 1, "s.t|"},
        {"INSERT INTO t SELECT * FROM u WHERE a = 1", SQL_VERB_INSERT, 0, 0, "t,u|"},
        {"UPDATE t AS x SET a = 1 WHERE x.id = 5", SQL_VERB_UPDATE, FACT_WHERE, 0, "t|EQ t.id"},
        {"DELETE FROM t WHERE t.id = $1", SQL_VERB_DELETE, FACT_WHERE, 0, "t|EQ t.id"},
        {"MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE", SQL_VERB_MERGE, 0, 0,
         "a,b|JOIN a.id JOIN b.id"},
        {"VALUES (1), (2)", SQL_VERB_VALUES, FACT_NO_FROM, 0, "|"},
        {"DECLARE c CURSOR FOR SELECT * FROM t WHERE a = 1", SQL_VERB_DECLARE,
         FACT_STAR | FACT_WHERE, 1, "t|EQ t.a"},
        {"EXPLAIN SELECT a FROM t LIMIT 1", SQL_VERB_EXPLAIN, FACT_LIMIT, 1, "t|"},
        {"PREPARE p AS SELECT a FROM t", SQL_VERB_PREPARE, 0, 1, "t|"},
        {"COPY (SELECT a FROM t) TO STDOUT", SQL_VERB_COPY, 0, 1, "t|"},
        {"COPY t FROM STDIN", SQL_VERB_COPY, 0, 0, "t|"},
        {"SELECT a FROM t; DELETE FROM u", SQL_VERB_SELECT, 0, 1, "t|"},
        {"SELECT typname FROM pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace",
         SQL_VERB_SELECT, FACT_JOIN | FACT_ONLY_CATALOG, 1,
         "pg_type,pg_catalog.pg_namespace|JOIN pg_catalog.pg_namespace.oid JOIN "
         "pg_type.typnamespace"},
        {"BEGIN", SQL_VERB_BEGIN, 0, 0, "|"},
        {"ROLLBACK TO SAVEPOINT x", SQL_VERB_ROLLBACK, 0, 0, "|"},
        {"CREATE TABLE t (a int)", SQL_VERB_CREATE, 0, 0, "t|"},
        {"SET search_path = 'x'", SQL_VERB_SET, 0, 0, "|"},
    };
    CHECK(samples);
}

static void test_facts_read_ungrammatical_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_facts("SELEC nothing")->status, FACTS_REFUSED);
    assert_int_equal(read_facts("SELECT 'open")->status, FACTS_OK); /* the hole closes it */
    assert_int_equal(read_facts("MERGE INTO a USING b ON true WHEN NOT MATCHED BY SOURCE THEN "
                                "DELETE")
                         ->status,
                     FACTS_REFUSED);
    assert_int_equal(read_facts("")->status, FACTS_OK);
    assert_int_equal(read_facts("SELECT \"\xff\xfe\" FROM t")->status, FACTS_REFUSED);
}

static void test_facts_read_huge_statement_fits_the_record(void **state)
{
    (void)state;
    static char sql[64000];
    size_t at = (size_t)snprintf(sql, sizeof(sql), "SELECT a FROM t0");
    for (int i = 1; i < 60; i++)
        at += (size_t)snprintf(sql + at, sizeof(sql) - at,
                               ", a_schema_with_a_very_long_name_indeed_%d."
                               "a_table_with_a_very_long_name_indeed_of_its_own_%d t%d",
                               i, i, i);
    at += (size_t)snprintf(sql + at, sizeof(sql) - at, " WHERE true");
    for (int i = 1; i < 60; i++)
        at += (size_t)snprintf(sql + at, sizeof(sql) - at,
                               " AND t%d.a_column_with_a_very_long_name_%d = 1", i, i);
    const struct record_facts *f = read_facts(sql);
    assert_int_equal(f->status, FACTS_OK);
    assert_true(f->n_tables >= 20 && f->n_predicates >= 10);
}

static void test_facts_read_deep_nesting_is_refused_or_read(void **state)
{
    (void)state;
    static char sql[16000];
    size_t at = (size_t)snprintf(sql, sizeof(sql), "SELECT ");
    for (int i = 0; i < 1500; i++)
        at += (size_t)snprintf(sql + at, sizeof(sql) - at, "a+");
    snprintf(sql + at, sizeof(sql) - at, "a");
    assert_int_equal(read_facts(sql)->status, FACTS_REFUSED);
}

static void test_facts_missing_holds_only_its_status(void **state)
{
    (void)state;
    struct sql_id id = {1, 2};
    size_t len = facts_missing(id, FACTS_CRASHED, answer);
    assert_true(record_check(span_of(answer, len)));
    const struct record_facts *f = (const struct record_facts *)(const void *)answer;
    assert_int_equal(f->status, FACTS_CRASHED);
    assert_true(sql_id_equal(f->id, id));
    assert_int_equal(f->n_tables, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_read_orm_selects),
        cmocka_unit_test(test_facts_read_keys_and_lists),
        cmocka_unit_test(test_facts_read_aggregates),
        cmocka_unit_test(test_facts_read_with_and_set_operations),
        cmocka_unit_test(test_facts_read_writes_and_wrappers),
        cmocka_unit_test(test_facts_read_ungrammatical_is_refused),
        cmocka_unit_test(test_facts_read_huge_statement_fits_the_record),
        cmocka_unit_test(test_facts_read_deep_nesting_is_refused_or_read),
        cmocka_unit_test(test_facts_missing_holds_only_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
