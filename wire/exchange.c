#include "wire/conversation_parts.h"

#include "common/bulk_hash.h"
#include "wire/values.h"

#include <assert.h>

static uint32_t saturate(int64_t us)
{
    if (us < 0)
        return 0;
    return us > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* --- columns --- */

static bool is_text(uint32_t type_oid)
{
    return type_oid == WIRE_OID_TEXT || type_oid == WIRE_OID_VARCHAR || type_oid == WIRE_OID_BPCHAR;
}

/* Watch a column: numbers and uuids before texts, which give up their place. */
static void watch(struct wire_columns *columns, const struct wire_field *field, unsigned i)
{
    if (!wire_type_is_key_like(field->type_oid) || i >= UINT16_MAX)
        return;
    unsigned at = columns->n_keys;
    if (at == RECORD_MAX_KEYS) {
        if (is_text(field->type_oid))
            return;
        at = 0;
        while (at < RECORD_MAX_KEYS && !is_text(columns->keys[at].type_oid))
            at++;
        if (at == RECORD_MAX_KEYS)
            return;
        /* Columns stay in the order of the row. */
        memmove(&columns->keys[at], &columns->keys[at + 1],
                (RECORD_MAX_KEYS - at - 1) * sizeof(columns->keys[0]));
        at = RECORD_MAX_KEYS - 1;
        columns->n_keys--;
    }
    columns->keys[at] = (struct wire_key_column){.table_oid = field->table_oid,
                                                 .type_oid = field->type_oid,
                                                 .attnum = field->attnum,
                                                 .column = (uint16_t)i};
    columns->n_keys++;
}

/* The fields as a record: columns first, then their names. The names are gathered at the end of the
 * reservation's upper bound first, since their number is known only after one pass. */
static bool announce_columns(struct wire_conversation *c, const struct wire_message *m,
                             struct sql_id id)
{
    struct reader r;
    unsigned total;
    struct wire_field field;
    if (wire_begin_fields(m, &r, &total) != 0)
        return false;
    size_t names = 0;
    unsigned n = 0;
    while (n < total && n < RECORD_MAX_COLUMNS && wire_next_field(&r, &field) == 0) {
        names += field.name.len;
        n++;
    }
    size_t columns_size = n * sizeof(struct record_column);
    size_t size = record_size(sizeof(struct record_columns), columns_size + names);
    struct record_columns *out = size > RECORD_MAX_BYTES ? NULL : ring_reserve(c->ctx->ring, size);
    if (out == NULL)
        return false;
    memset(out, 0, size);
    *out = (struct record_columns){.h = {.len = (uint32_t)size, .type = RECORD_COLUMNS},
                                   .id = id,
                                   .n_columns = (uint16_t)n,
                                   .total = (uint16_t)total,
                                   .names_len = (uint32_t)names};
    struct record_column *column = (struct record_column *)(void *)(out + 1);
    uint8_t *name = (uint8_t *)(column + n);
    wire_begin_fields(m, &r, &total);
    for (unsigned i = 0; i < n && wire_next_field(&r, &field) == 0; i++) {
        column[i] = (struct record_column){.table_oid = field.table_oid,
                                           .type_oid = field.type_oid,
                                           .attnum = field.attnum,
                                           .name_len = (uint16_t)field.name.len};
        if (field.name.len > 0)
            memcpy(name, field.name.data, field.name.len);
        name += field.name.len;
    }
    ring_commit(c->ctx->ring);
    return true;
}

struct wire_columns *columns_read(struct wire_conversation *c, const struct wire_message *m,
                                  struct wire_statement *statement)
{
    struct reader r;
    unsigned total;
    if (wire_begin_fields(m, &r, &total) != 0)
        return NULL;
    struct wire_columns *columns = object_get(c, &c->ctx->columns);
    if (columns == NULL)
        return NULL;
    *columns = (struct wire_columns){.refs = 1, .total = (uint16_t)total};
    for (unsigned i = 0; i < total; i++) {
        struct wire_field field;
        if (wire_next_field(&r, &field) != 0) {
            if (m->cut)
                break;
            columns_release(c, columns);
            return NULL;
        }
        if (i < WIRE_MAX_FORMATS && field.format == 1)
            columns->binary |= UINT64_C(1) << i;
        watch(columns, &field, i);
    }
    if (statement != NULL && !statement->announced_columns)
        statement->announced_columns = announce_columns(c, m, statement->id);
    return columns;
}

/* --- one exchange --- */

static struct wire_portal *portal_of_head(struct wire_conversation *c,
                                          const struct wire_request *head)
{
    if (head->batch == NULL)
        return head->portal;
    return c->batch_index < WIRE_MAX_BATCH ? head->batch->items[c->batch_index] : NULL;
}

/* Those of the portal; else those of its statement, whose Describe may have been sent behind the
 * Bind. */
static struct wire_columns *columns_of(const struct wire_portal *portal)
{
    if (portal == NULL)
        return NULL;
    if (portal->columns == NULL && portal->prepared != NULL)
        return portal->prepared->columns;
    return portal->columns;
}

struct wire_exchange *exchange_open(struct wire_conversation *c, int64_t now_us)
{
    if (c->open.state == WIRE_EXCHANGE_OPEN)
        return &c->open;
    struct wire_request *head = queue_head(c);
    if (head == NULL || (head->kind != WIRE_ASK_QUERY && head->kind != WIRE_ASK_EXECUTE))
        return NULL;
    struct wire_portal *portal = portal_of_head(c, head);
    c->open = (struct wire_exchange){
        .state = WIRE_EXCHANGE_OPEN,
        .flags = head->kind == WIRE_ASK_EXECUTE ? EXCHANGE_EXTENDED : 0,
        .round_trip = head->round_trip,
        .max_rows = head->max_rows,
        .first_us = saturate(now_us - head->start_us),
        .batch_index = c->batch_index,
        .batch_count =
            head->batch != NULL
                ? (uint16_t)(head->batch->count > UINT16_MAX ? UINT16_MAX : head->batch->count)
                : 1,
        .tx_before = c->tx,
        .start_us = head->start_us,
        .portal = portal_ref(portal),
        .columns = columns_ref(columns_of(portal)),
    };
    if (head->batch != NULL)
        c->open.flags |= EXCHANGE_BATCH;
    if (portal == NULL)
        c->open.flags |= EXCHANGE_UNKNOWN;
    return &c->open;
}

/* What a refused Parse would have been bound to, so that its exchange names the statement. */
static struct wire_portal *portal_of_parse(struct wire_conversation *c,
                                           const struct wire_prepared *prepared)
{
    struct wire_portal *portal = object_get(c, &c->ctx->portals);
    if (portal == NULL)
        return NULL;
    memset(portal, 0, sizeof(*portal));
    portal->refs = 1;
    portal->tag = prepared->statement->tag;
    portal->trace = prepared->trace;
    portal->statement = wire_statement_ref(prepared->statement);
    return portal;
}

struct wire_exchange *exchange_open_failed(struct wire_conversation *c, struct wire_request *head,
                                           int64_t now_us)
{
    if (head->kind == WIRE_ASK_QUERY || head->kind == WIRE_ASK_EXECUTE)
        return exchange_open(c, now_us);
    struct wire_portal *portal = portal_ref(head->portal);
    if (portal == NULL && head->prepared != NULL)
        portal = portal_of_parse(c, head->prepared);
    if (portal == NULL)
        return NULL;
    c->open = (struct wire_exchange){
        .state = WIRE_EXCHANGE_OPEN,
        .flags = EXCHANGE_EXTENDED,
        .round_trip = head->round_trip,
        .first_us = saturate(now_us - head->start_us),
        .tx_before = c->tx,
        .batch_count = 1,
        .start_us = head->start_us,
        .portal = portal,
    };
    return &c->open;
}

/* Which columns come in binary: for a Query as RowDescription says, for a portal as Bind asked. */
static bool column_is_binary(const struct wire_exchange *x, unsigned column)
{
    if (column >= WIRE_MAX_FORMATS)
        return x->flags & EXCHANGE_EXTENDED && x->portal != NULL &&
               x->portal->binary_results == UINT64_MAX;
    bool extended = x->flags & EXCHANGE_EXTENDED && x->portal != NULL;
    uint64_t binary = extended ? x->portal->binary_results : x->columns->binary;
    return binary >> column & 1;
}

/* Keep the key-like values of one row; a row that ends early leaves the rest as "no value". */
static void keep_keys(struct wire_exchange *x, const struct wire_message *m)
{
    const struct wire_columns *columns = x->columns;
    uint64_t *row = x->key_hashes + (size_t)x->key_rows * columns->n_keys;
    for (unsigned k = 0; k < columns->n_keys; k++)
        row[k] = wire_value_hash_null();
    struct reader r;
    unsigned n;
    if (wire_begin_columns(m, &r, &n) != 0)
        return;
    unsigned k = 0;
    for (unsigned i = 0; i < n && k < columns->n_keys; i++) {
        struct span value;
        bool null;
        if (wire_next_column(&r, &value, &null) != 0)
            break;
        if (columns->keys[k].column != i)
            continue;
        if (!null && value.len <= WIRE_VALUE_MAX) {
            row[k] = wire_value_hash(columns->keys[k].type_oid, column_is_binary(x, i), value);
            x->any_key = true;
        }
        k++;
    }
    x->key_rows++;
}

static void maybe_keep_keys(struct wire_conversation *c, struct wire_exchange *x,
                            const struct wire_message *m)
{
    if (x->columns == NULL || x->columns->n_keys == 0)
        return;
    if ((x->flags & EXCHANGE_KEYS_CUT) != 0)
        return;
    if (x->key_hashes == NULL && x->rows == 1)
        x->key_hashes = pool_get(&c->ctx->key_hashes);
    if (x->key_hashes != NULL &&
        ((size_t)x->key_rows + 1) * x->columns->n_keys <= RECORD_MAX_KEY_HASHES)
        keep_keys(x, m);
    else
        x->flags |= EXCHANGE_KEYS_CUT;
}

/* Values that are all too long for keys, or NULL, will not become any in the rows that follow. */
static void give_up_keys(struct wire_conversation *c, struct wire_exchange *x)
{
    pool_put(&c->ctx->key_hashes, x->key_hashes);
    x->key_hashes = NULL;
    x->key_rows = 0;
    x->flags |= EXCHANGE_KEYS_CUT;
}

static void measure_widths(struct wire_conversation *c, struct wire_exchange *x,
                           const struct wire_message *m)
{
    if (x->widths == NULL && x->rows == WIDTHS_SKIP + 1) {
        x->widths = pool_get(&c->ctx->widths);
        if (x->widths != NULL)
            wire_widths_init(x->widths);
    }
    if (x->widths != NULL)
        wire_widths_row(x->widths, m);
}

/* --- the rest of a large result: counted and hashed, not looked at --- */

/* Behind these rows nothing is learned of each: widths are measured, and keys are full or not
 * there.
 */
static bool has_seen_enough(const struct wire_exchange *x)
{
    bool wants_keys = x->columns != NULL && x->columns->n_keys > 0;
    return x->rows >= WIDTHS_SKIP + WIDTHS_ROWS &&
           (!wants_keys || (x->flags & EXCHANGE_KEYS_CUT) != 0);
}

static void begin_rest(struct wire_conversation *c, struct wire_exchange *x)
{
    x->rest = pool_get(&c->ctx->rests);
    if (x->rest != NULL)
        bulk_hash_init(x->rest, x->result_hash);
    else
        x->rows_cut = true; /* no hash: how it is made must not depend on what else goes on */
}

void wire_conversation_rows(struct wire_conversation *c, struct span rows, uint64_t n)
{
    c->open.rows += n;
    c->open.bytes += rows.len - WIRE_HEADER * n;
    bulk_hash_add(c->open.rest, rows.data, rows.len);
}

/* One that did not lie whole in its piece: the same bytes. */
static void rest_row(struct wire_exchange *x, const struct wire_message *m)
{
    uint32_t len = m->body_len + 4;
    const uint8_t header[WIRE_HEADER] = {m->type, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
                                         (uint8_t)(len >> 8), (uint8_t)len};
    bulk_hash_add(x->rest, header, sizeof(header));
    bulk_hash_add(x->rest, m->body.data, m->body.len);
}

static uint64_t result_hash(const struct wire_exchange *x)
{
    if (x->rows_cut)
        return 0;
    return x->rest != NULL ? bulk_hash_value(x->rest) : x->result_hash;
}

/* --- rows --- */

void exchange_row(struct wire_conversation *c, struct wire_exchange *x,
                  const struct wire_message *m)
{
    x->rows++;
    x->bytes += m->body_len;
    x->rows_cut = x->rows_cut || m->cut;
    if (x->rest != NULL) {
        rest_row(x, m);
        return;
    }
    if (x->rows > WIDTHS_SKIP && x->rows <= WIDTHS_SKIP + WIDTHS_ROWS)
        measure_widths(c, x, m);
    x->result_hash = XXH3_64bits_withSeed(m->body.data, m->body.len, x->result_hash + m->body_len);
    maybe_keep_keys(c, x, m);
    if (x->rows == WIDTHS_SKIP && x->key_hashes != NULL && !x->any_key)
        give_up_keys(c, x);
    if (has_seen_enough(x) && !x->rows_cut)
        begin_rest(c, x);
}

static void exchange_clear(struct wire_conversation *c, struct wire_exchange *x)
{
    pool_put(&c->ctx->key_hashes, x->key_hashes);
    pool_put(&c->ctx->widths, x->widths);
    pool_put(&c->ctx->rests, x->rest);
    portal_release(c, x->portal);
    columns_release(c, x->columns);
    *x = (struct wire_exchange){.state = WIRE_EXCHANGE_NONE};
}

void exchange_close(struct wire_conversation *c, int64_t now_us)
{
    assert(c->open.state == WIRE_EXCHANGE_OPEN);
    exchange_flush(c, 0);
    c->open.total_us = saturate(now_us - c->open.start_us);
    c->done = c->open;
    c->done.state = WIRE_EXCHANGE_DONE;
    c->open = (struct wire_exchange){.state = WIRE_EXCHANGE_NONE};
}

void exchange_abandon(struct wire_conversation *c)
{
    exchange_flush(c, 0);
    exchange_clear(c, &c->open);
}

/* --- writing --- */

static struct record_exchange exchange_record(const struct wire_conversation *c,
                                              const struct wire_exchange *x, uint8_t tx_after)
{
    const struct wire_portal *portal = x->portal;
    const struct wire_statement *s = portal != NULL ? portal->statement : NULL;
    struct record_exchange r = {
        .h = {.type = RECORD_EXCHANGE},
        .session = c->session,
        .start_us = x->start_us,
        .first_us = x->first_us,
        .total_us = x->total_us,
        .rows = x->rows,
        .bytes = x->bytes,
        .result_hash = result_hash(x),
        .round_trip = x->round_trip,
        .max_rows = x->max_rows,
        .batch_index = x->batch_index,
        .batch_count = x->batch_count,
        .exchange_flags = x->flags,
        .verb = SQL_VERB_OTHER,
        .tx_before = x->tx_before,
        .tx_after = tx_after,
        .affected = x->affected,
    };
    memcpy(r.sqlstate, x->sqlstate, sizeof(r.sqlstate));
    if (portal != NULL) {
        r.values_hash = portal->values_hash;
        r.limit = portal->limit;
        r.offset = portal->offset;
        r.tag = portal->tag;
        r.trace = portal->trace;
        r.portal = portal->serial;
        r.n_values = portal->n_values;
        r.exchange_flags |= portal->flags;
    }
    if (s != NULL) {
        r.id = s->id;
        r.verb = s->verb;
    }
    if (!c->wrote_any)
        r.exchange_flags |= EXCHANGE_FIRST_OF_CONNECTION;
    else if (x->round_trip == c->last_round_trip && !(x->flags & EXCHANGE_BATCH))
        r.exchange_flags |= EXCHANGE_PIPELINED;
    return r;
}

/* Key hashes were gathered by rows and are written by columns. */
static void put_keys(const struct wire_exchange *x, uint8_t *at)
{
    const struct wire_columns *columns = x->columns;
    struct record_key *key = (struct record_key *)(void *)at;
    uint64_t *hash = (uint64_t *)(void *)(key + columns->n_keys);
    for (unsigned k = 0; k < columns->n_keys; k++) {
        key[k] = (struct record_key){.table_oid = columns->keys[k].table_oid,
                                     .type_oid = columns->keys[k].type_oid,
                                     .attnum = columns->keys[k].attnum,
                                     .column = columns->keys[k].column,
                                     .count = x->key_rows};
        for (unsigned row = 0; row < x->key_rows; row++)
            *hash++ = x->key_hashes[(size_t)row * columns->n_keys + k];
    }
}

static void write_widths(struct wire_conversation *c, const struct wire_exchange *x)
{
    const struct wire_widths *w = x->widths;
    if (w == NULL || w->n == 0 || x->portal == NULL || x->portal->statement == NULL)
        return;
    size_t size = record_size(sizeof(struct record_widths), w->n * sizeof(w->columns[0]));
    struct record_widths *out = ring_reserve(c->ctx->ring, size);
    if (out == NULL)
        return;
    *out = (struct record_widths){.h = {.len = (uint32_t)size, .type = RECORD_WIDTHS},
                                  .id = x->portal->statement->id,
                                  .rows = w->rows,
                                  .n = (uint16_t)w->n};
    memcpy(out + 1, w->columns, w->n * sizeof(w->columns[0]));
    ring_commit(c->ctx->ring);
}

void exchange_flush(struct wire_conversation *c, uint8_t tx_after)
{
    struct wire_exchange *x = &c->done;
    if (x->state != WIRE_EXCHANGE_DONE)
        return;
    write_widths(c, x);
    struct record_exchange fixed = exchange_record(c, x, tx_after);
    if (x->key_rows > 0) {
        fixed.n_keys = x->columns->n_keys;
        fixed.n_key_hashes = (uint16_t)(x->key_rows * x->columns->n_keys);
    }
    size_t values = fixed.n_values * sizeof(uint64_t);
    size_t keys = fixed.n_keys * sizeof(struct record_key) + fixed.n_key_hashes * sizeof(uint64_t);
    size_t size = record_size(sizeof(fixed), values + keys);
    fixed.h.len = (uint32_t)size;
    uint8_t *out = ring_reserve(c->ctx->ring, size);
    if (out != NULL) {
        memcpy(out, &fixed, sizeof(fixed));
        if (values > 0)
            memcpy(out + sizeof(fixed), x->portal->values, values);
        if (keys > 0)
            put_keys(x, out + sizeof(fixed) + values);
        ring_commit(c->ctx->ring);
    }
    c->wrote_any = true;
    c->last_round_trip = x->round_trip;
    exchange_clear(c, x);
}
