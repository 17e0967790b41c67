/* The four rules about transactions, and what the units tell them. */
#include "detectors/traffic.h"

#define READ  "SELECT id, total FROM orders WHERE id = $1"
#define WRITE "UPDATE orders SET total = $1 WHERE id = $2"

static const struct finding *found(struct traffic *t, const char *rule)
{
    return traffic_finding(traffic_result(t), rule);
}

static struct traffic *request(void)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "POST", "/pay", NULL, NULL);
    traffic_facts(t, READ, FACT_WHERE, "orders", "id");
    return t;
}

static void test_transaction_idle_for_a_second_is_medium_and_worse_with_locks(void **state)
{
    (void)state;
    for (int writes = 0; writes < 2; writes++) {
        struct traffic *t = request();
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, READ, 1, 1);
        if (writes)
            traffic_by_id(t, WRITE, 1, 1);
        traffic_wait(t, 1000);
        traffic_by_id(t, READ, 1, 1);
        traffic_plain(t, "COMMIT");
        const struct finding *f = found(t, "idle_transaction");
        assert_non_null(f);
        assert_int_equal(f->severity, writes ? SEVERITY_HIGH : SEVERITY_MEDIUM);
        assert_int_equal(strstr(f->impact, "locked or changed rows") != NULL, writes);
        assert_null(found(t, "long_transaction"));
        traffic_free(t);
    }
}

static void test_silence_outside_of_a_transaction_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_by_id(t, READ, 1, 1);
    traffic_wait(t, 5000);
    traffic_plain(t, "BEGIN");
    traffic_by_id(t, READ, 1, 1);
    traffic_plain(t, "COMMIT");
    traffic_wait(t, 5000);
    assert_null(found(t, "idle_transaction"));
    traffic_free(t);
}

static void test_transaction_that_its_statements_make_long(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    t->query_us = 4000 * 1000;
    traffic_by_id(t, READ, 1, 1);
    t->query_us = 2000 * 1000;
    traffic_by_id(t, WRITE, 1, 1);
    t->query_us = 200;
    traffic_plain(t, "COMMIT");
    const struct finding *f = found(t, "long_transaction");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_true(strstr((const char *)f->statements[0].statement->text.data, "select") != NULL);
    assert_null(found(t, "idle_transaction"));
    traffic_free(t);
}

static void test_migration_may_take_long(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    t->query_us = 9000 * 1000;
    traffic_plain(t, "ALTER TABLE orders ADD COLUMN note text");
    traffic_plain(t, "COMMIT");
    assert_null(found(t, "long_transaction"));
    traffic_free(t);
}

static void test_failed_transaction_kept_open(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, WRITE, NULL, 0, (struct reply){.sqlstate = "23514"});
    traffic_wait(t, 2000);
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = found(t, "aborted_transaction");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    traffic_free(t);
}

static void test_statements_refused_in_a_failed_transaction(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, WRITE, NULL, 0, (struct reply){.sqlstate = "23514"});
    traffic_exchange(t, READ, NULL, 0, (struct reply){.sqlstate = "25P02"});
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = found(t, "aborted_transaction");
    assert_non_null(f);
    assert_non_null(strstr(f->impact, "1 statements sent into it were refused"));
    traffic_free(t);
}

static void test_failure_rolled_back_at_once_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, WRITE, NULL, 0, (struct reply){.sqlstate = "23514"});
    traffic_plain(t, "ROLLBACK");
    assert_null(found(t, "aborted_transaction"));
    traffic_free(t);
}

static void transactions_of_one_read(struct traffic *t, int n)
{
    for (int i = 0; i < n; i++) {
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, READ, i, 1);
        traffic_plain(t, "ROLLBACK");
    }
}

static void test_several_transactions_of_one_read_in_one_request(void **state)
{
    (void)state;
    struct traffic *t = request();
    t->trace = 77;
    transactions_of_one_read(t, 4);
    t->trace = 0;
    const struct finding *f = found(t, "transaction_overhead");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_LOW);
    traffic_free(t);
}

/* BEGIN and ROLLBACK have no tag: what comes behind a request with a trace id is not part of it. */
static void test_transactions_behind_a_traced_request_are_not_its_own(void **state)
{
    (void)state;
    struct traffic *t = request();
    for (int i = 0; i < 4; i++) {
        traffic_plain(t, "BEGIN");
        t->trace = i == 0 ? 77 : 0;
        traffic_by_id(t, READ, i, 1);
        t->trace = 0;
        traffic_plain(t, "ROLLBACK");
    }
    assert_null(found(t, "transaction_overhead"));
    traffic_free(t);
}

static void test_one_transaction_a_request_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    transactions_of_one_read(t, 1);
    traffic_wait(t, 500);
    transactions_of_one_read(t, 1);
    assert_null(found(t, "transaction_overhead"));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transaction_idle_for_a_second_is_medium_and_worse_with_locks),
        cmocka_unit_test(test_silence_outside_of_a_transaction_is_nothing),
        cmocka_unit_test(test_transaction_that_its_statements_make_long),
        cmocka_unit_test(test_migration_may_take_long),
        cmocka_unit_test(test_failed_transaction_kept_open),
        cmocka_unit_test(test_statements_refused_in_a_failed_transaction),
        cmocka_unit_test(test_failure_rolled_back_at_once_is_nothing),
        cmocka_unit_test(test_several_transactions_of_one_read_in_one_request),
        cmocka_unit_test(test_transactions_behind_a_traced_request_are_not_its_own),
        cmocka_unit_test(test_one_transaction_a_request_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
