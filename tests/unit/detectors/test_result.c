#include "detectors/traffic.h"

#define SHELF "SELECT id, title FROM books WHERE genre = $1 ORDER BY id"
#define BOOK  "SELECT id, title FROM books WHERE id = $1"

static void clean_requests(struct traffic *t, const char *route, int n)
{
    traffic_facts(t, BOOK, FACT_WHERE, "books", "id");
    traffic_tag(t, "GET", route, NULL, NULL);
    for (int i = 0; i < n; i++) {
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, BOOK, i, 1);
        traffic_plain(t, "ROLLBACK");
    }
}

static void unbounded_requests(struct traffic *t, const char *route, int n, uint64_t rows)
{
    traffic_facts(t, SHELF, FACT_WHERE, "books", "genre");
    traffic_tag(t, "GET", route, NULL, NULL);
    for (int i = 0; i < n; i++) {
        traffic_plain(t, "BEGIN");
        traffic_by_id(t, SHELF, i, rows);
        traffic_plain(t, "ROLLBACK");
    }
}

static void test_clean_run_passes_what_was_looked_at(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    clean_requests(t, "/books/{id}", 30);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 0);
    assert_false(r->needs_optimization);
    assert_int_equal(r->checklist[0].verdict, VERDICT_PASS);
    assert_int_equal(r->checklist[1].verdict, VERDICT_NOT_OBSERVED);
    assert_int_equal(r->checklist[2].verdict, VERDICT_NOT_OBSERVED); /* no plan was asked for */
    assert_int_equal(r->checklist[3].verdict, VERDICT_PASS);
    assert_int_equal(r->checklist[5].verdict, VERDICT_PASS);
    assert_int_equal(r->checklist[6].verdict, VERDICT_PASS);
    assert_int_equal(r->checklist[27].verdict, VERDICT_PASS);
    assert_int_equal(r->checklist[30].verdict, VERDICT_MANUAL);
    for (int i = 0; i < CHECKLIST_ITEMS; i++) {
        assert_int_equal(r->checklist[i].id, i + 1);
        assert_non_null(r->checklist[i].reason);
        assert_non_null(r->checklist[i].how_to_observe);
        bool seen = r->checklist[i].verdict == VERDICT_PASS;
        assert_int_equal(seen, r->checklist[i].how_to_observe[0] == '\0');
    }
    assert_true(r->score.value >= 95);
    assert_false(r->score.provisional);
    traffic_free(t);
}

static void test_few_requests_pass_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    clean_requests(t, "/books/{id}", 19);
    const struct result *r = traffic_result(t);
    for (int i = 0; i < CHECKLIST_ITEMS; i++)
        assert_int_not_equal(r->checklist[i].verdict, VERDICT_PASS);
    assert_true(r->score.provisional);
    traffic_free(t);
}

static void test_nothing_seen_is_a_result_too(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, 0);
    assert_int_equal(r->score.value, -1);
    assert_false(r->needs_optimization);
    assert_non_null(r->estimated_improvement);
    assert_true(r->n_profiling_commands > 0);
    traffic_free(t);
}

static void test_endpoints_are_sorted_by_database_time(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    clean_requests(t, "/rare", 2);
    clean_requests(t, "/often", 30);
    const struct result *r = traffic_result(t);
    assert_string_equal(r->endpoints[0].endpoint->name, "GET /often");
    assert_string_equal(r->endpoints[1].endpoint->name, "GET /rare");
    traffic_free(t);
}

static void test_high_findings_need_plans_and_must_be_few(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    unbounded_requests(t, "/a", 1, 20000);
    unbounded_requests(t, "/b", 1, 20000);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->by_severity[SEVERITY_HIGH], 2);
    assert_int_equal(r->high_without_plan, 0);
    assert_false(r->needs_optimization);
    unbounded_requests(t, "/c", 1, 20000);
    r = traffic_result(t);
    assert_int_equal(r->by_severity[SEVERITY_HIGH], 3);
    assert_true(r->needs_optimization);
    assert_false(r->endpoints[0].needs_optimization);
    traffic_free(t);
}

static void test_high_finding_of_low_confidence_has_no_plan(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < 40; i++)
        traffic_by_id(t, BOOK, 500000 + 3 * i, 1);
    traffic_plain(t, "ROLLBACK");
    const struct result *r = traffic_result(t);
    assert_int_equal(r->by_severity[SEVERITY_HIGH], 1);
    assert_int_equal(r->high_without_plan, 1);
    assert_true(r->needs_optimization);
    traffic_free(t);
}

