#include "proxy/documents.h"

#include "detectors/result.h"
#include "proxy/files.h"
#include "proxy/sources.h"
#include "report/slug.h"
#include "report/text.h"
#include "report/tree.h"
#include "report/yaml.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENT_MAX = 256 * 1024 * 1024 };

static int no_memory(char *error, size_t error_size)
{
    snprintf(error, error_size, "cannot write the report: out of memory");
    return -1;
}

/* One tree into one file; takes the tree over. */
static int write_tree(json_t *tree, const char *folder, const char *name, char *error,
                      size_t error_size)
{
    struct strbuf text;
    strbuf_init(&text, DOCUMENT_MAX);
    int r = -1;
    if (tree == NULL || rpt_yaml(tree, &text) != 0 || text.failed)
        no_memory(error, error_size);
    else
        r = files_write(folder, name, strbuf_span(&text), error, error_size);
    strbuf_fini(&text);
    json_decref(tree);
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
        if (write_tree(tree, sub, names[i], error, error_size) != 0)
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

int documents_write(const struct audit *audit, const char *source, const char *folder, char *error,
                    size_t error_size)
{
    struct result *result = result_new(audit);
    if (result == NULL)
        return no_memory(error, error_size);
    sources_quote(result, source);
    int r = write_endpoints(result, folder, error, error_size);
    if (r == 0)
        r = write_tree(rpt_tree(result), folder, "report.yaml", error, error_size);
    result_free(result);
    return r;
}

int documents_summary(const struct audit *audit, const char *source, bool color, unsigned width,
                      struct strbuf *out)
{
    struct result *result = result_new(audit);
    if (result != NULL)
        sources_quote(result, source);
    json_t *tree = result != NULL ? rpt_tree(result) : NULL;
    struct rpt_text_options options = {.width = width, .color = color};
    int r = tree != NULL ? rpt_text_summary(tree, out, options) : -1;
    json_decref(tree);
    result_free(result);
    return r == 0 && !out->failed ? 0 : -1;
}
