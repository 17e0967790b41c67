#include "report/tree.h"

#include "cmocka_all.h"
#include "sample_result.h"

#include <stdlib.h>

static struct sample sample;

/* A value by a path of keys and indexes, "issues.critical.0.file". */
static const json_t *at(const json_t *value, const char *path)
{
    char key[64];
    while (*path != '\0') {
        size_t len = strcspn(path, ".");
        assert_true(len < sizeof key);
        memcpy(key, path, len);
        key[len] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10))
                                     : json_object_get(value, key);
        path += len + (path[len] == '.');
    }
    return value;
}

static void expect_text(const json_t *tree, const char *path, const char *want)
{
    const char *got = json_string_value(at(tree, path));
    assert_non_null(got);
    assert_string_equal(got, want);
}

static void expect_keys(json_t *map, const char *const *want)
{
    void *iter = json_object_iter(map);
    for (; *want != NULL; want++) {
        assert_non_null(iter);
        assert_string_equal(json_object_iter_key(iter), *want);
        iter = json_object_iter_next(map, iter);
    }
    assert_null(iter);
}

static void test_rpt_tree_keys_stand_in_order(void **state)
{
    (void)state;
    static const char *const keys[] = {"schema_version",
                                       "status",
                                       "performance_score",
                                       "score",
                                       "run",
                                       "endpoint",
                                       "endpoints",
                                       "issues",
                                       "profiling_commands",
                                       "recommendations",
                                       "checklist",
                                       "estimated_improvement",
                                       "estimated_improvement_detail",
                                       "pass_criteria_met",
                                       "pass_criteria",
                                       "coverage",
                                       NULL};
    static const char *const issue_keys[] = {"issue",
                                             "file",
                                             "line",
                                             "impact",
                                             "current_code",
                                             "optimized_code",
                                             "expected_improvement",
                                             "id",
                                             "rule",
                                             "fingerprint",
                                             "checklist",
                                             "endpoint",
                                             "confidence",
                                             "confidence_basis",
                                             "location_source",
                                             "optimized_code_source",
                                             "attribution",
                                             "evidence",
                                             "improvement",
                                             "stack",
                                             "variants",
                                             NULL};
    static const char *const severities[] = {"critical", "high", "medium", "low", NULL};
    json_t *tree = rpt_tree(sample_result(&sample));
    assert_non_null(tree);
    expect_keys(tree, keys);
    expect_keys(json_object_get(tree, "issues"), severities);
    expect_keys(json_array_get(json_object_get(json_object_get(tree, "issues"), "critical"), 0),
                issue_keys);
    json_decref(tree);
}

static void test_rpt_tree_says_what_the_result_holds(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    expect_text(tree, "status", "NEEDS_OPTIMIZATION");
    expect_text(tree, "performance_score", "41/100");
    expect_text(tree, "endpoints.2.performance_score", "--/100");
    expect_text(tree, "run.started", "2024-02-29T12:34:56.789Z");
    expect_text(tree, "run.sources.explain", "off");
    expect_text(tree, "run.attribution", "gap");
    expect_text(tree, "endpoints.0.report", "endpoints/get-orm-authors-author_id.yaml");
    expect_text(tree, "issues.critical.0.file", "app/users.py");
    expect_text(tree, "issues.critical.0.fingerprint", "0123456701234567");
    expect_text(tree, "issues.critical.0.location_source", "tag");
    expect_text(tree, "issues.critical.0.optimized_code_source", "edited");
    expect_text(tree, "issues.high.0.optimized_code_source", "template");
    expect_text(tree, "issues.critical.0.evidence.sql.0.text",
                "select authors.id, authors.name from authors limit ?");
    expect_text(tree, "issues.high.0.plan.before.filter", "(status = ?::text)");
    expect_text(tree, "issues.high.0.plan.before.index_note",
                "orders_lower_idx is on lower(status)");
    expect_text(tree, "checklist.2.evidence_source.1", "explain");
    expect_text(tree, "checklist.2.issues.0", "deadbeefdeadbeef");
    assert_int_equal(json_integer_value(at(tree, "issues.critical.0.line")), 45);
    assert_int_equal(json_integer_value(at(tree, "coverage.opaque_sessions")), 3);
    assert_int_equal(json_array_size(at(tree, "checklist")), CHECKLIST_ITEMS);
    assert_true(json_is_false(at(tree, "pass_criteria_met")));
    assert_true(json_is_null(at(tree, "endpoint")));
    json_decref(tree);
}

static void test_rpt_tree_tells_of_a_later_run_and_its_marks(void **state)
{
    (void)state;
    static const struct audit_moment moments[] = {{.at_us = 3500000, .name = "all there"}};
    json_t *tree = rpt_tree(sample_result(&sample));
    assert_null(at(tree, "run.id"));
    assert_null(at(tree, "run.marks"));
    json_decref(tree);
    sample.result.run = (struct audit_run){.id = 2, .name = "load", .began_us = 1000000};
    sample.result.moments = moments;
    sample.result.n_moments = 1;
    tree = rpt_tree(&sample.result);
    assert_int_equal(json_integer_value(at(tree, "run.id")), 2);
    expect_text(tree, "run.name", "load");
    expect_text(tree, "run.marks.0.name", "all there");
    assert_true(json_real_value(at(tree, "run.marks.0.at_s")) == 2.5);
    json_decref(tree);
}

