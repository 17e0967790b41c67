#include "detectors/advisor/advice.h"

#include <stdlib.h>

enum { MAX_EQUALITIES = 3, MAX_KEYS = MAX_EQUALITIES + 1 };

/* A term that can be a part of an index. */
struct key {
    const struct advisor_term *term;
    const struct advisor_column *column;
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* A cast that changes nothing but the name of the type: an index on the column serves it. */
static bool is_harmless_cast(const struct advisor_term *term, const struct advisor_column *column)
{
    if (term->cast[0] == '\0')
        return true;
    bool is_text = is(column->type, "varchar") || is(column->type, "text");
    return is_text && (is(term->cast, "text") || is(term->cast, "character varying"));
}

static bool is_key(const struct advisor_term *term, const struct advisor_column *column)
{
    if (!column->exists || term->op == ADVISOR_WRAPPED || term->expression[0] == '\0')
        return false;
    /* A list of names cannot hold these; an expression has its own parentheses. */
    if (strpbrk(term->column, ",()") != NULL || strchr(term->expression, ',') != NULL)
        return false;
    return term->function[0] != '\0' ? column->pure_call : is_harmless_cast(term, column);
}

/* --- writing --- */

/* Quoted only where the server would need it: lower-case names stand as they are. */
static void put_name(struct strbuf *out, const char *name)
{
    bool plain = name[0] == '_' || (name[0] >= 'a' && name[0] <= 'z');
    for (const char *c = name; *c != '\0' && plain; c++)
        plain = *c == '_' || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
    if (plain) {
        strbuf_puts(out, name);
        return;
    }
    strbuf_putc(out, '"');
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"')
            strbuf_putc(out, '"');
        strbuf_putc(out, *c);
    }
    strbuf_putc(out, '"');
}

static bool needs_pattern_class(const struct key *key)
{
    return key->term->op == ADVISOR_LIKE_PREFIX &&
           (key->term->function[0] != '\0' || !key->column->c_collation);
}

static void put_key(struct strbuf *out, const struct key *key)
{
    if (key->term->function[0] == '\0') {
        strbuf_puts(out, key->term->column);
    } else if (is_harmless_cast(key->term, key->column)) {
        put_name(out, key->term->function);
        strbuf_putc(out, '(');
        put_name(out, key->term->column);
        strbuf_putc(out, ')');
    } else {
        strbuf_puts(out, key->term->expression);
    }
    if (needs_pattern_class(key))
        strbuf_puts(out,
                    is(key->column->type, "bpchar") ? " bpchar_pattern_ops" : " text_pattern_ops");
}

static void begin_note(struct strbuf *note)
{
    if (note->len > 0)
        strbuf_puts(note, "; ");
}

/* --- choosing --- */

/* Distinct values of a column; pg_stats writes a share of the rows as a negative number. */
static double distinct_values(const struct key *key, double rows)
{
    double n = key->column->n_distinct;
    return n < 0 ? -n * (rows > 1 ? rows : 1) : n;
}

static bool is_bool(const struct key *key)
{
    return is(key->column->type, "bool");
}

/* Whether a should come before b: `=` before ANY, then the one that leaves fewer rows. */
static bool precedes(const struct key *a, const struct key *b, double rows)
{
    if (is_bool(a) != is_bool(b))
        return is_bool(b);
    if (a->term->op != b->term->op)
        return a->term->op == ADVISOR_EQ;
    return distinct_values(a, rows) > distinct_values(b, rows);
}

static bool is_same(const struct key *a, const struct key *b)
{
    return is(a->term->column, b->term->column) && is(a->term->function, b->term->function);
}

static bool has_key(const struct key *keys, unsigned n, const struct key *key)
{
    for (unsigned i = 0; i < n; i++) {
        if (is_same(&keys[i], key))
            return true;
    }
    return false;
}

static unsigned insert_key(struct key *keys, unsigned n, const struct key *key, double rows)
{
    unsigned at = n;
    while (at > 0 && precedes(key, &keys[at - 1], rows))
        at--;
    unsigned kept = n < MAX_EQUALITIES ? n : MAX_EQUALITIES - 1;
    for (unsigned i = kept; i > at; i--)
        keys[i] = keys[i - 1];
    if (at < MAX_EQUALITIES)
        keys[at] = *key;
    return n < MAX_EQUALITIES ? n + 1 : n;
}

