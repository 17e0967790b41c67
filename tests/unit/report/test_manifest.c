/* The application's manifest: what it says comes into the result as far as it fits what was seen.
 */
#include "report/manifest.h"
#include "report/tree.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENDPOINTS = 5 };

struct setup {
    struct result result;
    struct endpoint endpoints[ENDPOINTS];
    struct endpoint_result about[ENDPOINTS];
    struct finding finding;
    struct finding *findings[1];
    char error[200];
};

static const struct detector rule = {.name = "rule", .id = "PA000", .checklist = {1}};

static struct setup *new_setup(void)
{
    static const char *const routes[ENDPOINTS][2] = {
        {"GET", "/books/{id}"},
        {"POST", "/books/{id}"},
        {"GET", "/either/{id}"},
        {"GET", "/elsewhere"},
        {NULL, NULL},
    };
    struct setup *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->result.endpoints = s->about;
    s->result.n_endpoints = ENDPOINTS;
    for (int i = 0; i < ENDPOINTS; i++) {
        s->endpoints[i].method = routes[i][0];
        s->endpoints[i].route = routes[i][1];
        s->endpoints[i].name = "";
        s->about[i].endpoint = &s->endpoints[i];
    }
    s->finding = (struct finding){.detector = &rule, .endpoint = &s->endpoints[0], .issue = "x"};
    s->findings[0] = &s->finding;
    s->about[0].findings = s->findings;
    s->about[0].n_findings = 1;
    s->result.findings = s->findings;
    s->result.n_findings = 1;
    arena_init(&s->result.arena, 1 << 20);
    return s;
}

static void free_setup(struct setup *s)
{
    arena_fini(&s->result.arena);
    free(s);
}

static bool take(struct setup *s, const char *text)
{
    return rpt_manifest(&s->result, span_of_text(text), s->error, sizeof(s->error));
}

static const char whole[] =
    "{\"version\": 1, \"python\": \"3.11.2\", \"framework\": \"flask\","
    " \"packages\": {\"flask\": \"3.1.3\"},"
    " \"middleware\": [\"starlette.middleware.gzip.GZipMiddleware\", 7, \"app.First\"],"
    " \"pool\": {\"class\": \"QueuePool\", \"size\": 5, \"timeout\": 2.5, \"recycle\": null,"
    "            \"pre_ping\": true},"
    " \"databases\": {\"default\": {\"CONN_MAX_AGE\": 60}},"
    " \"routes\": ["
    "  {\"method\": \"GET\", \"route\": \"/books/<int:book_id>\", \"function\": \"books\","
    "   \"file\": \"app/main.py\", \"line\": 12, \"async\": false},"
    "  {\"method\": \"*\", \"route\": \"/either/<a>\", \"function\": \"a\", \"file\": \"a.py\","
    "   \"line\": 1},"
    "  {\"method\": \"GET\", \"route\": \"/either/<b>\", \"function\": \"b\", \"file\": \"b.py\","
    "   \"line\": 2},"
    "  {\"method\": \"GET\", \"route\": 5}, 6]}";

static void test_manifest_route_gives_its_endpoint_and_findings_a_place(void **state)
{
    (void)state;
    struct setup *s = new_setup();
    assert_true(take(s, whole));
    assert_string_equal(s->about[0].handler.file, "app/main.py");
    assert_int_equal(s->about[0].handler.line, 12);
    assert_string_equal(s->about[0].handler.function, "books");
    assert_ptr_equal(s->finding.handler, &s->about[0].handler);
    for (int i = 1; i < ENDPOINTS; i++)
        assert_null(s->about[i].handler.file); /* another method, two that fit, none, no route */
    free_setup(s);
}

static void test_manifest_route_with_the_same_text_comes_before_one_like_it(void **state)
{
    (void)state;
    struct setup *s = new_setup();
    assert_true(take(s, "{\"version\": 1, \"routes\": ["
                        "{\"method\": \"*\", \"route\": \"/either/<b>\", \"file\": \"b.py\", "
                        "\"line\": 2},"
                        "{\"method\": \"*\", \"route\": \"^/either/(?P<id>[0-9]+)$\", \"file\": "
                        "\"id.py\", \"line\": 3}]}"));
    assert_string_equal(s->about[2].handler.file, "id.py");
    free_setup(s);
}

