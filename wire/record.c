#include "wire/record.h"

#include "common/reader.h"

#include <assert.h>

bool record_is_captured(enum record_type type)
{
    switch (type) {
#define RECORD(name, type_, captured)                                                              \
    case RECORD_##name:                                                                            \
        return captured;
#include "wire/record_types.def"
#undef RECORD
    case RECORD_NONE:
    case RECORD_TYPE_COUNT:
        break;
    }
    return false;
}

static size_t fixed_size(uint16_t type)
{
    switch (type) {
#define RECORD(name, type_, captured)                                                              \
    case RECORD_##name:                                                                            \
        return sizeof(struct type_);
#include "wire/record_types.def"
#undef RECORD
    default:
        return 0;
    }
}

/* The tail is exactly the record's length less its fixed part, but for the padding at its end. */
static bool tail_is(const struct record_header *h, size_t fixed, size_t tail)
{
    return tail <= RECORD_MAX_BYTES && record_size(fixed, tail) == h->len;
}

static bool is_time(int64_t us)
{
    return us >= 0 && us <= RECORD_TIME_MAX_US;
}

static bool check_run_start(const struct record_run_start *r)
{
    return r->wall_us >= -RECORD_TIME_MAX_US && r->wall_us <= RECORD_TIME_MAX_US &&
           tail_is(&r->h, sizeof(*r), (size_t)r->version_len + r->settings_len);
}

static bool check_columns(const struct record_columns *r)
{
    if (r->n_columns > RECORD_MAX_COLUMNS || r->names_len > RECORD_MAX_BYTES)
        return false;
    size_t columns = r->n_columns * sizeof(struct record_column);
    if (!tail_is(&r->h, sizeof(*r), columns + r->names_len))
        return false;
    const struct record_column *column = (const struct record_column *)(const void *)(r + 1);
    size_t names = 0;
    for (unsigned i = 0; i < r->n_columns; i++)
        names += column[i].name_len;
    return names == r->names_len;
}

static bool check_exchange(const struct record_exchange *r)
{
    if (r->n_values > SQL_MAX_VALUES || r->n_keys > RECORD_MAX_KEYS ||
        r->n_key_hashes > RECORD_MAX_KEY_HASHES)
        return false;
    if (r->verb >= SQL_VERB_COUNT || !is_time(r->start_us))
        return false;
    size_t before_keys = r->n_values * sizeof(uint64_t);
    size_t tail =
        before_keys + r->n_keys * sizeof(struct record_key) + r->n_key_hashes * sizeof(uint64_t);
    if (!tail_is(&r->h, sizeof(*r), tail))
        return false;
    struct span keys =
        record_tail(&r->h, sizeof(*r), before_keys, r->n_keys * sizeof(struct record_key));
    size_t hashes = 0;
    for (unsigned i = 0; i < r->n_keys; i++)
        hashes += ((const struct record_key *)(const void *)keys.data)[i].count;
    return hashes == r->n_key_hashes;
}

static bool check_sample(const struct record_sample *r)
{
    if (r->len > RECORD_MAX_BYTES || !tail_is(&r->h, sizeof(*r), r->len))
        return false;
    if (!r->is_params)
        return true;
    struct span left = record_tail(&r->h, sizeof(*r), 0, r->len);
    for (unsigned i = 0; i < r->n_params; i++) {
        int32_t len;
        if (left.len < 12)
            return false;
        memcpy(&len, left.data + 8, sizeof(len));
        left = span_skip(left, 12);
        size_t bytes = len > 0 ? ((size_t)len + 3) & ~(size_t)3 : 0;
        if (len < -1 || bytes > left.len)
            return false;
        left = span_skip(left, bytes);
    }
    return left.len == 0;
}

