#include "wire/conversation_parts.h"

#include "common/hash.h"

#include <stdlib.h>

/* --- objects with references --- */

/* What an object is charged with: itself, the statement that it may be the last to hold, and what
 * malloc adds to both. */
static size_t object_cost(const struct pool *pool)
{
    return pool->object_size + sizeof(struct wire_statement) + 4 * sizeof(void *);
}

void *object_get(struct wire_conversation *c, struct pool *pool)
{
    if (!wire_account_charge(&c->account, object_cost(pool)))
        return NULL;
    void *object = pool_get(pool);
    if (object == NULL)
        wire_account_credit(&c->account, object_cost(pool));
    return object;
}

static void object_put(struct wire_conversation *c, struct pool *pool, void *object)
{
    wire_account_credit(&c->account, object_cost(pool));
    pool_put(pool, object);
}

struct wire_columns *columns_ref(struct wire_columns *columns)
{
    if (columns != NULL)
        columns->refs++;
    return columns;
}

void columns_release(struct wire_conversation *c, struct wire_columns *columns)
{
    if (columns != NULL && --columns->refs == 0)
        object_put(c, &c->ctx->columns, columns);
}

struct wire_prepared *prepared_ref(struct wire_prepared *prepared)
{
    if (prepared != NULL)
        prepared->refs++;
    return prepared;
}

void prepared_release(struct wire_conversation *c, struct wire_prepared *prepared)
{
    if (prepared == NULL || --prepared->refs > 0)
        return;
    wire_statement_unref(prepared->statement);
    columns_release(c, prepared->columns);
    object_put(c, &c->ctx->prepared, prepared);
}

struct wire_portal *portal_ref(struct wire_portal *portal)
{
    if (portal != NULL)
        portal->refs++;
    return portal;
}

void portal_release(struct wire_conversation *c, struct wire_portal *portal)
{
    if (portal == NULL || --portal->refs > 0)
        return;
    wire_statement_unref(portal->statement);
    prepared_release(c, portal->prepared);
    columns_release(c, portal->columns);
    object_put(c, &c->ctx->portals, portal);
}

/* --- names --- */

uint64_t name_hash(struct span name)
{
    /* The server keeps the first 63 bytes of a name (NAMEDATALEN - 1). */
    struct span kept = span_head(name, 63);
    return XXH3_64bits(kept.data, kept.len);
}

void account_names(struct wire_conversation *c)
{
    size_t bytes = map64_bytes(&c->prepared) + map64_bytes(&c->portals);
    if (bytes < c->names_bytes)
        wire_account_credit(&c->account, c->names_bytes - bytes);
    else if (bytes > c->names_bytes && !wire_account_charge(&c->account, bytes - c->names_bytes))
        return; /* the session is about to go opaque */
    c->names_bytes = bytes;
}

void forget_portals(struct wire_conversation *c)
{
    size_t at = 0;
    struct wire_portal *portal;
    while ((portal = map64_next(&c->portals, &at, NULL)) != NULL)
        portal_release(c, portal);
    map64_clear(&c->portals);
    account_names(c);
}

void forget_prepared(struct wire_conversation *c)
{
    size_t at = 0;
    struct wire_prepared *prepared;
    while ((prepared = map64_next(&c->prepared, &at, NULL)) != NULL)
        prepared_release(c, prepared);
    map64_fini(&c->prepared);
    account_names(c);
}

/* In round trips; wraps as they do. */
static uint32_t age(const struct wire_conversation *c, const struct wire_prepared *prepared)
{
    return c->round_trip - prepared->last_used;
}

void forget_least_used(struct wire_conversation *c)
{
    struct map64 kept;
    map64_init(&kept, WIRE_MAX_NAMES);
    uint32_t oldest = 0;
    size_t at = 0;
    uint64_t name;
    struct wire_prepared *prepared;
    while ((prepared = map64_next(&c->prepared, &at, &name)) != NULL)
        oldest = age(c, prepared) > oldest ? age(c, prepared) : oldest;
    at = 0;
    while ((prepared = map64_next(&c->prepared, &at, &name)) != NULL) {
        bool young = age(c, prepared) < oldest / 2;
        if (!young || map64_put(&kept, name, prepared) != MAP64_OK)
            prepared_release(c, prepared);
    }
    map64_fini(&c->prepared);
    c->prepared = kept;
}

/* --- the queue --- */

enum { FIRST_QUEUE = 8, KEEP_QUEUE = 64 };

static void queue_free(struct wire_conversation *c)
{
    wire_account_credit(&c->account, c->queue_size * sizeof(*c->queue));
    free(c->queue);
    c->queue = NULL;
    c->queue_size = 0;
}

