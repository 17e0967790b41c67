/* Both directions, interleaved: a byte (bit 7 set: from the server; the rest: a length), then so
 * many bytes, and so on. Shown as it says and byte by byte, which must give the same records. */
#include "wire_fuzz.h"

static uint64_t run(struct span input, size_t piece)
{
    wire_fuzz_begin(true);
    while (input.len > 0) {
        enum wire_direction from =
            (input.data[0] & 0x80) != 0 ? WIRE_FROM_SERVER : WIRE_FROM_CLIENT;
        size_t len = input.data[0] & 0x7f;
        input = span_skip(input, 1);
        wire_fuzz_feed_in(from, span_head(input, len), piece);
        input = span_skip(input, len);
    }
    return wire_fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > WIRE_FUZZ_MAX)
        return 0;
    uint64_t whole = run(span_of(data, size), WIRE_FUZZ_MAX);
    uint64_t bytes = run(span_of(data, size), 1);
    assert(whole == bytes);
    return 0;
}