static unsigned choose(const struct advisor_filter *filter, const struct advisor_table *table,
                       struct key *keys)
{
    struct key range = {NULL, NULL};
    unsigned n = 0;
    for (unsigned i = 0; i < filter->n_terms; i++) {
        struct key key = {&filter->terms[i], &table->columns[i]};
        if (!is_key(key.term, key.column))
            continue;
        bool equality = key.term->op == ADVISOR_EQ || key.term->op == ADVISOR_ANY;
        if (equality && !has_key(keys, n, &key))
            n = insert_key(keys, n, &key, table->rows);
        else if (!equality && range.term == NULL)
            range = key;
    }
    if (range.term != NULL && !has_key(keys, n, &range))
        keys[n++] = range;
    return n;
}

/* --- the indexes that exist --- */

static bool leads_with(const struct advisor_index *index, const struct key *key)
{
    if (key->term->function[0] != '\0')
        return index->column[0] == '\0' && is(index->expression, key->term->expression);
    return is(index->column, key->term->column);
}

static bool has_pattern_class(const struct advisor_index *index)
{
    return strstr(index->opclass, "_pattern_ops") != NULL;
}

/* Why an index that begins with the key cannot serve it, or NULL. */
static const char *why_unusable(const struct advisor_index *index, const struct key *key)
{
    bool hash = is(index->method, "hash");
    if (!index->valid)
        return "is not valid: an unfinished CREATE INDEX CONCURRENTLY, REINDEX it";
    if (index->partial)
        return "is partial and this filter does not imply its condition";
    if (hash && key->term->op != ADVISOR_EQ)
        return "is a hash index and serves only =";
    if (!hash && !is(index->method, "btree"))
        return "is not a btree and does not serve this comparison";
    if (needs_pattern_class(key) && !has_pattern_class(index))
        return "cannot serve LIKE in this collation, which takes text_pattern_ops";
    if (key->term->op == ADVISOR_RANGE && has_pattern_class(index))
        return "has text_pattern_ops and serves only = and LIKE";
    return NULL;
}

/* Note the indexes that begin with the first key. True when one of them could be used. */
static bool note_existing(const struct advisor_table *table, const struct key *first,
                          struct strbuf *note)
{
    bool usable = false;
    for (unsigned i = 0; i < table->n_indexes; i++) {
        const struct advisor_index *index = &table->indexes[i];
        if (!leads_with(index, first))
            continue;
        const char *why = why_unusable(index, first);
        begin_note(note);
        if (why != NULL) {
            strbuf_printf(note, "%s %s", index->name, why);
            continue;
        }
        strbuf_printf(note, "exists but unused: %s; the planner expects a scan to be cheaper",
                      index->name);
        usable = true;
    }
    return usable;
}

static const char *index_on(const struct advisor_table *table, const char *column)
{
    for (unsigned i = 0; i < table->n_indexes; i++) {
        if (is(table->indexes[i].column, column))
            return table->indexes[i].name;
    }
    return NULL;
}

/* A comparison that no index on the bare column serves. Worth a note where somebody made that
 * index, or where there is nothing else to say. */
static void note_obstacle(const struct advisor_term *term, const struct advisor_column *column,
                          const struct advisor_table *table, bool nothing_else, struct strbuf *note)
{
    const char *index = index_on(table, term->column);
    bool wrapped = term->op == ADVISOR_WRAPPED;
    bool call = !wrapped && term->function[0] != '\0';
    bool cast = !wrapped && !call && !is_harmless_cast(term, column);
    if (!column->exists || !(wrapped || call || cast) || (index == NULL && !nothing_else))
        return;
    begin_note(note);
    if (index != NULL)
        strbuf_printf(note, "exists but unused: %s; ", index);
    if (wrapped)
        strbuf_printf(note, "%s is compared inside an expression", term->column);
    else if (cast)
        strbuf_printf(note, "%s is %s but compared as %s: send a value of its own type",
                      term->column, column->type, term->cast);
    else
        strbuf_printf(note, "%s is compared through %s()%s", term->column, term->function,
                      column->pure_call ? "" : ", which is not immutable: compare a range instead");
}

void advisor_advice_make(const struct advisor_filter *filter, const struct advisor_table *table,
                         struct strbuf *columns, struct strbuf *note)
{
    struct key keys[MAX_KEYS];
    unsigned n = choose(filter, table, keys);
    bool exists = n > 0 && note_existing(table, &keys[0], note);
    for (unsigned i = 0; i < filter->n_terms; i++)
        note_obstacle(&filter->terms[i], &table->columns[i], table, n == 0, note);
    for (unsigned i = 0; i < n && !exists; i++) {
        if (i > 0)
            strbuf_puts(columns, ", ");
        put_key(columns, &keys[i]);
    }
}
