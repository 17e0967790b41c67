#include "wire/context.h"

#include "common/bulk_hash.h"
#include "wire/conversation.h"

#include <assert.h>
#include <stdlib.h>

enum {
    KEEP_POOLED = 256,
    KEEP_KEY_HASHES = 16,
    MAX_KEY_HASHES = 256,
    KEEP_WIDTHS = 4,
    MAX_WIDTHS = 64,
    KEEP_RESTS = 4,
    MAX_RESTS = 1024,
};

void wire_context_init(struct wire_context *ctx, struct ring *ring, bool want_samples)
{
    ctx->ring = ring;
    ctx->want_samples = want_samples;
    ctx->budget = (struct wire_budget){.max = SIZE_MAX};
    map64_init(&ctx->statements, WIRE_MAX_CACHED_STATEMENTS);
    map64_init(&ctx->tags, WIRE_MAX_CACHED_STATEMENTS);
    wire_memo_init(&ctx->memo);
    /* What of these is in use is bounded by the budget. */
    pool_init(&ctx->prepared, sizeof(struct wire_prepared), KEEP_POOLED, SIZE_MAX);
    pool_init(&ctx->portals, sizeof(struct wire_portal), KEEP_POOLED, SIZE_MAX);
    pool_init(&ctx->columns, sizeof(struct wire_columns), KEEP_POOLED, SIZE_MAX);
    pool_init(&ctx->key_hashes, RECORD_MAX_KEY_HASHES * sizeof(uint64_t), KEEP_KEY_HASHES,
              MAX_KEY_HASHES);
    pool_init(&ctx->widths, sizeof(struct wire_widths), KEEP_WIDTHS, MAX_WIDTHS);
    pool_init(&ctx->rests, sizeof(struct bulk_hash), KEEP_RESTS, MAX_RESTS);
}

static void forget_statements(struct wire_context *ctx)
{
    wire_memo_clear(&ctx->memo);
    size_t at = 0;
    struct wire_statement *s;
    while ((s = map64_next(&ctx->statements, &at, NULL)) != NULL)
        wire_statement_unref(s);
    map64_fini(&ctx->statements);
}

void wire_context_fini(struct wire_context *ctx)
{
    assert(ctx->budget.used == 0);
    forget_statements(ctx);
    map64_fini(&ctx->tags);
    pool_fini(&ctx->prepared);
    pool_fini(&ctx->portals);
    pool_fini(&ctx->columns);
    pool_fini(&ctx->key_hashes);
    pool_fini(&ctx->widths);
    pool_fini(&ctx->rests);
}

struct wire_statement *wire_statement_ref(struct wire_statement *s)
{
    s->refs++;
    return s;
}

void wire_statement_unref(struct wire_statement *s)
{
    if (s != NULL && --s->refs == 0)
        free(s);
}

/* False when the ring was full: the statement is to be announced again. */
static bool announce_statement(struct wire_context *ctx, const struct sql_scan *scan)
{
    size_t tail = scan->text_len + scan->n_holes;
    size_t size = record_size(sizeof(struct record_statement), tail);
    struct record_statement *r = ring_reserve(ctx->ring, size);
    if (r == NULL)
        return false;
    memset(r, 0, size);
    *r = (struct record_statement){
        .h = {.len = (uint32_t)size, .type = RECORD_STATEMENT},
        .id = scan->id,
        .verb = (uint16_t)scan->verb,
        .scan_flags = (uint16_t)scan->flags,
        .text_len = (uint16_t)scan->text_len,
        .kinds_len = (uint16_t)scan->n_holes,
    };
    memcpy(r + 1, ctx->text, scan->text_len);
    memcpy((char *)(r + 1) + scan->text_len, ctx->kinds, scan->n_holes);
    ring_commit(ctx->ring);
    return true;
}

static bool announce_tag(struct wire_context *ctx, uint64_t id)
{
    struct record_tag *r = ring_reserve(ctx->ring, record_tag_size(&ctx->tag));
    if (r == NULL)
        return false;
    record_tag_write(r, id, &ctx->tag);
    ring_commit(ctx->ring);
    return true;
}

static void announce_sample(struct wire_context *ctx, struct sql_id id, struct span text)
{
    size_t size = record_size(sizeof(struct record_sample), text.len);
    struct record_sample *r = ring_reserve(ctx->ring, size);
    if (r == NULL)
        return;
    memset(r, 0, size);
    *r = (struct record_sample){
        .h = {.len = (uint32_t)size, .type = RECORD_SAMPLE}, .id = id, .len = (uint32_t)text.len};
    memcpy(r + 1, text.data, text.len);
    ring_commit(ctx->ring);
}

/* Body of the last comment of a text's last bytes, when the text was too long to be scanned whole.
 */
static struct span comment_at_end(struct span tail)
{
    struct span none = {.data = NULL, .len = 0};
    size_t end = tail.len;
    while (end > 0 && (tail.data[end - 1] <= ' ' || tail.data[end - 1] == ';'))
        end--;
    if (end < 4 || tail.data[end - 1] != '/' || tail.data[end - 2] != '*')
        return none;
    size_t from = end - 2;
    while (from > 1 && !(tail.data[from - 2] == '/' && tail.data[from - 1] == '*'))
        from--;
    return from > 1 ? span_of(tail.data + from, end - 2 - from) : none;
}

