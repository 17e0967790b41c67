#include "detectors/traffic.h"

#define ASK     "SELECT name FROM settings WHERE key = $1"
#define OTHER   "SELECT id FROM carts WHERE user_id = $1"
#define CHANGE  "UPDATE settings SET name = $1 WHERE key = $2"
#define CHANGE2 "UPDATE carts SET total = $1 WHERE id = $2"

static void ask(struct traffic *t, const char *sql, int64_t key, uint64_t result)
{
    uint64_t value = traffic_int(key);
    traffic_exchange(t, sql, &value, 1, (struct reply){.rows = 1, .result = result});
}

static struct traffic *shop(void)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/cart", NULL, NULL);
    traffic_facts(t, ASK, FACT_WHERE, "settings", "key");
    traffic_facts(t, OTHER, FACT_WHERE, "carts", "user_id");
    traffic_plain(t, "BEGIN"); /* one request, until the test says otherwise */
    return t;
}

static const struct finding *found(struct traffic *t)
{
    return traffic_finding(traffic_result(t), "duplicate_query");
}

static void test_same_question_twice_is_low_and_ten_times_high(void **state)
{
    (void)state;
    static const struct {
        int times;
        enum severity severity;
    } cases[] = {
        {2, SEVERITY_LOW}, {3, SEVERITY_MEDIUM}, {10, SEVERITY_HIGH}, {50, SEVERITY_CRITICAL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic *t = shop();
        for (int n = 0; n < cases[i].times; n++) {
            ask(t, ASK, 7, 1);
            ask(t, OTHER, n, 9);
        }
        const struct finding *f = found(t);
        assert_non_null(f);
        assert_int_equal(f->severity, cases[i].severity);
        assert_non_null(strstr(f->impact, "select name from settings"));
        assert_int_equal(f->removable, cases[i].times - 1);
        traffic_free(t);
    }
}

static void test_once_a_request_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = shop();
    traffic_plain(t, "COMMIT");
    for (int n = 0; n < 5; n++) {
        ask(t, ASK, 7, 1);
        ask(t, OTHER, 3, 2);
        traffic_wait(t, 500);
    }
    assert_null(found(t));
    traffic_free(t);
}

static void test_other_values_or_other_rows_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = shop();
    ask(t, ASK, 7, 1);
    ask(t, ASK, 8, 1);
    ask(t, OTHER, 7, 1);
    ask(t, OTHER, 7, 2);
    assert_null(found(t));
    traffic_free(t);
}

static void test_read_after_a_write_to_its_table_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = shop();
    traffic_facts(t, CHANGE, FACT_WHERE, "settings", "key");
    ask(t, ASK, 7, 1);
    ask(t, CHANGE, 1, 0);
    ask(t, ASK, 7, 1);
    assert_null(found(t));
    traffic_free(t);
}

static void test_write_to_another_table_changes_nothing(void **state)
{
    (void)state;
    struct traffic *t = shop();
    traffic_facts(t, CHANGE2, FACT_WHERE, "carts", "id");
    ask(t, ASK, 7, 1);
    ask(t, CHANGE2, 1, 0);
    ask(t, ASK, 7, 1);
    assert_non_null(found(t));
    traffic_free(t);
}

static void test_locked_reads_and_retries_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = shop();
    const char *lock = "SELECT id FROM stock WHERE id = $1 FOR UPDATE";
    traffic_facts(t, lock, FACT_WHERE | FACT_FOR_UPDATE, "stock", "id");
    ask(t, lock, 1, 1);
    ask(t, lock, 1, 1);
    uint64_t value = traffic_int(7);
    ask(t, ASK, 7, 1);
    traffic_exchange(t, ASK, &value, 1, (struct reply){.sqlstate = "40001"});
    ask(t, ASK, 7, 1);
    assert_null(found(t));
    traffic_free(t);
}

static void test_loop_over_values_is_not_this_rules(void **state)
{
    (void)state;
    struct traffic *t = shop();
    for (int n = 0; n < 20; n++)
        ask(t, ASK, n % 10, 1);
    assert_null(found(t));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_question_twice_is_low_and_ten_times_high),
        cmocka_unit_test(test_once_a_request_is_nothing),
        cmocka_unit_test(test_other_values_or_other_rows_are_nothing),
        cmocka_unit_test(test_read_after_a_write_to_its_table_is_nothing),
        cmocka_unit_test(test_write_to_another_table_changes_nothing),
        cmocka_unit_test(test_locked_reads_and_retries_are_nothing),
        cmocka_unit_test(test_loop_over_values_is_not_this_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
