#include "wire/framer.h"

#include <assert.h>
#include <stdlib.h>

enum { HEADER = 5 };

/* What messages.def says of one type; max 0 and min 1 mark a type that does not exist. */
struct rule {
    uint32_t min;
    uint32_t max;
    uint32_t keep;
    bool known;
};

static const struct rule frontend_rules[256] = {
#define FRONTEND(type, name, min_body, max_body, keep_body)                                        \
    [type] = {min_body, max_body, keep_body, true},
#define BACKEND(type, name, min_body, max_body, keep_body)
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};

static const struct rule backend_rules[256] = {
#define FRONTEND(type, name, min_body, max_body, keep_body)
#define BACKEND(type, name, min_body, max_body, keep_body)                                         \
    [type] = {min_body, max_body, keep_body, true},
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};

const char *wire_opaque_reason_text(enum wire_opaque_reason reason)
{
    switch (reason) {
#define WIRE_OPAQUE(name, id, text)                                                                \
    case WIRE_OPAQUE_##name:                                                                       \
        return text;
#include "wire/opaque_reasons.def"
#undef WIRE_OPAQUE
    case WIRE_OPAQUE_REASONS:
        break;
    }
    return "unknown reason";
}

void wire_framer_init(struct wire_framer *f, enum wire_direction direction)
{
    *f = (struct wire_framer){.direction = direction};
}

void wire_framer_fini(struct wire_framer *f)
{
    if (f->gathered != NULL && f->account != NULL)
        wire_account_credit(f->account, f->gathered_size);
    free(f->gathered);
    f->gathered = NULL;
    f->delivered = false;
}

static enum wire_outcome refuse(struct wire_framer *f, enum wire_opaque_reason reason)
{
    f->error = reason;
    return WIRE_ERROR;
}

static bool is_sql(const struct wire_framer *f, uint8_t type)
{
    return f->direction == WIRE_FROM_CLIENT && (type == WIRE_QUERY || type == WIRE_PARSE);
}

/* Read type and length from five bytes and decide what of the body is kept. */
static enum wire_outcome begin(struct wire_framer *f, const uint8_t *header)
{
    const struct rule *rules = f->direction == WIRE_FROM_CLIENT ? frontend_rules : backend_rules;
    const struct rule *rule = &rules[header[0]];
    uint32_t len = ((uint32_t)header[1] << 24) | ((uint32_t)header[2] << 16) |
                   ((uint32_t)header[3] << 8) | header[4];
    if (!rule->known)
        return refuse(f, WIRE_OPAQUE_UNKNOWN_MESSAGE);
    if (len < 4 || len - 4 < rule->min || len - 4 > rule->max)
        return refuse(f, WIRE_OPAQUE_BAD_LENGTH);
    f->body_len = len - 4;
    f->have_body = 0;
    f->keep = f->body_len < rule->keep ? f->body_len : rule->keep;
    f->tail_at = f->body_len;
    if (f->keep < f->body_len && is_sql(f, header[0]))
        f->tail_at = f->body_len - f->keep > WIRE_TAIL ? f->body_len - WIRE_TAIL : f->keep;
    return WIRE_MESSAGE;
}

/* The message as its kept parts; `body` and `tail` point at where those parts are. */
static void deliver(struct wire_framer *f, uint8_t type, const uint8_t *body, const uint8_t *tail,
                    struct wire_message *out)
{
    *out = (struct wire_message){
        .type = type,
        .body_len = f->body_len,
        .body = span_of(body, f->keep),
        .tail = span_of(tail, f->body_len - f->tail_at),
        .cut = f->keep < f->body_len,
    };
    f->have_header = 0;
    f->have_body = 0;
    f->body_len = 0;
}

/* Copy into `gathered` what of a piece at body offset `at` is to be kept. */
static void gather(struct wire_framer *f, struct span piece)
{
    uint32_t at = f->have_body;
    if (at < f->keep) {
        struct span head = span_head(piece, f->keep - at);
        if (head.len > 0)
            memcpy(f->gathered + at, head.data, head.len);
    }
    size_t before_tail = f->tail_at > at ? f->tail_at - at : 0;
    struct span tail = span_skip(piece, before_tail);
    if (tail.len > 0)
        memcpy(f->gathered + f->keep + (at + before_tail - f->tail_at), tail.data, tail.len);
}

static bool begin_gathering(struct wire_framer *f, uint32_t size)
{
    if (f->account != NULL && !wire_account_charge(f->account, size))
        return false;
    f->gathered = malloc(size);
    if (f->gathered == NULL && f->account != NULL)
        wire_account_credit(f->account, size);
    f->gathered_size = size;
    return f->gathered != NULL;
}

/* Continue a body that did not lie whole in one piece. */
static enum wire_outcome more_body(struct wire_framer *f, struct span *input,
                                   struct wire_message *out)
{
    uint32_t kept = f->keep + (f->body_len - f->tail_at);
    if (f->gathered == NULL && kept > 0 && !begin_gathering(f, kept))
        return refuse(f, WIRE_OPAQUE_NO_MEMORY);
    struct span piece = span_head(*input, f->body_len - f->have_body);
    if (kept > 0)
        gather(f, piece);
    f->have_body += (uint32_t)piece.len;
    *input = span_skip(*input, piece.len);
    if (f->have_body < f->body_len)
        return WIRE_NEED_MORE;
    f->delivered = true;
    deliver(f, f->header[0], f->gathered, f->gathered == NULL ? NULL : f->gathered + f->keep, out);
    return WIRE_MESSAGE;
}

/* The common case: header and body lie in this piece and nothing is copied. */
static enum wire_outcome whole(struct wire_framer *f, struct span *input, struct wire_message *out)
{
    enum wire_outcome r = begin(f, input->data);
    if (r != WIRE_MESSAGE)
        return r;
    const uint8_t *body = input->data + HEADER;
    if (f->body_len > input->len - HEADER) {
        memcpy(f->header, input->data, HEADER);
        f->have_header = HEADER;
        *input = span_skip(*input, HEADER);
        return more_body(f, input, out);
    }
    uint8_t type = input->data[0];
    *input = span_skip(*input, HEADER + (size_t)f->body_len);
    deliver(f, type, body, body + f->tail_at, out);
    return WIRE_MESSAGE;
}

enum wire_outcome wire_framer_next(struct wire_framer *f, struct span *input,
                                   struct wire_message *out)
{
    assert(f->error == WIRE_OPAQUE_NONE);
    if (f->delivered)
        wire_framer_fini(f);
    if (f->have_header == HEADER)
        return more_body(f, input, out);
    if (f->have_header == 0 && input->len >= HEADER)
        return whole(f, input, out);
    struct span piece = span_head(*input, (size_t)HEADER - f->have_header);
    if (piece.len > 0)
        memcpy(f->header + f->have_header, piece.data, piece.len);
    f->have_header = (uint8_t)(f->have_header + piece.len);
    *input = span_skip(*input, piece.len);
    if (f->have_header < HEADER)
        return WIRE_NEED_MORE;
    enum wire_outcome r = begin(f, f->header);
    return r == WIRE_MESSAGE ? more_body(f, input, out) : r;
}
