/* Captures as reports: `report` of one, `merge` of several. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/documents.h"
#include "proxy/replay.h"
#include "proxy/sources.h"
#include "wire/record_shift.h"

static enum exit_code check_paths(const struct cfg_options *options, const char *command,
                                  size_t least)
{
    if (options->positional_count < least) {
        log_error(least == 1 ? "%s: which capture? pgsleuth report CAPTURE"
                             : "%s: which captures? pgsleuth merge CAPTURE CAPTURE...",
                  command);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < options->positional_count; i++) {
        if (options->positional[i] != cli_shown(options->positional[i])) {
            log_error("%s: a capture is a file, not a URL", command);
            return EXIT_USAGE;
        }
    }
    return EXIT_OK;
}

static enum exit_code report(const struct cfg_options *options, const char *command, size_t least)
{
    struct documents documents = documents_of_options(options);
    enum exit_code code = check_paths(options, command, least);
    if (code != EXIT_OK)
        return code;
    if (!sources_are_there(options->source) || !documents_are_known(&documents))
        return EXIT_USAGE;
    struct replay replay;
    code = replay_read(options->positional, options->positional_count, options, &replay);
    if (code == EXIT_OK)
        code = replay_write(&replay, options);
    replay_fini(&replay);
    return code;
}

int cli_report(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "report", CFG_REPORT, 1, &options, &code))
        return code;
    code = report(&options, "report", 1);
    cfg_options_fini(&options);
    return code;
}

int cli_merge(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "merge", CFG_REPORT | CFG_MERGE, RECORD_SHIFT_RUNS, &options, &code))
        return code;
    code = report(&options, "merge", 2);
    cfg_options_fini(&options);
    return code;
}
