#include "report/yaml.h"

#include "cmocka_all.h"
#include "golden.h"
#include "report/error.h"
#include "report/json.h"
#include "report/tree.h"
#include "report/value.h"
#include "sample_result.h"
#include "yaml_reader.h"

enum { ROOM = 1024 * 1024 };

static struct sample sample;

static struct strbuf yaml_of(const json_t *tree)
{
    struct strbuf b;
    strbuf_init(&b, ROOM);
    assert_int_equal(rpt_yaml(tree, &b), RPT_OK);
    return b;
}

/* Both renderings, read back, are the same tree. */
static void expect_same_as_json(const json_t *tree)
{
    struct strbuf yaml = yaml_of(tree), json;
    strbuf_init(&json, ROOM);
    assert_int_equal(rpt_json(tree, &json), RPT_OK);
    json_t *from_yaml = yaml_read(strbuf_text(&yaml), yaml.len);
    json_t *from_json = json_loadb(strbuf_text(&json), json.len, 0, NULL);
    assert_non_null(from_yaml);
    assert_non_null(from_json);
    assert_true(json_equal(from_yaml, from_json));
    json_decref(from_yaml);
    json_decref(from_json);
    strbuf_fini(&yaml);
    strbuf_fini(&json);
}

static void test_rpt_yaml_aggregate_matches_golden(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    struct strbuf b = yaml_of(tree);
    golden_check("aggregate.yaml", strbuf_span(&b));
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_yaml_endpoint_matches_golden(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    json_t *tree = rpt_tree_endpoint(r, &r->endpoints[0]);
    /* Narrowing the checklist is the detectors' business. */
    json_object_del(tree, "checklist");
    struct strbuf b = yaml_of(tree);
    golden_check("endpoint.yaml", strbuf_span(&b));
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_yaml_read_back_equals_json(void **state)
{
    (void)state;
    const struct result *r = sample_result(&sample);
    json_t *tree = rpt_tree(r);
    expect_same_as_json(tree);
    json_decref(tree);
    for (size_t i = 0; i < r->n_endpoints; i++) {
        tree = rpt_tree_endpoint(r, &r->endpoints[i]);
        expect_same_as_json(tree);
        json_decref(tree);
    }
}

static void test_rpt_yaml_twice_gives_equal_bytes(void **state)
{
    (void)state;
    json_t *one = rpt_tree(sample_result(&sample));
    json_t *two = rpt_tree(sample_result(&sample));
    struct strbuf a = yaml_of(one), b = yaml_of(two);
    assert_true(span_equal(strbuf_span(&a), strbuf_span(&b)));
    strbuf_fini(&a);
    strbuf_fini(&b);
    json_decref(one);
    json_decref(two);
}

static const char *const hostile[] = {
    "",
    " ",
    "yes",
    "No",
    "on",
    "y",
    "null",
    "~",
    "0123456",
    "12:30:45",
    "1e3",
    "0x1f",
    ".inf",
    "-",
    "- a",
    "? a",
    "a: b",
    "a #b",
    "#",
    "'",
    "\"",
    "\\",
    "%",
    "@",
    "`",
    "{}",
    "[",
    "*a",
    "&a",
    "!a",
    "|",
    ">",
    "---",
    "...",
    "<<",
    "=",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "\na",
    " a\nb\n",
    "a \nb\n",
    "a\n  b\n",
    "a\tb\nc\n",
    "a\n b\nc \n",
    "\n",
    "\n\n",
    "2024-02-29",
    "2024-02-29T12:34:56Z",
    "85/100",
    "--/100",
    "123/100",
    "deadbeefdeadbeef",
    "0123456701234567",
    "\xf0\x9f\x98\x80",
    "a\n\xf0\x9f\x98\x80\n",
    ("a\xe2\x80\xa8"
     "b\nc\n"),
    ("a\xc2\x85"
     "b\nc\n"),
    ("\xef\xbb\xbf"
     "a\nb\n"),
    "\x01\x1b[0m\x7f",
    "a\r\nb\r\n",
    "\xc3\xa9\xe2\x82\xac\n\xc3\xa9\n",
    "nan",
    "Infinity",
    "1_000",
    "+1",
    "0b1",
    "0o7",
    "1.",
    ".5",
    "true ",
    "\ttrue",
};

static void test_rpt_yaml_hostile_texts_come_back_unchanged(void **state)
{
    (void)state;
    json_t *tree = json_object(), *list = json_array();
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        rpt_add(&list, json_string(hostile[i]));
    rpt_put(&tree, "texts", list);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        rpt_put(&tree, hostile[i], json_null());
    assert_non_null(tree);
    expect_same_as_json(tree);
    json_decref(tree);
}

static void test_rpt_yaml_random_texts_come_back_unchanged(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        " ",        "  ",
        "\n",       "\t",
        "\r",       "a",
        "0",        ":",
        "#",        "-",
        "'",        "\"",
        "\\",       "|",
        "{",        "]",
        ",",        "yes",
        "\xc3\xa9", "\xf0\x9f\x98\x80",
        "\xff",     "\xe2\x80\xa8",
        "\xc2\x85", "\x01",
        "%",
    };
    uint64_t seed = 42;
    json_t *tree = json_array();
    for (int i = 0; i < 4000; i++) {
        struct strbuf b;
        strbuf_init(&b, 1024);
        for (int k = 0; k < 9; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            strbuf_puts(&b, pieces[(seed >> 33) % (sizeof pieces / sizeof pieces[0])]);
        }
        rpt_add(&tree, rpt_text(strbuf_span(&b)));
        rpt_add(&tree, rpt_code(strbuf_text(&b)));
        strbuf_fini(&b);
    }
    assert_non_null(tree);
    expect_same_as_json(tree);
    json_decref(tree);
}

static void expect_yaml(json_t *tree, const char *want)
{
    struct strbuf b = yaml_of(tree);
    assert_string_equal(strbuf_text(&b), want);
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_yaml_layout_is_that_of_the_format(void **state)
{
    (void)state;
    expect_yaml(json_pack("{s:s, s:s, s:s}", "status", "PASS", "performance_score", "85/100",
                          "fingerprint", "abcdefabcdefabcd"),
                "status: PASS\nperformance_score: 85/100\nfingerprint: \"abcdefabcdefabcd\"\n");
    expect_yaml(json_pack("{s:[], s:{}, s:n, s:b, s:s}", "critical", "variants", "file", "met", 0,
                          "wire", "on"),
                "critical: []\nvariants: {}\nfile: null\nmet: false\nwire: \"on\"\n");
    expect_yaml(json_pack("[{s:s}]", "code", "if x:\n    y\n"),
                "- code: |\n    if x:\n        y\n");
    expect_yaml(json_pack("[f, f, f, i]", 0.5, 3.0, 1e20, -7),
                "- 0.5\n- 3.0\n- 100000000000000000000.0\n- -7\n");
}

static void test_rpt_yaml_long_lines_are_not_folded(void **state)
{
    (void)state;
    char text[2000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 7 == 6 ? ' ' : 'x';
    text[sizeof text - 1] = '\0';
    json_t *tree = json_pack("[s]", text);
    struct strbuf b = yaml_of(tree);
    assert_ptr_equal(strchr(strbuf_text(&b), '\n'), strbuf_text(&b) + b.len - 1);
    strbuf_fini(&b);
    json_decref(tree);
}

static void test_rpt_yaml_full_buffer_is_no_memory(void **state)
{
    (void)state;
    json_t *tree = rpt_tree(sample_result(&sample));
    for (size_t room = 0; room < 4000; room += 101) {
        struct strbuf b;
        strbuf_init(&b, room);
        assert_int_equal(rpt_yaml(tree, &b), RPT_E_NO_MEMORY);
        strbuf_fini(&b);
    }
    json_decref(tree);
}

static void test_rpt_yaml_wrong_tree_is_refused(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, ROOM);
    assert_int_equal(rpt_yaml(NULL, &b), RPT_E_EMIT);
    assert_int_equal(rpt_yaml(json_null(), &b), RPT_E_EMIT);
    json_t *deep = json_array();
    for (int i = 0; i < 100; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, deep);
        deep = outer;
    }
    assert_int_equal(rpt_yaml(deep, &b), RPT_E_EMIT);
    json_decref(deep);
    strbuf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_yaml_aggregate_matches_golden),
        cmocka_unit_test(test_rpt_yaml_endpoint_matches_golden),
        cmocka_unit_test(test_rpt_yaml_read_back_equals_json),
        cmocka_unit_test(test_rpt_yaml_twice_gives_equal_bytes),
        cmocka_unit_test(test_rpt_yaml_hostile_texts_come_back_unchanged),
        cmocka_unit_test(test_rpt_yaml_random_texts_come_back_unchanged),
        cmocka_unit_test(test_rpt_yaml_layout_is_that_of_the_format),
        cmocka_unit_test(test_rpt_yaml_long_lines_are_not_folded),
        cmocka_unit_test(test_rpt_yaml_full_buffer_is_no_memory),
        cmocka_unit_test(test_rpt_yaml_wrong_tree_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
