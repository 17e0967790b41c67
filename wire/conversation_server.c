#include "wire/conversation_parts.h"

static int wrong(struct wire_conversation *c, int64_t now_us)
{
    wire_conversation_make_opaque(c, WIRE_OPAQUE_UNEXPECTED_REPLY, now_us);
    return 0;
}

/* The head of the queue if it is of this kind, else NULL. */
static struct wire_request *head_of_kind(struct wire_conversation *c, enum wire_request_kind kind)
{
    struct wire_request *head = queue_head(c);
    return head != NULL && head->kind == kind ? head : NULL;
}

/* A reply that only takes its request off the queue. */
static int on_answered(struct wire_conversation *c, enum wire_request_kind kind, int64_t now_us)
{
    if (head_of_kind(c, kind) == NULL)
        return wrong(c, now_us);
    queue_pop(c);
    return 0;
}

/* --- descriptions --- */

static int on_parameter_description(struct wire_conversation *c, const struct wire_message *m,
                                    int64_t now_us)
{
    struct wire_request *head = head_of_kind(c, WIRE_ASK_DESCRIBE_STATEMENT);
    if (head == NULL)
        return wrong(c, now_us);
    uint32_t types[WIRE_MAX_PARAMS];
    unsigned n;
    if (wire_decode_parameter_description(m, types, WIRE_MAX_PARAMS, &n) != 0)
        return WIRE_MALFORMED;
    if (head->prepared != NULL) {
        memcpy(head->prepared->types, types, n * sizeof(types[0]));
        head->prepared->n_types = n;
    }
    return 0;
}

static int replace_columns(struct wire_conversation *c, struct wire_columns **where,
                           const struct wire_message *m, struct wire_statement *statement)
{
    struct wire_columns *columns = columns_read(c, m, statement);
    if (columns == NULL)
        return WIRE_MALFORMED;
    columns_release(c, *where);
    *where = columns;
    return 0;
}

static int describe_head(struct wire_conversation *c, const struct wire_message *m,
                         struct wire_request *head)
{
    int r = 0;
    if (head->kind == WIRE_ASK_DESCRIBE_STATEMENT && head->prepared != NULL)
        r = replace_columns(c, &head->prepared->columns, m, head->prepared->statement);
    else if (head->kind == WIRE_ASK_DESCRIBE_PORTAL && head->portal != NULL)
        r = replace_columns(c, &head->portal->columns, m, head->portal->statement);
    if (r == 0)
        queue_pop(c);
    return r;
}

static int on_row_description(struct wire_conversation *c, const struct wire_message *m,
                              int64_t now_us)
{
    struct wire_request *head = queue_head(c);
    if (head == NULL)
        return wrong(c, now_us);
    if (head->kind == WIRE_ASK_DESCRIBE_STATEMENT || head->kind == WIRE_ASK_DESCRIBE_PORTAL)
        return describe_head(c, m, head);
    if (head->kind != WIRE_ASK_QUERY)
        return wrong(c, now_us);
    struct wire_exchange *x = exchange_open(c, now_us);
    if (x->columns != NULL) /* keys are counted by these columns; no server changes them midway */
        return wrong(c, now_us);
    return replace_columns(c, &x->columns, m, x->portal != NULL ? x->portal->statement : NULL);
}

static int on_no_data(struct wire_conversation *c, int64_t now_us)
{
    struct wire_request *head = queue_head(c);
    if (head == NULL ||
        (head->kind != WIRE_ASK_DESCRIBE_STATEMENT && head->kind != WIRE_ASK_DESCRIBE_PORTAL))
        return wrong(c, now_us);
    queue_pop(c);
    return 0;
}

/* --- rows and their end --- */

static int on_data_row(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_exchange *x = exchange_open(c, now_us);
    if (x == NULL)
        return wrong(c, now_us);
    exchange_row(c, x, m);
    return 0;
}

/* A statement of the head is complete: an Execute leaves the queue, a Query stays until
 * ReadyForQuery. */
