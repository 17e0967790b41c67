/* Any bytes as a report or a file of known findings: what is read can be judged and written. */
#include "report/assertions.h"
#include "report/baseline.h"
#include "report/compare.h"
#include "report/yaml.h"
#include "report/yaml_read.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WRITTEN_MAX = 64 * 1024 * 1024 };

static void judge(const json_t *tree)
{
    char error[200];
    const struct rpt_criteria criteria = {.budgets = "*=3", .rules = "n_plus_one", .min_score = 50};
    const struct rpt_acknowledgement by = {.reason = "r", .owner = "o", .expires = ""};
    bool good = rpt_baseline_is_good(tree, error, sizeof(error));
    json_decref(rpt_check(tree, good ? tree : NULL, "2026-01-01", &criteria));
    json_decref(rpt_diff(tree, tree));
    json_t *baseline = rpt_baseline_of(tree, good ? tree : NULL, &by);
    assert(baseline == NULL || rpt_baseline_is_good(baseline, error, sizeof(error)));
    json_decref(baseline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpt_yaml_error error;
    json_t *tree = rpt_yaml_read(span_of(data, size), &error);
    assert((tree == NULL) == (error.text[0] != '\0'));
    if (tree == NULL)
        return 0;
    struct strbuf out;
    strbuf_init(&out, WRITTEN_MAX);
    if (json_is_object(tree)) {
        assert(rpt_yaml(tree, &out) == 0);
        judge(tree);
    }
    strbuf_fini(&out);
    json_decref(tree);
    return 0;
}
