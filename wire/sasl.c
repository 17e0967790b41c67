#include "wire/sasl.h"

#include "common/reader.h"

#define PLUS "SCRAM-SHA-256-PLUS"

enum { HEADER = 5, LENGTH_AT = 1, MECHANISMS_AT = HEADER + 4 };

int64_t wire_authentication_code(struct span message)
{
    struct reader r = reader_of(span_skip(message, HEADER));
    uint32_t code = reader_u32(&r);
    return r.failed ? -1 : (int64_t)code;
}

/* Where PLUS stands in the list of mechanisms and how many others there are. */
struct offer {
    size_t plus_at; /* 0: it is not in it */
    unsigned others;
};

static struct offer read_offer(struct span message)
{
    struct offer offer = {.plus_at = 0};
    if (wire_authentication_code(message) != WIRE_AUTHENTICATION_SASL)
        return offer;
    struct reader r = reader_of(span_skip(message, MECHANISMS_AT));
    for (;;) {
        size_t at = message.len - r.left;
        struct span name = reader_cstring(&r);
        if (r.failed)
            return (struct offer){.plus_at = 0}; /* the list has no end */
        if (name.len == 0)
            return offer;
        if (span_is(name, PLUS))
            offer.plus_at = at;
        else
            offer.others++;
    }
}

bool wire_sasl_offers_plus(struct span message)
{
    return read_offer(message).plus_at > 0;
}

size_t wire_sasl_strip_plus(uint8_t *message, size_t len)
{
    struct offer offer;
    while ((offer = read_offer(span_of(message, len))).plus_at > 0 && offer.others > 0) {
        uint8_t *plus = message + offer.plus_at;
        memmove(plus, plus + sizeof(PLUS), len - offer.plus_at - sizeof(PLUS));
        len -= sizeof(PLUS);
        size_t word = len - LENGTH_AT;
        for (int i = 0; i < 4; i++)
            message[LENGTH_AT + i] = (uint8_t)(word >> (24 - 8 * i));
    }
    return len;
}

enum wire_channel_binding wire_sasl_binding(struct span message)
{
    struct reader r = reader_of(span_skip(message, HEADER));
    struct span mechanism = reader_cstring(&r);
    if (span_is(mechanism, PLUS))
        return WIRE_BINDING_USED;
    int32_t len = reader_i32(&r);
    struct span response = reader_bytes(&r, len > 0 ? (size_t)len : 0);
    if (r.failed || response.len == 0 || !span_is(mechanism, "SCRAM-SHA-256"))
        return WIRE_BINDING_NONE;
    switch (response.data[0]) {
    case 'p':
        return WIRE_BINDING_USED;
    case 'y':
        return WIRE_BINDING_SUPPORTED;
    default:
        return WIRE_BINDING_NONE;
    }
}
