#include "wire/conversation_parts.h"

#include "common/hash.h"
#include "wire/values.h"

#include <stdlib.h>

static struct wire_portal *portal_new(struct wire_conversation *c)
{
    struct wire_portal *portal = object_get(c, &c->ctx->portals);
    if (portal != NULL) {
        /* Everything but the values themselves, which n_values guards. */
        memset(portal, 0, offsetof(struct wire_portal, values));
        portal->refs = 1;
    }
    return portal;
}

/* --- Query --- */

/* One statement of a Query with its literals. */
static struct wire_portal *scan_statement(struct wire_conversation *c, const struct wire_sql *sql,
                                          size_t from, struct sql_scan *scan)
{
    uint64_t trace;
    struct wire_statement *statement = wire_statement_intern(c->ctx, sql, from, scan, &trace);
    struct wire_portal *portal = portal_new(c);
    if (statement == NULL || portal == NULL) {
        wire_statement_unref(statement);
        portal_release(c, portal);
        return NULL;
    }
    portal->statement = statement;
    portal->tag = statement->tag;
    portal->trace = trace;
    portal->values_hash = scan->values_hash;
    portal->limit = scan->limit.value;
    portal->offset = scan->offset.value;
    portal->n_values = (uint8_t)scan->n_values;
    memcpy(portal->values, scan->values, scan->n_values * sizeof(scan->values[0]));
    if (scan->flags & SQL_SCAN_LIST)
        portal->flags |= EXCHANGE_LIST;
    if (scan->flags & SQL_SCAN_VALUES_CUT)
        portal->flags |= EXCHANGE_VALUES_CUT;
    if (sql->tail.len > 0 && scan->next >= sql->text.len) {
        /* Values stand in what was not kept: their hash would make different Queries look alike. */
        portal->values_hash = 0;
        portal->flags |= EXCHANGE_VALUES_CUT;
    }
    return portal;
}

/* The comment with the tag stands behind the last statement: it speaks for each that has none. */
static void share_tag(struct wire_batch *batch, uint64_t tag, uint64_t trace)
{
    for (uint32_t i = 0; i < batch->count && i < WIRE_MAX_BATCH; i++) {
        struct wire_portal *portal = batch->items[i];
        portal->tag = portal->tag != 0 ? portal->tag : tag;
        portal->trace = portal->trace != 0 ? portal->trace : trace;
    }
}

static struct wire_batch *batch_new(struct wire_conversation *c)
{
    if (!wire_account_charge(&c->account, sizeof(struct wire_batch)))
        return NULL;
    struct wire_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        wire_account_credit(&c->account, sizeof(*batch));
    return batch;
}

/* The statements behind the first one. */
static bool scan_batch(struct wire_conversation *c, const struct wire_sql *sql,
                       struct wire_request *request, struct sql_scan *scan)
{
    struct wire_batch *batch = NULL;
    uint64_t tag = 0;
    uint64_t trace = 0;
    while (scan->next < sql->text.len) {
        struct wire_portal *portal = scan_statement(c, sql, scan->next, scan);
        if (portal == NULL)
            return false;
        if (scan->verb == SQL_VERB_EMPTY) {
            portal_release(c, portal);
            continue;
        }
        if (batch == NULL) {
            batch = batch_new(c);
            if (batch == NULL) {
                portal_release(c, portal);
                return false;
            }
            batch->count = 1;
            batch->items[0] = portal_ref(request->portal);
            request->batch = batch;
        }
        tag = portal->tag;
        trace = portal->trace;
        if (batch->count < WIRE_MAX_BATCH)
            batch->items[batch->count] = portal;
        else
            portal_release(c, portal);
        batch->count++;
    }
    if (batch != NULL)
        share_tag(batch, tag, trace);
    return true;
}

static int on_query(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_sql sql = {.tail = m->tail, .dialect = c->dialect, .now_us = now_us};
    if (wire_decode_query(m, &sql.text) != 0)
        return WIRE_MALFORMED;
    struct wire_request *request = queue_push(c, WIRE_ASK_QUERY, now_us);
    if (request == NULL)
        return 0;
    c->round_trip++;
    /* A Query destroys the unnamed statement; one that is skipped does not. */
    request->undoes = true;
    request->name = name_hash(span_of(NULL, 0));
    request->replaced = map64_remove(&c->prepared, request->name);
    struct sql_scan scan = {.next = 0};
    request->portal = scan_statement(c, &sql, 0, &scan);
    /* `;;select 1`: the server answers for the first statement that is not empty. */
    while (request->portal != NULL && scan.verb == SQL_VERB_EMPTY && scan.next < sql.text.len) {
        portal_release(c, request->portal);
        request->portal = scan_statement(c, &sql, scan.next, &scan);
    }
    if (request->portal == NULL || !scan_batch(c, &sql, request, &scan))
        wire_conversation_make_opaque(c, WIRE_OPAQUE_NO_MEMORY, now_us);
    return 0;
}

