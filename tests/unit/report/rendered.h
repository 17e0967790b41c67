/*
 * Renderings of trees, for the tests of the documents.
 */
#ifndef PGSLEUTH_TESTS_REPORT_RENDERED_H
#define PGSLEUTH_TESTS_REPORT_RENDERED_H

#include "cmocka_all.h"
#include "common/strbuf.h"
#include "golden.h"
#include "report/error.h"
#include "report/tree.h"
#include "sample_result.h"

typedef int render(const json_t *tree, struct strbuf *out);

enum { RENDERED_MAX = 16 * 1024 * 1024 };

/* The document of a tree; the caller ends it. */
static inline struct strbuf rendered(render *how, const json_t *tree)
{
    struct strbuf out;
    strbuf_init(&out, RENDERED_MAX);
    assert_int_equal(how(tree, &out), RPT_OK);
    return out;
}

/* The document of the sample, held against its golden file. */
static inline void rendered_is_golden(render *how, const char *name)
{
    static struct sample sample;
    json_t *tree = rpt_tree(sample_result(&sample));
    struct strbuf out = rendered(how, tree);
    golden_check(name, strbuf_span(&out));
    strbuf_fini(&out);
    json_decref(tree);
}

/* What every document does with a tree that is none, an empty one, and a buffer that is full. */
static inline void rendered_at_the_limits(render *how)
{
    struct strbuf out;
    json_t *empty = json_object();
    strbuf_init(&out, 10);
    assert_int_equal(how(NULL, &out), RPT_E_EMIT);
    static struct sample sample;
    json_t *tree = rpt_tree(sample_result(&sample));
    assert_int_equal(how(tree, &out), RPT_E_NO_MEMORY);
    strbuf_fini(&out);
    out = rendered(how, empty);
    strbuf_fini(&out);
    json_decref(empty);
    json_decref(tree);
}

/* A tree of nothing but `n` findings of one severity. */
static inline json_t *tree_with(const char *severity, int n, const char *issue)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "issue", issue, "id", "PA001",
                                              "rule", "n_plus_one", "endpoint", "GET /"));
    return json_pack("{s:{s:o}}", "issues", severity, list);
}

#endif