static bool queue_grow(struct wire_conversation *c)
{
    uint32_t size = c->queue_size == 0 ? FIRST_QUEUE : c->queue_size * 2;
    if (size > WIRE_MAX_REQUESTS || !wire_account_charge(&c->account, size * sizeof(*c->queue)))
        return false;
    struct wire_request *queue = calloc(size, sizeof(*queue));
    if (queue == NULL) {
        wire_account_credit(&c->account, size * sizeof(*queue));
        return false;
    }
    for (uint32_t i = 0; i < c->queue_count; i++)
        queue[i] = *queue_at(c, i);
    queue_free(c);
    c->queue = queue;
    c->queue_size = size;
    c->queue_head = 0;
    return true;
}

struct wire_request *queue_at(struct wire_conversation *c, uint32_t i)
{
    return &c->queue[(c->queue_head + i) & (c->queue_size - 1)];
}

struct wire_request *queue_push(struct wire_conversation *c, enum wire_request_kind kind,
                                int64_t now_us)
{
    if (c->queue_count == c->queue_size && !queue_grow(c)) {
        bool deep = c->queue_size >= WIRE_MAX_REQUESTS;
        skim_or_opaque(c, deep ? WIRE_OPAQUE_PIPELINE_TOO_DEEP : WIRE_OPAQUE_NO_MEMORY, now_us);
        return NULL;
    }
    struct wire_request *request = queue_at(c, c->queue_count++);
    *request = (struct wire_request){.kind = kind, .round_trip = c->round_trip, .start_us = now_us};
    return request;
}

struct wire_request *queue_head(struct wire_conversation *c)
{
    /* A CopyDone outside COPY is ignored by the server: nothing answers it. */
    while (c->queue_count > 0 && queue_at(c, 0)->kind == WIRE_ASK_COPY_END)
        queue_pop(c);
    return c->queue_count > 0 ? queue_at(c, 0) : NULL;
}

static void batch_release(struct wire_conversation *c, struct wire_batch *batch)
{
    if (batch == NULL)
        return;
    for (uint32_t i = 0; i < WIRE_MAX_BATCH; i++)
        portal_release(c, batch->items[i]);
    wire_account_credit(&c->account, sizeof(*batch));
    free(batch);
}

static void request_release(struct wire_conversation *c, struct wire_request *request)
{
    prepared_release(c, request->prepared);
    prepared_release(c, request->replaced);
    portal_release(c, request->portal);
    batch_release(c, request->batch);
}

void queue_pop(struct wire_conversation *c)
{
    request_release(c, queue_at(c, 0));
    c->queue_head = (c->queue_head + 1) & (c->queue_size - 1);
    c->queue_count--;
    /* One deep pipeline is no reason to hold its room for the rest of the session. */
    if (c->queue_count == 0 && c->queue_size > KEEP_QUEUE)
        queue_free(c);
}

void queue_clear(struct wire_conversation *c)
{
    while (c->queue_count > 0)
        queue_pop(c);
    queue_free(c);
}

/* A refused Parse or Close changes nothing on the server: let the name mean what it did. */
static void undo(struct wire_conversation *c, struct wire_request *request)
{
    if (!request->undoes)
        return;
    prepared_release(c, map64_remove(&c->prepared, request->name));
    if (request->replaced != NULL &&
        map64_put(&c->prepared, request->name, request->replaced) == MAP64_OK)
        request->replaced = NULL;
}

/* A Parse without a name drops the unnamed statement before it can fail: nothing to go back to. */
static void lose_unnamed(struct wire_conversation *c, struct wire_request *failed)
{
    if (failed->kind != WIRE_ASK_PARSE || failed->name != name_hash(span_of(NULL, 0)))
        return;
    prepared_release(c, failed->replaced);
    failed->replaced = NULL;
}

void queue_skip_to_sync(struct wire_conversation *c)
{
    uint32_t n = 0;
    while (n < c->queue_count && queue_at(c, n)->kind != WIRE_ASK_SYNC)
        n++;
    c->skipping = n == c->queue_count;
    if (n > 0)
        lose_unnamed(c, queue_at(c, 0));
    for (uint32_t i = n; i > 0; i--)
        undo(c, queue_at(c, i - 1));
    while (n-- > 0)
        queue_pop(c);
}

void queue_begin_copy_in(struct wire_conversation *c)
{
    uint32_t kept = 1; /* the Query or Execute that the server is answering */
    struct wire_request *head = queue_at(c, 0);
    bool ended = false;
    c->open.bytes += head->copy_bytes;
    head->copy_bytes = 0;
    for (uint32_t i = 1; i < c->queue_count; i++) {
        struct wire_request *request = queue_at(c, i);
        if (!ended && request->kind == WIRE_ASK_SYNC) {
            c->open.bytes += request->copy_bytes;
            continue;
        }
        if (!ended && request->kind == WIRE_ASK_COPY_END) {
            ended = true;
            head->copy_bytes = request->copy_bytes; /* for the next COPY of a Query */
            continue;
        }
        if (kept != i)
            *queue_at(c, kept) = *request;
        kept++;
    }
    c->queue_count = kept;
    c->copy_in = !ended;
}