static bool check_facts(const struct record_facts *r)
{
    if (r->tail_len > RECORD_MAX_BYTES || !tail_is(&r->h, sizeof(*r), r->tail_len))
        return false;
    if (r->verb >= SQL_VERB_COUNT || r->status > FACTS_TOO_LONG)
        return false;
    struct reader tail = reader_of(record_tail(&r->h, sizeof(*r), 0, r->tail_len));
    for (unsigned i = 0; i < r->n_tables; i++)
        reader_bytes(&tail, reader_u8(&tail));
    for (unsigned i = 0; i < r->n_predicates; i++) {
        uint8_t op = reader_u8(&tail);
        uint8_t table = reader_u8(&tail);
        if (op > PREDICATE_OTHER || (table >= r->n_tables && table != RECORD_NO_TABLE))
            return false;
        reader_bytes(&tail, reader_u8(&tail));
    }
    return reader_done(&tail);
}

static bool check_tag(const struct record_tag *r)
{
    size_t tail = 0;
    for (unsigned i = 0; i < SQL_TAG_COUNT; i++) {
        if (r->len[i] > SQL_TAG_VALUE_MAX)
            return false;
        tail += r->len[i];
    }
    return tail_is(&r->h, sizeof(*r), tail);
}

size_t record_tag_size(const struct sql_tag *tag)
{
    size_t tail = 0;
    for (unsigned i = 0; i < SQL_TAG_COUNT; i++)
        tail += tag->len[i];
    return record_size(sizeof(struct record_tag), tail);
}

void record_tag_write(struct record_tag *r, uint64_t id, const struct sql_tag *tag)
{
    size_t size = record_tag_size(tag);
    memset(r, 0, size);
    r->h = (struct record_header){.len = (uint32_t)size, .type = RECORD_TAG};
    r->id = id;
    uint8_t *at = (uint8_t *)(r + 1);
    for (unsigned i = 0; i < SQL_TAG_COUNT; i++) {
        struct span value = sql_tag_value(tag, (enum sql_tag_key)i);
        r->len[i] = (uint16_t)value.len;
        if (value.len > 0)
            memcpy(at, value.data, value.len);
        at += value.len;
    }
}

static void plan_lengths(const struct record_plan *r, size_t out[RECORD_PLAN_TEXTS])
{
    const uint16_t lens[RECORD_PLAN_TEXTS] = {r->schema_len,     r->table_len,      r->filter_len,
                                              r->columns_len,    r->index_note_len, r->node_len,
                                              r->after_node_len, r->parent_len};
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++)
        out[i] = lens[i];
}

void record_plan_texts(const struct record_plan *r, struct span out[RECORD_PLAN_TEXTS])
{
    size_t lens[RECORD_PLAN_TEXTS];
    size_t at = 0;
    plan_lengths(r, lens);
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++) {
        out[i] = record_tail(&r->h, sizeof(*r), at, lens[i]);
        at += lens[i];
    }
}

static bool check_plan(const struct record_plan *r)
{
    size_t lens[RECORD_PLAN_TEXTS];
    size_t tail = 0;
    plan_lengths(r, lens);
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++)
        tail += lens[i];
    return is_time(r->time_us) && r->status <= PLAN_NO_CONNECTION && r->reason < PLAN_REASONS &&
           r->source < PLAN_SOURCES && tail_is(&r->h, sizeof(*r), tail);
}

static bool check_statement(const struct record_statement *r)
{
    return r->verb < SQL_VERB_COUNT && r->text_len <= RECORD_TEXT_MAX &&
           r->kinds_len <= RECORD_TEXT_MAX &&
           tail_is(&r->h, sizeof(*r), (size_t)r->text_len + r->kinds_len);
}

static bool check_session_start(const struct record_session_start *r)
{
    size_t tail = (size_t)r->user_len + r->database_len + r->application_len + r->client_len;
    return is_time(r->time_us) && tail_is(&r->h, sizeof(*r), tail);
}

static bool check_widths(const struct record_widths *r)
{
    return r->n <= RECORD_MAX_WIDTHS &&
           tail_is(&r->h, sizeof(*r), r->n * sizeof(struct record_width));
}

static bool check_http(const struct record_http *r)
{
    return is_time(r->start_us) && r->request != 0 && r->status <= 999 &&
           r->method_len <= RECORD_METHOD_MAX && r->route_len <= RECORD_ROUTE_MAX &&
           tail_is(&r->h, sizeof(*r), (size_t)r->method_len + r->route_len);
}

