/* Compare two reports. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/documents.h"
#include "proxy/inputs.h"
#include "report/compare.h"

#include <stdio.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

static enum exit_code print(const json_t *diff)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    int r = rpt_diff_text(diff, &text, documents_terminal());
    if (r == 0)
        fputs(strbuf_text(&text), stdout);
    else
        log_error("out of memory");
    strbuf_fini(&text);
    return r == 0 ? EXIT_OK : EXIT_INTERNAL;
}

static enum exit_code put_out(json_t *diff, const struct cfg_options *options)
{
    char error[512];
    struct documents documents = documents_of_options(options);
    if (documents_put(diff, &documents, error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_USAGE;
    }
    return documents_take_stdout(&documents) ? EXIT_OK : print(diff);
}

static enum exit_code judge(const json_t *diff, const struct cfg_options *options)
{
    char today[INPUTS_DAY];
    json_t *baseline = NULL;
    enum exit_code r = inputs_baseline(options, &baseline);
    if (r != EXIT_OK)
        return r;
    inputs_today(today);
    size_t n = rpt_diff_failures(diff, baseline, today, (enum rpt_fail_on)options->fail_on);
    json_decref(baseline);
    return n > 0 ? EXIT_FINDINGS : EXIT_OK;
}

static bool has_traffic(const json_t *report, const char *path)
{
    const json_t *run = json_object_get(report, "run");
    if (json_integer_value(json_object_get(run, "statements")) > 0)
        return true;
    log_error("%s: no statement of the application was seen: %lld connections, %lld statements of "
              "drivers alone; there is nothing to compare",
              path, (long long)json_integer_value(json_object_get(run, "sessions")),
              (long long)json_integer_value(json_object_get(run, "driver_statements")));
    return false;
}

static enum exit_code compare(const json_t *base, const json_t *head,
                              const struct cfg_options *options)
{
    if (!has_traffic(base, options->positional[0]) || !has_traffic(head, options->positional[1]))
        return EXIT_TOO_LITTLE;
    json_t *tree = rpt_diff(base, head);
    if (tree == NULL) {
        log_error("out of memory");
        return EXIT_INTERNAL;
    }
    enum exit_code r = put_out(tree, options);
    if (r == EXIT_OK)
        r = judge(tree, options);
    json_decref(tree);
    return r;
}

static enum exit_code diff(const struct cfg_options *options)
{
    json_t *base = NULL;
    json_t *head = NULL;
    struct documents documents = documents_of_options(options);
    if (options->positional_count != 2) {
        log_error("diff: which reports? pgsleuth diff BASE HEAD");
        return EXIT_USAGE;
    }
    if (!documents_are_plain(&documents))
        return EXIT_USAGE;
    enum exit_code r = inputs_report(options->positional[0], options, &base);
    if (r == EXIT_OK)
        r = inputs_report(options->positional[1], options, &head);
    if (r == EXIT_OK)
        r = compare(base, head, options);
    json_decref(base);
    json_decref(head);
    return r;
}

int cli_diff(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "diff", CFG_DIFF, 2, &options, &code))
        return code;
    code = diff(&options);
    cfg_options_fini(&options);
    return code;
}
