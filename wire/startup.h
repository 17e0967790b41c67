/*
 * The untyped packets that open a connection: StartupMessage, CancelRequest, SSLRequest and
 * GSSENCRequest (PostgreSQL manual, "Message Formats"; limits as in backend_startup.c,
 * ProcessStartupPacket).
 *
 * They have a length word and a code but no type byte. Whoever reads them reads the length word,
 * then exactly the packet and not a byte more: what follows a request for encryption must not be in
 * our hands before encryption is agreed on (CVE-2021-23214 and its kin).
 */
#ifndef PGSLEUTH_WIRE_STARTUP_H
#define PGSLEUTH_WIRE_STARTUP_H

#include "common/span.h"

enum {
    WIRE_LENGTH_WORD = 4,
    WIRE_STARTUP_MAX = 10000,  /* MAX_STARTUP_PACKET_LENGTH: bytes behind the length word */
    WIRE_STARTUP_REQUEST = 8,  /* an SSLRequest or GSSENCRequest, whole */
    WIRE_TLS_HANDSHAKE = 0x16, /* first byte of a client that begins with TLS at once */
    WIRE_PROTOCOL_3 = 3 << 16,
};

enum wire_startup_kind {
    WIRE_STARTUP_SESSION, /* StartupMessage of any version: the server words its own refusals */
    WIRE_STARTUP_CANCEL,
    WIRE_STARTUP_SSL,
    WIRE_STARTUP_GSSENC,
    WIRE_STARTUP_BAD, /* a request for encryption that is not 8 bytes long */
};

/* Bytes of the whole packet, length word included; 0 when no start-up packet can be that long. */
size_t wire_startup_length(const uint8_t word[WIRE_LENGTH_WORD]);

/* What a whole packet of at least 8 bytes is. */
enum wire_startup_kind wire_startup_kind_of(struct span packet);

/* What a StartupMessage says. Spans look into the packet; absent ones are empty. */
struct wire_startup {
    uint32_t version;
    struct span user;
    struct span database;
    struct span application;
};

/* Reads as far as the packet is in order; never fails. */
struct wire_startup wire_startup_read(struct span packet);

/* An SSLRequest, ready to send. Static storage. */
struct span wire_ssl_request(void);

#endif
