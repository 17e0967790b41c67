#include "cmocka_all.h"

#include "failing_memory.h"
#include "report/annotations.h"
#include "report/html.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/sarif.h"
#include "report/text.h"
#include "report/tree.h"
#include "report/yaml.h"
#include "sample_result.h"

#include <stdlib.h>

static struct sample sample;

enum rendering { YAML, JSON, HTML, SUMMARY, MARKDOWN, SARIF, JUNIT, ANNOTATIONS, RENDERINGS };

static int render(enum rendering how, const json_t *tree, struct strbuf *out)
{
    switch (how) {
    case YAML:
        return rpt_yaml(tree, out);
    case JSON:
        return rpt_json(tree, out);
    case MARKDOWN:
        return rpt_markdown(tree, out);
    case SARIF:
        return rpt_sarif(tree, out);
    case JUNIT:
        return rpt_junit(tree, out);
    case ANNOTATIONS:
        return rpt_annotations(tree, out);
    case HTML:
        return rpt_html_parts(tree, out);
    default:
        return rpt_text_summary(tree, out, (struct rpt_text_options){.color = true});
    }
}

/* Tree and rendering, at once: what a caller that checks both is left with. */
static int render_sample(enum rendering how, bool of_endpoint, struct strbuf *out)
{
    const struct result *r = &sample.result;
    /* That of the others is made beforehand. */
    bool with_tree = how == YAML || how == HTML;
    bool armed = memory.armed;
    memory.armed = armed && with_tree;
    json_t *tree = of_endpoint   ? rpt_tree_endpoint(r, &r->endpoints[0])
                   : how == HTML ? rpt_tree_detailed(r)
                                 : rpt_tree(r);
    memory.armed = armed;
    int rc = tree != NULL ? render(how, tree, out) : -1;
    json_decref(tree);
    return rc == 0 && !out->failed ? 0 : -1;
}

static void check(enum rendering how, bool of_endpoint)
{
    enum { MOST = 1 << 20 };
    struct strbuf whole;
    strbuf_init(&whole, MOST);
    sample_result(&sample);
    assert_int_equal(render_sample(how, of_endpoint, &whole), 0);
    unsigned long absent = 0;
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        struct strbuf text;
        strbuf_init(&text, MOST);
        memory_fail_at(n);
        int rc = render_sample(how, of_endpoint, &text);
        failed = memory_well();
        absent += rc != 0;
        assert_true(rc == 0 || failed);
        if (rc == 0)
            assert_string_equal(strbuf_text(&text), strbuf_text(&whole));
        strbuf_fini(&text);
    }
    /* The last two grow a buffer and do little else. */
    assert_true(absent > (how >= JUNIT ? 2 : 20));
    strbuf_fini(&whole);
}

static void test_report_without_memory_is_whole_or_absent(void **state)
{
    (void)state;
    for (int how = 0; how < RENDERINGS; how++)
        check((enum rendering)how, false);
}

static void test_report_of_an_endpoint_without_memory_is_whole_or_absent(void **state)
{
    (void)state;
    check(YAML, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_without_memory_is_whole_or_absent),
        cmocka_unit_test(test_report_of_an_endpoint_without_memory_is_whole_or_absent),
    };
    json_set_alloc_funcs(malloc, free); /* ours, and so the failing ones */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