/* --- Parse --- */

static struct wire_prepared *prepared_new(struct wire_conversation *c,
                                          const struct wire_parse *parse,
                                          const struct wire_message *m, int64_t now_us)
{
    struct wire_prepared *prepared = object_get(c, &c->ctx->prepared);
    if (prepared == NULL)
        return NULL;
    *prepared =
        (struct wire_prepared){.refs = 1, .last_used = c->round_trip, .n_types = parse->n_types};
    memcpy(prepared->types, parse->types, parse->n_types * sizeof(parse->types[0]));
    struct wire_sql sql = {
        .text = parse->text, .tail = m->tail, .dialect = c->dialect, .now_us = now_us};
    struct sql_scan scan;
    prepared->statement = wire_statement_intern(c->ctx, &sql, 0, &scan, &prepared->trace);
    if (prepared->statement == NULL) {
        prepared_release(c, prepared);
        return NULL;
    }
    prepared->limit = scan.limit;
    prepared->offset = scan.offset;
    return prepared;
}

/* Give a name its statement. When there are too many names, those not bound for long go: a driver
 * that drops statements by SQL (psycopg's `DEALLOCATE _pg3_7`) never says Close. A name that is not
 * in the map is unknown: its executions are counted, without a statement. */
static void enter_name(struct wire_conversation *c, uint64_t name, struct wire_prepared *prepared)
{
    int r = map64_put(&c->prepared, name, prepared);
    if (r == MAP64_FULL) {
        forget_least_used(c);
        r = map64_put(&c->prepared, name, prepared);
    }
    if (r == MAP64_OK)
        prepared_ref(prepared);
    account_names(c);
}

static int on_parse(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_parse parse;
    if (wire_decode_parse(m, &parse) != 0)
        return WIRE_MALFORMED;
    struct wire_request *request = queue_push(c, WIRE_ASK_PARSE, now_us);
    if (request == NULL)
        return 0;
    struct wire_prepared *prepared = prepared_new(c, &parse, m, now_us);
    if (prepared == NULL) {
        skim_or_opaque(c, WIRE_OPAQUE_NO_MEMORY, now_us);
        return 0;
    }
    request->name = name_hash(parse.name);
    request->prepared = prepared;
    request->undoes = true;
    request->replaced = map64_remove(&c->prepared, request->name);
    enter_name(c, request->name, prepared);
    return 0;
}

/* --- Bind --- */

static void bind_values(struct wire_portal *portal, const struct wire_prepared *prepared,
                        const struct wire_bind *bind)
{
    uint64_t all = 0; /* as for literals: the same values give the same hash */
    for (unsigned i = 0; i < bind->n_params; i++) {
        const struct wire_param *p = &bind->params[i];
        uint32_t type = prepared != NULL && i < prepared->n_types ? prepared->types[i] : 0;
        uint64_t hash =
            p->null ? wire_value_hash_null() : wire_value_hash(type, p->format, p->value);
        all = wire_hash_combine(all, hash);
        if (portal->n_values < SQL_MAX_VALUES)
            portal->values[portal->n_values++] = hash;
    }
    if (bind->total_params > bind->n_params) {
        /* Those past the first count by their bytes; of a cut message they are not known, and no
         * hash is better than one that makes different values look alike. */
        all = wire_hash_combine(all, XXH3_64bits(bind->rest.data, bind->rest.len));
        portal->flags |= EXCHANGE_VALUES_CUT;
    }
    portal->values_hash = bind->cut ? 0 : all;
}

static uint64_t bound_value(struct sql_bound bound, const struct wire_bind *bind)
{
    uint64_t value = 0;
    if (bound.param == 0)
        return bound.value;
    if (bound.param > bind->n_params)
        return 0;
    const struct wire_param *p = &bind->params[bound.param - 1];
    return !p->null && wire_value_count(p->format, p->value, &value) ? value : 0;
}

static size_t param_size(const struct wire_param *p)
{
    return 12 + ((p->value.len + 3) & ~(size_t)3);
}

