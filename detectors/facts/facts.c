#include "detectors/facts/facts.h"

#include "common/strbuf.h"
#include "detectors/facts/facts_parts.h"

#include <ctype.h>
#include <pg_query.h>
#include <stdlib.h>
#include <strings.h>

/* A hole grows to "$" and its number at most. */
enum { BYTES_PER_HOLE = 8, TAIL_MAX = FACTS_RECORD_MAX - sizeof(struct record_facts) };

/* --- what the text alone tells --- */

/* The verb of the first word: right for all but WITH and a leading parenthesis. */
static enum sql_verb first_word(struct span masked)
{
    size_t n = 0;
    while (n < masked.len && isalpha(masked.data[n]))
        n++;
    if (n == 0)
        return masked.len == 0 ? SQL_VERB_EMPTY : SQL_VERB_OTHER;
    for (int v = SQL_VERB_EMPTY + 1; v < SQL_VERB_OTHER; v++) {
        const char *name = sql_verb_name((enum sql_verb)v);
        if (strlen(name) == n && strncasecmp(name, (const char *)masked.data, n) == 0)
            return (enum sql_verb)v;
    }
    return SQL_VERB_OTHER;
}

static size_t skip_quoted(struct span masked, size_t at)
{
    const uint8_t *end = memchr(masked.data + at + 1, '"', masked.len - at - 1);
    return end != NULL ? (size_t)(end - masked.data) : masked.len;
}

static bool is_word_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* Whether `in (` opens at `at`; *open is then the offset behind the parenthesis. */
static bool opens_in_list(struct span masked, size_t at, size_t *open)
{
    if (masked.len - at < 4 || memcmp(masked.data + at, "in", 2) != 0)
        return false;
    if (at > 0 && is_word_byte(masked.data[at - 1]))
        return false;
    if (at >= 4 && memcmp(masked.data + at - 4, "not ", 4) == 0)
        return false;
    at += 2;
    while (at < masked.len && masked.data[at] == ' ')
        at++;
    *open = at + 1;
    return at < masked.len && masked.data[at] == '(';
}

static bool list_has_more(struct span masked, size_t at)
{
    for (int depth = 1; at < masked.len && depth > 0; at++) {
        if (masked.data[at] == '(')
            depth++;
        else if (masked.data[at] == ')')
            depth--;
        else if (masked.data[at] == '"')
            at = skip_quoted(masked, at);
        else if (masked.data[at] == (uint8_t)SQL_MORE)
            return true;
    }
    return false;
}

/* The grammar sees a list of values as one value (sql_parseable drops SQL_MORE), so that an IN list
 * of several is known by the masked text only. */
static bool has_collapsed_in_list(struct span masked)
{
    size_t open = 0;
    for (size_t at = 0; at < masked.len; at++) {
        if (masked.data[at] == '"')
            at = skip_quoted(masked, at);
        else if (opens_in_list(masked, at, &open) && list_has_more(masked, open))
            return true;
    }
    return false;
}

/* --- record --- */

static bool add_name(struct strbuf *tail, const char *name)
{
    size_t len = strlen(name);
    if (tail->len + 1 + len > TAIL_MAX)
        return false;
    strbuf_putc(tail, (char)len);
    strbuf_puts(tail, name);
    return true;
}

static bool add_predicate(struct strbuf *tail, const struct facts_predicate *p, unsigned n_tables)
{
    if (tail->len + 3 + strlen(p->column) > TAIL_MAX)
        return false;
    strbuf_putc(tail, (char)p->op);
    strbuf_putc(tail, (char)(p->table < n_tables ? p->table : FACTS_NO_TABLE));
    return add_name(tail, p->column);
}

static size_t write_record(struct record_facts *r, struct span tail, void *out)
{
    size_t len = record_size(sizeof(*r), tail.len);
    r->h = (struct record_header){.len = (uint32_t)len, .type = RECORD_FACTS};
    r->tail_len = (uint32_t)tail.len;
    memset(out, 0, len);
    memcpy(out, r, sizeof(*r));
    if (tail.len > 0)
        memcpy((uint8_t *)out + sizeof(*r), tail.data, tail.len);
    return len;
}

static size_t write_facts(struct sql_id id, const struct facts_builder *b, void *out)
{
    struct record_facts r = {.id = id,
                             .status = FACTS_OK,
                             .verb = (uint8_t)b->verb,
                             .fact_flags = b->flags,
                             .n_targets = b->n_targets};
    struct strbuf tail;
    strbuf_init(&tail, TAIL_MAX);
    while (r.n_tables < b->n_tables && add_name(&tail, b->tables[r.n_tables]))
        r.n_tables++;
    while (r.n_predicates < b->n_predicates &&
           add_predicate(&tail, &b->predicates[r.n_predicates], r.n_tables))
        r.n_predicates++;
    size_t len = tail.failed ? facts_missing(id, FACTS_REFUSED, out)
                             : write_record(&r, strbuf_span(&tail), out);
    strbuf_fini(&tail);
    return len;
}

size_t facts_missing(struct sql_id id, enum record_facts_status status, void *out)
{
    struct record_facts r = {.id = id, .status = (uint8_t)status};
    return write_record(&r, span_of(NULL, 0), out);
}

/* --- reading --- */

/* The grammar's tree as JSON, or NULL: refused, not UTF-8, or deeper than jansson reads. That depth
 * also bounds every walk here. */
static json_t *parse(const char *text)
{
    PgQueryParseResult result = pg_query_parse(text);
    json_t *tree = NULL;
    if (result.error == NULL && result.parse_tree != NULL)
        tree = json_loads(result.parse_tree, 0, NULL);
    pg_query_free_parse_result(result);
    return tree;
}

static json_t *parse_masked(struct span masked, struct span kinds)
{
    size_t size = masked.len * BYTES_PER_HOLE + 1;
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    sql_parseable(masked, kinds, text, size);
    json_t *tree = parse(text);
    free(text);
    return tree;
}

size_t facts_read(struct sql_id id, struct span masked, struct span kinds, void *out)
{
    json_t *tree = parse_masked(masked, kinds);
    if (tree == NULL)
        return facts_missing(id, FACTS_REFUSED, out);
    struct facts_builder b = {.verb = first_word(masked)};
    json_t *first = json_array_get(json_object_get(tree, "stmts"), 0);
    if (first != NULL)
        facts_read_statement(&b, json_object_get(first, "stmt"));
    if (has_collapsed_in_list(masked))
        b.flags |= FACT_MANY_KEYS;
    size_t len = write_facts(id, &b, out);
    json_decref(tree);
    return len;
}
