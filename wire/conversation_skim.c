#include "wire/conversation_parts.h"

/* A driver that loads rows by pipelining (asyncpg's executemany) may have more requests on the way
 * than is sensible to hold. Each of its Syncs is answered by one ReadyForQuery, whatever failed
 * before it: so when the counts meet and nothing stands behind the last Sync, client and server are
 * in step again, and nothing needs to be known of what was between. That holds for the extended
 * protocol alone: a Query may be skipped after an error, and COPY-IN swallows Syncs. */

/* Count what is outstanding; false when it holds something whose replies cannot be counted so. */
static bool count_queue(struct wire_conversation *c, struct wire_skim *skim)
{
    for (uint32_t i = 0; i < c->queue_count; i++) {
        const struct wire_request *request = queue_at(c, i);
        switch (request->kind) {
        case WIRE_ASK_QUERY:
        case WIRE_ASK_FUNCTION:
        case WIRE_ASK_COPY_END:
            return false;
        case WIRE_ASK_SYNC:
            skim->replies++;
            break;
        case WIRE_ASK_EXECUTE:
            skim->executes++;
            break;
        case WIRE_ASK_PARSE:
        case WIRE_ASK_CLOSE:
            skim->renamed = true;
            break;
        case WIRE_ASK_BIND:
        case WIRE_ASK_DESCRIBE_STATEMENT:
        case WIRE_ASK_DESCRIBE_PORTAL:
            break;
        }
        skim->unsynced = request->kind != WIRE_ASK_SYNC;
    }
    return true;
}

void skim_or_opaque(struct wire_conversation *c, enum wire_opaque_reason reason, int64_t now_us)
{
    struct wire_skim skim = {.reason = c->account.refused ? WIRE_OPAQUE_MEMORY_CAP : reason};
    if (c->phase != WIRE_READY || c->copy_in || !count_queue(c, &skim)) {
        wire_conversation_make_opaque(c, reason, now_us);
        return;
    }
    exchange_abandon(c);
    queue_clear(c);
    forget_portals(c);
    /* What the names take would soon be refused again. */
    if (c->account.held > c->account.budget->max / WIRE_SESSION_SHARE / 2) {
        wire_conversation_make_opaque(c, reason, now_us);
        return;
    }
    c->account.refused = false;
    c->skipping = false;
    c->skim = skim;
    c->phase = WIRE_SKIMMING;
}

void skim_write(struct wire_conversation *c, int64_t now_us)
{
    if (c->skim.executes == 0)
        return;
    size_t size = sizeof(struct record_unread);
    struct record_unread *r = ring_reserve(c->ctx->ring, size);
    if (r != NULL) {
        *r = (struct record_unread){
            .h = {.len = (uint32_t)size, .type = RECORD_UNREAD},
            .session = c->session,
            .time_us = now_us,
            .statements = c->skim.executes,
            .reason = (uint16_t)c->skim.reason,
        };
        ring_commit(c->ctx->ring);
    }
    c->skim = (struct wire_skim){.replies = 0};
}

/* What the name means from now on is not known. */
static int forget_name(struct wire_conversation *c, struct span name)
{
    c->skim.renamed = true;
    prepared_release(c, map64_remove(&c->prepared, name_hash(name)));
    return 0;
}

static int on_parse(struct wire_conversation *c, const struct wire_message *m)
{
    struct wire_parse parse;
    return wire_decode_parse(m, &parse) == 0 ? forget_name(c, parse.name) : WIRE_MALFORMED;
}

static int on_close(struct wire_conversation *c, const struct wire_message *m)
{
    struct wire_target target;
    if (wire_decode_target(m, &target) != 0)
        return WIRE_MALFORMED;
    return target.kind == 'S' ? forget_name(c, target.name) : 0;
}

int skim_from_client(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    switch ((enum wire_message_type)m->type) {
    case WIRE_SYNC:
        c->skim.replies++;
        c->skim.unsynced = false;
        c->round_trip++;
        return 0;
    case WIRE_EXECUTE:
        c->skim.executes++;
        c->skim.unsynced = true;
        return 0;
    case WIRE_PARSE:
        c->skim.unsynced = true;
        return on_parse(c, m);
    case WIRE_CLOSE:
        c->skim.unsynced = true;
        return on_close(c, m);
    case WIRE_BIND:
    case WIRE_DESCRIBE:
        c->skim.unsynced = true;
        return 0;
    case WIRE_FLUSH:
        return 0;
    case WIRE_TERMINATE:
        c->terminated = true;
        return 0;
    case WIRE_QUERY:
    case WIRE_FUNCTION_CALL:
    case WIRE_COPY_DATA:
    case WIRE_COPY_DONE:
    case WIRE_COPY_FAIL:
        wire_conversation_make_opaque(c, c->skim.reason, now_us);
        return 0;
    case WIRE_AUTHENTICATION_REPLY:
        break;
    }
    return WIRE_MALFORMED;
}

static int on_ready(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    uint8_t status;
    if (wire_decode_ready(m, &status) != 0 || c->skim.replies == 0)
        return WIRE_MALFORMED;
    c->tx = status;
    if (--c->skim.replies > 0 || c->skim.unsynced)
        return 0;
    skim_write(c, now_us);
    c->batch_index = 0;
    c->phase = WIRE_READY;
    return 0;
}

int skim_from_server(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    switch (m->type) {
    case WIRE_READY_FOR_QUERY:
        return on_ready(c, m, now_us);
    case WIRE_PARAMETER_STATUS:
        return on_parameter_status(c, m, now_us);
    case WIRE_ERROR_RESPONSE:
        /* Some Parse or Close may not have happened. */
        if (c->skim.renamed)
            forget_prepared(c);
        return 0;
    case WIRE_COPY_IN_RESPONSE:
    case WIRE_COPY_BOTH_RESPONSE:
        wire_conversation_make_opaque(c, c->skim.reason, now_us);
        return 0;
    default:
        return 0; /* the framer lets no type pass that the server does not send */
    }
}
