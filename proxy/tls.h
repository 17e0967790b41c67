/*
 * Certificates and what is verified, for both legs, by OpenSSL. Immutable once made, shared and
 * counted: a reload makes a new one, and connections that began with the old one keep it (SSL holds
 * its context).
 *
 * As PostgreSQL has it (be-secure-openssl.c, fe-secure-openssl.c): TLS 1.2 and up, no compression,
 * no renegotiation, no tickets, no session cache; ALPN `postgresql` is offered to the server always
 * and accepted from clients, which must offer it when they begin with TLS at once.
 */
#ifndef PGSLEUTH_PROXY_TLS_H
#define PGSLEUTH_PROXY_TLS_H

#include "proxy/upstream.h"

#include <openssl/ssl.h>

struct tls;

enum { TLS_ERROR_TEXT = 256 };

/* Of the client leg; empty strings where nothing is configured. */
struct tls_files {
    const char *cert; /* PEM, leaf first; empty: clients are told that there is no TLS */
    const char *key;
    const char *client_ca; /* clients are asked for a certificate and, if they show one, it must be
                              signed by one of these */
    bool only_1_3;
};

/* Load everything: one reference. NULL with one line in `error`: which file, what is wrong with it.
 */
struct tls *tls_new(const struct tls_files *files, const struct upstream *upstream, char *error,
                    size_t error_size);

struct tls *tls_ref(struct tls *t);

/* NULL is allowed. */
void tls_unref(struct tls *t);

/* Whether clients can be offered TLS. */
bool tls_has_certificate(const struct tls *t);

/* The client's, or the server's, side of a handshake on this socket; NULL without memory. The
 * caller owns it. `host` is the name to verify and to send as SNI. */
SSL *tls_accept(const struct tls *t, int fd);
SSL *tls_connect(const struct tls *t, int fd, const char *host);

/* Whether both sides agreed on the protocol `postgresql` by ALPN. */
bool tls_agreed_on_postgresql(const SSL *ssl);

/* Whether we show the client the certificate that the server shows us: then a login that is bound
 * to it (SCRAM-SHA-256-PLUS) passes through. */
bool tls_same_certificate(const SSL *client, const SSL *server);

/* Whether the server's certificate is the one that clients are shown. */
bool tls_shows_certificate_of(const struct tls *t, const SSL *server);

/* Days until the certificate that clients are shown ends; false without one. */
bool tls_days_left(const struct tls *t, int *days);

/* Why the handshake that has just failed on this thread did, for people. False when the peer just
 * closed, as a probe does. */
bool tls_failure(const SSL *ssl, char text[TLS_ERROR_TEXT]);

/* What a fatal alert of the peer means, for people. Static. */
const char *tls_alert_text(uint8_t alert);

#endif