static void complete(struct wire_conversation *c, int64_t now_us)
{
    struct wire_request *head = queue_head(c);
    exchange_close(c, now_us);
    if (head->kind == WIRE_ASK_EXECUTE)
        queue_pop(c);
    else if (c->batch_index < UINT16_MAX)
        c->batch_index++;
}

/* Statements that make names meaningless on the server. */
static void forget_names(struct wire_conversation *c, struct span tag)
{
    if (c->queue_count >
        1) /* the client has gone on: its later Parse may already stand in the map */
        return;
    if (span_is(tag, "DEALLOCATE ALL") || span_is(tag, "DISCARD ALL"))
        forget_prepared(c);
}

static int on_command_complete(struct wire_conversation *c, const struct wire_message *m,
                               int64_t now_us)
{
    struct span tag;
    uint64_t rows;
    if (wire_decode_command_complete(m, &tag, &rows) != 0)
        return WIRE_MALFORMED;
    struct wire_exchange *x = exchange_open(c, now_us);
    if (x == NULL)
        return wrong(c, now_us);
    x->affected = rows;
    c->copy_in = false;
    complete(c, now_us);
    forget_names(c, tag);
    return 0;
}

static int on_end_without_tag(struct wire_conversation *c, uint32_t flags, int64_t now_us)
{
    struct wire_exchange *x = exchange_open(c, now_us);
    if (x == NULL)
        return wrong(c, now_us);
    x->flags |= flags;
    complete(c, now_us);
    return 0;
}

static int on_ready(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    uint8_t status;
    if (wire_decode_ready(m, &status) != 0)
        return WIRE_MALFORMED;
    if (c->phase == WIRE_STARTING) {
        c->phase = WIRE_READY;
        c->tx = status;
        c->startup_us = now_us > c->started_us ? (uint32_t)(now_us - c->started_us) : 0;
        return 0;
    }
    struct wire_request *head = queue_head(c);
    bool ends = head != NULL && (head->kind == WIRE_ASK_QUERY || head->kind == WIRE_ASK_SYNC ||
                                 head->kind == WIRE_ASK_FUNCTION);
    if (!ends || c->open.state == WIRE_EXCHANGE_OPEN)
        return wrong(c, now_us);
    exchange_flush(c, status);
    queue_pop(c);
    c->batch_index = 0;
    c->copy_in = false;
    c->tx = status;
    /* Portals end with their transaction; not while the client is already binding for the next. */
    if (status == 'I' && c->portals.count > 0 && queue_head(c) == NULL)
        forget_portals(c);
    return 0;
}

/* --- errors --- */

static bool starts_skip(const struct wire_request *head)
{
    return head->kind != WIRE_ASK_QUERY && head->kind != WIRE_ASK_FUNCTION &&
           head->kind != WIRE_ASK_SYNC;
}

static int on_error(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_error error;
    if (wire_decode_error(m, &error) != 0)
        return WIRE_MALFORMED;
    c->copy_in = false;
    struct wire_request *head = queue_head(c);
    if (head == NULL || c->phase == WIRE_STARTING)
        return 0; /* refused at start-up, or FATAL while idle: the connection ends */
    struct wire_exchange *x = exchange_open_failed(c, head, now_us);
    if (x != NULL) {
        x->flags |= EXCHANGE_ERROR;
        memcpy(x->sqlstate, error.sqlstate, sizeof(x->sqlstate));
        exchange_close(c, now_us);
    }
    if (starts_skip(head))
        queue_skip_to_sync(c);
    return 0;
}

/* --- COPY --- */

static int on_copy_response(struct wire_conversation *c, bool in, int64_t now_us)
{
    struct wire_exchange *x = exchange_open(c, now_us);
    if (x == NULL)
        return wrong(c, now_us);
    x->flags |= EXCHANGE_COPY;
    if (in)
        queue_begin_copy_in(c);
    return 0;
}

static int on_copy_data(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    if (c->open.state != WIRE_EXCHANGE_OPEN || !(c->open.flags & EXCHANGE_COPY))
        return wrong(c, now_us);
    c->open.rows++;
    c->open.bytes += m->body_len;
    return 0;
}