static void test_manifest_settings_are_flat_and_middleware_settles_the_checklist(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        {"pool.class", "QueuePool"},
        {"pool.size", "5"},
        {"pool.timeout", "2.5"},
        {"pool.pre_ping", "true"},
        {"databases.default.CONN_MAX_AGE", "60"},
        {"packages.flask", "3.1.3"},
    };
    struct setup *s = new_setup();
    assert_true(take(s, whole));
    const struct application *a = &s->result.application;
    assert_int_equal(a->n_settings, 6);
    for (size_t i = 0; i < a->n_settings; i++) {
        assert_string_equal(a->settings[i].name, expected[i][0]);
        assert_string_equal(a->settings[i].value, expected[i][1]);
    }
    assert_int_equal(a->n_middleware, 2);
    assert_string_equal(a->framework, "flask");
    assert_int_equal(s->result.checklist[5 - 1].verdict, VERDICT_PASS);
    assert_int_equal(s->result.checklist[11 - 1].verdict, VERDICT_PASS);
    assert_int_equal(s->result.checklist[15 - 1].verdict, VERDICT_NOT_OBSERVED);
    assert_int_equal(s->result.checklist[1 - 1].verdict, VERDICT_FAIL); /* what was seen counts */
    free_setup(s);
}

static void test_manifest_is_in_the_tree(void **state)
{
    (void)state;
    struct setup *s = new_setup();
    assert_true(take(s, whole));
    json_t *tree = rpt_tree(&s->result);
    assert_non_null(tree);
    json_t *run = json_object_get(json_object_get(tree, "run"), "application");
    assert_string_equal(json_string_value(json_object_get(run, "python")), "3.11.2");
    json_t *row = json_array_get(json_object_get(tree, "endpoints"), 0);
    json_t *handler = json_object_get(row, "handler");
    assert_int_equal(json_integer_value(json_object_get(handler, "line")), 12);
    assert_null(json_object_get(json_array_get(json_object_get(tree, "endpoints"), 3), "handler"));
    json_t *low = json_object_get(json_object_get(tree, "issues"), "low");
    json_t *issue = json_array_get(low, 0);
    assert_string_equal(json_string_value(json_object_get(issue, "file")), "app/main.py");
    assert_string_equal(json_string_value(json_object_get(issue, "location_source")), "manifest");
    json_decref(tree);
    free_setup(s);
}

static void test_manifest_that_is_none_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{\"version\": 2, \"routes\": []}",
        "{\"version\": 1}",
        "{\"version\": 1, \"routes\": {}}",
        "{\"version\": 1, \"version\": 1, \"routes\": []}",
        "\xff",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct setup *s = new_setup();
        assert_false(take(s, wrong[i]));
        assert_true(strlen(s->error) > 0);
        assert_false(s->result.application.known);
        free_setup(s);
    }
}

static void test_manifest_lines_that_are_none_give_no_place(void **state)
{
    (void)state;
    static const char *const lines[] = {"0", "-1", "\"12\"", "1.5", "99999999999", "null"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char text[256];
        struct setup *s = new_setup();
        snprintf(text, sizeof(text),
                 "{\"version\": 1, \"routes\": [{\"method\": \"GET\", \"route\": \"/elsewhere\", "
                 "\"file\": \"a.py\", \"line\": %s}]}",
                 lines[i]);
        assert_true(take(s, text));
        assert_null(s->about[3].handler.file);
        free_setup(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_route_gives_its_endpoint_and_findings_a_place),
        cmocka_unit_test(test_manifest_route_with_the_same_text_comes_before_one_like_it),
        cmocka_unit_test(test_manifest_settings_are_flat_and_middleware_settles_the_checklist),
        cmocka_unit_test(test_manifest_is_in_the_tree),
        cmocka_unit_test(test_manifest_that_is_none_changes_nothing),
        cmocka_unit_test(test_manifest_lines_that_are_none_give_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
