#include "wire/startup.h"

#include "common/reader.h"

/* Codes in place of a version number. */
enum {
    CODE_CANCEL = 80877102,
    CODE_SSL = 80877103,
    CODE_GSSENC = 80877104,
};

size_t wire_startup_length(const uint8_t word[WIRE_LENGTH_WORD])
{
    struct reader r = reader_of(span_of(word, WIRE_LENGTH_WORD));
    uint32_t len = reader_u32(&r);
    return len < WIRE_STARTUP_REQUEST || len > WIRE_LENGTH_WORD + WIRE_STARTUP_MAX ? 0 : len;
}

enum wire_startup_kind wire_startup_kind_of(struct span packet)
{
    struct reader r = reader_of(span_skip(packet, WIRE_LENGTH_WORD));
    switch (reader_u32(&r)) {
    case CODE_CANCEL:
        return WIRE_STARTUP_CANCEL;
    case CODE_SSL:
        return packet.len == WIRE_STARTUP_REQUEST ? WIRE_STARTUP_SSL : WIRE_STARTUP_BAD;
    case CODE_GSSENC:
        return packet.len == WIRE_STARTUP_REQUEST ? WIRE_STARTUP_GSSENC : WIRE_STARTUP_BAD;
    default:
        return WIRE_STARTUP_SESSION;
    }
}

struct wire_startup wire_startup_read(struct span packet)
{
    struct wire_startup out = {.version = 0};
    struct reader r = reader_of(span_skip(packet, WIRE_LENGTH_WORD));
    out.version = reader_u32(&r);
    while (!r.failed && r.left > 1) {
        struct span name = reader_cstring(&r);
        struct span value = reader_cstring(&r);
        if (r.failed)
            break;
        if (span_is(name, "user"))
            out.user = value;
        else if (span_is(name, "database"))
            out.database = value;
        else if (span_is(name, "application_name"))
            out.application = value;
    }
    return out;
}

struct span wire_ssl_request(void)
{
    static const uint8_t packet[WIRE_STARTUP_REQUEST] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    return span_of(packet, sizeof(packet));
}
