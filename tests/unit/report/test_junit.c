#include "report/junit.h"

#include "rendered.h"

static void test_rpt_junit_matches_golden(void **state)
{
    (void)state;
    rendered_is_golden(rpt_junit, "junit.xml");
}

static void test_rpt_junit_at_the_limits(void **state)
{
    (void)state;
    rendered_at_the_limits(rpt_junit);
}

/* Item 1 fails by a high finding, 2 by a low one, 3 passed, 4 passed elsewhere, 5 is for people. */
static json_t *tree_of_five(void)
{
    json_error_t error;
    json_t *tree = json_loads(
        "{\"endpoints\": [{\"name\": \"GET /\", \"latency_ms\": {\"p95\": 12.5},"
        " \"checklist\": {\"fail\": [1, 2], \"pass\": [3]}}],"
        "\"issues\": {\"high\": [{\"endpoint\": \"GET /\", \"checklist\": [1], \"issue\": \"a\"},"
        " {\"endpoint\": \"GET /other\", \"checklist\": [3], \"issue\": \"not here\"}],"
        " \"low\": [{\"endpoint\": \"GET /\", \"checklist\": [2], \"issue\": \"b\"}]},"
        "\"checklist\": [{\"id\": 1, \"verdict\": \"fail\"}, {\"id\": 2, \"verdict\": \"fail\"},"
        " {\"id\": 3, \"verdict\": \"fail\"}, {\"id\": 4, \"verdict\": \"pass\"},"
        " {\"id\": 5, \"verdict\": \"manual\", \"how_to_observe\": \"look\"}]}",
        0, &error);
    assert_non_null(tree);
    return tree;
}

static void has(const struct strbuf *out, const char *text)
{
    if (strstr(strbuf_text(out), text) == NULL)
        fail_msg("no %s in %s", text, strbuf_text(out));
}

static void test_rpt_junit_case_is_the_endpoints_verdict(void **state)
{
    (void)state;
    json_t *tree = tree_of_five();
    struct strbuf out = rendered(rpt_junit, tree);
    has(&out, "tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"2\"");
    has(&out, "name=\"#1 \" time=\"0.012500\"><failure type=\"high\" message=\"a\">HIGH  a\n");
    has(&out, "name=\"#2 \" time=\"0.012500\"><system-out>LOW  b\n</system-out></testcase>");
    has(&out, "name=\"#3 \" time=\"0.012500\"></testcase>");
    has(&out, "name=\"#4 \" time=\"0.012500\"><skipped message=\"not_observed: not enough");
    has(&out, "name=\"#5 \" time=\"0.012500\"><skipped message=\"manual: look\"/>");
    assert_null(strstr(strbuf_text(&out), "not here"));
    strbuf_fini(&out);
    json_decref(tree);
}

static void test_rpt_junit_of_one_endpoint_takes_the_checklist_of_its_report(void **state)
{
    (void)state;
    json_t *tree = tree_of_five();
    json_object_set_new(tree, "endpoint", json_pack("{s:s}", "name", "GET /other"));
    json_object_del(tree, "endpoints");
    struct strbuf out = rendered(rpt_junit, tree);
    has(&out, "classname=\"GET /other\" name=\"#3 \" time=\"0.000000\"><failure type=\"high\" "
              "message=\"not here\">");
    has(&out, "name=\"#4 \" time=\"0.000000\"></testcase>");
    strbuf_fini(&out);
    json_decref(tree);
}

static void test_rpt_junit_hostile_text_is_escaped(void **state)
{
    (void)state;
    json_t *tree = tree_of_five();
    json_t *high = json_object_get(json_object_get(tree, "issues"), "high");
    json_object_set_new(json_array_get(high, 0), "issue",
                        json_string("]]></failure><x a=\"\n\t\x01\xef\xbf\xbe\xef\xbf\xbf&"));
    struct strbuf out = rendered(rpt_junit, tree);
    has(&out, "message=\"]]&#62;&#60;/failure&#62;&#60;x a=&#34;&#10;&#9;\xef\xbf\xbd\xef\xbf\xbd"
              "\xef\xbf\xbd&#38;\">HIGH  ]]&#62;&#60;/failure&#62;&#60;x a=\"\n\t");
    strbuf_fini(&out);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_junit_matches_golden),
        cmocka_unit_test(test_rpt_junit_at_the_limits),
        cmocka_unit_test(test_rpt_junit_case_is_the_endpoints_verdict),
        cmocka_unit_test(test_rpt_junit_of_one_endpoint_takes_the_checklist_of_its_report),
        cmocka_unit_test(test_rpt_junit_hostile_text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
