/*
 * One well-formed record of each type, with a tail in which every part has some length.
 */
#ifndef PGSLEUTH_TESTS_WIRE_RECORD_SAMPLES_H
#define PGSLEUTH_TESTS_WIRE_RECORD_SAMPLES_H

#include "wire/record.h"

enum { SAMPLE_BYTES = 4096 };

struct sample {
    _Alignas(RECORD_ALIGN) uint8_t bytes[SAMPLE_BYTES];
};

static inline struct span sample_span(const struct sample *s)
{
    struct record_header h;
    memcpy(&h, s->bytes, sizeof(h));
    return span_of(s->bytes, h.len);
}

static inline void sample_head(struct sample *s, enum record_type type, size_t fixed, size_t tail)
{
    struct record_header *h = (struct record_header *)(void *)s->bytes;
    h->type = (uint16_t)type;
    h->len = (uint32_t)record_size(fixed, tail);
}

static inline void sample_columns(struct sample *s)
{
    struct record_columns *r = (void *)s->bytes;
    struct record_column *column = (void *)(r + 1);
    r->n_columns = 3;
    r->total = 3;
    column[0].name_len = 2;
    column[2].name_len = 5;
    r->names_len = 7;
    sample_head(s, RECORD_COLUMNS, sizeof(*r), 3 * sizeof(*column) + 7);
}

static inline void sample_exchange(struct sample *s)
{
    struct record_exchange *r = (void *)s->bytes;
    r->n_values = 3;
    r->n_keys = 2;
    r->n_key_hashes = 8;
    r->verb = SQL_VERB_SELECT;
    struct record_key *key = (void *)(s->bytes + sizeof(*r) + 3 * sizeof(uint64_t));
    key[0].count = 4;
    key[1].count = 4;
    sample_head(s, RECORD_EXCHANGE, sizeof(*r), (3 + 8) * sizeof(uint64_t) + 2 * sizeof(*key));
}

/* Two parameters: five bytes (padded to eight) and NULL. */
static inline void sample_sample(struct sample *s)
{
    struct record_sample *r = (void *)s->bytes;
    int32_t lens[] = {5, -1};
    uint8_t *at = (uint8_t *)(r + 1);
    memcpy(at + 8, &lens[0], 4);
    memcpy(at + 12 + 8 + 8, &lens[1], 4);
    r->n_params = 2;
    r->is_params = 1;
    r->len = 12 + 8 + 12;
    sample_head(s, RECORD_SAMPLE, sizeof(*r), r->len);
}

static inline void sample_facts(struct sample *s)
{
    static const uint8_t tail[] = "\5users\4shop\1\0\2id\0\377\3foo";
    struct record_facts *r = (void *)s->bytes;
    r->n_tables = 2;
    r->n_predicates = 2;
    r->verb = SQL_VERB_SELECT;
    r->tail_len = sizeof(tail) - 1;
    memcpy(r + 1, tail, sizeof(tail) - 1);
    sample_head(s, RECORD_FACTS, sizeof(*r), sizeof(tail) - 1);
}

static inline void sample_tag(struct sample *s)
{
    struct record_tag *r = (void *)s->bytes;
    r->len[0] = 9;
    r->len[SQL_TAG_COUNT - 1] = SQL_TAG_VALUE_MAX;
    sample_head(s, RECORD_TAG, sizeof(*r), 9 + SQL_TAG_VALUE_MAX);
}

static inline void sample_others(struct sample *s, enum record_type type)
{
    if (type == RECORD_RUN_START) {
        struct record_run_start *r = (void *)s->bytes;
        r->version_len = 5;
        r->settings_len = 100;
        sample_head(s, type, sizeof(*r), 105);
    } else if (type == RECORD_SESSION_START) {
        struct record_session_start *r = (void *)s->bytes;
        r->user_len = 3;
        r->database_len = 4;
        r->application_len = 5;
        r->client_len = 6;
        sample_head(s, type, sizeof(*r), 18);
    } else if (type == RECORD_STATEMENT) {
        struct record_statement *r = (void *)s->bytes;
        r->text_len = 77;
        r->kinds_len = 2;
        sample_head(s, type, sizeof(*r), 79);
    } else if (type == RECORD_WIDTHS) {
        struct record_widths *r = (void *)s->bytes;
        r->n = 3;
        sample_head(s, type, sizeof(*r), 3 * sizeof(struct record_width));
    } else if (type == RECORD_HTTP_BEGIN) {
        struct record_http_begin *r = (void *)s->bytes;
        r->request = 1;
        r->method_len = 3;
        r->route_len = 11;
        sample_head(s, type, sizeof(*r), 14);
    } else if (type == RECORD_HTTP) {
        struct record_http *r = (void *)s->bytes;
        r->request = 1;
        r->method_len = 3;
        r->route_len = 11;
        sample_head(s, type, sizeof(*r), 14);
    } else if (type == RECORD_MOMENT) {
        struct record_moment *r = (void *)s->bytes;
        r->name_len = 9;
        memcpy(r + 1, "All there", 9);
        sample_head(s, type, sizeof(*r), 9);
    } else if (type == RECORD_RUN_BEGIN) {
        struct record_run_begin *r = (void *)s->bytes;
        r->name_len = 4;
        memcpy(r + 1, "Load", 4);
        sample_head(s, type, sizeof(*r), 4);
    } else if (type == RECORD_EPOCH) {
        sample_head(s, type, sizeof(struct record_epoch), 0);
    } else if (type == RECORD_PLAN) {
        struct record_plan *r = (void *)s->bytes;
        r->schema_len = 6;
        r->table_len = 5;
        r->filter_len = 20;
        r->columns_len = 2;
        r->index_note_len = 9;
        r->node_len = 8;
        r->after_node_len = 10;
        r->parent_len = 7;
        sample_head(s, type, sizeof(*r), 67);
    }
}

static inline void sample_make(struct sample *s, enum record_type type)
{
    memset(s, 0, sizeof(*s));
    switch (type) {
    case RECORD_COLUMNS:
        sample_columns(s);
        break;
    case RECORD_EXCHANGE:
        sample_exchange(s);
        break;
    case RECORD_SAMPLE:
        sample_sample(s);
        break;
    case RECORD_FACTS:
        sample_facts(s);
        break;
    case RECORD_TAG:
        sample_tag(s);
        break;
    case RECORD_SESSION_END:
        sample_head(s, type, sizeof(struct record_session_end), 0);
        break;
    case RECORD_SESSION_OPAQUE:
        sample_head(s, type, sizeof(struct record_session_opaque), 0);
        break;
    case RECORD_UNREAD:
        sample_head(s, type, sizeof(struct record_unread), 0);
        break;
    case RECORD_MARK:
        sample_head(s, type, sizeof(struct record_mark), 0);
        break;
    case RECORD_PEER:
        ((struct record_peer *)(void *)s->bytes)->peer = 1;
        sample_head(s, type, sizeof(struct record_peer), 0);
        break;
    case RECORD_REQUEST:
        sample_head(s, type, sizeof(struct record_request), 0);
        break;
    case RECORD_RUN_END:
        sample_head(s, type, sizeof(struct record_run_end), 0);
        break;
    default:
        sample_others(s, type);
    }
}

#endif