static void test_rpt_statements_are_the_costliest_first(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    sample.endpoints[0].usages = &sample.usages[0];
    sample.usages[0].next = &sample.usages[1];
    sample.endpoints[1].usages = &sample.usages[2];
    json_t *list = rpt_statements(r);
    size_t n = json_array_size(list);
    assert_int_equal(n, 3);
    double last = 1e300;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        double total = json_number_value(at(one, "ms.total"));
        assert_true(total <= last);
        last = total;
        assert_true(json_is_string(json_object_get(one, "endpoint")));
        assert_true(json_is_string(json_object_get(one, "sql")));
        assert_null(strchr(json_string_value(json_object_get(one, "sql")), '\x1b'));
    }
    json_decref(list);
}

static void test_rpt_tree_unknown_values_are_null_or_absent(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    assert_true(json_is_null(at(tree, "issues.high.0.file")));
    assert_true(json_is_null(at(tree, "issues.high.0.line")));
    assert_true(json_is_null(at(tree, "issues.medium.0.line")));
    assert_true(json_is_null(at(tree, "issues.high.0.improvement.speedup")));
    assert_true(json_is_null(at(tree, "issues.high.0.evidence.wasted_ms_p95")));
    assert_true(json_is_null(at(tree, "issues.medium.0.evidence.sql.0.calls")));
    assert_null(at(tree, "issues.high.0.expected_improvement"));
    assert_null(at(tree, "issues.low.0.impact"));
    assert_null(at(tree, "issues.medium.0.plan"));
    assert_null(at(tree, "issues.medium.0.current_code"));
    json_decref(tree);
}

static void test_rpt_tree_empty_result_has_all_lists(void **state)
{
    (void)state;
    struct result *r = calloc(1, sizeof *r);
    r->version = "0.1.0";
    r->score.value = -1;
    json_t *tree = rpt_tree(r);
    assert_non_null(tree);
    expect_text(tree, "status", "PASS");
    expect_text(tree, "performance_score", "--/100");
    expect_text(tree, "run.attribution", "none");
    assert_true(json_is_array(at(tree, "issues.critical")));
    assert_true(json_is_array(at(tree, "issues.high")));
    assert_true(json_is_array(at(tree, "issues.medium")));
    assert_true(json_is_null(at(tree, "score.value")));
    json_decref(tree);
    free(r);
}

static void test_rpt_tree_endpoint_is_about_that_endpoint(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    json_t *tree = rpt_tree_endpoint(r, &r->endpoints[0]);
    assert_non_null(tree);
    assert_null(json_object_get(tree, "endpoints"));
    expect_text(tree, "endpoint.route", "/orm/authors/{author_id}");
    assert_int_equal(json_integer_value(at(tree, "endpoint.queries.p95")), 101);
    assert_int_equal(json_array_size(at(tree, "issues.critical")), 1);
    assert_int_equal(json_array_size(at(tree, "issues.high")), 0);
    expect_text(tree, "estimated_improvement",
                "8.7x faster GET /orm/authors/{author_id} (estimated: 28000.5 of 31620.2 ms in its "
                "requests; up to 12.1x with the client's time between), 98 % fewer statements; "
                "memory: not observed");
    json_decref(tree);
    tree = rpt_tree_endpoint(r, &r->endpoints[1]);
    expect_text(tree, "estimated_improvement", "not estimated");
    expect_text(tree, "recommendations.0", "~");
    assert_int_equal(json_integer_value(at(tree, "pass_criteria.high_without_plan")), 0);
    json_decref(tree);
}

/* --- no memory --- */

static long allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void test_rpt_tree_without_memory_gives_null_and_leaks_nothing(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    json_t *tree = NULL;
    json_set_alloc_funcs(failing_malloc, free);
    for (long n = 0; tree == NULL; n += n < 300 ? 1 : 37) {
        allocations_left = n;
        tree = rpt_tree(r);
        assert_true(n < 1000 * 1000);
    }
    allocations_left = 1000 * 1000;
    assert_int_equal(json_array_size(at(tree, "checklist")), CHECKLIST_ITEMS);
    json_decref(tree);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_tree_keys_stand_in_order),
        cmocka_unit_test(test_rpt_tree_says_what_the_result_holds),
        cmocka_unit_test(test_rpt_tree_tells_of_a_later_run_and_its_marks),
        cmocka_unit_test(test_rpt_statements_are_the_costliest_first),
        cmocka_unit_test(test_rpt_tree_unknown_values_are_null_or_absent),
        cmocka_unit_test(test_rpt_tree_empty_result_has_all_lists),
        cmocka_unit_test(test_rpt_tree_endpoint_is_about_that_endpoint),
        cmocka_unit_test(test_rpt_tree_without_memory_gives_null_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
