/* Any bytes as a record of a capture: what record_check lets through can be read whole. Tried as it
 * is and with its length made right, which a fuzzer hardly ever hits. */
#include "tests/unit/wire/record_touch.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void try(struct span bytes)
{
    if (record_check(bytes))
        sink = record_touch(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    try(span_of(copy, size));
    if (size >= sizeof(struct record_header)) {
        uint32_t len = (uint32_t)(size - size % RECORD_ALIGN);
        memcpy(copy, &len, sizeof(len));
        try(span_of(copy, size));
    }
    free(copy);
    return 0;
}
