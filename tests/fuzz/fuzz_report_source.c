/* Any bytes as a Python file; the last one says which line of it is wanted. */
#include "report/source_quote.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_line(struct span text, unsigned line, struct span function)
{
    struct strbuf out;
    struct source_place place = {.file = "a.py", .line = line, .function = function};
    strbuf_init(&out, 2 * SOURCE_MAX_BYTES);
    bool found = source_quote(&out, text, &place);
    assert(!out.failed);
    assert(found == (strbuf_span(&out).len > 0));
    strbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    unsigned line = size > 0 ? data[size - 1] : 0;
    try_line(text, line, span_of(NULL, 0));
    try_line(text, line, span_of_text("f"));
    return 0;
}
