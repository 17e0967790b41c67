#include "wire/memo.h"

#include "common/hash.h"
#include "wire/context.h"

#include <stdlib.h>

void wire_memo_init(struct wire_memo *m)
{
    memset(m, 0, sizeof(*m));
}

static void forget(struct wire_known *known)
{
    if (known != NULL)
        wire_statement_unref(known->statement);
    free(known);
}

void wire_memo_clear(struct wire_memo *m)
{
    for (size_t i = 0; i < WIRE_MEMO_SLOTS; i++)
        forget(m->slots[i].known);
    wire_memo_init(m);
}

static size_t slot_of(uint64_t hash)
{
    return (size_t)(hash % WIRE_MEMO_SLOTS);
}

const struct wire_known *wire_memo_find(const struct wire_memo *m, struct span text,
                                        struct sql_dialect dialect)
{
    if (text.len > WIRE_MEMO_TEXT_MAX)
        return NULL;
    uint64_t hash = XXH3_64bits(text.data, text.len);
    const struct wire_known *known = m->slots[slot_of(hash)].known;
    if (known == NULL || known->len != text.len ||
        known->dialect.standard_conforming_strings != dialect.standard_conforming_strings ||
        memcmp(known->text, text.data, text.len) != 0)
        return NULL;
    return known;
}

void wire_memo_put(struct wire_memo *m, struct span text, struct sql_dialect dialect,
                   const struct sql_scan *scan, struct wire_statement *statement)
{
    if (text.len == 0 || text.len > WIRE_MEMO_TEXT_MAX || scan->next < text.len)
        return;
    uint64_t hash = XXH3_64bits(text.data, text.len);
    size_t slot = slot_of(hash);
    if (m->slots[slot].hash != hash) {
        m->slots[slot].hash = hash;
        return;
    }
    struct wire_known *known = malloc(sizeof(*known) + text.len);
    if (known == NULL)
        return;
    known->statement = wire_statement_ref(statement);
    known->scan = *scan;
    known->scan.first_comment = known->scan.last_comment = span_of(NULL, 0);
    known->dialect = dialect;
    known->len = text.len;
    memcpy(known->text, text.data, text.len);
    forget(m->slots[slot].known);
    m->slots[slot].known = known;
}
