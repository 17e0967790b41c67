/* Any bytes as a Python file, but for the last one, which says what line of it is wanted: the quote
 * of a function, and the function with the cure of a finding in it. */
#include "detectors/detector.h"
#include "report/python_tokens.h"
#include "report/source_edit.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .data = (const uint8_t *)(s), .len = sizeof(s) - 1                                         \
    }

static const struct {
    struct record_columns r;
    struct record_column columns[2];
    char names[8];
} columns = {
    .r = {.h = {.len = sizeof(columns)}, .n_columns = 2, .total = 2, .names_len = 6},
    .columns = {{.name_len = 2}, {.name_len = 4}},
    .names = "idname",
};
static const struct statement authors = {.text = TEXT("select * from authors"),
                                         .columns = &columns.r};

/* A finding for each function of source_edits.def, and how many bytes, spaces apart, it may take
 * out. */
static const struct {
    enum detector_index rule;
    size_t cut;
    struct finding f;
} kinds[] = {
    {DETECTOR_n_plus_one,
     0,
     {.parent_table = TEXT("authors"),
      .relations = {{.table = TEXT("books"), .key = TEXT("id")}},
      .n_relations = 1}},
    {DETECTOR_n_plus_one,
     0,
     {.parent_table = TEXT("books"),
      .relations = {{.table = TEXT("authors"), .key = TEXT("author_id"), .to_one = true}},
      .n_relations = 1}},
    {DETECTOR_n_plus_one,
     0,
     {.stack = STACK_DJANGO,
      .parent_table = TEXT("authors"),
      .relations = {{.table = TEXT("books"), .key = TEXT("id")}},
      .n_relations = 1}},
    {DETECTOR_select_star, 1, {.statements = {{.statement = &authors}}, .n_statements = 1}},
    {DETECTOR_unbounded_result, 0, {.statements = {{.statement = &authors}}, .n_statements = 1}},
    {DETECTOR_unbounded_result,
     0,
     {.stack = STACK_DJANGO, .statements = {{.statement = &authors}}, .n_statements = 1}},
    {DETECTOR_count_query,
     sizeof("count()>=1") - 1,
     {.stack = STACK_DJANGO, .statements = {{.statement = &authors}}, .n_statements = 1}},
};

static void put_without_space(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \r\n", text.data[i]) == NULL || text.data[i] == '\0')
            strbuf_putc(out, (char)text.data[i]);
    }
}

/* What is in front of the edit and behind it is there as it was, but for indentation. */
static void check_rest(struct span before, struct span after, size_t cut)
{
    struct strbuf a;
    struct strbuf b;
    strbuf_init(&a, SOURCE_MAX_BYTES);
    strbuf_init(&b, SOURCE_MAX_BYTES);
    put_without_space(&a, before);
    put_without_space(&b, after);
    assert(!a.failed && !b.failed && a.len < b.len + cut);
    size_t same = 0;
    while (same < a.len && same < b.len && a.data[a.len - 1 - same] == b.data[b.len - 1 - same])
        same++;
    size_t front = a.len - same > cut ? a.len - same - cut : 0;
    assert(front == 0 || memmem(b.data, b.len, a.data, front) != NULL);
    strbuf_fini(&a);
    strbuf_fini(&b);
}

static void try_edit(struct span text, const struct source_place *place, size_t kind)
{
    struct strbuf out;
    struct source_function fn;
    struct py_tokens tokens;
    struct finding f = kinds[kind].f;
    f.detector = det_detectors[kinds[kind].rule];
    strbuf_init(&out, SOURCE_MAX_BYTES);
    bool found = source_edit(&out, text, place, &f);
    assert(!out.failed);
    assert(found == (out.len > 0));
    if (found) {
        assert(source_function(&fn, text, place));
        assert(py_read(&tokens, strbuf_span(&out)));
        py_free(&tokens);
        check_rest(fn.text, strbuf_span(&out), kinds[kind].cut);
    }
    strbuf_fini(&out);
}

static void try_line(struct span text, unsigned line, struct span function)
{
    struct strbuf out;
    struct source_place place = {.file = "a.py", .line = line, .function = function};
    strbuf_init(&out, 2 * SOURCE_MAX_BYTES);
    bool found = source_quote(&out, text, &place);
    assert(!out.failed);
    assert(found == (strbuf_span(&out).len > 0));
    strbuf_fini(&out);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        try_edit(text, &place, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size > 0 ? size - 1 : 0);
    unsigned line = size > 0 ? data[size - 1] : 0;
    try_line(text, line, span_of(NULL, 0));
    try_line(text, line, span_of_text("f"));
    return 0;
}
