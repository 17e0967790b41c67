#include "proxy/handshake.h"
#include "proxy/worker.h"
#include "wire/startup.h"

static const struct tls *tls_of(const struct session *s)
{
    return network_tls(s->worker->network);
}

/* --- TLS --- */

static void continue_tls(struct session *s)
{
    int r = leg_handshake(&s->client);
    if (r == LEG_AGAIN)
        return;
    char why[TLS_ERROR_TEXT];
    if (r == LEG_LOST) {
        if (tls_failure(s->client.ssl, why))
            worker_complain(s->worker, "TLS with the client at %s failed: %s", s->client_host, why);
        session_close(s, CLOSE_TLS_FAILED);
        return;
    }
    /* Without it an attacker could make a client of another protocol speak to us. */
    if (s->direct_tls && !tls_agreed_on_postgresql(s->client.ssl)) {
        session_close(s, CLOSE_TLS_FAILED);
        return;
    }
    session_set_state(s, SESSION_STARTUP);
    leg_read(&s->client, true);
}

static void begin_tls(struct session *s)
{
    SSL *ssl = tls_accept(tls_of(s), s->client.fd);
    if (ssl == NULL) {
        session_close(s, CLOSE_NO_MEMORY);
        return;
    }
    leg_start_tls(&s->client, ssl);
    session_set_state(s, SESSION_ACCEPTING_TLS);
    continue_tls(s);
}

/* --- requests for encryption --- */

static void refuse_early_bytes(struct session *s)
{
    static const struct refusal why = {
        .reason = CLOSE_EARLY_BYTES,
        .sqlstate = "08P01",
        .text = "pgsleuth: received unencrypted data after a request for encryption",
    };
    session_refuse(s, &why);
}

/* PostgreSQL takes a request that comes too late for a StartupMessage of a strange version. */
static void refuse_late_request(struct session *s, enum wire_startup_kind kind)
{
    const struct refusal why = {
        .reason = CLOSE_BAD_STARTUP,
        .sqlstate = "0A000",
        .text = kind == WIRE_STARTUP_SSL
                    ? "pgsleuth: unsupported frontend protocol 1234.5679: TLS was asked for already"
                    : "pgsleuth: unsupported frontend protocol 1234.5680: encryption was asked for "
                      "already",
    };
    session_refuse(s, &why);
}

static void answer(struct session *s, const char *byte)
{
    packet_free(&s->packet);
    if (leg_send(&s->client, span_of(byte, 1)) != LEG_OK)
        session_close(s, CLOSE_CLIENT_LOST);
}

static bool by_unix_socket(const struct session *s)
{
    return address_is_unix(&s->worker->options.listen[s->route].items[0]);
}

static void encryption_requested(struct session *s, enum wire_startup_kind kind)
{
    bool tls = kind == WIRE_STARTUP_SSL;
    if (s->client.ssl != NULL || (tls ? s->asked_tls : s->asked_gss)) {
        refuse_late_request(s, kind);
        return;
    }
    s->asked_tls = s->asked_tls || tls;
    s->asked_gss = s->asked_gss || !tls;
    /* Something came together with the request: it cannot be trusted. */
    uint8_t early;
    if (leg_peek(&s->client, &early, 1) > 0) {
        refuse_early_bytes(s);
        return;
    }
    bool accept = tls && tls_has_certificate(tls_of(s)) && !by_unix_socket(s);
    answer(s, accept ? "S" : "N");
    if (accept && s->state == SESSION_STARTUP)
        begin_tls(s);
}

/* --- packets --- */

static void packet_complete(struct session *s)
{
    enum wire_startup_kind kind = wire_startup_kind_of(span_of(s->packet.data, s->packet.need));
    switch (kind) {
    case WIRE_STARTUP_SSL:
    case WIRE_STARTUP_GSSENC:
        encryption_requested(s, kind);
        return;
    case WIRE_STARTUP_BAD:
        session_close(s, CLOSE_BAD_STARTUP);
        return;
    case WIRE_STARTUP_CANCEL:
        s->courier = true;
        break;
    case WIRE_STARTUP_SESSION:
        break;
    }
    handshake_server_begin(s);
}

/* The first byte of all: TLS at once, or a start-up packet. True when a packet can be read. */
static bool first_byte(struct session *s)
{
    uint8_t byte = 0;
    ssize_t n = leg_peek(&s->client, &byte, 1);
    if (n == LEG_AGAIN)
        return false;
    if (n != 1) {
        session_close(s, CLOSE_CLIENT_LEFT);
        return false;
    }
    if (byte != WIRE_TLS_HANDSHAKE)
        return true;
    /* PostgreSQL without a certificate closes without a word. */
    s->direct_tls = true;
    if (tls_has_certificate(tls_of(s)))
        begin_tls(s);
    else
        session_close(s, CLOSE_TLS_REFUSED);
    /* A quick client's handshake is over at once, and TLS may have read its packet together with
     * the end of it: then no event of the socket tells of the packet any more. */
    return s->state == SESSION_STARTUP;
}

/* Read on; true when a whole packet, or its length word, is there. */
static bool read_packet(struct session *s)
{
    if (s->packet.data == NULL) {
        bool at_start = s->client.ssl == NULL && !s->asked_tls && !s->asked_gss;
        if (at_start && !first_byte(s))
            return false;
        if (!packet_expect(&s->packet, WIRE_LENGTH_WORD)) {
            session_close(s, CLOSE_NO_MEMORY);
            return false;
        }
    }
    int r = packet_fill(&s->packet, &s->client);
    if (r == LEG_LOST)
        session_close(s, CLOSE_CLIENT_LEFT);
    return r == LEG_OK;
}

static void length_complete(struct session *s)
{
    size_t len = wire_startup_length(s->packet.data);
    if (len == 0)
        session_close(s, CLOSE_BAD_STARTUP);
    else if (!packet_expect(&s->packet, len))
        session_close(s, CLOSE_NO_MEMORY);
}

void handshake_client_ready(struct session *s)
{
    if (s->state == SESSION_ACCEPTING_TLS)
        continue_tls(s);
    while (s->state == SESSION_STARTUP && read_packet(s)) {
        if (s->packet.need == WIRE_LENGTH_WORD)
            length_complete(s);
        else
            packet_complete(s);
    }
}
