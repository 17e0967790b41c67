/* Any bytes as what opens a connection. The first byte chooses: start-up packets one after the
 * other as the proxy reads them, an Authentication message, or a SASLInitialResponse, each with its
 * length word as it is or made right. */
#include "wire/sasl.h"
#include "wire/startup.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 5 };

static void check_inside(struct span part, struct span whole)
{
    assert(part.len <= whole.len);
    if (part.len > 0)
        assert(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_packet(struct span packet)
{
    enum wire_startup_kind kind = wire_startup_kind_of(packet);
    assert(kind <= WIRE_STARTUP_BAD);
    if (kind == WIRE_STARTUP_SSL || kind == WIRE_STARTUP_GSSENC)
        assert(packet.len == WIRE_STARTUP_REQUEST);
    struct wire_startup info = wire_startup_read(packet);
    check_inside(info.user, packet);
    check_inside(info.database, packet);
    check_inside(info.application, packet);
}

/* Each packet is a copy of exactly its size, as the proxy's own buffer is. */
static void read_stream(struct span stream)
{
    while (stream.len >= WIRE_LENGTH_WORD) {
        size_t len = wire_startup_length(stream.data);
        assert(len == 0 || (len >= WIRE_STARTUP_REQUEST && len <= 4 + WIRE_STARTUP_MAX));
        if (len == 0 || len > stream.len)
            return;
        uint8_t *copy = malloc(len);
        assert(copy != NULL);
        memcpy(copy, stream.data, len);
        check_packet(span_of(copy, len));
        free(copy);
        stream = span_skip(stream, len);
    }
}

static void correct_length(uint8_t *message, size_t len)
{
    for (unsigned i = 0; len >= HEADER && i < 4; i++)
        message[1 + i] = (uint8_t)((len - 1) >> (24 - 8 * i));
}

/* What is taken out leaves everything else as it was. */
static void check_strip(uint8_t *message, size_t len)
{
    uint8_t *before = malloc(len + 1);
    assert(before != NULL);
    memcpy(before, message, len);
    bool offered = wire_sasl_offers_plus(span_of(before, len));
    size_t left = wire_sasl_strip_plus(message, len);
    assert(left <= len && (offered || left == len));
    assert(left == len || !wire_sasl_offers_plus(span_of(message, left)));
    if (left == len)
        assert(memcmp(before, message, len) == 0);
    if (left < len) {
        size_t word = (size_t)message[1] << 24 | (size_t)message[2] << 16 |
                      (size_t)message[3] << 8 | message[4];
        assert(word == left - 1 && message[0] == before[0]);
        assert(wire_authentication_code(span_of(message, left)) == WIRE_AUTHENTICATION_SASL);
    }
    assert(wire_sasl_strip_plus(message, left) == left);
    free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2 * WIRE_STARTUP_MAX)
        return 0;
    size_t len = size - 1;
    uint8_t *copy = malloc(len + (len == 0));
    assert(copy != NULL);
    memcpy(copy, data + 1, len);
    if ((data[0] & 4) != 0)
        correct_length(copy, len);
    if ((data[0] & 3) == 0)
        read_stream(span_of(copy, len));
    else if ((data[0] & 3) == 1)
        check_strip(copy, len);
    else
        assert(wire_sasl_binding(span_of(copy, len)) <= WIRE_BINDING_USED);
    free(copy);
    return 0;
}
