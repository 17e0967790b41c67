#include "proxy/documents.h"

#include "common/log.h"
#include "detectors/result.h"
#include "proxy/files.h"
#include "proxy/manifest.h"
#include "proxy/sources.h"
#include "report/format.h"
#include "report/json.h"
#include "report/slug.h"
#include "report/text.h"
#include "report/tree.h"
#include "report/yaml.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 256 * 1024 * 1024, SUMMARY_MAX = 1024 * 1024 };

static int no_memory(char *error, size_t error_size)
{
    snprintf(error, error_size, "cannot write the report: out of memory");
    return -1;
}

static int write_tree(const json_t *tree, const char *folder, const char *name, char *error,
                      size_t error_size)
{
    struct strbuf text;
    strbuf_init(&text, DOCUMENT_MAX);
    int r = -1;
    if (rpt_yaml(tree, &text) != 0 || text.failed)
        no_memory(error, error_size);
    else
        r = files_write(folder, name, strbuf_span(&text), error, error_size);
    strbuf_fini(&text);
    return r;
}

static int write_endpoints(const struct result *result, const char *folder, char *error,
                           size_t error_size)
{
    char sub[PATH_MAX];
    int n = snprintf(sub, sizeof(sub), "%s/endpoints", folder);
    if (n < 0 || (size_t)n >= sizeof(sub)) {
        snprintf(error, error_size, "cannot write %s/endpoints: the name is too long", folder);
        return -1;
    }
    if (files_prepare_folder(sub, error, error_size) != 0)
        return -1;
    int r = -1;
    struct rpt_slugs *slugs = rpt_slugs_new(result);
    char(*names)[RPT_SLUG_MAX + 8] = calloc(result->n_endpoints + 1, sizeof(*names));
    const char **keep = calloc(result->n_endpoints + 1, sizeof(*keep));
    if (slugs == NULL || names == NULL || keep == NULL) {
        no_memory(error, error_size);
        goto out;
    }
    for (size_t i = 0; i < result->n_endpoints; i++) {
        snprintf(names[i], sizeof(names[i]), "%s.yaml", rpt_slug(slugs, i));
        keep[i] = names[i];
        json_t *tree = rpt_tree_endpoint(result, &result->endpoints[i]);
        int written = tree == NULL ? no_memory(error, error_size)
                                   : write_tree(tree, sub, names[i], error, error_size);
        json_decref(tree);
        if (written != 0)
            goto out;
    }
    files_remove_others(sub, ".yaml", keep, result->n_endpoints);
    r = 0;
out:
    rpt_slugs_free(slugs);
    free(names);
    free(keep);
    return r;
}

/* --- what was asked for besides --- */

struct documents documents_of_options(const struct cfg_options *options)
{
    return (struct documents){
        .source = options->source,
        .manifest = options->manifest,
        .folder = options->report_dir,
        .outputs = options->output,
    };
}

/* The next of the outputs; empty ones between two commas are none. False at the end. */
static bool next_output(struct span *rest, struct span *text)
{
    while (rest->len > 0) {
        *text = span_head(*rest, span_find_byte(*rest, ','));
        *rest = span_skip(*rest, text->len + 1);
        if (text->len > 0)
            return true;
    }
    return false;
}

static bool is_standard_output(const struct rpt_output *output)
{
    return span_is(output->path, "-");
}

/* A path as folder and name. False when it is too long. */
static bool split_path(struct span path, char folder[PATH_MAX], char name[NAME_MAX + 1])
{
    size_t at = path.len;
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    struct span last = span_skip(path, at);
    if (at >= PATH_MAX || last.len > NAME_MAX)
        return false;
    snprintf(name, NAME_MAX + 1, "%.*s", (int)last.len, (const char *)last.data);
    if (at > 0)
        snprintf(folder, PATH_MAX, "%.*s", (int)at, (const char *)path.data);
    else
        snprintf(folder, PATH_MAX, ".");
    return true;
}

static bool refuse_output(struct span text)
{
    struct strbuf known;
    strbuf_init(&known, 1024);
    rpt_format_names(&known);
    log_error("--output: %.*s: no format has this ending; write FORMAT:FILE with one of %s",
              (int)text.len, (const char *)text.data, strbuf_text(&known));
    strbuf_fini(&known);
    return false;
}

bool documents_are_known(const struct documents *d)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    while (next_output(&rest, &text)) {
        if (!rpt_output_read(text, &output))
            return refuse_output(text);
    }
    return true;
}

bool documents_are_plain(const struct documents *d)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    while (next_output(&rest, &text)) {
        if (rpt_output_read(text, &output) &&
            (output.format->write == rpt_yaml || output.format->write == rpt_json))
            continue;
        log_error("--output: %.*s: a comparison is written as yaml or json alone", (int)text.len,
                  (const char *)text.data);
        return false;
    }
    return true;
}

bool documents_take_stdout(const struct documents *d)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    while (next_output(&rest, &text)) {
        if (rpt_output_read(text, &output) && is_standard_output(&output))
            return true;
    }
    return false;
}

static int prepare_output(struct span text, char *error, size_t error_size)
{
    struct rpt_output output;
    char folder[PATH_MAX];
    char name[NAME_MAX + 1];
    if (!rpt_output_read(text, &output) || is_standard_output(&output))
        return 0;
    if (split_path(output.path, folder, name))
        return files_prepare_folder(folder, error, error_size);
    snprintf(error, error_size, "cannot write an output: its name is too long");
    return -1;
}

