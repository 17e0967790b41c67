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
    assert_true(f->after_ms < 4 && f->after_ms >= 1); /* a round trip stays */
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

/* --- kinds of plans --- */

static struct record_plan plan_like(enum record_plan_reason reason, double rows, unsigned flags)
{
    return (struct record_plan){.total_cost = 5000,
                                .scan_cost = 4500,
                                .table_rows = rows,
                                .kept_rows = reason == PLAN_FOREIGN_KEY ? 0 : 5,
                                .reason = (uint8_t)reason,
                                .flags = (uint8_t)flags,
                                .n_equal = 1};
}

static void test_hypothetical_index_gives_the_estimate(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    struct record_plan like = plan_like(PLAN_SORT, 200000, PLAN_GENERIC);
    like.source = PLAN_SOURCE_HYPOPG;
    like.after_cost = 50;
    like.generic_cost = 9000;
    traffic_plan_like(t, LATEST, like,
                      (struct traffic_plan_texts){.table = "orders",
                                                  .columns = "customer_email, placed_at",
                                                  .node = "Sort",
                                                  .after_node = "Index Scan"});
    const struct finding *f = found(t);
    assert_non_null(strstr(f->method, "HypoPG"));
    assert_true(f->after_ms < 1.5); /* a round trip and a hundredth of 20 ms are left */
    assert_non_null(strstr(f->issue, "sorted for its first rows"));
    assert_non_null(strstr(f->impact, "costs 9000 instead of 5000"));
    traffic_free(t);
}

static void test_index_that_was_tried_in_vain_is_none(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan_like(t, LATEST, plan_like(PLAN_SCAN, 200000, PLAN_NOT_WORTH_IT),
                      (struct traffic_plan_texts){
                          .table = "orders", .columns = "", .note = "exists but unused: ix"});
    assert_null(found(t));
    traffic_free(t);
}

static void small(struct traffic *t, double rows, double kept, unsigned flags)
{
    struct record_plan like = plan_like(PLAN_SCAN, rows, flags);
    like.kept_rows = kept;
    traffic_plan_like(t, LATEST, like,
                      (struct traffic_plan_texts){
                          .table = "orders", .columns = "customer_email", .node = "Seq Scan"});
}

static void test_little_data_is_judged_by_structure(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    small(t, 300, 1, PLAN_NO_INDEX);
    const struct finding *f = found(t);
    assert_int_equal(f->severity, SEVERITY_LOW);
    assert_true(f->confidence < 0.6);
    assert_non_null(strstr(f->issue, "little data here"));
    assert_non_null(strstr(f->impact, "enable_seqscan=off"));
    assert_null(f->method);
    assert_null(f->expected_improvement);
    traffic_free(t);
}

static void test_little_data_without_structure_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    small(t, 300, 1, 0); /* an index serves it */
    assert_null(found(t));
    small(t, 99, 1, PLAN_NO_INDEX); /* a page */
    assert_null(found(t));
    small(t, 300, 200, PLAN_NO_INDEX); /* keeps most of it */
    assert_null(found(t));
    traffic_free(t);
    t = traffic_new();
    request(t, 20000);
    small(t, 5, 5, PLAN_NO_INDEX | PLAN_ON_FOREIGN_KEY); /* will be followed */
    assert_non_null(strstr(found(t)->issue, "Foreign key without an index"));
    traffic_free(t);
}

static void test_reference_that_a_loop_follows_is_medium(void **state)
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
    traffic_plan_like(
        t, child, plan_like(PLAN_SCAN, 20, PLAN_NO_INDEX | PLAN_ON_FOREIGN_KEY),
        (struct traffic_plan_texts){.table = "books", .columns = "author_id", .node = "Seq Scan"});
    assert_int_equal(found(t)->severity, SEVERITY_MEDIUM);
    traffic_free(t);
}

static void test_deleted_parent_names_the_child(void **state)
{
    (void)state;
    const char *sql = "DELETE FROM authors WHERE id = $1";
    struct traffic *t = traffic_new();
    traffic_facts(t, sql, FACT_WHERE, "authors", "id");
    t->query_us = 100;
    traffic_by_id(t, sql, 7, 1);
    struct traffic_plan_texts texts = {
        .table = "books", .columns = "author_id", .node = "Delete", .parent = "public.authors"};
    traffic_plan_like(
        t, sql, plan_like(PLAN_FOREIGN_KEY, 50000, PLAN_ON_FOREIGN_KEY | PLAN_NO_INDEX), texts);
    const struct finding *f = found(t);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->issue, "books refers to public.authors"));
    assert_string_equal(f->plan_ddl, "CREATE INDEX CONCURRENTLY ix_books_author_id ON public.books "
                                     "(author_id);");
    assert_null(f->method);
    traffic_free(t);
}

