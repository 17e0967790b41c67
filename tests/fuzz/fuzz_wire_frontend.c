/* Any bytes from the client. The first byte chooses whether samples are wanted and the size of the
 * pieces; the records may not depend on the latter. */
#include "wire_fuzz.h"

static uint64_t run(bool want_samples, struct span bytes, size_t piece)
{
    wire_fuzz_begin(want_samples);
    wire_fuzz_feed_in(WIRE_FROM_CLIENT, bytes, piece);
    return wire_fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > WIRE_FUZZ_MAX)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);
    bool want_samples = (data[0] & 1) != 0;
    uint64_t whole = run(want_samples, bytes, WIRE_FUZZ_MAX);
    uint64_t pieces = run(want_samples, bytes, 1 + data[0] / 2U % 16);
    assert(whole == pieces);
    return 0;
}
