#include "proxy/probe.h"

#include "common/strbuf.h"
#include "wire/messages.h"
#include "wire/sasl.h"
#include "wire/startup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { HEADER = 5, ANSWER_MAX = 8192, PACKET_MAX = 1024 };

/* Authentication requests: PostgreSQL manual, "Message Formats". */
enum { ASKS_CLEARTEXT = 3, ASKS_MD5 = 5 };

struct line {
    int fd;
    SSL *ssl; /* NULL: in the clear */
};

static bool put(const struct line *l, struct span bytes)
{
    if (l->ssl != NULL)
        return SSL_write(l->ssl, bytes.data, (int)bytes.len) == (int)bytes.len;
    return send(l->fd, bytes.data, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len;
}

static bool get(const struct line *l, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = l->ssl != NULL ? SSL_read(l->ssl, out, (int)len) : recv(l->fd, out, len, 0);
        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

/* --- connecting --- */

static int connect_within(const struct address *a, int64_t timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) == 0)
        return fd;
    int saved = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    errno = saved;
    return -1;
}

static int connect_any(const struct addresses *addresses, int64_t timeout_ms)
{
    int fd = -1;
    for (size_t i = 0; i < addresses->count && fd < 0; i++)
        fd = connect_within(&addresses->items[i], timeout_ms);
    return fd;
}

/* --- TLS --- */

static void look_at_certificate(const struct network *n, SSL *ssl, struct probe *out)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    int days = 0;
    int seconds = 0;
    snprintf(out->tls_version, sizeof(out->tls_version), "%s", SSL_get_version(ssl));
    if (cert == NULL)
        return;
    X509_NAME_oneline(X509_get_subject_name(cert), out->subject, PROBE_TEXT);
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1)
        out->days_left = seconds < 0 ? days - 1 : days;
    int digest = NID_undef;
    out->can_bind =
        X509_get_signature_info(cert, &digest, NULL, NULL, NULL) == 1 && digest != NID_undef;
    out->same_certificate = tls_shows_certificate_of(network_tls(n), ssl);
}

/* The answer to an SSLRequest: 'S', 'N', 'E', or 0. */
static char ask_for_tls(const struct line *l)
{
    uint8_t answer = 0;
    return put(l, wire_ssl_request()) && get(l, &answer, 1) ? (char)answer : 0;
}

static bool start_tls(const struct network *n, const struct route *route, struct line *l,
                      struct probe *out)
{
    bool direct = network_tls_is_direct(n);
    bool needed = network_sslmode(n) >= SSLMODE_REQUIRE;
    char answer = direct ? 'S' : ask_for_tls(l);
    if (answer == 'N' && !needed)
        return true;
    if (answer != 'S') {
        snprintf(out->tls_error, PROBE_TEXT, "%s",
                 answer == 'N' ? "it does not support TLS, which sslmode asks for"
                               : "it does not answer a request for TLS as PostgreSQL does");
        return false;
    }
    l->ssl = tls_connect(network_tls(n), l->fd, route->host);
    if (l->ssl == NULL || SSL_do_handshake(l->ssl) != 1) {
        if (l->ssl != NULL)
            (void)tls_failure(l->ssl, out->tls_error);
        return false;
    }
    if (direct && !tls_agreed_on_postgresql(l->ssl)) {
        snprintf(out->tls_error, PROBE_TEXT, "it did not agree on the protocol postgresql (ALPN)");
        return false;
    }
    out->tls = true;
    look_at_certificate(n, l->ssl, out);
    return true;
}

/* --- login --- */

