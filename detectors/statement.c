#include "detectors/statement.h"

#include "detectors/chatter.h"

#include <stdlib.h>

/* Samples and plans are replaced again and again: what they may take in all. */
enum { KEPT_BYTES_MAX = 16 * 1024 * 1024 };

/* A statement with the memory that is replaced in its life. */
struct entry {
    struct statement statement; /* first */
    struct record_plan *plans[STATEMENT_PLANS];
    uint8_t *sample_text;
    uint8_t *sample_params;
};

static struct entry *entry_of(struct statement *s)
{
    return (struct entry *)(void *)s;
}

void catalogue_init(struct catalogue *c, struct arena *arena, size_t max_statements)
{
    *c = (struct catalogue){.arena = arena};
    map64_init(&c->by_id, max_statements);
    c->overflow.verb = SQL_VERB_OTHER;
}

void catalogue_fini(struct catalogue *c)
{
    size_t at = 0;
    struct statement *s;
    while ((s = map64_next(&c->by_id, &at, NULL)) != NULL) {
        for (size_t i = 0; i < STATEMENT_PLANS; i++)
            free(entry_of(s)->plans[i]);
        free(entry_of(s)->sample_text);
        free(entry_of(s)->sample_params);
    }
    map64_fini(&c->by_id);
}

/* Both halves are hashes; one word of the two is key enough, the whole is compared. */
static uint64_t key_of(struct sql_id id)
{
    return id.hi ^ (id.lo << 1 | id.lo >> 63);
}

static struct statement *add_entry(struct catalogue *c, struct sql_id id)
{
    if (c->by_id.count >= c->by_id.max)
        return NULL;
    struct entry *e = arena_alloc(c->arena, sizeof(*e));
    if (e == NULL || map64_put(&c->by_id, key_of(id), e) != MAP64_OK)
        return NULL;
    e->statement.id = id;
    e->statement.verb = SQL_VERB_OTHER;
    e->statement.serial = (uint32_t)c->by_id.count;
    return &e->statement;
}

struct statement *catalogue_get(struct catalogue *c, struct sql_id id)
{
    if (id.hi == 0 && id.lo == 0)
        return &c->overflow;
    struct statement *s = map64_get(&c->by_id, key_of(id));
    if (s == NULL)
        s = add_entry(c, id);
    if (s != NULL && sql_id_equal(s->id, id))
        return s;
    c->overflowed++;
    return &c->overflow;
}

/* The entry that a record describes, or NULL when it has none of its own. */
static struct statement *described(struct catalogue *c, struct sql_id id)
{
    struct statement *s = catalogue_get(c, id);
    return s == &c->overflow ? NULL : s;
}

static struct span keep(struct catalogue *c, struct span bytes)
{
    char *copy = bytes.len > 0 ? arena_text(c->arena, bytes) : NULL;
    c->lost_descriptions += bytes.len > 0 && copy == NULL;
    return copy != NULL ? span_of(copy, bytes.len) : span_of(NULL, 0);
}

static const void *keep_record(struct catalogue *c, const struct record_header *r)
{
    void *copy = arena_alloc(c->arena, r->len);
    if (copy == NULL)
        c->lost_descriptions++;
    else
        memcpy(copy, r, r->len);
    return copy;
}

/* By its text, or by what the grammar told; these two records come in any order. */
static void classify(struct statement *s)
{
    if (s->text.len > 0)
        s->chatter = chatter_find(s->verb, s->text);
    if (s->chatter == NULL && statement_has(s, FACT_ONLY_CATALOG))
        s->chatter = chatter_introspection();
}

void catalogue_add_statement(struct catalogue *c, const struct record_statement *r)
{
    struct statement *s = described(c, r->id);
    if (s == NULL || s->text.len > 0)
        return;
    if (r->verb < SQL_VERB_COUNT)
        s->verb = (enum sql_verb)r->verb;
    s->scan_flags = r->scan_flags;
    s->text = keep(c, record_tail(&r->h, sizeof(*r), 0, r->text_len));
    s->kinds = keep(c, record_tail(&r->h, sizeof(*r), r->text_len, r->kinds_len));
    classify(s);
}

void catalogue_add_columns(struct catalogue *c, const struct record_columns *r)
{
    struct statement *s = described(c, r->id);
    if (s == NULL || s->columns != NULL)
        return;
    s->columns = keep_record(c, &r->h);
}

void catalogue_add_facts(struct catalogue *c, const struct record_facts *r)
{
    struct statement *s = described(c, r->id);
    if (s == NULL || s->facts != NULL)
        return;
    s->facts = keep_record(c, &r->h);
    classify(s);
}

/* What is to stand in the place of `old` bytes; NULL when all of these together are at their limit:
 * the old one serves as well. */
