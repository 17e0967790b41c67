/*
 * Read everything that a record which passed record_check promises to hold: what its readers rely
 * on. Gives a sum of the bytes so that nothing is left out by the compiler.
 */
#ifndef PGSLEUTH_TESTS_WIRE_RECORD_TOUCH_H
#define PGSLEUTH_TESTS_WIRE_RECORD_TOUCH_H

#include "common/reader.h"
#include "wire/record.h"

#include <assert.h>

static inline uint64_t touch_bytes(struct span s)
{
    uint64_t sum = s.len;
    for (size_t i = 0; i < s.len; i++)
        sum += s.data[i];
    return sum;
}

static inline uint64_t touch_columns(const struct record_columns *r)
{
    const struct record_column *column = (const void *)(r + 1);
    size_t at = r->n_columns * sizeof(*column);
    uint64_t sum = 0;
    assert(r->n_columns <= RECORD_MAX_COLUMNS);
    for (unsigned i = 0; i < r->n_columns; i++) {
        sum += touch_bytes(record_tail(&r->h, sizeof(*r), at, column[i].name_len));
        at += column[i].name_len;
    }
    return sum;
}

static inline uint64_t touch_exchange(const struct record_exchange *r)
{
    const uint64_t *values = (const void *)(r + 1);
    const struct record_key *keys = (const void *)(values + r->n_values);
    const uint64_t *hash = (const void *)(keys + r->n_keys);
    uint64_t sum = 0;
    assert(r->n_values <= SQL_MAX_VALUES && r->n_keys <= RECORD_MAX_KEYS);
    for (unsigned i = 0; i < r->n_values; i++)
        sum += values[i];
    for (unsigned k = 0; k < r->n_keys; k++) {
        for (unsigned i = 0; i < keys[k].count; i++)
            sum += *hash++;
    }
    return sum + (uint64_t)*sql_verb_name((enum sql_verb)r->verb);
}

static inline uint64_t touch_sample(const struct record_sample *r)
{
    struct span left = record_tail(&r->h, sizeof(*r), 0, r->len);
    uint64_t sum = touch_bytes(left);
    for (unsigned i = 0; r->is_params && i < r->n_params; i++) {
        int32_t len;
        memcpy(&len, left.data + 8, sizeof(len));
        left = span_skip(left, 12);
        if (len < 0)
            continue;
        sum += touch_bytes(span_of(left.data, (size_t)len));
        left = span_skip(left, ((size_t)len + 3) & ~(size_t)3);
    }
    return sum;
}

static inline uint64_t touch_facts(const struct record_facts *r)
{
    struct span tail = record_tail(&r->h, sizeof(*r), 0, r->tail_len);
    uint64_t sum = 0;
    struct reader in = reader_of(tail);
    for (unsigned i = 0; i < r->n_tables; i++)
        sum += touch_bytes(reader_bytes(&in, reader_u8(&in)));
    for (unsigned i = 0; i < r->n_predicates; i++) {
        assert(reader_u8(&in) <= PREDICATE_OTHER);
        uint8_t table = reader_u8(&in);
        assert(table == 255 || table < r->n_tables);
        sum += touch_bytes(reader_bytes(&in, reader_u8(&in)));
    }
    assert(reader_done(&in));
    assert(r->status <= FACTS_TOO_LONG);
    return sum + (uint64_t)*sql_verb_name((enum sql_verb)r->verb);
}

static inline uint64_t touch_statement(const struct record_statement *r)
{
    char text[256];
    struct span masked = record_tail(&r->h, sizeof(*r), 0, r->text_len);
    struct span kinds = record_tail(&r->h, sizeof(*r), r->text_len, r->kinds_len);
    assert(r->text_len <= RECORD_TEXT_MAX);
    uint64_t sum = touch_bytes(masked) + touch_bytes(kinds);
    sum += sql_display(masked, text, sizeof(text));
    sum += sql_parseable(masked, kinds, text, sizeof(text));
    return sum + (uint64_t)*sql_verb_name((enum sql_verb)r->verb);
}

static inline uint64_t touch_tag(const struct record_tag *r)
{
    uint64_t sum = 0;
    size_t at = 0;
    for (unsigned i = 0; i < SQL_TAG_COUNT; i++) {
        assert(r->len[i] <= SQL_TAG_VALUE_MAX);
        sum += touch_bytes(record_tail(&r->h, sizeof(*r), at, r->len[i]));
        at += r->len[i];
    }
    return sum;
}

static inline uint64_t touch_plan(const struct record_plan *r)
{
    struct span texts[RECORD_PLAN_TEXTS];
    uint64_t sum = 0;
    record_plan_texts(r, texts);
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++)
        sum += touch_bytes(texts[i]);
    return sum;
}

static inline uint64_t touch_session_start(const struct record_session_start *r)
{
    size_t len = (size_t)r->user_len + r->database_len + r->application_len + r->client_len;
    return touch_bytes(record_tail(&r->h, sizeof(*r), 0, len));
}

static inline uint64_t touch_widths(const struct record_widths *r)
{
    return touch_bytes(record_tail(&r->h, sizeof(*r), 0, r->n * sizeof(struct record_width)));
}

static inline uint64_t touch_run_start(const struct record_run_start *r)
{
    return touch_bytes(record_tail(&r->h, sizeof(*r), 0, (size_t)r->version_len + r->settings_len));
}

/* `bytes` passed record_check. */
static inline uint64_t record_touch(struct span bytes)
{
    const void *r = bytes.data;
    const struct record_header *h = r;
    uint64_t sum = touch_bytes(span_of(bytes.data, h->len));
    switch ((enum record_type)h->type) {
    case RECORD_COLUMNS:
        return sum + touch_columns(r);
    case RECORD_EXCHANGE:
        return sum + touch_exchange(r);
    case RECORD_SAMPLE:
        return sum + touch_sample(r);
    case RECORD_FACTS:
        return sum + touch_facts(r);
    case RECORD_STATEMENT:
        return sum + touch_statement(r);
    case RECORD_TAG:
        return sum + touch_tag(r);
    case RECORD_PLAN:
        return sum + touch_plan(r);
    case RECORD_WIDTHS:
        return sum + touch_widths(r);
    case RECORD_SESSION_START:
        return sum + touch_session_start(r);
    case RECORD_RUN_START:
        return sum + touch_run_start(r);
    default:
        return sum;
    }
}

#endif