static void test_critical_finding_fails(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    unbounded_requests(t, "/a", 1, 200000);
    clean_requests(t, "/fine", 5);
    const struct result *r = traffic_result(t);
    assert_true(r->needs_optimization);
    assert_int_equal(r->checklist[3].verdict, VERDICT_FAIL);
    assert_int_equal(r->checklist[27].verdict, VERDICT_FAIL);
    struct checklist_item items[CHECKLIST_ITEMS];
    for (size_t i = 0; i < r->n_endpoints; i++) {
        bool at_fault = strcmp(r->endpoints[i].endpoint->name, "GET /a") == 0;
        result_checklist_of(r, &r->endpoints[i], items);
        assert_int_equal(items[3].verdict == VERDICT_FAIL, at_fault);
        assert_int_equal(r->endpoints[i].needs_optimization, at_fault);
    }
    traffic_free(t);
}

static void test_findings_are_sorted_by_severity(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    unbounded_requests(t, "/low", 1, 600);
    unbounded_requests(t, "/critical", 1, 200000);
    unbounded_requests(t, "/medium", 1, 3000);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 3);
    assert_int_equal(r->findings[0]->severity, SEVERITY_CRITICAL);
    assert_int_equal(r->findings[1]->severity, SEVERITY_MEDIUM);
    assert_int_equal(r->findings[2]->severity, SEVERITY_LOW);
    traffic_free(t);
}

static void test_n_plus_one_lowers_the_score(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const int64_t *ids = traffic_ids(100);
    t->query_us = 2000;
    traffic_tag(t, "GET", "/slow", NULL, NULL);
    for (int k = 0; k < 20; k++) {
        traffic_plain(t, "BEGIN");
        traffic_page(t, "SELECT id FROM authors WHERE id > $1 LIMIT 100", 0, ids, 100);
        for (int i = 0; i < 100; i++)
            traffic_by_id(t, "SELECT title FROM books WHERE author_id = $1", ids[i], 3);
        traffic_plain(t, "ROLLBACK");
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->endpoints[0].gain.statements, 20 * 99);
    assert_true(r->endpoints[0].score.value < 50);
    assert_true(r->db_time_saved_ms > 0.9 * r->db_time_ms);
    assert_non_null(strstr(r->estimated_improvement, "less database time"));
    bool explains = false;
    bool calls = false;
    for (size_t i = 0; i < r->n_profiling_commands; i++) {
        explains |= strstr(r->profiling_commands[i],
                           "PREPARE pgsleuth AS select title from books where author_id = $1' -c "
                           "'SET plan_cache_mode = force_generic_plan' -c 'EXPLAIN EXECUTE "
                           "pgsleuth(NULL)'") != NULL;
        calls |= strstr(r->profiling_commands[i], "cProfile") != NULL &&
                 strstr(r->profiling_commands[i], "GET /slow") != NULL;
    }
    assert_true(explains && calls);
    traffic_free(t);
}

static void test_commands_are_safe_in_a_shell(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *sql = "SELECT \"$(rm -rf ~)\" FROM \"'; `id` '\" WHERE a = $1";
    traffic_facts(t, sql, FACT_WHERE, "x", "a");
    traffic_by_id(t, sql, 1, 5000);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 1);
    bool explains = false;
    for (size_t i = 0; i < r->n_profiling_commands; i++) {
        const char *command = r->profiling_commands[i];
        bool quoted = false;
        for (const char *c = command; *c != '\0' && *c != '#'; c++) {
            if (!quoted && *c == '\\')
                c++; /* the escaped quote between two quoted pieces */
            else if (*c == '\'')
                quoted = !quoted;
            else if (!quoted)
                assert_null(strchr("`;()", *c));
        }
        assert_false(quoted);
        explains |= strstr(command, "$(rm") != NULL;
    }
    assert_true(explains);
    traffic_free(t);
}

static void test_result_is_the_same_twice(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    unbounded_requests(t, "/a", 3, 700);
    unbounded_requests(t, "/b", 3, 700);
    audit_finish(t->audit);
    struct result *first = result_new(t->audit);
    struct result *second = result_new(t->audit);
    assert_int_equal(first->n_findings, second->n_findings);
    for (size_t i = 0; i < first->n_findings; i++) {
        assert_int_equal(first->findings[i]->fingerprint, second->findings[i]->fingerprint);
        assert_string_equal(first->findings[i]->impact, second->findings[i]->impact);
    }
    assert_int_equal(first->score.value, second->score.value);
    result_free(first);
    result_free(second);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_run_passes_what_was_looked_at),
        cmocka_unit_test(test_few_requests_pass_nothing),
        cmocka_unit_test(test_nothing_seen_is_a_result_too),
        cmocka_unit_test(test_endpoints_are_sorted_by_database_time),
        cmocka_unit_test(test_high_findings_need_plans_and_must_be_few),
        cmocka_unit_test(test_high_finding_of_low_confidence_has_no_plan),
        cmocka_unit_test(test_critical_finding_fails),
        cmocka_unit_test(test_findings_are_sorted_by_severity),
        cmocka_unit_test(test_n_plus_one_lowers_the_score),
        cmocka_unit_test(test_commands_are_safe_in_a_shell),
        cmocka_unit_test(test_result_is_the_same_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
