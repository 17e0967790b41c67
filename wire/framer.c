#include "wire/framer.h"

#include <assert.h>
#include <stdlib.h>

/* What messages.def says of one type; `known` is false for bytes that are no type. */
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

/* Of SQL texts that are cut the last bytes are kept too. */
static bool has_tail(const struct wire_framer *f, uint8_t type)
{
    return f->keep < f->body_len && f->direction == WIRE_FROM_CLIENT &&
           (type == WIRE_QUERY || type == WIRE_PARSE);
}

static const struct rule *rules_of(const struct wire_framer *f)
{
    return f->direction == WIRE_FROM_CLIENT ? frontend_rules : backend_rules;
}

static uint32_t length_word(const uint8_t *header)
{
    return ((uint32_t)header[1] << 24) | ((uint32_t)header[2] << 16) | ((uint32_t)header[3] << 8) |
           header[4];
}

/* Read type and length from five bytes and decide what of the body is kept. */
static enum wire_outcome begin(struct wire_framer *f, const uint8_t *header)
{
    const struct rule *rule = &rules_of(f)[header[0]];
    uint32_t len = length_word(header);
    if (!rule->known)
        return refuse(f, WIRE_OPAQUE_UNKNOWN_MESSAGE);
    if (len < 4 || len - 4 < rule->min || len - 4 > rule->max)
        return refuse(f, WIRE_OPAQUE_BAD_LENGTH);
    f->body_len = len - 4;
    f->have_body = 0;
    f->keep = f->body_len < rule->keep ? f->body_len : rule->keep;
    f->tail_len = 0;
    f->in_tail = false;
    return WIRE_MESSAGE;
}

/* The text of a Query or Parse as far as it is in the kept part of a body that was cut; false when
 * it ends in there, as when only the parameter types of a Parse were cut off. */
static bool cut_text(uint8_t type, struct span kept, struct span *text)
{
    *text = kept;
    if (type == WIRE_PARSE) {
        size_t end_of_name = span_find_byte(kept, 0);
        if (end_of_name == kept.len)
            return false;
        *text = span_skip(kept, end_of_name + 1);
    }
    return text->len > 0 && span_find_byte(*text, 0) == text->len;
}

static struct span last_bytes(struct span text)
{
    return span_skip(text, text.len > WIRE_TAIL ? text.len - WIRE_TAIL : 0);
}

/* Up to the NUL; all of it when there is none. */
static struct span up_to_nul(struct span bytes)
{
    return span_head(bytes, span_find_byte(bytes, 0));
}

/* The message as its kept parts; `body` and `tail` point at where those parts are. */
static void deliver(struct wire_framer *f, uint8_t type, const uint8_t *body, struct span tail,
                    struct wire_message *out)
{
    *out = (struct wire_message){
        .type = type,
        .body_len = f->body_len,
        .body = span_of(body, f->keep),
        .tail = tail,
        .cut = f->keep < f->body_len,
    };
    f->have_header = 0;
    f->have_body = 0;
    f->body_len = 0;
}

/* Let the tail slide over a piece of the text. */
static void gather_tail(struct wire_framer *f, struct span piece)
{
    struct span text = up_to_nul(piece);
    if (text.len < piece.len)
        f->in_tail = false;
    struct span last = last_bytes(text);
    uint8_t *tail = f->gathered + f->keep;
    uint32_t room = WIRE_TAIL - (uint32_t)last.len;
    if (f->tail_len > room) {
        memmove(tail, tail + (f->tail_len - room), room);
        f->tail_len = room;
    }
    if (last.len > 0)
        memcpy(tail + f->tail_len, last.data, last.len);
    f->tail_len += (uint32_t)last.len;
}

/* Copy into `gathered` what of a piece of the body is to be kept. */
static void gather(struct wire_framer *f, struct span piece)
{
    struct span head = span_head(piece, f->have_body < f->keep ? f->keep - f->have_body : 0);
    if (head.len > 0) {
        memcpy(f->gathered + f->have_body, head.data, head.len);
        struct span text;
        if (f->have_body + head.len == f->keep && has_tail(f, f->header[0]) &&
            cut_text(f->header[0], span_of(f->gathered, f->keep), &text)) {
            f->in_tail = true;
            gather_tail(f, text);
        }
    }
    if (f->in_tail)
        gather_tail(f, span_skip(piece, head.len));
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
    uint32_t kept = f->keep + (has_tail(f, f->header[0]) ? WIRE_TAIL : 0);
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
    struct span tail =
        f->tail_len > 0 ? span_of(f->gathered + f->keep, f->tail_len) : span_of(NULL, 0);
    deliver(f, f->header[0], f->gathered, tail, out);
    return WIRE_MESSAGE;
}

