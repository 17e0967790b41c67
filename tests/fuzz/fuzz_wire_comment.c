/* Any bytes as the body of a comment, read into one tag in two pieces, as a request mark, and as
 * values of every kind. */
#include "wire/request_mark.h"
#include "wire/values.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tag(const struct sql_tag *tag)
{
    size_t used = 0;
    for (unsigned k = 0; k < SQL_TAG_COUNT; k++) {
        struct span v = sql_tag_value(tag, (enum sql_tag_key)k);
        assert(v.len <= SQL_TAG_VALUE_MAX && tag->off[k] + v.len <= SQL_TAG_BYTES);
        for (size_t i = 0; i < v.len; i++)
            assert(v.data[i] >= ' ' && v.data[i] != 0x7f);
        used += v.len;
    }
    assert(used == tag->used);
    assert((used == 0) == (sql_tag_id(tag) == 0));
}

static void check_values(struct span value)
{
    static const uint32_t oids[] = {
        0, WIRE_OID_BOOL, WIRE_OID_INT4, WIRE_OID_NUMERIC, WIRE_OID_UUID, WIRE_OID_BPCHAR};
    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
        assert(wire_value_hash(oids[i], 0, value) != 0);
        assert(wire_value_hash(oids[i], 1, value) != 0);
    }
    assert(wire_value_hash_text(value) != 0);
}

static void check_mark(struct span datagram)
{
    struct wire_request_mark mark;
    if (!wire_request_mark_read(&mark, datagram))
        return;
    assert(mark.peer != 0 && datagram.len <= REQUEST_MARK_MAX);
    check_tag(&mark.tag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sql_tag tag;
    struct span body = span_of(data, size);
    sql_tag_init(&tag);
    unsigned added = sql_tag_read(&tag, span_head(body, size / 2));
    added += sql_tag_read(&tag, span_skip(body, size / 2));
    assert(added <= SQL_TAG_COUNT + 1);
    check_tag(&tag);
    check_mark(body);
    check_values(body);
    return 0;
}
