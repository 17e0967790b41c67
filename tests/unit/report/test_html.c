#include "report/html.h"

#include "golden.h"
#include "report/error.h"
#include "report/html_assets.h"
#include "report/tree.h"
#include "sample_result.h"

enum { PAGE_MAX = 16 * 1024 * 1024 };

static struct sample sample;

static void render(int (*how)(const json_t *, struct strbuf *), json_t *tree, struct strbuf *out)
{
    assert_non_null(tree);
    strbuf_init(out, PAGE_MAX);
    assert_int_equal(how(tree, out), RPT_OK);
    assert_false(out->failed);
    json_decref(tree);
}

static void test_html_parts_are_as_kept(void **state)
{
    (void)state;
    struct strbuf out;
    render(rpt_html_parts, rpt_tree_detailed(sample_result(&sample)), &out);
    golden_check("parts.html", strbuf_span(&out));
    strbuf_fini(&out);
}

static void test_html_of_a_tree_without_details_has_its_numbers(void **state)
{
    (void)state;
    struct strbuf out;
    render(rpt_html, rpt_tree(sample_result(&sample)), &out);
    assert_non_null(strstr(strbuf_text(&out), "id=\"endpoint-1122334455667788\""));
    assert_null(strstr(strbuf_text(&out), "Its slowest request"));
    strbuf_fini(&out);
}

/* Whatever stands in it as text, its markup has no more scripts than the one of its end. */
static void test_html_page_is_whole_and_has_one_script(void **state)
{
    (void)state;
    struct strbuf out;
    render(rpt_html, rpt_tree_detailed(sample_result(&sample)), &out);
    struct span page = strbuf_span(&out);
    assert_true(span_starts(page, "<!doctype html>\n<html lang=en>\n"));
    assert_true(span_cut_end(&page, "</script>\n</body>\n</html>\n"));
    size_t script = span_find(page, "<script");
    assert_int_equal(page.len - script, strlen("<script>") + html_script_len);
    assert_memory_equal(page.data + script + strlen("<script>"), html_script, html_script_len);
    assert_true(span_find(page, html_script_hash) < span_find(page, "<style>"));
    assert_true(span_find(page, html_style_hash) < span_find(page, "<style>"));
    strbuf_fini(&out);
}

static void test_html_live_page_may_ask_its_server_alone(void **state)
{
    (void)state;
    struct strbuf out;
    render(rpt_html, rpt_tree_detailed(sample_result(&sample)), &out);
    assert_null(strstr(strbuf_text(&out), "connect-src"));
    strbuf_fini(&out);
    render(rpt_html_live, rpt_tree_detailed(sample_result(&sample)), &out);
    assert_non_null(strstr(strbuf_text(&out), "; connect-src 'self'\">"));
    assert_non_null(strstr(strbuf_text(&out), "<html lang=en data-live>"));
    strbuf_fini(&out);
    strbuf_init(&out, PAGE_MAX);
    rpt_html_policy(&out);
    assert_non_null(strstr(strbuf_text(&out), "default-src 'none'; script-src 'sha256-"));
    assert_non_null(strstr(strbuf_text(&out), "connect-src 'self'; frame-ancestors 'none'"));
    strbuf_fini(&out);
}

static void test_html_of_nothing_is_a_page_of_less_than_120_kb(void **state)
{
    (void)state;
    struct strbuf out;
    render(rpt_html, json_object(), &out);
    assert_non_null(strstr(strbuf_text(&out), "No findings."));
    assert_non_null(strstr(strbuf_text(&out), "No request was seen."));
    assert_in_range(out.len, html_script_len + html_style_len, 120 * 1000);
    strbuf_fini(&out);
}

static void test_html_of_no_object_is_refused(void **state)
{
    (void)state;
    struct strbuf out;
    json_t *list = json_array();
    strbuf_init(&out, PAGE_MAX);
    assert_int_equal(rpt_html(list, &out), RPT_E_EMIT);
    assert_int_equal(rpt_html_parts(NULL, &out), RPT_E_EMIT);
    assert_int_equal(out.len, 0);
    json_decref(list);
    strbuf_fini(&out);
}

static void test_html_past_its_maximum_is_an_error(void **state)
{
    (void)state;
    struct strbuf out;
    json_t *tree = rpt_tree_detailed(sample_result(&sample));
    strbuf_init(&out, 100 * 1000);
    assert_int_equal(rpt_html(tree, &out), RPT_E_NO_MEMORY);
    strbuf_fini(&out);
    json_decref(tree);
}

