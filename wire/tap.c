#include "wire/tap.h"

#include <assert.h>

void wire_tap_begin(struct wire_tap *t, struct wire_context *ctx, uint64_t session,
                    const struct wire_session_info *info, int64_t now_us)
{
    wire_framer_init(&t->client, WIRE_FROM_CLIENT);
    wire_framer_init(&t->server, WIRE_FROM_SERVER);
    wire_conversation_begin(&t->conversation, ctx, session, info, now_us);
    t->client.account = &t->conversation.account;
    t->server.account = &t->conversation.account;
}

typedef void take_message(struct wire_conversation *c, const struct wire_message *m,
                          int64_t now_us);

/* The rows of a large result, as many at once as the piece holds. */
static void feed_rows(struct wire_tap *t, struct span *piece)
{
    uint64_t n;
    struct span rows = wire_framer_rows(&t->server, piece, &n);
    if (n > 0)
        wire_conversation_rows(&t->conversation, rows, n);
}

static void feed(struct wire_tap *t, struct wire_framer *framer, take_message *take,
                 struct span piece, int64_t now_us)
{
    struct wire_message message;
    while (!wire_tap_is_opaque(t)) {
        if (framer == &t->server && wire_conversation_takes_rows(&t->conversation))
            feed_rows(t, &piece);
        enum wire_outcome outcome = wire_framer_next(framer, &piece, &message);
        if (outcome == WIRE_NEED_MORE)
            return;
        if (outcome == WIRE_ERROR)
            wire_conversation_make_opaque(&t->conversation, framer->error, now_us);
        else
            take(&t->conversation, &message, now_us);
    }
    wire_framer_fini(&t->client);
    wire_framer_fini(&t->server);
}

void wire_tap_from_client(struct wire_tap *t, struct span piece, int64_t now_us)
{
    feed(t, &t->client, wire_conversation_from_client, piece, now_us);
}

void wire_tap_from_server(struct wire_tap *t, struct span piece, int64_t now_us)
{
    feed(t, &t->server, wire_conversation_from_server, piece, now_us);
}

void wire_tap_end(struct wire_tap *t, const struct wire_session_end *end)
{
    wire_conversation_end(&t->conversation, end);
    wire_framer_fini(&t->client);
    wire_framer_fini(&t->server);
    assert(t->conversation.account.held == 0);
}