/* Hand the bound values to the auditor, in memory only, so that a plan can be asked for with real
 * ones. */
static void sample_params(struct wire_conversation *c, const struct wire_prepared *prepared,
                          const struct wire_bind *bind)
{
    size_t len = 0;
    for (unsigned i = 0; i < bind->n_params; i++)
        len += param_size(&bind->params[i]);
    if (len > RECORD_SAMPLE_MAX || bind->n_params < bind->total_params)
        return;
    size_t size = record_size(sizeof(struct record_sample), len);
    struct record_sample *r = ring_reserve(c->ctx->ring, size);
    if (r == NULL)
        return;
    memset(r, 0, size);
    *r = (struct record_sample){
        .h = {.len = (uint32_t)size, .type = RECORD_SAMPLE},
        .id = prepared->statement->id,
        .len = (uint32_t)len,
        .n_params = (uint16_t)bind->n_params,
        .is_params = 1,
    };
    uint8_t *at = (uint8_t *)(r + 1);
    for (unsigned i = 0; i < bind->n_params; i++) {
        const struct wire_param *p = &bind->params[i];
        uint32_t type = i < prepared->n_types ? prepared->types[i] : 0;
        int32_t value_len = p->null ? -1 : (int32_t)p->value.len;
        memcpy(at, &type, sizeof(type));
        memcpy(at + 4, &p->format, sizeof(p->format));
        memcpy(at + 8, &value_len, sizeof(value_len));
        if (p->value.len > 0)
            memcpy(at + 12, p->value.data, p->value.len);
        at += param_size(p);
    }
    ring_commit(c->ctx->ring);
}

static void maybe_sample_params(struct wire_conversation *c, const struct wire_prepared *prepared,
                                const struct wire_bind *bind, int64_t now_us)
{
    struct wire_statement *s = prepared->statement;
    if (!c->ctx->want_samples || bind->total_params == 0 || now_us < s->params_after_us)
        return;
    if (!wire_may_be_explained((enum sql_verb)s->verb))
        return;
    sample_params(c, prepared, bind);
    s->params_after_us = wire_sample_after(&s->params_taken, now_us);
}

static void fill_portal(struct wire_conversation *c, struct wire_portal *portal,
                        struct wire_prepared *prepared, const struct wire_bind *bind)
{
    portal->serial = ++c->next_portal;
    if (portal->serial == 0) /* zero means "none" in the record */
        portal->serial = ++c->next_portal;
    portal->binary_results = bind->binary_results;
    if (prepared == NULL) {
        portal->flags |= EXCHANGE_UNKNOWN;
    } else {
        portal->statement = wire_statement_ref(prepared->statement);
        portal->prepared = prepared_ref(prepared);
        portal->columns = columns_ref(prepared->columns);
        portal->tag = prepared->statement->tag;
        portal->trace = prepared->trace;
        portal->limit = bound_value(prepared->limit, bind);
        portal->offset = bound_value(prepared->offset, bind);
        if (prepared->statement->scan_flags & SQL_SCAN_LIST)
            portal->flags |= EXCHANGE_LIST;
        /* Not by round trips: asyncpg closes what its cache drops between Parse and Bind. */
        portal->flags |= prepared->bound ? EXCHANGE_REUSED : 0;
        prepared->bound = true;
    }
    bind_values(portal, prepared, bind);
}

static int on_bind(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_bind bind;
    if (wire_decode_bind(m, &bind) != 0)
        return WIRE_MALFORMED;
    struct wire_request *request = queue_push(c, WIRE_ASK_BIND, now_us);
    if (request == NULL)
        return 0;
    struct wire_portal *portal = portal_new(c);
    if (portal == NULL) {
        skim_or_opaque(c, WIRE_OPAQUE_NO_MEMORY, now_us);
        return 0;
    }
    struct wire_prepared *prepared = map64_get(&c->prepared, name_hash(bind.statement));
    fill_portal(c, portal, prepared, &bind);
    if (prepared != NULL) {
        prepared->last_used = c->round_trip;
        maybe_sample_params(c, prepared, &bind, now_us);
    }
    request->portal = portal;
    request->name = name_hash(bind.portal);
    portal_release(c, map64_remove(&c->portals, request->name));
    if (map64_put(&c->portals, request->name, portal) == MAP64_OK)
        portal_ref(portal);
    account_names(c);
    return 0;
}

/* --- Describe, Execute, Close --- */

