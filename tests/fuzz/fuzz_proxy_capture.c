/* Any bytes as a capture file, read and judged as `pgsleuth report` does: reader, audit with all
 * its detectors, and, for one input in eight since they cost ten times the rest, the documents.
 * Where the file is refused, every piece of it that record_check lets through is fed all the same,
 * so that one damaged record does not hide what stands behind it. */
#include "common/hash.h"
#include "config/source.h"
#include "detectors/result.h"
#include "proxy/capture.h"
#include "proxy/settings.h"
#include "report/format.h"
#include "report/tree.h"
#include "report/yaml.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 256 * 1024, HEADER = 16, TEXT_MAX = 1 << 26 };

static struct {
    struct cfg_options options;
    int file;
    char path[64];
    struct audit *audit;
} fuzz;

static void prepare(void)
{
    struct cfg_error err;
    int r = cfg_load_defaults(&fuzz.options, &err);
    assert(r == CFG_OK);
    fuzz.file = memfd_create("capture", MFD_CLOEXEC);
    assert(fuzz.file >= 0);
    snprintf(fuzz.path, sizeof(fuzz.path), "/proc/self/fd/%d", fuzz.file);
}

static void begin(const struct record_header *record)
{
    struct det_settings settings = settings_of_options(&fuzz.options);
    if (record->type == RECORD_RUN_START &&
        settings_of_run((const struct record_run_start *)(const void *)record, &fuzz.options,
                        &settings) != 0)
        settings = settings_of_options(&fuzz.options); /* of another version */
    fuzz.audit = audit_new(&settings);
    assert(fuzz.audit != NULL);
}

static void take(void *context, const struct record_header *record)
{
    (void)context;
    if (fuzz.audit == NULL)
        begin(record);
    if (record->type == RECORD_RUN_BEGIN) {
        struct audit *next =
            audit_next_run(fuzz.audit, (const struct record_run_begin *)(const void *)record);
        assert(next != NULL);
        audit_free(fuzz.audit);
        fuzz.audit = next;
    }
    audit_record(fuzz.audit, record);
}

/* A reader of YAML must take it: no control byte but the ends of lines. */
static void check_text(json_t *tree)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    int r = tree != NULL ? rpt_yaml(tree, &text) : -1;
    assert(r == 0 && !text.failed);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        assert((c >= ' ' || c == '\n') && c != 0x7f);
    }
    strbuf_fini(&text);
    json_decref(tree);
}

/* Of the tree, in each format there is. */
static void check_formats(const json_t *plain, const json_t *detailed)
{
    struct strbuf names;
    struct strbuf text;
    strbuf_init(&names, TEXT_MAX);
    rpt_format_names(&names);
    for (struct span rest = strbuf_span(&names); rest.len > 0;) {
        struct rpt_output output;
        char asked[64];
        size_t n = span_find(rest, ", ");
        snprintf(asked, sizeof(asked), "%.*s:-", (int)n, (const char *)rest.data);
        bool known = rpt_output_read(span_of_text(asked), &output);
        assert(known);
        strbuf_init(&text, TEXT_MAX);
        int r = output.format->write(output.format->detailed ? detailed : plain, &text);
        assert(r == 0 && !text.failed);
        strbuf_fini(&text);
        rest = span_skip(rest, n + strlen(", "));
    }
    strbuf_fini(&names);
}

static void write_down(const struct result *result)
{
    for (size_t i = 0; i < result->n_endpoints; i++)
        check_text(rpt_tree_endpoint(result, &result->endpoints[i]));
    json_t *plain = rpt_tree(result);
    json_t *detailed = rpt_tree_detailed(result);
    assert(plain != NULL && detailed != NULL);
    check_formats(plain, detailed);
    json_decref(detailed);
    check_text(plain);
}

static void judge(bool with_documents)
{
    audit_finish(fuzz.audit);
    (void)audit_next_to_explain(fuzz.audit, RECORD_TIME_MAX_US);
    struct result *result = result_new(fuzz.audit);
    assert(result != NULL);
    if (with_documents)
        write_down(result);
    result_free(result);
}

static void drop(void)
{
    audit_free(fuzz.audit);
    fuzz.audit = NULL;
}

/* As a file: false when it was refused. */
static bool read_file(const uint8_t *data, size_t size)
{
    char error[512] = "";
    bool cut;
    int r = ftruncate(fuzz.file, 0);
    ssize_t n = pwrite(fuzz.file, data, size, 0);
    assert(r == 0 && n == (ssize_t)size);
    r = capture_read(fuzz.path, take, NULL, &cut, error, sizeof(error));
    assert((r == 0) == (error[0] == '\0') && strchr(error, '\n') == NULL);
    return r == 0;
}

/* Whatever is a record, wherever it stands. */
static void read_pieces(const uint8_t *data, size_t size)
{
    uint8_t *record = malloc(RECORD_MAX_BYTES);
    assert(record != NULL);
    for (size_t at = HEADER; at + sizeof(struct record_header) <= size;) {
        struct record_header h;
        memcpy(&h, data + at, sizeof(h));
        size_t step = RECORD_ALIGN;
        if (h.len <= size - at && h.len <= RECORD_MAX_BYTES) {
            memcpy(record, data + at, h.len);
            if (h.len >= sizeof(h) && record_is_captured((enum record_type)h.type) &&
                record_check(span_of(record, h.len))) {
                take(NULL, (const struct record_header *)(const void *)record);
                step = h.len;
            }
        }
        at += step;
    }
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    if (fuzz.file == 0)
        prepare();
    if (!read_file(data, size)) {
        drop();
        read_pieces(data, size);
    }
    if (fuzz.audit != NULL)
        judge(XXH3_64bits(data, size) % 8 == 0);
    drop();
    return 0;
}