static size_t startup_packet(const char *user, const char *database, uint8_t out[PACKET_MAX])
{
    struct strbuf b;
    strbuf_init(&b, PACKET_MAX - 1);
    strbuf_add(&b, "\0\0\0\0\0\3\0\0user", 13);
    strbuf_add(&b, user, strlen(user) + 1);
    if (database != NULL) {
        strbuf_add(&b, "database", 9);
        strbuf_add(&b, database, strlen(database) + 1);
    }
    strbuf_add(&b, "", 1);
    size_t len = b.failed ? 0 : b.len;
    if (len > 0)
        memcpy(out, b.data, len);
    for (int i = 0; i < 4 && len > 0; i++)
        out[i] = (uint8_t)(len >> (24 - 8 * i));
    strbuf_fini(&b);
    return len;
}

static void read_refusal(struct span message, struct probe *out)
{
    struct reader r = reader_of(span_skip(message, HEADER));
    out->login = PROBE_REFUSED;
    for (;;) {
        uint8_t code = reader_u8(&r);
        struct span value = reader_cstring(&r);
        if (r.failed)
            break;
        if (code == 'C')
            snprintf(out->sqlstate, sizeof(out->sqlstate), "%.*s", (int)value.len,
                     (const char *)value.data);
        else if (code == 'M')
            snprintf(out->message, PROBE_TEXT, "%.*s",
                     (int)(value.len < PROBE_TEXT ? value.len : PROBE_TEXT - 1),
                     (const char *)value.data);
    }
    for (char *c = out->message; *c != '\0'; c++)
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
}

static void read_login(struct span message, struct probe *out)
{
    if (message.data[0] == WIRE_ERROR_RESPONSE) {
        read_refusal(message, out);
        return;
    }
    switch (wire_authentication_code(message)) {
    case WIRE_AUTHENTICATION_OK:
        out->login = PROBE_TRUST;
        break;
    case ASKS_CLEARTEXT:
        out->login = PROBE_CLEARTEXT;
        break;
    case ASKS_MD5:
        out->login = PROBE_MD5;
        break;
    case WIRE_AUTHENTICATION_SASL:
        out->login = PROBE_SCRAM;
        out->offers_plus = wire_sasl_offers_plus(message);
        break;
    default:
        out->login = PROBE_OTHER_METHOD;
        break;
    }
}

/* The server's first message that is neither a notice nor about versions; 0 when it is none. */
static size_t first_message(const struct line *l, uint8_t *out)
{
    for (int skipped = 0; skipped < 8; skipped++) {
        if (!get(l, out, HEADER))
            return 0;
        struct reader r = reader_of(span_of(out + 1, 4));
        uint32_t len = reader_u32(&r);
        if (len < 4 || len > ANSWER_MAX - 1 || !get(l, out + HEADER, len - 4))
            return 0;
        if (out[0] == WIRE_AUTHENTICATION || out[0] == WIRE_ERROR_RESPONSE)
            return len + 1;
        if (out[0] != WIRE_NOTICE_RESPONSE && out[0] != WIRE_NEGOTIATE_PROTOCOL_VERSION)
            return 0;
    }
    return 0;
}

static void begin_login(const struct line *l, const char *user, const char *database,
                        struct probe *out)
{
    uint8_t packet[PACKET_MAX];
    uint8_t answer[ANSWER_MAX];
    size_t len = startup_packet(user, database, packet);
    out->login = PROBE_NO_POSTGRESQL;
    if (len == 0 || !put(l, span_of(packet, len)))
        return;
    len = first_message(l, answer);
    if (len > 0)
        read_login(span_of(answer, len), out);
}

void probe_server(const struct network *n, size_t route, const char *user, const char *database,
                  int64_t timeout_ms, struct probe *out)
{
    const struct route *r = network_route(n, route);
    struct line l = {.fd = connect_any(&r->addresses, timeout_ms)};
    *out = (struct probe){.connect_error = l.fd < 0 ? errno : 0};
    if (l.fd < 0)
        return;
    bool wants_tls =
        network_sslmode(n) != SSLMODE_DISABLE && !address_is_unix(&r->addresses.items[0]);
    if ((!wants_tls || start_tls(n, r, &l, out)) && user != NULL)
        begin_login(&l, user, database, out);
    SSL_free(l.ssl);
    close(l.fd);
}
