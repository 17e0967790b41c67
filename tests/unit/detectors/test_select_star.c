#include "detectors/traffic.h"

#define STAR "SELECT * FROM customers WHERE id > $1 ORDER BY id LIMIT 50"
#define WIDE "id a b c d e f g h i j k l m n o p q r s t u v w"

static const struct finding *judge(struct traffic *t, unsigned flags, uint64_t rows, uint64_t bytes)
{
    traffic_facts(t, STAR, FACT_STAR | FACT_LIMIT | flags, "customers", "");
    uint64_t value = traffic_int(7);
    traffic_exchange(t, STAR, &value, 1, (struct reply){.rows = rows, .bytes = bytes});
    return traffic_finding(traffic_result(t), "select_star");
}

static void test_star_over_many_columns_is_medium(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_columns(t, STAR, WIDE, WIRE_OID_INT8);
    const struct finding *f = judge(t, 0, 50, 20000);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_string_equal(f->issue, "SELECT * from customers in select customers -> customers");
    assert_non_null(strstr(f->impact, "24 columns"));
    assert_non_null(strstr(f->optimized_code, "load_only(Customer.id)"));
    assert_non_null(strstr(f->asyncpg, "SELECT id FROM customers"));
    traffic_free(t);
}

static void test_star_over_long_columns_needs_bytes(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_columns(t, STAR, "id note", WIRE_OID_TEXT);
    assert_int_equal(judge(t, 0, 50, 2000)->severity, SEVERITY_LOW);
    traffic_free(t);
    t = traffic_new();
    traffic_columns(t, STAR, "id note", WIRE_OID_TEXT);
    assert_int_equal(judge(t, 0, 50, 100000)->severity, SEVERITY_MEDIUM);
    traffic_free(t);
    t = traffic_new();
    traffic_columns(t, STAR, "id note", WIRE_OID_TEXT);
    assert_int_equal(judge(t, 0, 50, 2000000)->severity, SEVERITY_HIGH);
    traffic_free(t);
}

static void test_star_of_one_row_is_low(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_columns(t, STAR, WIDE, WIRE_OID_TEXT);
    assert_int_equal(judge(t, 0, 1, 2000000)->severity, SEVERITY_LOW);
    traffic_free(t);
}

static void test_star_of_a_with_query_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_columns(t, STAR, WIDE, WIRE_OID_INT8);
    assert_null(judge(t, FACT_CTE, 50, 20000));
    traffic_free(t);
}

static void test_named_columns_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT id, full_name FROM customers LIMIT 10";
    traffic_facts(t, sql, FACT_LIMIT, "customers", "");
    traffic_columns(t, sql, WIDE, WIRE_OID_TEXT);
    traffic_exchange(t, sql, NULL, 0, (struct reply){.rows = 10, .bytes = 5000000});
    assert_int_equal(traffic_result(t)->n_findings, 0);
    traffic_free(t);
}

static void test_star_without_facts_or_on_catalogs_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_exchange(t, STAR, NULL, 0, (struct reply){.rows = 10});
    assert_int_equal(traffic_result(t)->n_findings, 0);
    traffic_free(t);
    t = traffic_new();
    assert_null(judge(t, FACT_ONLY_CATALOG, 50, 20000));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_star_over_many_columns_is_medium),
        cmocka_unit_test(test_star_over_long_columns_needs_bytes),
        cmocka_unit_test(test_star_of_one_row_is_low),
        cmocka_unit_test(test_star_of_a_with_query_is_nothing),
        cmocka_unit_test(test_named_columns_are_nothing),
        cmocka_unit_test(test_star_without_facts_or_on_catalogs_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
