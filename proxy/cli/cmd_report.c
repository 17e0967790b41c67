#include "proxy/cli/cli.h"

#include "common/log.h"
#include "detectors/audit.h"
#include "proxy/capture.h"
#include "proxy/documents.h"
#include "proxy/settings.h"
#include "proxy/sources.h"

#include <stdio.h>

/* A capture being read: its first record says how to judge the rest. */
struct replay {
    const struct cfg_options *options;
    struct audit *audit;
    bool traffic;
    const char *fault;
};

static void begin(struct replay *replay, const struct record_header *record)
{
    struct det_settings settings;
    if (record->type != RECORD_RUN_START) {
        replay->fault = "it does not begin with the start of a run";
        return;
    }
    if (settings_of_run((const struct record_run_start *)record, replay->options, &settings) != 0) {
        replay->fault = "it was written by another version";
        return;
    }
    replay->audit = audit_new(&settings);
    if (replay->audit == NULL)
        replay->fault = "out of memory";
}

/* The report is of the last run in it. */
static void begin_again(struct replay *replay, const struct record_run_begin *r)
{
    struct audit *next = audit_next_run(replay->audit, r);
    if (next == NULL)
        replay->fault = "out of memory";
    audit_free(replay->audit);
    replay->audit = next;
    replay->traffic = false;
}

static void take(void *context, const struct record_header *record)
{
    struct replay *replay = context;
    if (replay->audit == NULL && replay->fault == NULL)
        begin(replay, record);
    if (replay->audit != NULL && record->type == RECORD_RUN_BEGIN)
        begin_again(replay, (const struct record_run_begin *)record);
    if (replay->audit == NULL)
        return;
    audit_record(replay->audit, record);
    replay->traffic = replay->traffic || record->type == RECORD_EXCHANGE;
}

static enum exit_code write_down(const struct replay *replay)
{
    char error[512];
    struct documents documents = documents_of_options(replay->options);
    if (documents_prepare(&documents, error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_USAGE;
    }
    if (documents_write(replay->audit, &documents, error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_INTERNAL;
    }
    documents_print(replay->audit, &documents);
    return replay->traffic ? EXIT_OK : EXIT_TOO_LITTLE;
}

static enum exit_code report(const struct cfg_options *options)
{
    if (options->positional_count != 1) {
        log_error("report: which capture? pgsleuth report CAPTURE");
        return EXIT_USAGE;
    }
    const char *path = options->positional[0];
    if (path != cli_shown(path)) {
        log_error("report: the capture is a file, not a URL");
        return EXIT_USAGE;
    }
    struct documents documents = documents_of_options(options);
    if (!sources_are_there(options->source) || !documents_are_known(&documents))
        return EXIT_USAGE;
    struct replay replay = {.options = options};
    char error[512];
    bool cut = false;
    enum exit_code code = EXIT_USAGE;
    if (capture_read(path, take, &replay, &cut, error, sizeof(error)) != 0)
        log_error("%s", error);
    else if (replay.fault != NULL)
        log_error("cannot read the capture %s: %s", path, replay.fault);
    else if (replay.audit == NULL) {
        /* The run was killed before its first record was written. */
        log_error("the capture %s holds no whole record yet", path);
        code = EXIT_TOO_LITTLE;
    } else {
        if (cut)
            log_warning("the capture %s ends in the middle of a record, which is left out", path);
        audit_finish(replay.audit);
        code = write_down(&replay);
    }
    audit_free(replay.audit);
    return code;
}

enum exit_code cli_report(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "report", CFG_REPORT, 1, &options, &code))
        return code;
    code = report(&options);
    cfg_options_fini(&options);
    return code;
}