/* --- life --- */

static uint16_t short_len(struct span s)
{
    return (uint16_t)(s.len < 1024 ? s.len : 1024);
}

static uint8_t *put(uint8_t *at, struct span s)
{
    uint16_t len = short_len(s);
    if (len > 0)
        memcpy(at, s.data, len);
    return at + len;
}

static void write_session_start(struct wire_conversation *c, const struct wire_session_info *info,
                                int64_t now_us)
{
    size_t tail = (size_t)short_len(info->user) + short_len(info->database) +
                  short_len(info->application) + short_len(info->client);
    size_t size = record_size(sizeof(struct record_session_start), tail);
    struct record_session_start *r = ring_reserve(c->ctx->ring, size);
    if (r == NULL)
        return;
    memset(r, 0, size);
    *r = (struct record_session_start){
        .h = {.len = (uint32_t)size, .type = RECORD_SESSION_START},
        .session = c->session,
        .time_us = now_us,
        .user_len = short_len(info->user),
        .database_len = short_len(info->database),
        .application_len = short_len(info->application),
        .client_len = short_len(info->client),
    };
    put(put(put(put((uint8_t *)(r + 1), info->user), info->database), info->application),
        info->client);
    ring_commit(c->ctx->ring);
}

static void write_peer(struct wire_conversation *c, uint64_t peer, int64_t now_us)
{
    struct record_peer *r = peer != 0 ? ring_reserve(c->ctx->ring, sizeof(*r)) : NULL;
    if (r == NULL)
        return;
    *r = (struct record_peer){
        .h = {.len = sizeof(*r), .type = RECORD_PEER},
        .session = c->session,
        .peer = peer,
        .time_us = now_us,
    };
    ring_commit(c->ctx->ring);
}

void wire_conversation_begin(struct wire_conversation *c, struct wire_context *ctx,
                             uint64_t session, const struct wire_session_info *info, int64_t now_us)
{
    *c = (struct wire_conversation){
        .ctx = ctx,
        .account = {.budget = &ctx->budget},
        .session = session,
        .dialect = {.standard_conforming_strings = true},
        .round_trip = 1,
        .started_us = now_us,
    };
    map64_init(&c->prepared, WIRE_MAX_NAMES);
    map64_init(&c->portals, WIRE_MAX_NAMES);
    write_session_start(c, info, now_us);
    write_peer(c, info->peer, now_us);
}

static void forget_everything(struct wire_conversation *c)
{
    exchange_abandon(c);
    queue_clear(c);
    forget_portals(c);
    map64_fini(&c->portals);
    forget_prepared(c);
}

void wire_conversation_make_opaque(struct wire_conversation *c, enum wire_opaque_reason reason,
                                   int64_t now_us)
{
    if (c->phase == WIRE_OPAQUE)
        return;
    forget_everything(c);
    skim_write(c, now_us);
    c->phase = WIRE_OPAQUE;
    c->opaque_reason = c->account.refused ? WIRE_OPAQUE_MEMORY_CAP : reason;
    size_t size = sizeof(struct record_session_opaque);
    struct record_session_opaque *r = ring_reserve(c->ctx->ring, size);
    if (r == NULL)
        return;
    *r = (struct record_session_opaque){
        .h = {.len = (uint32_t)size, .type = RECORD_SESSION_OPAQUE},
        .session = c->session,
        .time_us = now_us,
        .reason = (uint16_t)c->opaque_reason,
    };
    ring_commit(c->ctx->ring);
}

void wire_conversation_end(struct wire_conversation *c, const struct wire_session_end *end)
{
    forget_everything(c);
    skim_write(c, end->now_us);
    size_t size = sizeof(struct record_session_end);
    struct record_session_end *r = ring_reserve(c->ctx->ring, size);
    if (r == NULL)
        return;
    *r = (struct record_session_end){
        .h = {.len = (uint32_t)size, .type = RECORD_SESSION_END},
        .session = c->session,
        .time_us = end->now_us,
        .bytes_from_client = end->bytes_from_client,
        .bytes_from_server = end->bytes_from_server,
        .startup_us = c->startup_us,
        .reason = end->reason,
        .terminate = c->terminated,
        .stopped = end->stopped,
    };
    ring_commit(c->ctx->ring);
}