/* --- size --- */

enum { MANY_ENDPOINTS = 200, MANY_STATEMENTS = 20 };

struct many {
    struct result result;
    struct endpoint endpoints[MANY_ENDPOINTS];
    struct endpoint_result rows[MANY_ENDPOINTS];
    struct worst worst[MANY_ENDPOINTS];
    struct statement statements[MANY_STATEMENTS];
    struct usage usages[MANY_ENDPOINTS][MANY_STATEMENTS];
};

static struct many many;

static void fill_endpoint(size_t i)
{
    static char names[MANY_ENDPOINTS][64];
    struct endpoint *e = &many.endpoints[i];
    snprintf(names[i], sizeof(names[i]), "GET /api/v1/organisations/{id}/resource-%zu/", i);
    *e = (struct endpoint){.key = UINT64_C(0x1234567812345678) + i,
                           .attribution = ATTRIBUTION_TAG,
                           .confidence = UNIT_EXACT,
                           .method = "GET",
                           .route = names[i] + strlen("GET "),
                           .name = names[i],
                           .worst = &many.worst[i]};
    sample_endpoint(e, 20, MANY_STATEMENTS, 123456);
    many.worst[i] = (struct worst){.wall_us = 654321, .db_us = 123456, .n_steps = WORST_STEPS};
    for (size_t k = 0; k < MANY_STATEMENTS; k++) {
        struct usage *u = &many.usages[i][k];
        *u = (struct usage){.statement = &many.statements[k], .units = 20};
        sample_use(u, 20, 35, 4321 + k * 17);
        u->next = k + 1 < MANY_STATEMENTS ? u + 1 : NULL;
        many.worst[i].steps[k] = (struct worst_step){.statement = &many.statements[k],
                                                     .start_us = 31234 * k,
                                                     .span_us = 21234,
                                                     .busy_us = 12345,
                                                     .rows = 1234,
                                                     .times = 12,
                                                     .connection = 1};
    }
    e->usages = many.usages[i];
    many.rows[i].endpoint = e;
    sample_score(&many.rows[i].score, 71);
}

static void fill_many(void)
{
    static const char *const texts[] = {
        "select users.id, users.name, users.email, users.created_at from users where users.id = "
        "\x01",
        "select orders.id, orders.user_id, orders.total, orders.status, orders.created_at from "
        "orders where orders.user_id = \x01 order by orders.created_at desc limit \x01",
        "insert into audit_log (user_id, action, created_at) values (\x01, \x01, \x01) returning "
        "id",
        "select count(*) from notifications where notifications.user_id = \x01 and "
        "notifications.read_at is null",
    };
    sample_result(&sample);
    many.result = sample.result;
    for (size_t k = 0; k < MANY_STATEMENTS; k++)
        many.statements[k] = (struct statement){.id = {.hi = k + 1, .lo = k},
                                                .verb = SQL_VERB_SELECT,
                                                .text = span_of_text(texts[k % 4])};
    for (size_t i = 0; i < MANY_ENDPOINTS; i++)
        fill_endpoint(i);
    many.result.endpoints = many.rows;
    many.result.n_endpoints = MANY_ENDPOINTS;
}

static void test_html_of_200_endpoints_of_20_statements_is_less_than_1500_kb(void **state)
{
    (void)state;
    struct strbuf out;
    fill_many();
    render(rpt_html, rpt_tree_detailed(&many.result), &out);
    size_t pages = 0;
    for (const char *at = strbuf_text(&out); (at = strstr(at, "class=timeline")) != NULL; at++)
        pages++;
    assert_int_equal(pages, MANY_ENDPOINTS);
    assert_in_range(out.len, 500 * 1000, 1500 * 1000);
    print_message("200 endpoints of 20 statements: %zu bytes\n", out.len);
    strbuf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_parts_are_as_kept),
        cmocka_unit_test(test_html_of_a_tree_without_details_has_its_numbers),
        cmocka_unit_test(test_html_page_is_whole_and_has_one_script),
        cmocka_unit_test(test_html_live_page_may_ask_its_server_alone),
        cmocka_unit_test(test_html_of_nothing_is_a_page_of_less_than_120_kb),
        cmocka_unit_test(test_html_of_no_object_is_refused),
        cmocka_unit_test(test_html_past_its_maximum_is_an_error),
        cmocka_unit_test(test_html_of_200_endpoints_of_20_statements_is_less_than_1500_kb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
