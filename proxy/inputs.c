#include "proxy/inputs.h"

#include "common/clock.h"
#include "common/log.h"
#include "proxy/capture.h"
#include "proxy/documents.h"
#include "proxy/replay.h"
#include "report/assertions.h"
#include "report/baseline.h"
#include "report/yaml_read.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { READ_STEP = 64 * 1024 };

static enum exit_code refuse(const char *path, const char *why)
{
    log_error("cannot read %s: %s", path, why);
    return EXIT_USAGE;
}

static enum exit_code read_all(FILE *file, const char *path, struct strbuf *out)
{
    char step[READ_STEP];
    size_t n = 0;
    while ((n = fread(step, 1, sizeof(step), file)) > 0 && !out->failed)
        strbuf_add(out, step, n);
    if (ferror(file))
        return refuse(path, strerrordesc_np(errno));
    if (out->no_memory) {
        log_error("cannot read %s: out of memory", path);
        return EXIT_INTERNAL;
    }
    return out->failed ? refuse(path, "larger than 256 MiB") : EXIT_OK;
}

/* JSON or YAML: JSON is YAML too, but its own reader is faster and takes tabs. */
static enum exit_code parse(struct span text, const char *path, json_t **tree)
{
    struct rpt_yaml_error error = {{0}};
    json_error_t json_error;
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.data[at]) != NULL)
        at++;
    if (at < text.len && text.data[at] == '{') {
        *tree = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &json_error);
        if (*tree == NULL)
            snprintf(error.text, sizeof(error.text), "%d:%d: it is no JSON", json_error.line,
                     json_error.column);
    } else {
        *tree = rpt_yaml_read(text, &error);
    }
    if (*tree != NULL)
        return EXIT_OK;
    log_error("%s:%s%s", path, error.text[0] >= '0' && error.text[0] <= '9' ? "" : " ", error.text);
    return EXIT_USAGE;
}

static enum exit_code read_tree(const char *path, json_t **tree)
{
    struct strbuf text;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return refuse(path, strerrordesc_np(errno));
    strbuf_init(&text, RPT_YAML_MAX_BYTES);
    enum exit_code r = read_all(file, path, &text);
    fclose(file);
    if (r == EXIT_OK)
        r = parse(strbuf_span(&text), path, tree);
    strbuf_fini(&text);
    return r;
}

static enum exit_code read_capture(const char *path, const struct cfg_options *options,
                                   json_t **report)
{
    struct replay replay;
    struct documents documents = documents_of_options(options);
    enum exit_code r = replay_read(&path, 1, options, &replay);
    if (r == EXIT_OK) {
        *report = documents_tree(replay.audit, &documents);
        if (*report == NULL) {
            log_error("out of memory");
            r = EXIT_INTERNAL;
        }
    }
    replay_fini(&replay);
    return r;
}

enum exit_code inputs_report(const char *path, const struct cfg_options *options, json_t **report)
{
    struct stat st;
    char inside[PATH_MAX];
    *report = NULL;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        int n = snprintf(inside, sizeof(inside), "%s/report.yaml", path);
        if (n < 0 || (size_t)n >= sizeof(inside))
            return refuse(path, strerrordesc_np(ENAMETOOLONG));
        path = inside;
    }
    if (capture_is_one(path))
        return read_capture(path, options, report);
    enum exit_code r = read_tree(path, report);
    if (r != EXIT_OK || rpt_is_report(*report))
        return r;
    json_decref(*report);
    *report = NULL;
    return refuse(path, "it is neither a report of pgsleuth nor a capture");
}

enum exit_code inputs_baseline_at(const char *path, json_t **baseline)
{
    char why[200];
    enum exit_code r = read_tree(path, baseline);
    if (r != EXIT_OK || rpt_baseline_is_good(*baseline, why, sizeof(why)))
        return r;
    json_decref(*baseline);
    *baseline = NULL;
    log_error("the baseline %s: %s", path, why);
    return EXIT_USAGE;
}

enum exit_code inputs_baseline(const struct cfg_options *options, json_t **baseline)
{
    struct stat st;
    *baseline = NULL;
    if (options->baseline[0] == '\0')
        return EXIT_OK;
    if (options->origins[CFG_ID_baseline].kind == CFG_FROM_DEFAULT &&
        stat(options->baseline, &st) != 0 && errno == ENOENT)
        return EXIT_OK;
    return inputs_baseline_at(options->baseline, baseline);
}

void inputs_today(char day[INPUTS_DAY])
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm utc = {0};
    day[0] = '\0';
    if (gmtime_r(&now, &utc) != NULL)
        strftime(day, INPUTS_DAY, "%Y-%m-%d", &utc);
}
