#include "detectors/traffic.h"

#include "detectors/chatter.h"

struct fixture {
    struct arena arena;
    struct catalogue catalogue;
};

static void open_catalogue(struct fixture *f, size_t max)
{
    arena_init(&f->arena, 1 << 20);
    catalogue_init(&f->catalogue, &f->arena, max);
}

static void close_catalogue(struct fixture *f)
{
    catalogue_fini(&f->catalogue);
    arena_fini(&f->arena);
}

static void test_get_gives_one_entry_an_identity(void **state)
{
    (void)state;
    struct fixture f;
    open_catalogue(&f, 10);
    struct statement *a = catalogue_get(&f.catalogue, (struct sql_id){1, 2});
    struct statement *b = catalogue_get(&f.catalogue, (struct sql_id){2, 1});
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, catalogue_get(&f.catalogue, (struct sql_id){1, 2}));
    assert_int_equal(a->serial, 1);
    assert_int_equal(b->serial, 2);
    close_catalogue(&f);
}

static void test_get_at_the_cap_gives_the_overflow_entry(void **state)
{
    (void)state;
    struct fixture f;
    open_catalogue(&f, 2);
    for (uint64_t i = 1; i <= 5; i++)
        (void)catalogue_get(&f.catalogue, (struct sql_id){i, i});
    assert_int_equal(f.catalogue.overflowed, 3);
    assert_ptr_equal(catalogue_get(&f.catalogue, (struct sql_id){5, 5}), &f.catalogue.overflow);
    assert_int_equal(f.catalogue.overflow.serial, 0);
    close_catalogue(&f);
}

static void test_get_of_no_statement_is_the_overflow_entry_and_not_counted(void **state)
{
    (void)state;
    struct fixture f;
    open_catalogue(&f, 2);
    assert_ptr_equal(catalogue_get(&f.catalogue, (struct sql_id){0, 0}), &f.catalogue.overflow);
    assert_int_equal(f.catalogue.overflowed, 0);
    close_catalogue(&f);
}

static const struct statement *only_statement(const struct traffic *t)
{
    const struct endpoint *e = audit_endpoints(t->audit);
    assert_non_null(e);
    return e->usages->statement;
}

static void test_labels_of_columns_are_seen_through(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql =
        "SELECT b.id AS b_id, count(*) AS n, b.title AS titles, b.note FROM b WHERE a = $1";
    traffic_facts(t, sql, FACT_WHERE, "b", "a");
    traffic_columns(t, sql, "b_id n title note", WIRE_OID_INT8);
    traffic_by_id(t, sql, 1, 1);
    (void)traffic_result(t);
    const struct statement *s = only_statement(t);
    assert_true(span_is(statement_column_name(s, 0), "id"));
    assert_true(span_is(statement_column_name(s, 1), "n"));
    assert_true(span_is(statement_column_name(s, 2), "title")); /* "titles" is another label */
    assert_true(span_is(statement_column_name(s, 3), "note"));
    assert_int_equal(statement_column_name(s, 4).len, 0);
    traffic_free(t);
}

static void test_facts_are_read_back(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT id FROM shop.orders o JOIN users u ON u.id = o.user_id WHERE a = $1";
    traffic_facts(t, sql, FACT_JOIN | FACT_WHERE, "shop.orders users", "a user_id");
    traffic_columns(t, sql, "id created_at", WIRE_OID_INT8);
    traffic_by_id(t, sql, 1, 1);
    (void)traffic_result(t);
    const struct statement *s = only_statement(t);
    assert_true(statement_has(s, FACT_JOIN));
    assert_false(statement_has(s, FACT_LIMIT));
    assert_true(span_is(statement_table(s, 0), "shop.orders"));
    assert_true(span_is(statement_table(s, 1), "users"));
    assert_int_equal(statement_table(s, 2).len, 0);
    struct statement_predicate p;
    assert_true(statement_predicate_at(s, 1, &p));
    assert_true(span_is(p.column, "user_id"));
    assert_true(span_is(p.table, "shop.orders"));
    assert_int_equal(p.op, PREDICATE_EQ);
    assert_false(statement_predicate_at(s, 2, &p));
    assert_true(span_is(statement_column_name(s, 1), "created_at"));
    assert_int_equal(statement_column_name(s, 2).len, 0);
    assert_int_equal(statement_verb(s), SQL_VERB_SELECT);
    traffic_free(t);
}

static void test_plan_is_replaced_and_sample_too(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT id FROM orders WHERE a = 5";
    traffic_by_id(t, sql, 1, 1);
    traffic_plan(t, sql, "orders", 1000, 1, "a", "");
    traffic_plan(t, sql, "orders", 2000, 1, "a, b", "");
    traffic_sample(t, sql);
    traffic_sample(t, "SELECT id FROM orders WHERE a = 555");
    (void)traffic_result(t);
    const struct statement *s = only_statement(t);
    assert_true(s->plans[0]->table_rows > 1999);
    assert_true(s->plans[1]->table_rows < 1001);
    assert_null(s->plans[2]);
    assert_true(span_is(s->sample_text, "SELECT id FROM orders WHERE a = 555"));
    traffic_free(t);
}

static void test_introspection_is_chatter_once_the_grammar_tells(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT relname FROM pg_class WHERE oid = $1";
    traffic_facts(t, sql, FACT_ONLY_CATALOG, "pg_class", "oid");
    traffic_by_id(t, sql, 1, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, 0);
    assert_int_equal(r->chatter, 1);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_gives_one_entry_an_identity),
        cmocka_unit_test(test_get_at_the_cap_gives_the_overflow_entry),
        cmocka_unit_test(test_get_of_no_statement_is_the_overflow_entry_and_not_counted),
        cmocka_unit_test(test_labels_of_columns_are_seen_through),
        cmocka_unit_test(test_facts_are_read_back),
        cmocka_unit_test(test_plan_is_replaced_and_sample_too),
        cmocka_unit_test(test_introspection_is_chatter_once_the_grammar_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
