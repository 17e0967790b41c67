#include "wire/messages.h"

static struct reader body_of(const struct wire_message *m)
{
    return reader_of(m->body);
}

/* A text that may have lost its end, and with it its NUL, to the framer's limit. */
static struct span text_of(struct reader *r, bool cut)
{
    if (!cut || r->failed || (r->left > 0 && memchr(r->at, 0, r->left) != NULL))
        return reader_cstring(r);
    return reader_bytes(r, r->left);
}

int wire_decode_query(const struct wire_message *m, struct span *text)
{
    struct reader r = body_of(m);
    *text = text_of(&r, m->cut);
    return (m->cut ? !r.failed : reader_done(&r)) ? 0 : WIRE_MALFORMED;
}

int wire_decode_parse(const struct wire_message *m, struct wire_parse *out)
{
    *out = (struct wire_parse){.cut = m->cut};
    struct reader r = body_of(m);
    out->name = reader_cstring(&r);
    out->text = text_of(&r, m->cut);
    if (m->cut)
        return r.failed ? WIRE_MALFORMED : 0;
    unsigned n = reader_u16(&r);
    for (unsigned i = 0; i < n && !r.failed; i++) {
        uint32_t type = reader_u32(&r);
        if (i < WIRE_MAX_PARAMS)
            out->types[out->n_types++] = type;
    }
    return reader_done(&r) ? 0 : WIRE_MALFORMED;
}

/* Format codes: none is all text, one is for all, else one each. */
struct formats {
    unsigned count;
    uint16_t first;
    uint64_t binary; /* bit i of the first WIRE_MAX_FORMATS */
};

static struct formats read_formats(struct reader *r)
{
    struct formats f = {.count = reader_u16(r)};
    for (unsigned i = 0; i < f.count && !r->failed; i++) {
        uint16_t code = reader_u16(r);
        if (i == 0)
            f.first = code;
        if (i < WIRE_MAX_FORMATS && code == 1)
            f.binary |= UINT64_C(1) << i;
    }
    return f;
}

static uint16_t format_of(const struct formats *f, unsigned i)
{
    if (f->count == 0)
        return 0;
    if (f->count == 1)
        return f->first;
    return i < WIRE_MAX_FORMATS && (f->binary >> i & 1) ? 1 : 0;
}

static void read_params(struct reader *r, const struct formats *formats, struct wire_bind *out)
{
    for (unsigned i = 0; i < out->total_params && !r->failed; i++) {
        if (i == WIRE_MAX_PARAMS)
            out->rest = span_of(r->at, 0);
        int32_t len = reader_i32(r);
        struct span value = len > 0 ? reader_bytes(r, (size_t)len) : span_of(NULL, 0);
        if (len < -1)
            r->failed = true;
        if (!r->failed && i < WIRE_MAX_PARAMS)
            out->params[out->n_params++] = (struct wire_param){
                .value = value, .null = len == -1, .format = format_of(formats, i)};
        else if (!r->failed)
            out->rest.len = (size_t)(r->at - out->rest.data);
    }
}

int wire_decode_bind(const struct wire_message *m, struct wire_bind *out)
{
    *out = (struct wire_bind){.cut = m->cut};
    struct reader r = body_of(m);
    out->portal = reader_cstring(&r);
    out->statement = reader_cstring(&r);
    if (r.failed)
        return WIRE_MALFORMED;
    struct formats formats = read_formats(&r);
    out->total_params = reader_u16(&r);
    read_params(&r, &formats, out);
    if (m->cut)
        return 0;
    struct formats results = read_formats(&r);
    out->binary_results = results.count == 1 && results.first == 1 ? UINT64_MAX : results.binary;
    return reader_done(&r) ? 0 : WIRE_MALFORMED;
}

int wire_decode_execute(const struct wire_message *m, struct wire_execute *out)
{
    struct reader r = body_of(m);
    out->portal = text_of(&r, m->cut);
    int32_t max = reader_i32(&r);
    /* The server takes zero and below as "all". */
    out->max_rows = max > 0 ? (uint32_t)max : 0;
    return m->cut || reader_done(&r) ? 0 : WIRE_MALFORMED;
}

int wire_decode_target(const struct wire_message *m, struct wire_target *out)
{
    struct reader r = body_of(m);
    out->kind = reader_u8(&r);
    out->name = text_of(&r, m->cut);
    if (out->kind != 'S' && out->kind != 'P')
        return WIRE_MALFORMED;
    return m->cut || reader_done(&r) ? 0 : WIRE_MALFORMED;
}

int wire_begin_fields(const struct wire_message *m, struct reader *r, unsigned *n_fields)
{
    *r = body_of(m);
    *n_fields = reader_u16(r);
    return r->failed ? WIRE_MALFORMED : 0;
}

