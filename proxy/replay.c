#include "proxy/replay.h"

#include "common/log.h"
#include "proxy/capture.h"
#include "proxy/documents.h"
#include "proxy/settings.h"
#include "wire/record_shift.h"

#include <stdio.h>
#include <stdlib.h>

/* Captures being read: the first record of the first says how to judge the rest. */
struct reading {
    const struct cfg_options *options;
    struct replay *out;
    size_t n;      /* captures in all */
    unsigned file; /* the one being read, from 0 */
    bool begun;    /* its first record was read */
    int64_t from_us;
    int64_t last_us; /* the latest time so far */
    struct record_run_end end;
    uint8_t *moved; /* room for a record that is shifted */
    const char *fault;
    bool no_memory;
};

static void no_memory(struct reading *r)
{
    r->fault = "out of memory";
    r->no_memory = true;
}

static void begin_audit(struct reading *r, const struct record_run_start *record)
{
    struct det_settings settings;
    if (settings_of_run(record, r->options, &settings) != 0) {
        r->fault = "it was written by another version";
        return;
    }
    r->out->audit = audit_new(&settings);
    if (r->out->audit == NULL)
        no_memory(r);
}

static void begin_file(struct reading *r, const struct record_header *record)
{
    r->begun = true;
    if (record->type != RECORD_RUN_START)
        r->fault = "it does not begin with the start of a run";
    else if (r->out->audit == NULL)
        begin_audit(r, (const struct record_run_start *)record);
}

/* The report is of the last run in it. */
static void begin_again(struct reading *r, const struct record_run_begin *record)
{
    if (r->n > 1) {
        r->fault = "it holds several runs; merge takes captures of one";
        return;
    }
    struct audit *next = audit_next_run(r->out->audit, record);
    if (next == NULL)
        no_memory(r);
    audit_free(r->out->audit);
    r->out->audit = next;
    r->out->traffic = false;
}

/* The ends of several runs are one. */
static void add_end(struct reading *r, const struct record_run_end *end)
{
    uint64_t dropped = r->end.dropped + end->dropped;
    uint64_t sessions = r->end.sessions + end->sessions;
    uint64_t refused = r->end.refused + end->refused;
    uint64_t cpu_us = r->end.cpu_us + end->cpu_us;
    uint64_t restarts = r->end.parser_restarts + end->parser_restarts;
    r->end = *end;
    r->end.dropped = dropped;
    r->end.sessions = sessions;
    r->end.refused = refused;
    r->end.cpu_us = cpu_us;
    r->end.parser_restarts = restarts;
}

static void take_good(struct reading *r, const struct record_header *record)
{
    if (record_time(record) > r->last_us)
        r->last_us = record_time(record);
    if (record->type == RECORD_RUN_BEGIN)
        begin_again(r, (const struct record_run_begin *)record);
    if (r->out->audit == NULL || r->fault != NULL)
        return;
    if (record->type == RECORD_RUN_END && r->n > 1) {
        add_end(r, (const struct record_run_end *)record);
        return;
    }
    audit_record(r->out->audit, record);
    r->out->traffic = r->out->traffic || record->type == RECORD_EXCHANGE;
}

static void take(void *context, const struct record_header *record)
{
    struct reading *r = context;
    bool first = !r->begun;
    if (r->fault == NULL && first)
        begin_file(r, record);
    if (r->fault != NULL || (first && r->file > 0))
        return; /* one start is enough for all of them */
    if (r->file == 0) {
        take_good(r, record);
        return;
    }
    memcpy(r->moved, record, record->len);
    struct record_header *moved = (struct record_header *)(void *)r->moved;
    if (record_shift(moved, r->from_us, r->file))
        take_good(r, moved);
    else
        r->fault = "a time in it is too late";
}

static enum exit_code read_one(struct reading *r, const char *path)
{
    char error[512];
    bool cut = false;
    r->begun = false;
    r->from_us = r->last_us;
    if (capture_read(path, take, r, &cut, error, sizeof(error)) != 0) {
        log_error("%s", error);
        return EXIT_USAGE;
    }
    if (r->fault != NULL) {
        log_error("cannot read the capture %s: %s", path, r->fault);
        return r->no_memory ? EXIT_INTERNAL : EXIT_USAGE;
    }
    if (!r->begun) { /* the run was killed before its first record was written */
        log_error("the capture %s holds no whole record yet", path);
        return EXIT_TOO_LITTLE;
    }
    if (cut)
        log_warning("the capture %s ends in the middle of a record, which is left out", path);
    return EXIT_OK;
}

enum exit_code replay_read(const char *const *paths, size_t n, const struct cfg_options *options,
                           struct replay *out)
{
    struct reading r = {.options = options, .out = out, .n = n};
    enum exit_code code = EXIT_OK;
    *out = (struct replay){.audit = NULL};
    r.moved = malloc(RECORD_MAX_BYTES);
    if (r.moved == NULL) {
        log_error("out of memory");
        return EXIT_INTERNAL;
    }
    for (; r.file < n && code == EXIT_OK; r.file++)
        code = read_one(&r, paths[r.file]);
    free(r.moved);
    if (code != EXIT_OK) {
        replay_fini(out);
        return code;
    }
    if (r.end.h.type == RECORD_RUN_END) {
        r.end.time_us = r.last_us;
        audit_record(out->audit, &r.end.h);
    }
    audit_finish(out->audit);
    return EXIT_OK;
}

void replay_fini(struct replay *replay)
{
    audit_free(replay->audit);
    *replay = (struct replay){.audit = NULL};
}

enum exit_code replay_write(const struct replay *replay, const struct cfg_options *options)
{
    char error[512];
    struct documents documents = documents_of_options(options);
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
