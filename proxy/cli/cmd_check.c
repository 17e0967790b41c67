/* Judge a report by what is asserted of it, or accept what it says. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/documents.h"
#include "proxy/files.h"
#include "proxy/inputs.h"
#include "proxy/verdict.h"
#include "report/baseline.h"
#include "report/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

static enum exit_code no_memory(void)
{
    log_error("out of memory");
    return EXIT_INTERNAL;
}

static enum exit_code judge(const json_t *report, const json_t *baseline,
                            const struct cfg_options *options)
{
    char today[INPUTS_DAY];
    struct strbuf text;
    struct rpt_criteria criteria = verdict_criteria(options);
    inputs_today(today);
    json_t *checked = rpt_check(report, baseline, today, &criteria);
    enum exit_code r = verdict_code(checked);
    strbuf_init(&text, TEXT_MAX);
    if (checked != NULL && rpt_check_text(checked, &text, documents_terminal()) == 0)
        fputs(strbuf_text(&text), stdout);
    strbuf_fini(&text);
    json_decref(checked);
    return r;
}

/* What the file says already; nothing when there is none yet. */
static enum exit_code old_baseline(const char *path, json_t **old)
{
    struct stat st;
    *old = NULL;
    if (stat(path, &st) != 0 && errno == ENOENT)
        return EXIT_OK;
    return inputs_baseline_at(path, old);
}

static enum exit_code write_text(const char *path, const json_t *baseline)
{
    char error[512];
    struct strbuf text;
    enum exit_code r = EXIT_OK;
    strbuf_init(&text, TEXT_MAX);
    if (rpt_yaml(baseline, &text) != 0 || text.failed) {
        r = no_memory();
    } else if (files_write_path(path, strbuf_span(&text), error, sizeof(error)) != 0) {
        log_error("%s", error);
        r = EXIT_USAGE;
    } else {
        printf("%zu known findings: %s\n", json_array_size(json_object_get(baseline, "findings")),
               path);
    }
    strbuf_fini(&text);
    return r;
}

static enum exit_code write_baseline(const json_t *report, const struct cfg_options *options)
{
    json_t *old = NULL;
    const struct rpt_acknowledgement by = {
        .reason = options->reason, .owner = options->owner, .expires = options->expires};
    enum exit_code r = old_baseline(options->write_baseline, &old);
    if (r != EXIT_OK)
        return r;
    json_t *baseline = rpt_baseline_of(report, old, &by);
    r = baseline != NULL ? write_text(options->write_baseline, baseline) : no_memory();
    json_decref(baseline);
    json_decref(old);
    return r;
}

static bool options_are_good(const struct cfg_options *options)
{
    if (options->positional_count != 1) {
        log_error("check: which report? pgsleuth check REPORT");
        return false;
    }
    if (options->expires[0] != '\0' && !rpt_is_day(options->expires)) {
        log_error("expires: it is a day such as 2027-01-31");
        return false;
    }
    return verdict_criteria_are_good(options);
}

static enum exit_code check(const struct cfg_options *options)
{
    json_t *report = NULL;
    json_t *baseline = NULL;
    if (!options_are_good(options))
        return EXIT_USAGE;
    enum exit_code r = inputs_report(options->positional[0], options, &report);
    if (r == EXIT_OK && options->write_baseline[0] != '\0') {
        r = write_baseline(report, options);
    } else if (r == EXIT_OK) {
        r = inputs_baseline(options, &baseline);
        if (r == EXIT_OK)
            r = judge(report, baseline, options);
    }
    json_decref(baseline);
    json_decref(report);
    return r;
}

int cli_check(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "check", CFG_CHECK, 1, &options, &code))
        return code;
    code = check(&options);
    cfg_options_fini(&options);
    return code;
}