/* Fill ctx->tag from the comments of a text; gives the tag's id. */
static uint64_t read_tag(struct wire_context *ctx, const struct wire_sql *sql,
                         const struct sql_scan *scan)
{
    if (scan->first_comment.len == 0 && scan->last_comment.len == 0 && sql->tail.len == 0) {
        ctx->tag.trace = 0;
        return 0;
    }
    sql_tag_init(&ctx->tag);
    if (sql->tail.len > 0)
        sql_tag_read(&ctx->tag, comment_at_end(sql->tail));
    sql_tag_read(&ctx->tag, scan->last_comment);
    sql_tag_read(&ctx->tag, scan->first_comment);
    uint64_t id = sql_tag_id(&ctx->tag);
    if (id == 0 || map64_get(&ctx->tags, id) != NULL || !announce_tag(ctx, id))
        return id;
    if (map64_put(&ctx->tags, id, ctx) != MAP64_OK)
        map64_fini(&ctx->tags); /* full: start over, tags that come again are announced again */
    return id;
}

static struct wire_statement *make_statement(struct wire_context *ctx, const struct sql_scan *scan,
                                             uint64_t tag, uint64_t key)
{
    struct wire_statement *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->verb = (uint8_t)scan->verb;
    s->scan_flags = (uint16_t)scan->flags;
    s->id = scan->id;
    s->tag = tag;
    s->key = key;
    s->announced = announce_statement(ctx, scan);
    /* Two texts whose keys meet by chance share no identity: the later one is not cached. */
    if (map64_get(&ctx->statements, key) != NULL)
        return s;
    if (ctx->statements.count >= WIRE_MAX_CACHED_STATEMENTS)
        forget_statements(ctx);
    if (map64_put(&ctx->statements, key, s) == MAP64_OK)
        wire_statement_ref(s);
    return s;
}

/* Whether the values of this text are wanted for an EXPLAIN. */
static bool wants_sample(const struct wire_context *ctx, const struct wire_statement *s,
                         int64_t now_us)
{
    return ctx->want_samples && wire_may_be_explained((enum sql_verb)s->verb) &&
           now_us >= s->sample_after_us;
}

/* The statement of a text that came before; NULL when the text has to be scanned. */
static struct wire_statement *recall(struct wire_context *ctx, const struct wire_sql *sql,
                                     struct sql_scan *scan)
{
    const struct wire_known *known = wire_memo_find(&ctx->memo, sql->text, sql->dialect);
    if (known == NULL || wants_sample(ctx, known->statement, sql->now_us))
        return NULL;
    *scan = known->scan;
    return wire_statement_ref(known->statement);
}

/* Of a statement that is announced and has no trace id, everything is in its scan. */
static bool may_recall(const struct wire_context *ctx, const struct wire_statement *s)
{
    return s->announced && ctx->tag.trace == 0 &&
           (s->tag == 0 || map64_get(&ctx->tags, s->tag) != NULL);
}

static struct wire_statement *find_statement(struct wire_context *ctx, const struct sql_scan *scan,
                                             uint64_t tag)
{
    uint64_t key = scan->id.lo ^ (tag << 1 | tag >> 63);
    struct wire_statement *s = map64_get(&ctx->statements, key);
    if (s == NULL || !sql_id_equal(s->id, scan->id) || s->tag != tag)
        return make_statement(ctx, scan, tag, key);
    s->announced = s->announced || announce_statement(ctx, scan);
    return wire_statement_ref(s);
}

struct wire_statement *wire_statement_intern(struct wire_context *ctx, const struct wire_sql *sql,
                                             size_t from, struct sql_scan *scan, uint64_t *trace)
{
    struct sql_masked masked = {.text = ctx->text,
                                .text_size = sizeof(ctx->text),
                                .kinds = ctx->kinds,
                                .kinds_size = sizeof(ctx->kinds)};
    bool alone = from == 0 && sql->tail.len == 0;
    *trace = 0;
    struct wire_statement *s = alone ? recall(ctx, sql, scan) : NULL;
    if (s != NULL)
        return s;
    sql_scan(sql->text, from, sql->dialect, masked, scan);
    s = find_statement(ctx, scan, read_tag(ctx, sql, scan));
    if (s == NULL)
        return NULL;
    *trace = ctx->tag.trace;
    if (alone && may_recall(ctx, s))
        wire_memo_put(&ctx->memo, sql->text, sql->dialect, scan, s);
    if (!wants_sample(ctx, s, sql->now_us))
        return s;
    struct span text = span_skip(span_head(sql->text, scan->next), from);
    if (text.len <= RECORD_SAMPLE_MAX && sql->tail.len == 0)
        announce_sample(ctx, s->id, text);
    s->sample_after_us = wire_sample_after(&s->samples_taken, sql->now_us);
    return s;
}
