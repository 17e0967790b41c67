#include "common/log.h"
#include "proxy/handshake.h"
#include "proxy/relay.h"
#include "proxy/worker.h"
#include "wire/sasl.h"

enum {
    HEADER = 5, /* type byte and length word */
    /* Longer messages than these are no part of a SCRAM login: from the server a notice may be the
     * longest, from the client its first message. */
    MESSAGE_MAX = 32 * 1024,
};

bool handshake_auth_is_needed(const struct session *s)
{
    if (s->courier || s->server.ssl == NULL)
        return false;
    if (s->client.ssl == NULL)
        return s->worker->options.strip_channel_binding;
    return !tls_same_certificate(s->client.ssl, s->server.ssl);
}

/* Read on until one whole message is in the packet: LEG_OK, LEG_AGAIN, or LEG_LOST. A message that
 * is too long to be of interest is left at its header: then `have` is HEADER. */
static int read_message(struct session *s, struct leg *leg)
{
    struct packet *p = &s->packet;
    if (p->data == NULL && !packet_expect(p, HEADER))
        return LEG_NO_MEMORY;
    int r = packet_fill(p, leg);
    if (r != LEG_OK || p->need > HEADER)
        return r;
    uint32_t len = (uint32_t)p->data[1] << 24 | (uint32_t)p->data[2] << 16 |
                   (uint32_t)p->data[3] << 8 | p->data[4];
    if (len <= HEADER - 1 || len > MESSAGE_MAX)
        return LEG_OK;
    return packet_expect(p, len + 1) ? packet_fill(p, leg) : LEG_NO_MEMORY;
}

/* Pass on what is in the packet. False when the other side is slow or gone: then the relay takes it
 * from here. */
static bool forward(struct session *s, struct leg *from, struct leg *to)
{
    struct packet p = s->packet;
    s->packet = (struct packet){.data = NULL};
    bool more = relay_forward(s, from, to, span_of(p.data, p.have));
    packet_free(&p);
    return more;
}

/* --- what the server says --- */

/* True when the login is still to be looked at. */
static bool is_open(struct session *s)
{
    struct span message = span_of(s->packet.data, s->packet.have);
    switch (message.data[0]) {
    case WIRE_NOTICE_RESPONSE:
    case WIRE_NEGOTIATE_PROTOCOL_VERSION:
        return message.len > HEADER;
    case WIRE_AUTHENTICATION:
        break;
    default:
        return false;
    }
    if (!wire_sasl_offers_plus(message))
        return false;
    if (s->client.ssl == NULL)
        s->packet.have = wire_sasl_strip_plus(s->packet.data, s->packet.have);
    else
        s->watch_client = true;
    return s->watch_client;
}

void handshake_auth_server_readable(struct session *s)
{
    while (s->state == SESSION_AUTHENTICATING && !s->watch_client) {
        int r = read_message(s, &s->server);
        if (r == LEG_AGAIN || (r == LEG_LOST && handshake_server_lost(s)))
            return;
        if (r != LEG_OK || !is_open(s))
            session_set_state(s, SESSION_RELAYING);
        if (!forward(s, &s->server, &s->client))
            return;
    }
    relay_server_readable(s);
}

/* --- what the client answers --- */

static void refuse_binding(struct session *s)
{
    static const struct refusal why = {
        .reason = CLOSE_CHANNEL_BINDING,
        .sqlstate = "28000",
        .text = "pgsleuth: this login is bound to the TLS certificate that the client sees (SCRAM "
                "channel binding), which is pgsleuth's and not the server's",
        .hint =
            "Give pgsleuth the server's own certificate and key (--tls-cert, --tls-key), or set "
            "channel_binding=disable in the application's URL, or, where pgsleuth runs beside "
            "the server, sslmode=disable in its upstream URL.",
    };
    if (!atomic_exchange(&s->worker->options.shared->told_of_binding, true))
        log_warning(
            "logins with SCRAM channel binding are refused: clients see another certificate "
            "than the server's. With sslmode=prefer libpq then tries again without TLS. %s",
            why.hint);
    session_refuse(s, &why);
}

void handshake_auth_client_readable(struct session *s)
{
    if (s->watch_client) {
        int r = read_message(s, &s->client);
        if (r == LEG_AGAIN)
            return;
        s->watch_client = false;
        struct span message = span_of(s->packet.data, s->packet.have);
        if (r == LEG_OK && message.data[0] == WIRE_AUTHENTICATION_REPLY &&
            wire_sasl_binding(message) != WIRE_BINDING_NONE) {
            refuse_binding(s);
            return;
        }
        session_set_state(s, SESSION_RELAYING);
        if (!forward(s, &s->client, &s->server))
            return;
    }
    relay_client_readable(s);
}
