#include "cmocka_all.h"
#include "detectors/score.h"

struct row {
    double value;
    int hundredths;
};

static void check(const struct row *rows, size_t n, double p10, double median)
{
    for (size_t i = 0; i < n; i++) {
        double s = score_curve(rows[i].value, p10, median);
        assert_int_equal((int)(s * 100 + 0.5), rows[i].hundredths);
    }
}

static void test_curve_gives_the_checked_values(void **state)
{
    (void)state;
    const struct row latency[] = {{50, 96},  {100, 90},  {200, 78}, {400, 61},
                                  {600, 50}, {1000, 35}, {3000, 12}};
    const struct row statements[] = {{1, 100}, {3, 99}, {15, 71}, {51, 21}, {101, 5}};
    const struct row avoidable[] = {{0, 100}, {0.1, 78}, {0.6, 31}, {0.95, 20}};
    check(latency, 7, 100, 600);
    check(statements, 5, 8, 25);
    check(avoidable, 4, 0.05, 0.30);
}

static void fill(struct score *s, double ms, double statements, double waste, double db_ms)
{
    score_init(s);
    score_set(s, SCORE_LATENCY, ms, 100);
    score_set(s, SCORE_STATEMENTS, statements, 100);
    score_set(s, SCORE_AVOIDABLE, waste, 100);
    score_set(s, SCORE_DB_TIME, db_ms, 100);
    score_set(s, SCORE_RESULT_BYTES, 90, 100);
    score_set(s, SCORE_CONNECTIONS, 0.01, 100);
}

static void test_worked_endpoint_scores_as_worked_out(void **state)
{
    (void)state;
    struct score s;
    fill(&s, 420, 101, 0.97, 260);
    score_set(&s, SCORE_TRANSFER, 0.72, 100);
    score_finish(&s, 100);
    assert_int_equal(s.value, 41);
    assert_false(s.provisional);
    fill(&s, 70, 3, 0, 9);
    score_set(&s, SCORE_TRANSFER, 0.72, 100);
    score_finish(&s, 100);
    assert_int_equal(s.value, 89);
}

static void test_unobserved_metric_leaves_the_mean(void **state)
{
    (void)state;
    struct score s;
    fill(&s, 420, 101, 0.97, 260);
    score_finish(&s, 100);
    assert_true(s.coverage > 0.899 && s.coverage < 0.901);
    assert_in_range(s.value, 40, 45);
}

static void test_low_coverage_gives_no_score(void **state)
{
    (void)state;
    struct score s;
    score_init(&s);
    score_set(&s, SCORE_LATENCY, 100, 100);
    score_finish(&s, 100);
    assert_int_equal(s.value, -1);
    assert_true(s.provisional);
}

static void test_few_requests_are_provisional(void **state)
{
    (void)state;
    struct score s;
    fill(&s, 70, 3, 0, 9);
    score_finish(&s, 19);
    assert_true(s.provisional);
    score_finish(&s, 20);
    assert_false(s.provisional);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve_gives_the_checked_values),
        cmocka_unit_test(test_worked_endpoint_scores_as_worked_out),
        cmocka_unit_test(test_unobserved_metric_leaves_the_mean),
        cmocka_unit_test(test_low_coverage_gives_no_score),
        cmocka_unit_test(test_few_requests_are_provisional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
