#include "detectors/traffic.h"

#define LATEST "SELECT id FROM orders WHERE customer_email = $1 ORDER BY placed_at DESC LIMIT 20"

static void request(struct traffic *t, uint32_t query_us)
{
    traffic_facts(t, LATEST, FACT_WHERE | FACT_LIMIT, "orders", "customer_email");
    t->query_us = query_us;
    traffic_by_id(t, LATEST, 7, 20);
}

static const struct finding *found(struct traffic *t)
{
    return traffic_finding(traffic_result(t), "missing_index");
}

static void test_scan_that_keeps_little_is_a_missing_index(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "customer_email, placed_at", "");
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_int_equal(f->basis, BASIS_PLAN);
    assert_string_equal(f->plan_ddl, "CREATE INDEX CONCURRENTLY ix_orders_customer_email_placed_at "
                                     "ON public.orders (customer_email, placed_at);");
    assert_non_null(strstr(f->optimized_code, f->plan_ddl));
    assert_non_null(strstr(f->sqlalchemy,
                           "Index(\"ix_orders_customer_email_placed_at\", \"customer_email\", "));
    assert_non_null(strstr(f->django, "models.Index(fields=[\"customer_email\", \"placed_at\"]"));
    assert_true(f->after_ms < 3 && f->after_ms >= 0);
    assert_int_equal(f->plan->table_rows, 200000);
    traffic_free(t);
}

static void test_expressions_and_operator_classes_are_sql_as_they_stand(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "coalesce(email, note), name text_pattern_ops",
                 "");
    const struct finding *f = found(t);
    assert_string_equal(f->plan_ddl,
                        "CREATE INDEX CONCURRENTLY ix_orders_coalesce_email_note_name ON "
                        "public.orders (coalesce(email, note), name text_pattern_ops);");
    assert_non_null(strstr(f->optimized_code, f->plan_ddl));
    assert_null(f->sqlalchemy);
    assert_null(f->django);
    traffic_free(t);
}

static void test_cheap_statement_is_medium(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 1000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "customer_email", "");
    assert_int_equal(found(t)->severity, SEVERITY_MEDIUM);
    traffic_free(t);
}

static void test_index_that_cannot_be_used_is_explained(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "", "ix_email is on lower(customer_email)");
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_null(f->plan_ddl);
    assert_non_null(strstr(f->issue, "Index that cannot be used"));
    assert_non_null(strstr(f->optimized_code, "ix_email is on lower(customer_email)"));
    traffic_free(t);
}

static void test_plans_that_are_no_evidence_give_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    assert_null(found(t)); /* none */
    traffic_plan(t, LATEST, "orders", 9000, 1, "customer_email", "");
    assert_null(found(t)); /* small table */
    traffic_plan(t, LATEST, "orders", 200000, 100000, "customer_email", "");
    assert_null(found(t)); /* keeps half of it */
    traffic_plan(t, LATEST, "", 200000, 20, "", "");
    assert_null(found(t)); /* no such scan */
    traffic_plan(t, LATEST, "orders", 200000, 20, "", "");
    assert_null(found(t)); /* nothing to index */
    traffic_free(t);
}

static void test_names_from_the_wire_are_quoted(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "Order\"s; DROP TABLE x", 200000, 20, "user", "");
    const struct finding *f = found(t);
    assert_string_equal(f->plan_ddl, "CREATE INDEX CONCURRENTLY ix_order_s_drop_table_x_user ON "
                                     "public.\"Order\"\"s; DROP TABLE x\" (\"user\");");
    traffic_plan(t, LATEST, "two\nlines", 200000, 20, "user", "");
    f = found(t);
    assert_null(f->plan_ddl);
    assert_null(strstr(f->optimized_code, "two\nlines"));
    traffic_free(t);
}

static void test_statement_is_asked_for_once_an_interval(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *slow = "SELECT id FROM orders WHERE customer_email = 'x'";
    traffic_facts(t, slow, FACT_WHERE, "orders", "customer_email");
    t->query_us = 20000;
    traffic_by_id(t, slow, 7, 20);
    assert_null(audit_next_to_explain(t->audit, 1000)); /* no sample yet */
    traffic_sample(t, slow);
    const struct statement *s = audit_next_to_explain(t->audit, 1000);
    assert_non_null(s);
    assert_null(audit_next_to_explain(t->audit, 2000));
    assert_ptr_equal(audit_next_to_explain(t->audit, INT64_C(3600000000) + 1000), s);
    traffic_free(t);
}

static void test_only_costly_plain_selects_are_asked_for(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *cheap = "SELECT id FROM orders WHERE a = 1";
    const char *locking = "SELECT id FROM orders WHERE b = 1 FOR UPDATE";
    const char *bound = "SELECT id FROM orders WHERE c = $1";
    const char *write = "UPDATE orders SET a = 1";
    traffic_facts(t, cheap, FACT_WHERE, "orders", "a");
    traffic_facts(t, locking, FACT_WHERE | FACT_FOR_UPDATE, "orders", "b");
    traffic_facts(t, bound, FACT_WHERE, "orders", "c");
    traffic_facts(t, write, 0, "orders", "");
    traffic_by_id(t, cheap, 1, 1);
    t->query_us = 50000;
    traffic_by_id(t, locking, 1, 1);
    traffic_by_id(t, bound, 1, 1);
    traffic_by_id(t, write, 1, 1);
    traffic_sample(t, cheap);
    traffic_sample(t, locking);
    traffic_sample(t, bound); /* its parameters were not seen */
    traffic_sample(t, write);
    assert_null(audit_next_to_explain(t->audit, 1000));
    traffic_free(t);
}

static void test_child_of_an_n_plus_one_is_asked_for(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *child = "SELECT title FROM books WHERE author_id = 5";
    const int64_t *ids = traffic_ids(10);
    traffic_facts(t, child, FACT_WHERE, "books", "author_id");
    traffic_plain(t, "BEGIN");
    traffic_page(t, "SELECT id FROM authors LIMIT 10", 0, ids, 10);
    for (int i = 0; i < 10; i++)
        traffic_by_id(t, child, ids[i], 1);
    traffic_plain(t, "ROLLBACK");
    traffic_sample(t, child);
    assert_non_null(audit_next_to_explain(t->audit, 1000));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_that_keeps_little_is_a_missing_index),
        cmocka_unit_test(test_expressions_and_operator_classes_are_sql_as_they_stand),
        cmocka_unit_test(test_cheap_statement_is_medium),
        cmocka_unit_test(test_index_that_cannot_be_used_is_explained),
        cmocka_unit_test(test_plans_that_are_no_evidence_give_nothing),
        cmocka_unit_test(test_names_from_the_wire_are_quoted),
        cmocka_unit_test(test_statement_is_asked_for_once_an_interval),
        cmocka_unit_test(test_only_costly_plain_selects_are_asked_for),
        cmocka_unit_test(test_child_of_an_n_plus_one_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