/* --- values, writes, other statements --- */

static void test_values_that_mostly_keep_all_are_no_evidence(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "customer_email", "");
    traffic_plan(t, LATEST, "orders", 200000, 190000, "customer_email", "");
    assert_non_null(strstr(found(t)->impact, "for 1 of the 2 sets of values"));
    traffic_plan(t, LATEST, "orders", 200000, 190000, "customer_email", "");
    assert_null(found(t));
    traffic_free(t);
}

static void test_table_of_many_writes_gets_a_lower_severity(void **state)
{
    (void)state;
    const char *insert = "INSERT INTO orders (id) VALUES ($1)";
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "customer_email", "");
    assert_int_equal(found(t)->severity, SEVERITY_HIGH);
    assert_null(strstr(found(t)->impact, "written to"));
    traffic_facts(t, insert, 0, "shop.orders", "");
    for (int i = 0; i < 9; i++)
        traffic_by_id(t, insert, i, 1);
    assert_int_equal(found(t)->severity, SEVERITY_HIGH);
    assert_non_null(strstr(found(t)->impact, "orders was written to 9 times and read 1 times."));
    traffic_by_id(t, insert, 9, 1);
    assert_int_equal(found(t)->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(found(t)->impact, "each write pays for the index"));
    assert_non_null(strstr(found(t)->severity_by, "one level less since there are ten writes"));
    traffic_free(t);
}

static unsigned count(const struct result *r)
{
    unsigned n = 0;
    for (size_t i = 0; i < r->n_findings; i++)
        n += strcmp(r->findings[i]->detector->name, "missing_index") == 0;
    return n;
}

#define BY_EMAIL "SELECT count(*) FROM orders WHERE customer_email = $1"
#define BY_BOTH  "SELECT id FROM orders WHERE state = $1 AND customer_email = $2"

/* A statement of the same request whose plan asks for these columns, `n_equal` of them for
 * equality. */
static void another(struct traffic *t, const char *sql, const char *table, const char *columns,
                    unsigned n_equal)
{
    traffic_facts(t, sql, FACT_WHERE, table, "customer_email");
    traffic_by_id(t, sql, 7, 20);
    struct record_plan like = plan_like(PLAN_SCAN, 200000, 0);
    like.n_equal = (uint8_t)n_equal;
    traffic_plan_like(
        t, sql, like,
        (struct traffic_plan_texts){.table = table, .columns = columns, .node = "Seq Scan"});
}

static void test_one_index_is_proposed_for_the_statements_it_serves(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 20000;
    traffic_plain(t, "BEGIN");
    another(t, BY_EMAIL, "orders", "customer_email", 1);
    another(t, BY_BOTH, "orders", "state, customer_email", 2);
    another(t, LATEST, "orders", "customer_email, state, placed_at", 2);
    traffic_plain(t, "ROLLBACK");
    assert_int_equal(count(traffic_result(t)), 1);
    const struct finding *f = found(t);
    assert_int_equal(f->n_statements, 3);
    assert_non_null(strstr(f->plan_ddl, "(customer_email, state, placed_at);"));
    assert_non_null(strstr(f->impact, "One index serves 3 statements"));
    traffic_free(t);
}

static void test_indexes_that_do_not_begin_alike_stay_apart(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->query_us = 20000;
    traffic_plain(t, "BEGIN");
    another(t, BY_EMAIL, "orders", "customer_email", 1);
    another(t, BY_BOTH, "orders", "state, customer_email", 1); /* state, then a range */
    another(t, LATEST, "refunds", "customer_email, state", 2); /* another table */
    traffic_plain(t, "ROLLBACK");
    assert_int_equal(count(traffic_result(t)), 3);
    traffic_free(t);
}

