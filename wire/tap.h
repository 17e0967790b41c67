/*
 * The decoding side of a session: two framers and a conversation, shown a copy of what was already
 * forwarded.
 *
 * Pieces may be of any size and cut anywhere. After the first fault the tap is opaque and costs
 * nothing.
 */
#ifndef PGSLEUTH_WIRE_TAP_H
#define PGSLEUTH_WIRE_TAP_H

#include "wire/conversation.h"

struct wire_tap {
    struct wire_framer client;
    struct wire_framer server;
    struct wire_conversation conversation;
};

/* Start after the StartupMessage was read and before the server's first byte. */
void wire_tap_begin(struct wire_tap *t, struct wire_context *ctx, uint64_t session,
                    const struct wire_session_info *info, int64_t now_us);
void wire_tap_from_client(struct wire_tap *t, struct span piece, int64_t now_us);
void wire_tap_from_server(struct wire_tap *t, struct span piece, int64_t now_us);
void wire_tap_end(struct wire_tap *t, const struct wire_session_end *end);

static inline bool wire_tap_is_opaque(const struct wire_tap *t)
{
    return t->conversation.phase == WIRE_OPAQUE;
}

#endif