/* --- settings of the session --- */

/* In these encodings a byte of a character may look like a quote or a backslash (PostgreSQL manual,
 * "Character Set Support": client-only encodings). */
static bool encoding_cannot_be_lexed(struct span encoding)
{
    static const char *const unsafe[] = {"SJIS",    "BIG5",  "GBK",           "UHC",
                                         "GB18030", "JOHAB", "SHIFT_JIS_2004"};
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        if (span_is(encoding, unsafe[i]))
            return true;
    }
    return false;
}

int on_parameter_status(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    struct wire_parameter p;
    if (wire_decode_parameter_status(m, &p) != 0)
        return WIRE_MALFORMED;
    if (span_is(p.name, "standard_conforming_strings"))
        c->dialect.standard_conforming_strings = span_is(p.value, "on");
    else if (span_is(p.name, "client_encoding") && encoding_cannot_be_lexed(p.value))
        wire_conversation_make_opaque(c, WIRE_OPAQUE_CLIENT_ENCODING, now_us);
    return 0;
}

static int dispatch(struct wire_conversation *c, const struct wire_message *m, int64_t now_us)
{
    switch ((enum wire_reply_type)m->type) {
    case WIRE_DATA_ROW:
        return on_data_row(c, m, now_us);
    case WIRE_READY_FOR_QUERY:
        return on_ready(c, m, now_us);
    case WIRE_COMMAND_COMPLETE:
        return on_command_complete(c, m, now_us);
    case WIRE_PARSE_COMPLETE:
        return on_answered(c, WIRE_ASK_PARSE, now_us);
    case WIRE_BIND_COMPLETE:
        return on_answered(c, WIRE_ASK_BIND, now_us);
    case WIRE_CLOSE_COMPLETE:
        return on_answered(c, WIRE_ASK_CLOSE, now_us);
    case WIRE_ROW_DESCRIPTION:
        return on_row_description(c, m, now_us);
    case WIRE_PARAMETER_DESCRIPTION:
        return on_parameter_description(c, m, now_us);
    case WIRE_NO_DATA:
        return on_no_data(c, now_us);
    case WIRE_EMPTY_QUERY_RESPONSE:
        return on_end_without_tag(c, 0, now_us);
    case WIRE_PORTAL_SUSPENDED:
        return on_end_without_tag(c, EXCHANGE_SUSPENDED, now_us);
    case WIRE_ERROR_RESPONSE:
        return on_error(c, m, now_us);
    case WIRE_COPY_IN_RESPONSE:
        return on_copy_response(c, true, now_us);
    case WIRE_COPY_OUT_RESPONSE:
        return on_copy_response(c, false, now_us);
    case WIRE_COPY_DATA_OUT:
        return on_copy_data(c, m, now_us);
    case WIRE_COPY_BOTH_RESPONSE:
        wire_conversation_make_opaque(c, WIRE_OPAQUE_REPLICATION, now_us);
        return 0;
    case WIRE_PARAMETER_STATUS:
        return on_parameter_status(c, m, now_us);
    case WIRE_FUNCTION_CALL_RESPONSE:
        return head_of_kind(c, WIRE_ASK_FUNCTION) != NULL ? 0 : wrong(c, now_us);
    case WIRE_AUTHENTICATION:
    case WIRE_NEGOTIATE_PROTOCOL_VERSION:
    case WIRE_BACKEND_KEY_DATA:
    case WIRE_NOTICE_RESPONSE:
    case WIRE_NOTIFICATION_RESPONSE:
    case WIRE_COPY_DONE_OUT:
        return 0;
    }
    return WIRE_MALFORMED;
}

void wire_conversation_from_server(struct wire_conversation *c, const struct wire_message *m,
                                   int64_t now_us)
{
    if (c->phase == WIRE_OPAQUE)
        return;
    int r = c->phase == WIRE_SKIMMING ? skim_from_server(c, m, now_us) : dispatch(c, m, now_us);
    if (r != 0 || c->account.refused)
        wire_conversation_make_opaque(c, WIRE_OPAQUE_BAD_BODY, now_us);
}