static void test_directions_stand_in_every_form(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 20000);
    traffic_plan(t, LATEST, "orders", 200000, 20, "customer_email, placed_at DESC", "");
    const struct finding *f = found(t);
    assert_non_null(strstr(f->plan_ddl, "(customer_email, placed_at DESC);"));
    assert_non_null(strstr(f->django, "\"customer_email\", \"-placed_at\""));
    assert_non_null(strstr(f->django, "AddIndexConcurrently(\"Order\""));
    assert_non_null(strstr(f->sqlalchemy, "\"customer_email\", text(\"placed_at DESC\")"));
    assert_non_null(strstr(f->sqlalchemy, "from sqlalchemy import Index, text"));
    assert_non_null(strstr(f->sqlalchemy, "autocommit_block()"));
    assert_non_null(strstr(f->sqlalchemy, "postgresql_concurrently=True"));
    traffic_plan(t, LATEST, "orders", 200000, 20, "placed_at NULLS FIRST", "");
    f = found(t);
    assert_non_null(strstr(f->plan_ddl, "(placed_at NULLS FIRST);"));
    assert_null(f->django);
    traffic_free(t);
}

static void test_other_values_are_asked_about_before_the_recheck(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    char sql[] = "SELECT id FROM orders WHERE customer_email = 'a'";
    traffic_facts(t, sql, FACT_WHERE, "orders", "customer_email");
    t->query_us = 20000;
    traffic_by_id(t, sql, 7, 20);
    traffic_sample(t, sql);
    assert_non_null(audit_next_to_explain(t->audit, 1000));
    traffic_sample(t, sql);
    traffic_plan(t, sql, "orders", 200000, 20, "customer_email", "");
    assert_null(audit_next_to_explain(t->audit, 2000)); /* the same values */
    for (int i = 0; i < 2; i++) {
        sql[sizeof(sql) - 3]++;
        traffic_sample(t, sql);
        assert_non_null(audit_next_to_explain(t->audit, 3000 + i));
        sql[sizeof(sql) - 3]++;
        traffic_sample(t, sql);
        assert_null(audit_next_to_explain(t->audit, 3000 + i)); /* not answered yet */
        traffic_plan(t, sql, "orders", 200000, 20, "customer_email", "");
    }
    assert_null(audit_next_to_explain(t->audit, 4000)); /* three are enough */
    traffic_free(t);
}

static void test_values_of_a_plan_without_advice_are_enough(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT id FROM orders WHERE customer_email = 'a'";
    traffic_facts(t, sql, FACT_WHERE, "orders", "customer_email");
    t->query_us = 20000;
    traffic_by_id(t, sql, 7, 20);
    traffic_sample(t, sql);
    assert_non_null(audit_next_to_explain(t->audit, 1000));
    traffic_plan(t, sql, "", 0, 0, "", "");
    traffic_sample(t, "SELECT id FROM orders WHERE customer_email = 'b'");
    assert_null(audit_next_to_explain(t->audit, 2000));
    traffic_free(t);
}

static void test_delete_is_asked_for_whatever_it_costs(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "DELETE FROM authors WHERE id = 5";
    traffic_facts(t, sql, FACT_WHERE, "authors", "id");
    t->query_us = 10;
    traffic_by_id(t, sql, 5, 1);
    traffic_sample(t, sql);
    assert_non_null(audit_next_to_explain(t->audit, 1000));
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
        cmocka_unit_test(test_hypothetical_index_gives_the_estimate),
        cmocka_unit_test(test_index_that_was_tried_in_vain_is_none),
        cmocka_unit_test(test_little_data_is_judged_by_structure),
        cmocka_unit_test(test_little_data_without_structure_is_nothing),
        cmocka_unit_test(test_reference_that_a_loop_follows_is_medium),
        cmocka_unit_test(test_deleted_parent_names_the_child),
        cmocka_unit_test(test_values_that_mostly_keep_all_are_no_evidence),
        cmocka_unit_test(test_table_of_many_writes_gets_a_lower_severity),
        cmocka_unit_test(test_one_index_is_proposed_for_the_statements_it_serves),
        cmocka_unit_test(test_indexes_that_do_not_begin_alike_stay_apart),
        cmocka_unit_test(test_directions_stand_in_every_form),
        cmocka_unit_test(test_other_values_are_asked_about_before_the_recheck),
        cmocka_unit_test(test_values_of_a_plan_without_advice_are_enough),
        cmocka_unit_test(test_delete_is_asked_for_whatever_it_costs),
        cmocka_unit_test(test_statement_is_asked_for_once_an_interval),
        cmocka_unit_test(test_only_costly_plain_selects_are_asked_for),
        cmocka_unit_test(test_child_of_an_n_plus_one_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