/* A message of which not all is kept, or not all is here. */
static enum wire_outcome begin_in_piece(struct wire_framer *f, struct span *input,
                                        struct wire_message *out)
{
    enum wire_outcome r = begin(f, input->data);
    if (r != WIRE_MESSAGE)
        return r;
    const uint8_t *body = input->data + WIRE_HEADER;
    if (f->body_len > input->len - WIRE_HEADER) {
        memcpy(f->header, input->data, WIRE_HEADER);
        f->have_header = WIRE_HEADER;
        *input = span_skip(*input, WIRE_HEADER);
        return more_body(f, input, out);
    }
    uint8_t type = input->data[0];
    *input = span_skip(*input, WIRE_HEADER + (size_t)f->body_len);
    struct span tail = span_of(NULL, 0);
    struct span text;
    if (has_tail(f, type) && cut_text(type, span_of(body, f->keep), &text))
        tail = last_bytes(up_to_nul(span_of(text.data, f->body_len - (size_t)(text.data - body))));
    deliver(f, type, body, tail, out);
    return WIRE_MESSAGE;
}

/* The common case: all of a message lies in this piece and is kept. The framer keeps nothing of it,
 * nothing is copied. */
static enum wire_outcome whole(struct wire_framer *f, struct span *input, struct wire_message *out)
{
    const uint8_t *header = input->data;
    const struct rule *rule = &rules_of(f)[header[0]];
    uint32_t len = length_word(header);
    uint32_t body_len = len - 4;
    if (!rule->known || len < 4 || body_len < rule->min || body_len > rule->max ||
        body_len > rule->keep || body_len > input->len - WIRE_HEADER)
        return begin_in_piece(f, input, out);
    out->type = header[0];
    out->body_len = body_len;
    out->body = span_of(header + WIRE_HEADER, body_len);
    out->tail = span_of(NULL, 0);
    out->cut = false;
    input->data += WIRE_HEADER + body_len;
    input->len -= WIRE_HEADER + body_len;
    return WIRE_MESSAGE;
}

enum wire_outcome wire_framer_next(struct wire_framer *f, struct span *input,
                                   struct wire_message *out)
{
    assert(f->error == WIRE_OPAQUE_NONE);
    if (f->delivered)
        wire_framer_fini(f);
    if (f->have_header == WIRE_HEADER)
        return more_body(f, input, out);
    if (f->have_header == 0 && input->len >= WIRE_HEADER)
        return whole(f, input, out);
    struct span piece = span_head(*input, (size_t)WIRE_HEADER - f->have_header);
    if (piece.len > 0)
        memcpy(f->header + f->have_header, piece.data, piece.len);
    f->have_header = (uint8_t)(f->have_header + piece.len);
    *input = span_skip(*input, piece.len);
    if (f->have_header < WIRE_HEADER)
        return WIRE_NEED_MORE;
    enum wire_outcome r = begin(f, f->header);
    return r == WIRE_MESSAGE ? more_body(f, input, out) : r;
}

struct span wire_framer_rows(struct wire_framer *f, struct span *input, uint64_t *rows)
{
    assert(f->direction == WIRE_FROM_SERVER);
    *rows = 0;
    if (f->delivered)
        wire_framer_fini(f);
    if (f->have_header > 0)
        return span_of(input->data, 0);
    size_t at = 0;
    while (input->len - at >= WIRE_HEADER && input->data[at] == WIRE_DATA_ROW) {
        uint32_t len = length_word(input->data + at);
        if (len < 4 + 2 || len > 4 + WIRE_KEEP_ROW || len > input->len - at - 1)
            break;
        at += 1 + (size_t)len;
        ++*rows;
    }
    struct span taken = span_head(*input, at);
    *input = span_skip(*input, at);
    return taken;
}
