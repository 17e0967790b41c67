#include "detectors/traffic.h"

#define INSERT "INSERT INTO order_items (order_id, sku) VALUES ($1, $2)"
#define UPDATE "UPDATE products SET stock = $1 WHERE id = $2"

static void write_row(struct traffic *t, const char *sql, int64_t n, uint64_t rows)
{
    uint64_t values[] = {traffic_int(n), traffic_int(n + 1000)};
    traffic_exchange(t, sql, values, 2, (struct reply){.rows = rows});
}

static const struct finding *found(struct traffic *t)
{
    return traffic_finding(traffic_result(t), "write_loop");
}

static struct traffic *request(void)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "POST", "/orders", NULL, NULL);
    return t;
}

static void test_rows_inserted_one_by_one_in_one_transaction(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    for (int n = 0; n < 12; n++)
        write_row(t, INSERT, n, 1);
    traffic_plain(t, "COMMIT");
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_string_equal(f->issue,
                        "INSERT of one row at a time in POST /orders: 12 statements a request");
    assert_non_null(strstr(f->sqlalchemy, "insert(OrderItem)"));
    assert_non_null(strstr(f->django, "OrderItem.objects.bulk_create"));
    assert_int_equal(f->removable, 11);
    traffic_free(t);
}

static void test_commit_after_each_row_is_one_level_worse(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_by_id(t, "SELECT id FROM carts WHERE user_id = $1", 1, 12);
    for (int n = 0; n < 12; n++)
        write_row(t, UPDATE, n, 1);
    const struct finding *f = found(t);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_non_null(strstr(f->impact, "committed row by row"));
    assert_non_null(strstr(f->asyncpg, "unnest"));
    traffic_free(t);
}

static void test_rows_that_travel_together_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    t->pipelined = true;
    for (int n = 0; n < 100; n++)
        write_row(t, INSERT, n, 1);
    t->pipelined = false;
    assert_null(found(t));
    traffic_free(t);
}

static void test_statements_of_many_rows_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    for (int n = 0; n < 20; n++)
        write_row(t, INSERT, n, 500);
    assert_null(found(t));
    traffic_free(t);
}

static void test_few_rows_or_one_a_request_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    for (int n = 0; n < 4; n++)
        write_row(t, INSERT, n, 1);
    for (int n = 0; n < 20; n++) {
        traffic_wait(t, 500);
        write_row(t, UPDATE, n, 1);
    }
    assert_null(found(t));
    traffic_free(t);
}

static void test_failed_writes_do_not_count(void **state)
{
    (void)state;
    struct traffic *t = request();
    for (int n = 0; n < 20; n++)
        traffic_exchange(t, INSERT, NULL, 0, (struct reply){.sqlstate = "23505"});
    assert_null(found(t));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_inserted_one_by_one_in_one_transaction),
        cmocka_unit_test(test_commit_after_each_row_is_one_level_worse),
        cmocka_unit_test(test_rows_that_travel_together_are_nothing),
        cmocka_unit_test(test_statements_of_many_rows_are_nothing),
        cmocka_unit_test(test_few_rows_or_one_a_request_are_nothing),
        cmocka_unit_test(test_failed_writes_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