static bool check_http_begin(const struct record_http_begin *r)
{
    return is_time(r->time_us) && r->request != 0 && r->method_len <= RECORD_METHOD_MAX &&
           r->route_len <= RECORD_ROUTE_MAX &&
           tail_is(&r->h, sizeof(*r), (size_t)r->method_len + r->route_len);
}

static bool check_request(const struct record_request *r)
{
    return is_time(r->time_us) && tail_is(&r->h, sizeof(*r), 0);
}

static bool check_peer(const struct record_peer *r)
{
    return is_time(r->time_us) && r->peer != 0 && tail_is(&r->h, sizeof(*r), 0);
}

static bool is_of_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
           c == '.' || c == '_' || c == '-';
}

bool record_name_is_good(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_of_name(name.data[i]))
            return false;
    }
    return name.len > 0 && name.len <= RECORD_NAME_MAX;
}

static bool check_moment(const struct record_moment *r)
{
    return is_time(r->time_us) && tail_is(&r->h, sizeof(*r), r->name_len) &&
           record_name_is_good(record_tail(&r->h, sizeof(*r), 0, r->name_len));
}

static bool check_run_begin(const struct record_run_begin *r)
{
    return is_time(r->time_us) && tail_is(&r->h, sizeof(*r), r->name_len) &&
           (r->name_len == 0 ||
            record_name_is_good(record_tail(&r->h, sizeof(*r), 0, r->name_len)));
}

static bool check_body(const struct record_header *h)
{
    const void *r = h;
    switch ((enum record_type)h->type) {
    case RECORD_RUN_START:
        return check_run_start(r);
    case RECORD_SESSION_START:
        return check_session_start(r);
    case RECORD_SESSION_END:
        return is_time(((const struct record_session_end *)r)->time_us) &&
               tail_is(h, sizeof(struct record_session_end), 0);
    case RECORD_SESSION_OPAQUE:
        return is_time(((const struct record_session_opaque *)r)->time_us) &&
               tail_is(h, sizeof(struct record_session_opaque), 0);
    case RECORD_STATEMENT:
        return check_statement(r);
    case RECORD_TAG:
        return check_tag(r);
    case RECORD_COLUMNS:
        return check_columns(r);
    case RECORD_EXCHANGE:
        return check_exchange(r);
    case RECORD_SAMPLE:
        return check_sample(r);
    case RECORD_FACTS:
        return check_facts(r);
    case RECORD_PLAN:
        return check_plan(r);
    case RECORD_MARK:
        return is_time(((const struct record_mark *)r)->time_us) &&
               tail_is(h, sizeof(struct record_mark), 0);
    case RECORD_WIDTHS:
        return check_widths(r);
    case RECORD_PEER:
        return check_peer(r);
    case RECORD_REQUEST:
        return check_request(r);
    case RECORD_HTTP_BEGIN:
        return check_http_begin(r);
    case RECORD_HTTP:
        return check_http(r);
    case RECORD_UNREAD:
        return is_time(((const struct record_unread *)r)->time_us) &&
               tail_is(h, sizeof(struct record_unread), 0);
    case RECORD_MOMENT:
        return check_moment(r);
    case RECORD_RUN_BEGIN:
        return check_run_begin(r);
    case RECORD_EPOCH:
        return tail_is(h, sizeof(struct record_epoch), 0);
    case RECORD_RUN_END:
        return is_time(((const struct record_run_end *)r)->time_us) &&
               tail_is(h, sizeof(struct record_run_end), 0);
    case RECORD_NONE:
    case RECORD_TYPE_COUNT:
        break;
    }
    return false;
}

bool record_check(struct span bytes)
{
    struct record_header h;
    assert((uintptr_t)bytes.data % RECORD_ALIGN == 0);
    if (bytes.len < sizeof(h))
        return false;
    memcpy(&h, bytes.data, sizeof(h));
    size_t fixed = fixed_size(h.type);
    if (h.len > bytes.len || h.len > RECORD_MAX_BYTES || h.len % RECORD_ALIGN != 0)
        return false;
    if (fixed == 0 || h.len < fixed)
        return false;
    return check_body((const struct record_header *)(const void *)bytes.data);
}