int wire_next_field(struct reader *r, struct wire_field *out)
{
    out->name = reader_cstring(r);
    out->table_oid = reader_u32(r);
    out->attnum = reader_u16(r);
    out->type_oid = reader_u32(r);
    reader_bytes(r, 2 + 4); /* type size, type modifier */
    out->format = reader_u16(r);
    return r->failed ? WIRE_MALFORMED : 0;
}

int wire_begin_columns(const struct wire_message *m, struct reader *r, unsigned *n_columns)
{
    *r = body_of(m);
    *n_columns = reader_u16(r);
    return r->failed ? WIRE_MALFORMED : 0;
}

int wire_next_column(struct reader *r, struct span *value, bool *null)
{
    int32_t len = reader_i32(r);
    *null = len == -1;
    *value = len > 0 ? reader_bytes(r, (size_t)len) : span_of(NULL, 0);
    return r->failed || len < -1 ? WIRE_MALFORMED : 0;
}

int wire_decode_parameter_description(const struct wire_message *m, uint32_t *types, unsigned size,
                                      unsigned *n)
{
    struct reader r = body_of(m);
    unsigned total = reader_u16(&r);
    *n = 0;
    for (unsigned i = 0; i < total && i < size && !r.failed; i++) {
        types[i] = reader_u32(&r);
        if (!r.failed)
            *n = i + 1;
    }
    return r.failed && !m->cut ? WIRE_MALFORMED : 0;
}

int wire_decode_command_complete(const struct wire_message *m, struct span *tag, uint64_t *rows)
{
    struct reader r = body_of(m);
    *tag = text_of(&r, m->cut);
    *rows = 0;
    if (r.failed)
        return WIRE_MALFORMED;
    size_t at = tag->len;
    while (at > 0 && tag->data[at - 1] >= '0' && tag->data[at - 1] <= '9')
        at--;
    if (at == 0 || tag->data[at - 1] != ' ' || tag->len - at > 19)
        return 0;
    for (; at < tag->len; at++)
        *rows = *rows * 10 + (uint64_t)(tag->data[at] - '0');
    return 0;
}

int wire_decode_error(const struct wire_message *m, struct wire_error *out)
{
    *out = (struct wire_error){.fatal = false};
    struct reader r = body_of(m);
    for (;;) {
        uint8_t code = reader_u8(&r);
        if (r.failed)
            return m->cut ? 0 : WIRE_MALFORMED;
        if (code == 0)
            return 0;
        struct span value = text_of(&r, m->cut);
        if (code == 'C' && value.len == sizeof(out->sqlstate))
            memcpy(out->sqlstate, value.data, sizeof(out->sqlstate));
        if (code == 'V' || code == 'S')
            out->fatal = out->fatal || span_is(value, "FATAL") || span_is(value, "PANIC");
    }
}

int wire_decode_parameter_status(const struct wire_message *m, struct wire_parameter *out)
{
    struct reader r = body_of(m);
    out->name = reader_cstring(&r);
    out->value = text_of(&r, m->cut);
    return r.failed ? WIRE_MALFORMED : 0;
}

int wire_decode_ready(const struct wire_message *m, uint8_t *status)
{
    struct reader r = body_of(m);
    *status = reader_u8(&r);
    return reader_done(&r) && (*status == 'I' || *status == 'T' || *status == 'E') ? 0
                                                                                   : WIRE_MALFORMED;
}

static size_t put_field(uint8_t *out, size_t at, char code, const char *text, size_t len)
{
    out[at++] = (uint8_t)code;
    memcpy(out + at, text, len);
    at += len;
    out[at++] = 0;
    return at;
}

size_t wire_encode_fatal(const char sqlstate[5], const char *text, const char *hint, uint8_t *out,
                         size_t size)
{
    size_t text_len = strlen(text);
    size_t hint_len = hint != NULL ? strlen(hint) : 0;
    size_t need = 1 + 4 + (1 + 5 + 1) * 2 + (1 + 5 + 1) + (1 + 1) + 1;
    if (hint != NULL)
        need += 1 + 1;
    if (size < need || text_len > size - need || hint_len > size - need - text_len)
        return 0;
    size_t at = 5;
    out[0] = WIRE_ERROR_RESPONSE;
    at = put_field(out, at, 'S', "FATAL", 5);
    at = put_field(out, at, 'V', "FATAL", 5);
    at = put_field(out, at, 'C', sqlstate, 5);
    at = put_field(out, at, 'M', text, text_len);
    if (hint != NULL)
        at = put_field(out, at, 'H', hint, hint_len);
    out[at++] = 0;
    uint32_t len = (uint32_t)(at - 1);
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
    return at;
}
