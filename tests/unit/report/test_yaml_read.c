#include "report/yaml_read.h"

#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static void assert_reads(const char *yaml, const char *json)
{
    struct rpt_yaml_error error;
    json_t *tree = rpt_yaml_read(span_of_text(yaml), &error);
    assert_string_equal(error.text, "");
    char *text = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, json);
    free(text);
    json_decref(tree);
}

static void refuse(const char *yaml, size_t len, const char *message)
{
    struct rpt_yaml_error error;
    assert_null(rpt_yaml_read(span_of(yaml, len), &error));
    assert_string_equal(error.text, message);
}

static void assert_refused(const char *yaml, const char *message)
{
    refuse(yaml, strlen(yaml), message);
}

static void test_read_maps_lists_and_scalars(void **state)
{
    (void)state;
    assert_reads("", "null");
    assert_reads("a: 1\nb:\n- x\n- {c: [true, false, ~, null, \"1\", '0x']}\n",
                 "{\"a\":1,\"b\":[\"x\",{\"c\":[true,false,null,null,\"1\",\"0x\"]}]}");
    assert_reads("a: |\n  one\n  two\nb: -1.5\nc: 85/100\nd: --/100\ne: 2027-01-31\n",
                 "{\"a\":\"one\\ntwo\\n\",\"b\":-1.5,\"c\":\"85/100\",\"d\":\"--/100\","
                 "\"e\":\"2027-01-31\"}");
}

static void test_read_only_numbers_of_json_are_numbers(void **state)
{
    (void)state;
    assert_reads("[0, 10, 1e3, 010, 0x1, 1_0, +1, .5, 1., -, 99999999999999999999]",
                 "[0,10,1000.0,\"010\",\"0x1\",\"1_0\",\"+1\",\".5\",1.0,\"-\","
                 "\"99999999999999999999\"]");
    assert_reads("[yes, on, y, NULL, True]", "[\"yes\",\"on\",\"y\",\"NULL\",\"True\"]");
}

static void test_read_refuses_what_no_report_has(void **state)
{
    (void)state;
    assert_refused("a: &x 1\n", "1:4: anchors, aliases and tags are not taken");
    assert_refused("a: !!str 1\n", "1:4: anchors, aliases and tags are not taken");
    assert_refused("a: 1\na: 2\n", "2:1: duplicate key");
    assert_refused("--- 1\n--- 2\n", "2:1: a second document is not taken");
    assert_refused("? [1]\n: 2\n", "1:3: a key is a text");
    assert_refused("a: \"\\0\"\n", "1:4: a NUL byte is not taken");
    assert_refused("a: [1\n", "2:1: did not find expected ',' or ']'");
}

static void test_read_bounds_depth(void **state)
{
    (void)state;
    char deep[2 * RPT_YAML_MAX_DEPTH + 3];
    memset(deep, '[', RPT_YAML_MAX_DEPTH);
    memset(deep + RPT_YAML_MAX_DEPTH, ']', RPT_YAML_MAX_DEPTH);
    deep[2 * RPT_YAML_MAX_DEPTH] = '\0';
    struct rpt_yaml_error error;
    json_t *tree = rpt_yaml_read(span_of_text(deep), &error);
    assert_non_null(tree);
    json_decref(tree);
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_refused(deep, "1:25: nested too deep");
}

static void test_read_of_every_cut_is_a_tree_or_a_line(void **state)
{
    (void)state;
    static const char text[] = "a: {b: [1, \"x\"], c: {d: |\n   t\n  }}\ne: 'f'\n";
    for (size_t len = 0; len < sizeof(text); len++) {
        struct rpt_yaml_error error;
        json_t *tree = rpt_yaml_read(span_of(text, len), &error);
        assert_int_equal(tree == NULL, error.text[0] != '\0');
        json_decref(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_maps_lists_and_scalars),
        cmocka_unit_test(test_read_only_numbers_of_json_are_numbers),
        cmocka_unit_test(test_read_refuses_what_no_report_has),
        cmocka_unit_test(test_read_bounds_depth),
        cmocka_unit_test(test_read_of_every_cut_is_a_tree_or_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