int documents_prepare(const struct documents *d, char *error, size_t error_size)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    while (next_output(&rest, &text)) {
        if (prepare_output(text, error, error_size) != 0)
            return -1;
    }
    return files_prepare_folder(d->folder, error, error_size);
}

/* The tree of a result; with its details too when some output wants them. */
struct trees {
    json_t *plain;
    json_t *detailed;
};

static bool wants_details(const struct documents *d)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    while (next_output(&rest, &text)) {
        if (rpt_output_read(text, &output) && output.format->detailed)
            return true;
    }
    return false;
}

static void trees_free(struct trees *t)
{
    json_decref(t->plain);
    json_decref(t->detailed);
}

/* False without memory. */
static bool trees_make(struct trees *t, const struct result *result, const struct documents *d)
{
    bool details = wants_details(d);
    *t = (struct trees){
        .plain = result != NULL ? rpt_tree(result) : NULL,
        .detailed = result != NULL && details ? rpt_tree_detailed(result) : NULL,
    };
    if (t->plain != NULL && (!details || t->detailed != NULL))
        return true;
    trees_free(t);
    return false;
}

static int render(const struct trees *t, const struct rpt_format *format, struct strbuf *out)
{
    return format->write(format->detailed ? t->detailed : t->plain, out);
}

static int write_output(const struct trees *trees, const struct rpt_output *output, char *error,
                        size_t error_size)
{
    char folder[PATH_MAX];
    char name[NAME_MAX + 1];
    struct strbuf text;
    strbuf_init(&text, DOCUMENT_MAX);
    int r = -1;
    if (render(trees, output->format, &text) != 0 || text.failed)
        no_memory(error, error_size);
    else if (split_path(output->path, folder, name))
        r = files_write(folder, name, strbuf_span(&text), error, error_size);
    strbuf_fini(&text);
    return r;
}

static int write_outputs(const struct trees *trees, const struct documents *d, char *error,
                         size_t error_size)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    while (next_output(&rest, &text)) {
        if (rpt_output_read(text, &output) && !is_standard_output(&output) &&
            write_output(trees, &output, error, error_size) != 0)
            return -1;
    }
    return 0;
}

struct result *documents_judge(const struct audit *audit, const struct documents *d, bool tell)
{
    struct result *result = result_new(audit);
    if (result == NULL)
        return NULL;
    sources_quote(result, d->source);
    manifest_take(result, d->manifest, tell);
    return result;
}

int documents_write(const struct audit *audit, const struct documents *d, char *error,
                    size_t error_size)
{
    struct result *result = documents_judge(audit, d, true);
    if (result == NULL)
        return no_memory(error, error_size);
    struct trees trees;
    if (!trees_make(&trees, result, d)) {
        result_free(result);
        return no_memory(error, error_size);
    }
    int r = write_endpoints(result, d->folder, error, error_size);
    if (r == 0)
        r = write_tree(trees.plain, d->folder, "report.yaml", error, error_size);
    if (r == 0)
        r = write_outputs(&trees, d, error, error_size);
    trees_free(&trees);
    result_free(result);
    return r;
}

/* --- the standard output --- */

/* Set and not empty: https://no-color.org, and the same of FORCE_COLOR. */
static bool is_set(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    return value != NULL && *value != '\0';
}

struct rpt_text_options documents_terminal(void)
{
    struct winsize size;
    struct rpt_text_options options = {
        .color = !is_set("NO_COLOR") && (is_set("FORCE_COLOR") || isatty(STDOUT_FILENO) == 1),
    };
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        options.width = size.ws_col;
    return options;
}

static bool print_outputs(const struct trees *trees, const struct documents *d)
{
    struct span rest = span_of_text(d->outputs);
    struct span text;
    struct rpt_output output;
    bool any = false;
    while (next_output(&rest, &text)) {
        if (!rpt_output_read(text, &output) || !is_standard_output(&output))
            continue;
        struct strbuf document;
        strbuf_init(&document, DOCUMENT_MAX);
        if (render(trees, output.format, &document) == 0)
            fputs(strbuf_text(&document), stdout);
        strbuf_fini(&document);
        any = true;
    }
    return any;
}

int documents_put(json_t *tree, const struct documents *d, char *error, size_t error_size)
{
    const struct trees trees = {.plain = tree};
    struct span rest = span_of_text(d->outputs);
    struct span text;
    while (next_output(&rest, &text)) {
        if (prepare_output(text, error, error_size) != 0)
            return -1;
    }
    print_outputs(&trees, d);
    return write_outputs(&trees, d, error, error_size);
}

static void print_summary(const json_t *tree, const struct documents *d)
{
    struct strbuf text;
    strbuf_init(&text, SUMMARY_MAX);
    if (rpt_text_summary(tree, &text, documents_terminal()) == 0)
        printf("%s\nreport: %s/report.yaml\n", strbuf_text(&text), d->folder);
    strbuf_fini(&text);
}

json_t *documents_tree(const struct audit *audit, const struct documents *d)
{
    struct result *result = documents_judge(audit, d, false);
    json_t *tree = result != NULL ? rpt_tree(result) : NULL;
    result_free(result);
    return tree;
}

void documents_print(const struct audit *audit, const struct documents *d)
{
    struct result *result = documents_judge(audit, d, false);
    struct trees trees;
    if (trees_make(&trees, result, d)) {
        if (!print_outputs(&trees, d))
            print_summary(trees.plain, d);
        trees_free(&trees);
    }
    fflush(stdout);
    result_free(result);
}
