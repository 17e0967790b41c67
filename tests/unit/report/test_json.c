#include "report/json.h"

#include "cmocka_all.h"
#include "report/error.h"
#include "report/tree.h"
#include "sample_result.h"

static struct sample sample;

static void test_rpt_json_read_back_is_the_tree(void **state)
{
    (void)state;
    struct strbuf b;
    json_t *tree = rpt_tree(sample_result(&sample));
    strbuf_init(&b, 1024 * 1024);
    assert_int_equal(rpt_json(tree, &b), RPT_OK);
    json_t *back = json_loadb(strbuf_text(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(back);
    assert_true(json_equal(back, tree));
    json_decref(back);
    json_decref(tree);
    strbuf_fini(&b);
}

static void test_rpt_json_keeps_order_and_short_numbers(void **state)
{
    (void)state;
    struct strbuf b;
    json_t *tree = json_pack("{s:i, s:f, s:[]}", "z", 1, "a", 0.1, "m");
    strbuf_init(&b, 1024);
    assert_int_equal(rpt_json(tree, &b), RPT_OK);
    assert_string_equal(strbuf_text(&b), "{\n  \"z\": 1,\n  \"a\": 0.1,\n  \"m\": []\n}\n");
    json_decref(tree);
    strbuf_fini(&b);
}

static void test_rpt_json_full_buffer_is_no_memory(void **state)
{
    (void)state;
    struct strbuf b;
    json_t *tree = json_pack("[s]", "text");
    for (size_t room = 0; room < 13; room++) {
        strbuf_init(&b, room);
        assert_int_equal(rpt_json(tree, &b), RPT_E_NO_MEMORY);
        strbuf_fini(&b);
    }
    assert_int_equal(rpt_json(NULL, &b), RPT_E_EMIT);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_json_read_back_is_the_tree),
        cmocka_unit_test(test_rpt_json_keeps_order_and_short_numbers),
        cmocka_unit_test(test_rpt_json_full_buffer_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