static void *fresh_copy(struct catalogue *c, size_t old, struct span fresh)
{
    size_t bytes = c->kept_bytes - old + fresh.len;
    void *copy = bytes <= KEPT_BYTES_MAX ? malloc(fresh.len > 0 ? fresh.len : 1) : NULL;
    if (copy == NULL) {
        c->lost_samples++;
        return NULL;
    }
    if (fresh.len > 0)
        memcpy(copy, fresh.data, fresh.len);
    c->kept_bytes = bytes;
    return copy;
}

/* A refusal says nothing of the statement: what is known of it stays. */
void catalogue_add_plan(struct catalogue *c, const struct record_plan *r)
{
    struct statement *s = described(c, r->id);
    if (s == NULL)
        return;
    s->plans_answered++;
    if (r->status != PLAN_OK)
        return;
    struct record_plan **plans = entry_of(s)->plans;
    const struct record_plan *oldest = plans[STATEMENT_PLANS - 1];
    struct record_plan *copy =
        fresh_copy(c, oldest != NULL ? oldest->h.len : 0, span_of((const uint8_t *)r, r->h.len));
    if (copy == NULL)
        return;
    free(plans[STATEMENT_PLANS - 1]);
    for (size_t i = STATEMENT_PLANS - 1; i > 0; i--)
        plans[i] = plans[i - 1];
    plans[0] = copy;
    for (size_t i = 0; i < STATEMENT_PLANS; i++)
        s->plans[i] = plans[i];
}

static bool replace_sample(struct catalogue *c, uint8_t **slot, struct span *view,
                           struct span fresh)
{
    uint8_t *copy = fresh_copy(c, view->len, fresh);
    if (copy == NULL)
        return false;
    free(*slot);
    *slot = copy;
    *view = span_of(copy, fresh.len);
    return true;
}

void catalogue_add_widths(struct catalogue *c, const struct record_widths *r)
{
    struct statement *s = catalogue_get(c, r->id);
    if (s->serial == 0)
        return;
    if (s->widths == NULL)
        s->widths = arena_alloc(c->arena, sizeof(*s->widths));
    if (s->widths == NULL) {
        c->lost_descriptions++;
        return;
    }
    const struct record_width *width =
        (const void *)record_tail(&r->h, sizeof(*r), 0, r->n * sizeof(*width)).data;
    s->widths->results++;
    s->widths->rows += r->rows;
    if (r->n > s->widths->n)
        s->widths->n = r->n;
    for (unsigned i = 0; i < r->n; i++) {
        s->widths->columns[i].bytes += width[i].bytes;
        s->widths->columns[i].repeated_bytes += width[i].repeated_bytes;
    }
}

void catalogue_add_sample(struct catalogue *c, const struct record_sample *r)
{
    struct statement *s = described(c, r->id);
    if (s == NULL || r->len > RECORD_SAMPLE_MAX)
        return;
    struct span bytes = record_tail(&r->h, sizeof(*r), 0, r->len);
    struct entry *e = entry_of(s);
    s->sample_fresh |= !span_equal(bytes, r->is_params ? s->sample_params : s->sample_text);
    if (!r->is_params)
        (void)replace_sample(c, &e->sample_text, &s->sample_text, bytes);
    else if (replace_sample(c, &e->sample_params, &s->sample_params, bytes))
        s->sample_n_params = r->n_params;
}

/* --- reading facts --- */

static bool facts_ok(const struct statement *s)
{
    return s->facts != NULL && s->facts->status == FACTS_OK;
}

bool statement_has(const struct statement *s, enum record_facts_flags flag)
{
    return facts_ok(s) && (s->facts->fact_flags & (unsigned)flag) != 0;
}

/* The length-prefixed text at *at, which moves behind it; false past the end. */
static bool next_text(struct span tail, size_t *at, struct span *out)
{
    if (*at >= tail.len)
        return false;
    size_t len = tail.data[*at];
    if (len > tail.len - *at - 1)
        return false;
    *out = span_of(tail.data + *at + 1, len);
    *at += 1 + len;
    return true;
}

static struct span facts_tail(const struct statement *s)
{
    return record_tail(&s->facts->h, sizeof(*s->facts), 0, s->facts->tail_len);
}

struct span statement_table(const struct statement *s, unsigned i)
{
    struct span none = span_of(NULL, 0);
    if (!facts_ok(s) || i >= s->facts->n_tables)
        return none;
    size_t at = 0;
    struct span table = none;
    for (unsigned k = 0; k <= i; k++) {
        if (!next_text(facts_tail(s), &at, &table))
            return none;
    }
    return table;
}

