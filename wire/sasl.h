/*
 * SASL as far as a proxy that ends TLS must look into it: which mechanisms the server offers, and
 * whether the client binds its login to the TLS channel (RFC 5802 section 6; PostgreSQL manual,
 * "SASL Authentication"; server rules in auth-scram.c).
 *
 * A SCRAM client names in its first message's gs2 header what it does about channel binding, and
 * its proof covers that header, so it cannot be rewritten on the way:
 *   n  does not know it: right on any legs
 *   y  knows it but was not offered it: the server takes that for an attack if its own leg is TLS
 *   p  binds to the certificate it sees: wrong when that is not the server's own
 */
#ifndef PGSLEUTH_WIRE_SASL_H
#define PGSLEUTH_WIRE_SASL_H

#include "common/span.h"

enum {
    WIRE_AUTHENTICATION_OK = 0,
    WIRE_AUTHENTICATION_SASL = 10,
    /* libpq refuses longer authentication requests: PQ_MAX_AUTH_MESSAGE of fe-connect.c. */
    WIRE_AUTHENTICATION_MAX = 2000,
};

/* The code of a whole Authentication message ('R'), type byte included; -1 when it has none. */
int64_t wire_authentication_code(struct span message);

/* Whether a whole AuthenticationSASL offers SCRAM-SHA-256-PLUS. */
bool wire_sasl_offers_plus(struct span message);

/* Take SCRAM-SHA-256-PLUS out of a whole AuthenticationSASL, in place, and correct its length word.
 * Gives the new length of the message: `len` when it offers nothing of the kind, nothing else, or
 * is malformed. */
size_t wire_sasl_strip_plus(uint8_t *message, size_t len);

enum wire_channel_binding {
    WIRE_BINDING_NONE,      /* 'n', or a mechanism that knows of no binding */
    WIRE_BINDING_SUPPORTED, /* 'y' */
    WIRE_BINDING_USED,      /* 'p' */
};

/* Of a whole SASLInitialResponse ('p'). NONE too when it is malformed: the server will say so. */
enum wire_channel_binding wire_sasl_binding(struct span message);

#endif