static int on_describe(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_target target;
    if (wire_decode_target(m, &target) != 0)
        return WIRE_MALFORMED;
    bool portal = target.kind == 'P';
    struct wire_request *request =
        queue_push(c, portal ? WIRE_ASK_DESCRIBE_PORTAL : WIRE_ASK_DESCRIBE_STATEMENT, now_us);
    if (request == NULL)
        return 0;
    uint64_t name = name_hash(target.name);
    if (portal)
        request->portal = portal_ref(map64_get(&c->portals, name));
    else
        request->prepared = prepared_ref(map64_get(&c->prepared, name));
    return 0;
}

static int on_execute(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_execute execute;
    if (wire_decode_execute(m, &execute) != 0)
        return WIRE_MALFORMED;
    struct wire_request *request = queue_push(c, WIRE_ASK_EXECUTE, now_us);
    if (request == NULL)
        return 0;
    request->max_rows = execute.max_rows;
    request->portal = portal_ref(map64_get(&c->portals, name_hash(execute.portal)));
    return 0;
}

static int on_close(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_target target;
    if (wire_decode_target(m, &target) != 0)
        return WIRE_MALFORMED;
    struct wire_request *request = queue_push(c, WIRE_ASK_CLOSE, now_us);
    if (request == NULL)
        return 0;
    request->name = name_hash(target.name);
    if (target.kind == 'P') {
        portal_release(c, map64_remove(&c->portals, request->name));
        return 0;
    }
    request->undoes = true;
    request->replaced = map64_remove(&c->prepared, request->name);
    return 0;
}

/* --- the rest --- */

static void on_sync(struct wire_conversation *c, int64_t now_us)
{
    if (c->copy_in)
        return;
    c->skipping = false;
    if (queue_push(c, WIRE_ASK_SYNC, now_us) != NULL)
        c->round_trip++;
}

static void on_copy_end(struct wire_conversation *c, int64_t now_us)
{
    /* Before CopyInResponse was seen the end waits in the queue, so that what stands before it is
     * swallowed. */
    if (c->copy_in)
        c->copy_in = false;
    else if (c->queue_count > 0)
        queue_push(c, WIRE_ASK_COPY_END, now_us);
}

static void on_copy_data(struct wire_conversation *c, const struct wire_message *m)
{
    if (c->copy_in)
        c->open.bytes += m->body_len;
    else if (c->queue_count > 0)
        queue_at(c, c->queue_count - 1)->copy_bytes += m->body_len;
}

static int dispatch(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    switch ((enum wire_message_type)m->type) {
    case WIRE_QUERY:
        return on_query(c, m, now_us);
    case WIRE_PARSE:
        return on_parse(c, m, now_us);
    case WIRE_BIND:
        return on_bind(c, m, now_us);
    case WIRE_DESCRIBE:
        return on_describe(c, m, now_us);
    case WIRE_EXECUTE:
        return on_execute(c, m, now_us);
    case WIRE_CLOSE:
        return on_close(c, m, now_us);
    case WIRE_SYNC:
        on_sync(c, now_us);
        return 0;
    case WIRE_FLUSH: /* forces delivery, has no reply */
        return 0;
    case WIRE_TERMINATE:
        c->terminated = true;
        return 0;
    case WIRE_FUNCTION_CALL:
        if (queue_push(c, WIRE_ASK_FUNCTION, now_us) != NULL)
            c->round_trip++;
        return 0;
    case WIRE_COPY_DATA:
        on_copy_data(c, m);
        return 0;
    case WIRE_COPY_DONE:
    case WIRE_COPY_FAIL:
        on_copy_end(c, now_us);
        return 0;
    case WIRE_AUTHENTICATION_REPLY:
        return c->phase == WIRE_STARTING ? 0 : WIRE_MALFORMED;
    }
    return WIRE_MALFORMED;
}

void wire_conversation_from_client(struct wire_conversation *c, const struct wire_message *m,
                                   int64_t now_us)
{
    if (c->phase == WIRE_OPAQUE)
        return;
    int r = 0;
    /* The server ignores all but Sync and Terminate while it skips. */
    bool ignored = c->skipping && m->type != WIRE_SYNC && m->type != WIRE_TERMINATE;
    if (c->phase != WIRE_SKIMMING && !ignored)
        r = dispatch(c, m, now_us);
    if (c->phase == WIRE_SKIMMING)
        r = skim_from_client(c, m, now_us);
    if (r != 0 || c->account.refused)
        wire_conversation_make_opaque(c, WIRE_OPAQUE_BAD_BODY, now_us);
}
