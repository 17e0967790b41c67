#include "proxy/handshake.h"

#include "common/reader.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Codes in place of a version number: PostgreSQL manual, "Message Formats". */
enum {
    CODE_CANCEL = 80877102,
    CODE_SSL = 80877103,
    CODE_GSSENC = 80877104,
    TLS_HANDSHAKE = 0x16,
    LENGTH_WORD = 4,
};

struct handshake_info handshake_read(struct span packet)
{
    struct handshake_info info = {.version = 0};
    struct reader r = reader_of(span_skip(packet, LENGTH_WORD));
    info.version = reader_u32(&r);
    while (!r.failed && r.left > 1) {
        struct span name = reader_cstring(&r);
        struct span value = reader_cstring(&r);
        if (r.failed)
            break;
        if (span_is(name, "user"))
            info.user = value;
        else if (span_is(name, "database"))
            info.database = value;
        else if (span_is(name, "application_name"))
            info.application = value;
    }
    return info;
}

static uint32_t word_at(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static void expect_packet(struct session *s)
{
    s->startup_have = 0;
    s->startup_need = LENGTH_WORD;
}

/* Something arrived together with a request for encryption: it cannot be trusted. */
static bool early_bytes(struct session *s)
{
    uint8_t byte;
    return recv(s->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* We do not encrypt this leg: say so, the client goes on in the clear or leaves. */
static void decline_encryption(struct session *s)
{
    if (early_bytes(s)) {
        session_refuse(s, CLOSE_EARLY_BYTES, "08P01",
                       "received bytes before encryption was agreed on");
        return;
    }
    if (leg_send(&s->client, span_of("N", 1)) != LEG_OK) {
        session_close(s, CLOSE_CLIENT_LOST);
        return;
    }
    expect_packet(s);
}

static void packet_complete(struct session *s)
{
    uint32_t code = s->startup_need >= 8 ? word_at(s->startup + LENGTH_WORD) : 0;
    switch (code) {
    case CODE_SSL:
    case CODE_GSSENC:
        if (s->startup_need != 8) {
            session_close(s, CLOSE_BAD_STARTUP);
            return;
        }
        decline_encryption(s);
        return;
    case CODE_CANCEL:
        s->courier = true;
        session_connect(s);
        return;
    default:
        session_connect(s);
    }
}

/* The length word is here. The server's own limits: fewer than 4 or more than 10000 bytes behind it
 * are no start-up packet, and get no answer. */
static bool length_complete(struct session *s)
{
    uint32_t len = word_at(s->startup);
    if (s->startup[0] == TLS_HANDSHAKE) {
        session_close(s, CLOSE_TLS_REFUSED);
        return false;
    }
    if (len < 8 || len > LENGTH_WORD + STARTUP_MAX) {
        session_close(s, CLOSE_BAD_STARTUP);
        return false;
    }
    uint8_t *packet = realloc(s->startup, len);
    if (packet == NULL) {
        session_close(s, CLOSE_NO_MEMORY);
        return false;
    }
    s->startup = packet;
    s->startup_need = len;
    return true;
}

void handshake_readable(struct session *s)
{
    if (s->startup == NULL) {
        s->startup = malloc(LENGTH_WORD);
        if (s->startup == NULL) {
            session_close(s, CLOSE_NO_MEMORY);
            return;
        }
        expect_packet(s);
    }
    while (s->state == SESSION_STARTUP) {
        ssize_t n =
            recv(s->client.fd, s->startup + s->startup_have, s->startup_need - s->startup_have, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        if (n <= 0) {
            session_close(s, n == 0 ? CLOSE_CLIENT_LEFT : CLOSE_CLIENT_LOST);
            return;
        }
        s->client.bytes_in += (uint64_t)n;
        s->startup_have += (size_t)n;
        if (s->startup_have < s->startup_need)
            continue;
        if (s->startup_need > LENGTH_WORD)
            packet_complete(s);
        else if (!length_complete(s))
            return;
    }
}
