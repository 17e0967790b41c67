#include "detectors/advisor/advice.h"

#include <stdlib.h>

enum { MAX_EQUALITIES = 3, MAX_KEYS = MAX_EQUALITIES + 1 };

struct keys {
    unsigned n;
    unsigned n_equal;
    bool backwards; /* the order is the index's own, read from its end */
    struct key {
        const struct advisor_term *term;
        const struct advisor_column *column;
    } key[MAX_KEYS];
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

bool advisor_advice_is_name(const char *name)
{
    static const char *const ends[] = {" DESC", " NULLS FIRST", " NULLS LAST", "_pattern_ops"};
    size_t len = strlen(name);
    if (strpbrk(name, ",()\n\r") != NULL)
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);
        if (len >= n && is(name + len - n, ends[i]))
            return false;
    }
    return len > 0;
}

/* A list of names cannot hold every name; an expression has its own parentheses. */
static bool is_key(const struct advisor_term *term, const struct advisor_column *column)
{
    if (!column->exists || term->op == ADVISOR_WRAPPED || term->expression[0] == '\0')
        return false;
    if (!advisor_advice_is_name(term->column) || strchr(term->expression, ',') != NULL)
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

static void put_order(struct strbuf *out, const struct advisor_term *term, bool backwards)
{
    bool descending = term->descending != backwards;
    bool nulls_first = term->nulls_first != backwards;
    if (descending)
        strbuf_puts(out, " DESC");
    if (nulls_first != descending)
        strbuf_puts(out, nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

/* A plain column is bare in a list for the report, and quoted where need be in SQL. */
static void put_key(struct strbuf *out, const struct key *key, bool backwards, bool sql)
{
    if (key->term->function[0] == '\0' && !sql) {
        strbuf_puts(out, key->term->column);
    } else if (key->term->function[0] == '\0') {
        put_name(out, key->term->column);
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
    if (key->term->op == ADVISOR_ORDER)
        put_order(out, key->term, backwards);
}

/* False when the list does not fit. */
static bool put_keys(char *out, const struct keys *keys, bool sql)
{
    struct strbuf b;
    strbuf_init(&b, ADVISOR_COLUMNS_MAX - 1);
    for (unsigned i = 0; i < keys->n; i++) {
        if (i > 0)
            strbuf_puts(&b, ", ");
        put_key(&b, &keys->key[i], keys->backwards, sql);
    }
    bool ok = !b.failed;
    memcpy(out, ok ? strbuf_text(&b) : "", ok ? b.len + 1 : 1);
    strbuf_fini(&b);
    return ok;
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

static bool has_key(const struct keys *keys, const struct key *key)
{
    for (unsigned i = 0; i < keys->n; i++) {
        if (is_same(&keys->key[i], key))
            return true;
    }
    return false;
}

static void insert_key(struct keys *keys, const struct key *key, double rows)
{
    unsigned at = keys->n;
    while (at > 0 && precedes(key, &keys->key[at - 1], rows))
        at--;
    unsigned kept = keys->n < MAX_EQUALITIES ? keys->n : MAX_EQUALITIES - 1;
    for (unsigned i = kept; i > at; i--)
        keys->key[i] = keys->key[i - 1];
    if (at < MAX_EQUALITIES)
        keys->key[at] = *key;
    keys->n += keys->n < MAX_EQUALITIES;
}

static bool key_at(const struct advisor_filter *filter, const struct advisor_table *table,
                   unsigned i, struct key *out)
{
    *out = (struct key){&filter->terms[i], &table->columns[i]};
    return is_key(out->term, out->column);
}

/* Columns behind those that leave a single row only make an index larger. True when so. */
static bool cut_behind_single_row(struct keys *keys, double rows)
{
    double groups = 1;
    for (unsigned i = 0; i < keys->n; i++) {
        groups *= distinct_values(&keys->key[i], rows);
        if (keys->key[i].term->op == ADVISOR_EQ && groups > 1 && groups >= rows) {
            keys->n = i + 1;
            return true;
        }
    }
    return false;
}

static bool choose_equalities(const struct advisor_filter *filter,
                              const struct advisor_table *table, struct keys *keys)
{
    struct key key;
    *keys = (struct keys){.n = 0};
    for (unsigned i = 0; i < filter->n_terms; i++) {
        bool equality = filter->terms[i].op == ADVISOR_EQ || filter->terms[i].op == ADVISOR_ANY;
        if (equality && key_at(filter, table, i, &key) && !has_key(keys, &key))
            insert_key(keys, &key, table->rows);
    }
    bool single = cut_behind_single_row(keys, table->rows);
    keys->n_equal = keys->n;
    return single;
}

static void add_range(const struct advisor_filter *filter, const struct advisor_table *table,
                      struct keys *keys)
{
    struct key key;
    for (unsigned i = 0; i < filter->n_terms; i++) {
        bool range =
            filter->terms[i].op == ADVISOR_RANGE || filter->terms[i].op == ADVISOR_LIKE_PREFIX;
        if (!range || !key_at(filter, table, i, &key))
            continue;
        if (!has_key(keys, &key))
            keys->key[keys->n++] = key;
        return;
    }
}

/* The whole order, or false and nothing of it: a list of values, or a part of the order, would
 * still have to be sorted. */
static bool add_order(const struct advisor_filter *filter, const struct advisor_table *table,
                      struct keys *keys)
{
    struct keys with = *keys;
    struct key key;
    for (unsigned i = 0; i < keys->n; i++) {
        if (keys->key[i].term->op == ADVISOR_ANY)
            return false;
    }
    for (unsigned i = 0; i < filter->n_terms; i++) {
        if (filter->terms[i].op != ADVISOR_ORDER)
            continue;
        if (!key_at(filter, table, i, &key))
            return false;
        if (has_key(&with, &key))
            continue;
        if (with.n == MAX_KEYS)
            return false;
        if (with.n == keys->n)
            with.backwards = key.term->descending;
        with.key[with.n++] = key;
    }
    if (with.n == keys->n)
        return false;
    *keys = with;
    return true;
}

/* --- the indexes that exist --- */

/* The server writes a function with its schema where its search_path does not find it. */
static bool is_same_expression(const char *definition, const char *expression)
{
    size_t len = strlen(definition);
    size_t want = strlen(expression);
    if (want == 0 || len < want || !is(definition + len - want, expression))
        return false;
    size_t qualifier = len - want;
    return qualifier == 0 ||
           (definition[qualifier - 1] == '.' && strcspn(definition, "( ") >= qualifier);
}

static bool leads_with(const struct advisor_index *index, const struct key *key)
{
    if (key->term->function[0] != '\0')
        return index->column[0] == '\0' &&
               is_same_expression(index->expression, key->term->expression);
    return is(index->column, key->term->column);
}

static const char *index_column(const struct advisor_index *index, unsigned i)
{
    if (i == 0)
        return index->column;
    return i <= ADVISOR_MORE_COLUMNS ? index->more[i - 1] : "";
}

static bool is_among(const struct advisor_index *index, const struct keys *keys, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool found = false;
        for (unsigned k = 0; k < n && !found; k++)
            found = keys->key[i].term->function[0] == '\0' &&
                    is(index_column(index, k), keys->key[i].term->column);
        if (!found)
            return false;
    }
    return true;
}

/* Whether the index has all of these columns in front, those compared for equality in any order. */
static bool covers(const struct advisor_index *index, const struct keys *keys)
{
    if (keys->n == 1)
        return leads_with(index, &keys->key[0]);
    if (!is_among(index, keys, keys->n_equal))
        return false;
    for (unsigned i = keys->n_equal; i < keys->n; i++) {
        if (keys->key[i].term->function[0] != '\0' ||
            !is(index_column(index, i), keys->key[i].term->column))
            return false;
    }
    return true;
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

/* Note the indexes that begin with the first key. True when one of them could be used; where an
 * order is wanted it has to have all of that. */
static bool note_existing(const struct advisor_table *table, const struct keys *keys,
                          struct strbuf *note)
{
    bool usable = false;
    bool ordered = keys->key[keys->n - 1].term->op == ADVISOR_ORDER;
    for (unsigned i = 0; i < table->n_indexes; i++) {
        const struct advisor_index *index = &table->indexes[i];
        const char *why = why_unusable(index, &keys->key[0]);
        if (!leads_with(index, &keys->key[0]) && !covers(index, keys))
            continue;
        if (why == NULL && ordered && !covers(index, keys))
            continue;
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
    bool order = term->op == ADVISOR_ORDER;
    if (order || !column->exists || !(wrapped || call || cast) || (index == NULL && !nothing_else))
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

/* --- candidates --- */

static bool has_such_index(const struct advisor_table *table, const struct keys *keys)
{
    for (unsigned i = 0; i < table->n_indexes; i++) {
        if (covers(&table->indexes[i], keys) &&
            why_unusable(&table->indexes[i], &keys->key[0]) == NULL)
            return true;
    }
    return false;
}

static void add_candidate(const struct advisor_table *table, const struct keys *keys,
                          struct advisor_advice *out)
{
    if (keys->n == 0 || out->n == ADVISOR_MAX_CANDIDATES || has_such_index(table, keys))
        return;
    struct advisor_candidate *c = &out->candidates[out->n];
    *c = (struct advisor_candidate){.n_keys = keys->n,
                                    .n_equal = keys->n_equal < keys->n ? keys->n_equal : keys->n,
                                    .on_foreign_key = keys->key[0].column->foreign_key};
    if (!put_keys(c->columns, keys, false) || !put_keys(c->sql, keys, true))
        return;
    for (unsigned i = 0; i < out->n; i++) {
        if (is(out->candidates[i].sql, c->sql))
            return;
    }
    out->n++;
}

static void add_head(const struct advisor_table *table, struct keys keys, unsigned n,
                     struct advisor_advice *out)
{
    if (keys.n_equal < n)
        return;
    keys.n = n;
    keys.n_equal = n;
    add_candidate(table, &keys, out);
}

void advisor_advice_make(const struct advisor_filter *filter, const struct advisor_table *table,
                         struct advisor_advice *out, struct strbuf *note)
{
    struct keys equal;
    out->n = 0;
    bool single = choose_equalities(filter, table, &equal);
    struct keys ranged = equal;
    struct keys best = equal;
    if (!single)
        add_range(filter, table, &ranged);
    if (single || !add_order(filter, table, &best))
        best = ranged;
    out->exists = best.n > 0 && note_existing(table, &best, note);
    for (unsigned i = 0; i < filter->n_terms; i++)
        note_obstacle(&filter->terms[i], &table->columns[i], table, best.n == 0, note);
    add_candidate(table, &best, out);
    add_head(table, equal, 1, out);
    add_head(table, equal, 2, out);
    add_candidate(table, &ranged, out);
}
