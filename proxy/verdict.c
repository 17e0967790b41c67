#include "proxy/verdict.h"

#include "common/log.h"
#include "proxy/documents.h"
#include "proxy/inputs.h"
#include "report/read.h"

enum exit_code verdict_code(const json_t *checked)
{
    if (checked == NULL) {
        log_error("out of memory");
        return EXIT_INTERNAL;
    }
    switch (rpt_check_verdict(checked)) {
    case RPT_VERDICT_OK:
        return EXIT_OK;
    case RPT_VERDICT_FINDINGS:
        return EXIT_FINDINGS;
    case RPT_VERDICT_TOO_LITTLE:
        break;
    }
    return EXIT_TOO_LITTLE;
}

struct rpt_criteria verdict_criteria(const struct cfg_options *options)
{
    return (struct rpt_criteria){
        .fail_on = (enum rpt_fail_on)options->fail_on,
        .endpoints = options->endpoint,
        .rules = options->rule,
        .budgets = options->budget,
        .min_score = (int)options->min_score,
    };
}

bool verdict_criteria_are_good(const struct cfg_options *options)
{
    if (rpt_budgets_are_good(options->budget))
        return true;
    log_error("budget: each is ENDPOINT=NUMBER, such as 'GET /books=5' or '*=20'");
    return false;
}

/* The report has told of the findings themselves. */
static void say(const json_t *checked, enum exit_code code)
{
    const json_t *open = json_object_get(checked, "unjudged");
    if (code == EXIT_FINDINGS)
        log_info("%zu findings count, %lld are known: exit code 1 (--fail-on, --baseline)",
                 json_array_size(json_object_get(checked, "failures")),
                 (long long)rpt_count_at(checked, "known"));
    for (size_t i = 0; code == EXIT_TOO_LITTLE && i < json_array_size(open); i++)
        log_warning("too little to judge: %s", json_string_value(json_array_get(open, i)));
}

enum exit_code verdict_of_run(const struct audit *audit, const struct cfg_options *options)
{
    char today[INPUTS_DAY];
    json_t *baseline = NULL;
    struct rpt_criteria criteria = verdict_criteria(options);
    struct documents documents = documents_of_options(options);
    enum exit_code r = inputs_baseline(options, &baseline);
    if (r != EXIT_OK)
        return r;
    json_t *report = documents_tree(audit, &documents);
    inputs_today(today);
    json_t *checked = report != NULL ? rpt_check(report, baseline, today, &criteria) : NULL;
    r = verdict_code(checked);
    say(checked, r);
    json_decref(checked);
    json_decref(report);
    json_decref(baseline);
    return r;
}