enum sql_verb statement_verb(const struct statement *s)
{
    if (facts_ok(s) && s->facts->verb < SQL_VERB_COUNT)
        return (enum sql_verb)s->facts->verb;
    return s->verb;
}

bool statement_predicate_at(const struct statement *s, unsigned i, struct statement_predicate *out)
{
    if (!facts_ok(s) || i >= s->facts->n_predicates)
        return false;
    struct span tail = facts_tail(s);
    struct span text;
    size_t at = 0;
    for (unsigned k = 0; k < s->facts->n_tables; k++) {
        if (!next_text(tail, &at, &text))
            return false;
    }
    uint8_t op = 0;
    uint8_t table = 0;
    for (unsigned k = 0; k <= i; k++) {
        if (tail.len - at < 2)
            return false;
        op = tail.data[at];
        table = tail.data[at + 1];
        at += 2;
        if (!next_text(tail, &at, &text))
            return false;
    }
    out->op = op <= PREDICATE_OTHER ? (enum record_predicate_op)op : PREDICATE_OTHER;
    out->table = statement_table(s, table);
    out->column = text;
    return true;
}

/* The name that the result gives a column. */
static struct span column_label(const struct statement *s, unsigned column)
{
    const struct record_columns *r = s->columns;
    if (r == NULL || column >= r->n_columns)
        return span_of(NULL, 0);
    const struct record_column *columns =
        (const void *)record_tail(&r->h, sizeof(*r), 0, sizeof(*columns)).data;
    size_t offset = 0;
    for (unsigned i = 0; i < column; i++)
        offset += columns[i].name_len;
    if (offset + columns[column].name_len > r->names_len)
        return span_of(NULL, 0);
    return record_tail(&r->h, sizeof(*r), r->n_columns * sizeof(*columns) + offset,
                       columns[column].name_len);
}

static bool in_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

/* Whether " as " and the word `label` stand at `at`. */
static bool is_label_at(struct span text, size_t at, struct span label)
{
    static const char as[] = " as ";
    struct span behind = span_skip(text, at + strlen(as));
    return span_starts(span_skip(text, at), as) &&
           span_equal(span_head(behind, label.len), label) &&
           (behind.len == label.len || !in_word(behind.data[label.len]));
}

/* SQLAlchemy's lazy loads label each column ("books.id as books_id"): the column behind a label, or
 * the label when it stands for something else. */
static struct span column_of_label(struct span text, struct span label)
{
    size_t need = sizeof(" as ") - 1 + label.len;
    if (label.len == 0)
        return label;
    for (size_t at = 0; at + need <= text.len; at++) {
        if (text.data[at] != ' ' || !is_label_at(text, at, label))
            continue;
        size_t from = at;
        while (from > 0 && in_word(text.data[from - 1]))
            from--;
        bool plain = from > 0 && text.data[from - 1] == '.' && from < at;
        return plain ? span_of(text.data + from, at - from) : label;
    }
    return label;
}

struct span statement_column_name(const struct statement *s, unsigned column)
{
    return column_of_label(s->text, column_label(s, column));
}

bool statement_column_is_long(const struct statement *s, unsigned column)
{
    enum { OID_BYTEA = 17, OID_JSON = 114, OID_JSONB = 3802 };
    const struct record_columns *r = s->columns;
    if (r == NULL || column >= r->n_columns)
        return false;
    const struct record_column *columns =
        (const void *)record_tail(&r->h, sizeof(*r), 0, sizeof(*columns)).data;
    switch (columns[column].type_oid) {
    case OID_BYTEA:
    case OID_JSON:
    case OID_JSONB:
    case WIRE_OID_TEXT:
    case WIRE_OID_VARCHAR:
        return true;
    default:
        return false;
    }
}

static bool verb_changes_rows(enum sql_verb verb)
{
    return verb == SQL_VERB_INSERT || verb == SQL_VERB_UPDATE || verb == SQL_VERB_DELETE ||
           verb == SQL_VERB_MERGE;
}

bool statement_changes_rows(const struct statement *s, enum sql_verb sent)
{
    return verb_changes_rows(sent) || verb_changes_rows(statement_verb(s));
}

bool statement_may_write(const struct statement *s, enum sql_verb sent)
{
    enum sql_verb verb = s->facts != NULL || s->text.len > 0 ? statement_verb(s) : sent;
    if (s->chatter != NULL || sql_verb_class(verb) == SQL_CLASS_TX)
        return false;
    switch (verb) {
    case SQL_VERB_SELECT:
    case SQL_VERB_FETCH:
    case SQL_VERB_VALUES:
    case SQL_VERB_TABLE:
    case SQL_VERB_DECLARE:
    case SQL_VERB_EMPTY:
        return false;
    default:
        return true;
    }
}
