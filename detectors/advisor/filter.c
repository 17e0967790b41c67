#include "detectors/advisor/filter.h"

#include "wire/sql_lexer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* --- text --- */

static struct span trim(struct span s)
{
    while (s.len > 0 && s.data[0] == ' ')
        s = span_skip(s, 1);
    while (s.len > 0 && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* Length of the quoted thing that begins at offset `at`. Backslashes end nothing: only E'...'
 * strings have them, where they come doubled; a quote is always written twice. */
static size_t quoted_len(struct span s, size_t at)
{
    uint8_t quote = s.data[at];
    size_t i = at + 1;
    for (; i < s.len; i++) {
        if (s.data[i] != quote)
            continue;
        if (i + 1 == s.len || s.data[i + 1] != quote)
            return i + 1 - at;
        i++;
    }
    return s.len - at;
}

static bool is_name_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

static bool is_operator_byte(uint8_t c)
{
    return c != '\0' && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

/* Length of the token at `at`: something quoted, a name or number, an operator, or one byte. */
static size_t token_len(struct span s, size_t at)
{
    size_t end = at;
    if (s.data[at] == '\'' || s.data[at] == '"')
        return quoted_len(s, at);
    while (end < s.len && is_name_byte(s.data[end]))
        end++;
    if (end > at)
        return end - at;
    while (end < s.len && is_operator_byte(s.data[end]))
        end++;
    return end > at ? end - at : 1;
}

/* Walks the tokens of a text that are outside every parenthesis and bracket. */
struct cursor {
    struct span text;
    size_t next;
    size_t at; /* where the token is */
    struct span token;
};

static int nesting(uint8_t c)
{
    return c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
}

static bool next_token(struct cursor *c)
{
    int depth = 0;
    while (c->next < c->text.len) {
        c->at = c->next;
        size_t len = token_len(c->text, c->at);
        c->next += len;
        c->token = span_of(c->text.data + c->at, len);
        int step = len == 1 ? nesting(c->token.data[0]) : 0;
        depth += step;
        if (depth == 0 && step == 0 && c->token.data[0] != ' ')
            return true;
    }
    return false;
}

/* Offset behind the parenthesis that closes the one at the start. */
static size_t closing(struct span s)
{
    int depth = 0;
    for (size_t at = 0; at < s.len;) {
        size_t len = token_len(s, at);
        depth += len == 1 ? nesting(s.data[at]) : 0;
        at += len;
        if (depth == 0)
            return at;
    }
    return s.len + 1;
}

static struct span strip_parentheses(struct span s)
{
    s = trim(s);
    while (s.len >= 2 && s.data[0] == '(' && closing(s) == s.len)
        s = trim(span_of(s.data + 1, s.len - 2));
    return s;
}

/* An identifier at the start of `s`, unquoted into `out`; its length in the text, 0 when there is
 * none that fits. */
static size_t read_name(struct span s, char *out)
{
    size_t n = 0;
    if (s.len == 0 || s.data[0] == '\'' || isdigit(s.data[0]))
        return 0;
    size_t len = token_len(s, 0);
    bool quoted = s.data[0] == '"';
    if (!quoted && !is_name_byte(s.data[0]))
        return 0;
    if (len > 2 * ADVISOR_NAME_SIZE)
        return 0;
    for (size_t i = quoted; i < len - quoted; i++) {
        if (n == ADVISOR_NAME_SIZE - 1)
            return 0;
        out[n++] = (char)s.data[i];
        if (quoted && s.data[i] == '"')
            i++;
    }
    out[n] = '\0';
    return len;
}

/* --- columns --- */

/* Length of `alias.` at the start of `s`, or 0. */
static size_t alias_len(struct span s, const char *alias)
{
    char name[ADVISOR_NAME_SIZE];
    size_t len = read_name(s, name);
    if (len == 0 || len >= s.len || s.data[len] != '.' || strcmp(name, alias) != 0)
        return 0;
    return len + 1;
}

/* Whether the whole of `s` is a column of the table. */
static bool is_column(struct span s, const char *alias, char *column)
{
    s = strip_parentheses(s);
    size_t prefix = alias_len(s, alias);
    if (prefix == 0)
        return false;
    s = span_skip(s, prefix);
    return s.len > 0 && read_name(s, column) == s.len;
}

/* The first column of the table anywhere in `s`. */
static bool find_column(struct span s, const char *alias, char *column)
{
    for (size_t at = 0; at < s.len; at += token_len(s, at)) {
        size_t prefix = alias_len(span_skip(s, at), alias);
        bool begins = at == 0 || s.data[at - 1] != '.';
        if (prefix > 0 && begins && read_name(span_skip(s, at + prefix), column) > 0)
            return true;
    }
    return false;
}

static bool has_operator(struct span type)
{
    for (size_t i = 0; i < type.len; i++) {
        if (is_operator_byte(type.data[i]))
            return true;
    }
    return false;
}

/* A column, or one column cast: `(alias.column)::type`. */
static bool is_cast_column(struct span s, const char *alias, struct advisor_term *term)
{
    s = strip_parentheses(s);
    if (is_column(s, alias, term->column))
        return true;
    if (s.len == 0 || s.data[0] != '(')
        return false;
    size_t end = closing(s);
    if (end + 2 >= s.len || !span_starts(span_skip(s, end), "::"))
        return false;
    struct span type = span_skip(s, end + 2);
    if (type.len >= sizeof(term->cast) || has_operator(type) ||
        !is_column(span_head(s, end), alias, term->column))
        return false;
    memcpy(term->cast, type.data, type.len);
    term->cast[type.len] = '\0';
    return true;
}

/* One call with one argument that is a column, cast or not: `lower((alias.column)::text)`. */
static bool is_call(struct span s, const char *alias, struct advisor_term *term)
{
    s = strip_parentheses(s);
    size_t len = read_name(s, term->function);
    struct span argument = span_skip(s, len);
    if (len > 0 && argument.len > 0 && argument.data[0] == '(' &&
        closing(argument) == argument.len && is_cast_column(argument, alias, term))
        return true;
    term->function[0] = '\0';
    return false;
}

static void copy_without_alias(struct span s, const char *alias, char *out, size_t size)
{
    size_t n = 0;
    s = strip_parentheses(s);
    while (s.len > 0) {
        size_t prefix = alias_len(s, alias);
        size_t len = prefix > 0 ? prefix : token_len(s, 0);
        if (prefix == 0 && n + len < size) {
            memcpy(out + n, s.data, len);
            n += len;
        }
        s = span_skip(s, len);
    }
    out[n] = '\0';
}

/* --- comparisons --- */

static const struct comparison {
    const char *operator;
    enum advisor_op op;
    bool commutes;
} comparisons[] = {
    {"=", ADVISOR_EQ, true},    {"<", ADVISOR_RANGE, true},  {"<=", ADVISOR_RANGE, true},
    {">", ADVISOR_RANGE, true}, {">=", ADVISOR_RANGE, true}, {"~~", ADVISOR_LIKE_PREFIX, false},
};

static const struct comparison *comparison_of(struct span operator)
{
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (span_is(operator, comparisons[i].operator))
            return &comparisons[i];
    }
    return NULL;
}

static bool begins_with_word(struct span s, const char *word)
{
    size_t len = strlen(word);
    return s.len > len && span_starts(s, word) && !is_name_byte(s.data[len]);
}

/* A pattern that begins with a letter that must be there can be looked up in an index. */
static bool is_prefix_pattern(struct span s)
{
    return s.len > 2 && s.data[0] == '\'' && strchr("%_\\'", s.data[1]) == NULL;
}

static bool read_side(struct span side, struct span other, enum advisor_op op, const char *alias,
                      struct advisor_term *term)
{
    char unused[ADVISOR_NAME_SIZE];
    *term = (struct advisor_term){.op = op};
    if (find_column(other, alias, unused) || !find_column(side, alias, term->column))
        return false;
    if (is_cast_column(side, alias, term) || is_call(side, alias, term))
        copy_without_alias(side, alias, term->expression, sizeof(term->expression));
    else
        term->op = ADVISOR_WRAPPED;
    return true;
}

static bool read_comparison(struct span left, struct span right, const struct comparison *c,
                            const char *alias, struct advisor_term *term)
{
    enum advisor_op op = c->op;
    left = trim(left);
    right = trim(right);
    if (begins_with_word(right, "ALL"))
        return false;
    if (begins_with_word(right, "ANY"))
        op = op == ADVISOR_EQ ? ADVISOR_ANY : ADVISOR_WRAPPED;
    if (op == ADVISOR_LIKE_PREFIX && !is_prefix_pattern(right))
        return false;
    return read_side(left, right, op, alias, term) ||
           (c->commutes && read_side(right, left, op, alias, term));
}

static bool is_logic_word(struct span token)
{
    return span_is(token, "OR") || span_is(token, "CASE") || span_is(token, "NOT") ||
           span_is(token, "ROW") || span_is(token, "IS");
}

/* One part of the AND: its one operator outside parentheses, and the two sides. */
static void read_part(struct span part, const char *alias, struct advisor_filter *out)
{
    struct cursor c = {.text = strip_parentheses(part)};
    while (next_token(&c)) {
        if (is_logic_word(c.token))
            return;
        if (!is_operator_byte(c.token.data[0]))
            continue;
        const struct comparison *comparison = comparison_of(c.token);
        if (comparison != NULL && out->n_terms < ADVISOR_MAX_TERMS &&
            read_comparison(span_head(c.text, c.at), span_skip(c.text, c.next), comparison, alias,
                            &out->terms[out->n_terms]))
            out->n_terms++;
        return;
    }
}

void advisor_filter_read(const char *filter, const char *alias, struct advisor_filter *out)
{
    out->n_terms = 0;
    advisor_filter_add(filter, alias, out);
}

void advisor_filter_add(const char *filter, const char *alias, struct advisor_filter *out)
{
    struct cursor c = {.text = strip_parentheses(span_of_text(filter))};
    size_t begin = 0;
    while (next_token(&c)) {
        if (!span_is(c.token, "AND"))
            continue;
        read_part(span_of(c.text.data + begin, c.at - begin), alias, out);
        begin = c.next;
    }
    read_part(span_skip(c.text, begin), alias, out);
}

/* --- order --- */

bool advisor_filter_add_order(const char *key, const char *alias, struct advisor_filter *out)
{
    struct span s = span_of_text(key);
    bool first = span_cut_end(&s, " NULLS FIRST");
    bool last = !first && span_cut_end(&s, " NULLS LAST");
    bool descending = span_cut_end(&s, " DESC");
    if (out->n_terms == ADVISOR_MAX_TERMS)
        return false;
    struct advisor_term *term = &out->terms[out->n_terms];
    /* COLLATE and USING stand behind the expression, which then is neither column nor call. */
    if (!read_side(s, span_of(NULL, 0), ADVISOR_ORDER, alias, term) || term->op != ADVISOR_ORDER)
        return false;
    term->descending = descending;
    term->nulls_first = descending ? !last : first;
    out->n_terms++;
    return true;
}

/* --- masking --- */

size_t advisor_filter_mask(const char *filter, char *out, size_t size)
{
    struct span text = span_of_text(filter);
    size_t room = 2 * text.len + 16; /* the lexer may put spaces between tokens */
    char *masked = malloc(2 * room);
    struct sql_scan scan;
    out[0] = '\0';
    if (masked == NULL)
        return 0;
    struct sql_masked where = {
        .text = masked, .text_size = room, .kinds = masked + room, .kinds_size = room};
    sql_scan(text, 0, (struct sql_dialect){.standard_conforming_strings = true}, where, &scan);
    size_t len = sql_display(span_of(masked, scan.text_len), out, size);
    explicit_bzero(masked, 2 * room);
    free(masked);
    return len;
}
