/* Any bytes from the server, behind requests of every kind. The first byte chooses where in the
 * requests the queue begins and the size of the pieces; the records may not depend on the latter.
 */
#include "tests/unit/wire/script.h"
#include "wire_fuzz.h"

static struct script requests;

static void build_requests(void)
{
    static const uint32_t types[] = {WIRE_OID_INT4};
    static const struct script_value value = {"\0\0\0\7", 4, 1};
    struct script *s = &requests;
    script_init(s);
    client_query(s, "select 1; select 2, 'x'");
    client_parse_types(s, "s", "select $1", 1, types);
    client_bind_values(s, "", "s", 1, &value, 1);
    client_describe(s, 'S', "s");
    client_describe(s, 'P', "");
    client_execute(s, "", 2);
    client_execute(s, "", 0);
    client_close(s, 'S', "s");
    client_sync(s);
    client_query(s, "copy t from stdin");
    client_copy_data(s, "1\n");
    client_copy_done(s);
    client_function_call(s);
    client_run(s, "s", "select 2");
    client_sync(s);
}

static uint64_t run(size_t first, struct span bytes, size_t piece)
{
    wire_fuzz_begin(false);
    for (size_t i = first % requests.n_steps; i < requests.n_steps; i++) {
        const struct script_step *step = &requests.steps[i];
        wire_fuzz_feed(WIRE_FROM_CLIENT, span_of(requests.bytes.data + step->at, step->len));
    }
    assert(!wire_tap_is_opaque(&wire_fuzz.tap));
    wire_fuzz_feed_in(WIRE_FROM_SERVER, bytes, piece);
    return wire_fuzz_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > WIRE_FUZZ_MAX)
        return 0;
    if (requests.n_steps == 0)
        build_requests();
    struct span bytes = span_of(data + 1, size - 1);
    uint64_t whole = run(data[0], bytes, WIRE_FUZZ_MAX);
    uint64_t pieces = run(data[0], bytes, 1 + data[0] % 7U);
    assert(whole == pieces);
    return 0;
}
