#include "report/sarif.h"

#include "detectors/detector.h"
#include "rendered.h"
#include "report/sarif_rules.h"

static void test_rpt_sarif_matches_golden(void **state)
{
    (void)state;
    rendered_is_golden(rpt_sarif, "report.sarif");
}

static void test_rpt_sarif_at_the_limits(void **state)
{
    (void)state;
    rendered_at_the_limits(rpt_sarif);
}

static const char *text_in(const json_t *map, const char *key, const char *inner)
{
    const char *text = json_string_value(json_object_get(json_object_get(map, key), inner));
    return text != NULL ? text : "";
}

static void test_rpt_sarif_every_rule_is_described(void **state)
{
    (void)state;
    json_t *rules = rpt_sarif_rules();
    assert_int_equal(json_array_size(rules), DETECTOR_COUNT);
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        const json_t *rule = json_array_get(rules, (size_t)i);
        const char *level = text_in(rule, "defaultConfiguration", "level");
        assert_string_equal(json_string_value(json_object_get(rule, "id")), det_detectors[i]->id);
        assert_true(strlen(text_in(rule, "fullDescription", "text")) > 20);
        assert_true(strlen(text_in(rule, "fullDescription", "text")) <= 1024);
        assert_true(strlen(text_in(rule, "help", "text")) > 40);
        assert_true(strcmp(level, "error") == 0 || strcmp(level, "warning") == 0 ||
                    strcmp(level, "note") == 0);
        assert_int_equal(rpt_sarif_rule_index(det_detectors[i]->id), i);
    }
    assert_int_equal(rpt_sarif_rule_index("PA999"), -1);
    json_decref(rules);
}

/* The only result of a tree with this issue at "GET /"; the caller gives the log back. */
static json_t *log_of_one(json_t *issue, const json_t **result)
{
    json_object_set_new(issue, "endpoint", json_string("GET /"));
    json_t *tree = json_pack("{s:{s:[o]}, s:[{s:s, s:s}]}", "issues", "high", issue, "endpoints",
                             "name", "GET /", "report", "endpoints/get.yaml");
    struct strbuf out = rendered(rpt_sarif, tree);
    json_t *log = json_loadb(strbuf_text(&out), out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(log);
    const json_t *run = json_array_get(json_object_get(log, "runs"), 0);
    *result = json_array_get(json_object_get(run, "results"), 0);
    assert_non_null(*result);
    strbuf_fini(&out);
    json_decref(tree);
    return log;
}

static void place_becomes(json_t *issue, const char *uri, const char *uri_base, int line)
{
    const json_t *result;
    json_t *log = log_of_one(issue, &result);
    const json_t *place = json_object_get(json_array_get(json_object_get(result, "locations"), 0),
                                          "physicalLocation");
    assert_string_equal(text_in(place, "artifactLocation", "uri"), uri);
    assert_string_equal(text_in(place, "artifactLocation", "uriBaseId"), uri_base);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(place, "region"), "startLine")), line);
    json_decref(log);
}

static void test_rpt_sarif_places_are_relative(void **state)
{
    (void)state;
    place_becomes(json_pack("{s:s, s:i}", "file", "app/a b.py", "line", 7), "app/a%20b.py",
                  "SOURCE", 7);
    place_becomes(json_pack("{s:s, s:n}", "file", "app.py", "line"), "app.py", "SOURCE", 1);
    place_becomes(json_pack("{s:n}", "file"), "endpoints/get.yaml", "REPORT", 1);
    place_becomes(json_pack("{s:s, s:i}", "file", "https://x/y", "line", 7), "endpoints/get.yaml",
                  "REPORT", 1);
    place_becomes(json_pack("{s:s, s:i}", "file", "../../x", "line", 7), "endpoints/get.yaml",
                  "REPORT", 1);
}

static void test_rpt_sarif_messages_have_no_links_and_no_arguments(void **state)
{
    (void)state;
    const json_t *result;
    json_t *log = log_of_one(
        json_pack("{s:s, s:s}", "issue", "[x](http://y) /a/{id} {0}", "impact", "a[1] {12}"),
        &result);
    assert_string_equal(text_in(result, "message", "text"),
                        "[x] (http://y) /a/{id} { 0}\na[1] { 12}");
    json_decref(log);
}

static void test_rpt_sarif_unknown_rule_has_no_index(void **state)
{
    (void)state;
    const json_t *result;
    json_t *log = log_of_one(json_pack("{s:s}", "id", "PA999"), &result);
    assert_null(json_object_get(result, "ruleIndex"));
    assert_string_equal(json_string_value(json_object_get(result, "ruleId")), "PA999");
    json_decref(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_sarif_matches_golden),
        cmocka_unit_test(test_rpt_sarif_at_the_limits),
        cmocka_unit_test(test_rpt_sarif_every_rule_is_described),
        cmocka_unit_test(test_rpt_sarif_places_are_relative),
        cmocka_unit_test(test_rpt_sarif_messages_have_no_links_and_no_arguments),
        cmocka_unit_test(test_rpt_sarif_unknown_rule_has_no_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
