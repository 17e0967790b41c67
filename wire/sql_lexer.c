#include "wire/sql_lexer.h"

#include "common/hash.h"
#include "wire/sql_literal.h"
#include "wire/sql_mask.h"
#include "wire/sql_tables.h"
#include "wire/sql_trivia.h"
#include "wire/values.h"

/* Where the statement at hand puts a name that a driver made up. */
enum name_rule {
    NAME_NONE,
    NAME_NEXT,     /* the next word, but for the noise words of the grammar */
    NAME_AFTER_TO, /* ROLLBACK [WORK|TRANSACTION] TO [SAVEPOINT] name */
    NAME_CURSOR,   /* FETCH and MOVE: any word that is no direction */
};

struct lexer {
    struct sql_trivia in; /* position and comments */
    struct sql_mask mask;
    struct sql_scan *scan;
    const uint8_t *no_number_before; /* signs before this are known to lead to no number */
    struct sql_bound *bound;         /* the next number is this one's; or NULL */
    enum name_rule names;
    bool backslash; /* plain literals have escapes: standard_conforming_strings is off */
    bool done;
};

static uint8_t peek(const struct lexer *lx, size_t ahead)
{
    size_t left = (size_t)(lx->in.end - lx->in.at);
    return ahead < left ? lx->in.at[ahead] : 0;
}

static void skip_trivia(struct lexer *lx)
{
    sql_trivia_skip(&lx->in, lx->mask.at);
}

/* --- words --- */

static enum name_rule name_rule_of(enum sql_verb verb)
{
    switch (verb) {
    case SQL_VERB_SAVEPOINT:
    case SQL_VERB_RELEASE:
    case SQL_VERB_DECLARE:
    case SQL_VERB_CLOSE:
    case SQL_VERB_PREPARE:
    case SQL_VERB_DEALLOCATE:
    case SQL_VERB_EXECUTE:
        return NAME_NEXT;
    case SQL_VERB_ROLLBACK:
        return NAME_AFTER_TO;
    case SQL_VERB_FETCH:
    case SQL_VERB_MOVE:
        return NAME_CURSOR;
    default:
        return NAME_NONE;
    }
}

/* Whether a word where a name may stand is grammar, not the name. */
static bool is_noise(struct lexer *lx, enum sql_word_id word)
{
    enum sql_verb verb = lx->scan->verb;
    if (word == SQL_WORD_SAVEPOINT)
        return verb == SQL_VERB_RELEASE || verb == SQL_VERB_ROLLBACK;
    if (word == SQL_WORD_PREPARE)
        return verb == SQL_VERB_DEALLOCATE;
    bool ends_rule =
        (word == SQL_WORD_ALL && (verb == SQL_VERB_CLOSE || verb == SQL_VERB_DEALLOCATE)) ||
        (word == SQL_WORD_TRANSACTION && verb == SQL_VERB_PREPARE);
    if (ends_rule)
        lx->names = NAME_NONE;
    return ends_rule;
}

/* Whether the identifier just read is a driver-made name. `word` is NONE for a quoted one. */
static bool takes_name(struct lexer *lx, enum sql_word_id word)
{
    switch (lx->names) {
    case NAME_AFTER_TO:
        if (word == SQL_WORD_TO)
            lx->names = NAME_NEXT;
        return false;
    case NAME_CURSOR:
        return (sql_words[word].flags & SQL_WORD_IS_DIRECTION) == 0;
    case NAME_NEXT:
        if (is_noise(lx, word))
            return false;
        lx->names = NAME_NONE;
        return true;
    default:
        return false;
    }
}

/* The word may announce the number of a LIMIT or OFFSET. */
static void expect_bound(struct lexer *lx, enum sql_word_id id)
{
    if (lx->mask.depth > 0)
        return;
    if (id == SQL_WORD_LIMIT || (id == SQL_WORD_FETCH && lx->scan->verb != SQL_VERB_FETCH))
        lx->bound = &lx->scan->limit;
    else if (id == SQL_WORD_OFFSET)
        lx->bound = &lx->scan->offset;
    else if ((sql_words[id].flags & SQL_WORD_IS_DIRECTION) == 0)
        lx->bound = NULL; /* FIRST and NEXT stand between FETCH and its number */
}

/* A number, or a parameter's, at `from`. */
static void take_bound(struct lexer *lx, const uint8_t *from, bool param)
{
    const uint64_t too_long = 1000000000000000000;
    struct sql_bound *bound = lx->bound;
    uint64_t n = 0;
    lx->bound = NULL;
    for (; from < lx->in.at; from++) {
        if (sql_char_class[*from] != SQL_CHAR_DIGIT || n >= too_long)
            return;
        n = n * 10 + (uint64_t)(*from - '0');
    }
    if (!param)
        *bound = (struct sql_bound){.value = n};
    else if (n <= UINT16_MAX)
        *bound = (struct sql_bound){.param = (uint16_t)n};
}

static void apply_word(struct lexer *lx, enum sql_word_id id, bool row_pure)
{
    struct sql_mask *m = &lx->mask;
    unsigned flags = sql_words[id].flags;
    if ((flags & SQL_WORD_IS_OPERAND) != 0)
        m->prev = SQL_TOKEN_KEYWORD;
    if ((flags & SQL_WORD_IS_CONSTANT) != 0)
        m->row_pure = row_pure;
    if (id == SQL_WORD_VALUES)
        sql_mask_expect_rows(m);
    else if (id == SQL_WORD_IN)
        sql_mask_expect_list(m);
}

/* Copies an unquoted identifier in lower case; stops where the buffer does. */
static void copy_word(struct lexer *lx)
{
    const uint8_t *p = lx->in.at;
    char *out = lx->mask.at;
    size_t room = (size_t)(lx->mask.end - out);
    size_t left = (size_t)(lx->in.end - p);
    const uint8_t *stop = p + (left < room ? left : room);
    uint8_t c;
    while (p < stop && (c = sql_word_byte[*p]) != 0) {
        *out++ = (char)c;
        p++;
    }
    lx->in.at = p;
    lx->mask.at = out;
}

static void lex_word(struct lexer *lx)
{
    struct sql_mask *m = &lx->mask;
    bool row_pure = m->row_pure;
    bool qualified = m->prev == SQL_TOKEN_DOT;
    sql_mask_begin(m, SQL_TOKEN_WORD);
    char *start = m->at;
    copy_word(lx);
    enum sql_word_id id = qualified ? SQL_WORD_NONE : sql_word_find(start, (size_t)(m->at - start));
    if (lx->scan->verb == SQL_VERB_EMPTY) {
        lx->scan->verb = (enum sql_verb)sql_words[id].verb;
        lx->names = name_rule_of(lx->scan->verb);
    } else if (lx->names != NAME_NONE && takes_name(lx, id)) {
        sql_mask_replace(m, start, SQL_HOLE_NAME);
        return;
    }
    expect_bound(lx, id);
    if (id != SQL_WORD_NONE)
        apply_word(lx, id, row_pure);
}

/* Copies up to and with the closing quote; doubled quotes stay doubled. */
static void copy_quoted(struct lexer *lx)
{
    const uint8_t *p = lx->in.at + 1;
    const uint8_t *end = lx->in.end;
    char *out = lx->mask.at;
    const char *limit = lx->mask.end - 2; /* begin() left more than that */
    *out++ = '"';
    while (p < end && out < limit) {
        uint8_t c = sql_quoted_byte[*p++];
        if (c != 0) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '"';
        if (p == end || *p != '"') {
            lx->in.at = p;
            lx->mask.at = out;
            return;
        }
        *out++ = '"';
        p++;
    }
    if (p == end)
        lx->scan->flags |= SQL_SCAN_UNTERMINATED;
    lx->in.at = p;
    lx->mask.at = out;
}

/* UESCAPE 'c' after a U& literal or identifier is a part of it. */
static void skip_uescape(struct lexer *lx)
{
    skip_trivia(lx);
    const uint8_t *before = lx->in.at;
    if (!sql_trivia_accept(&lx->in, "uescape"))
        return;
    skip_trivia(lx);
    if (peek(lx, 0) == '\'')
        lx->in.at = sql_read_string(lx->in.at, lx->in.end, false).next;
    else
        lx->in.at = before;
}

static void lex_quoted(struct lexer *lx, bool unicode)
{
    sql_mask_begin(&lx->mask, SQL_TOKEN_WORD);
    char *start = lx->mask.at;
    if (unicode) {
        sql_mask_put(&lx->mask, 'u');
        sql_mask_put(&lx->mask, '&');
    }
    copy_quoted(lx);
    if (unicode)
        skip_uescape(lx);
    if (lx->names != NAME_NONE && takes_name(lx, SQL_WORD_NONE))
        sql_mask_replace(&lx->mask, start, SQL_HOLE_NAME);
}

/* --- literals --- */

static void note_value(struct sql_scan *scan, uint64_t hash)
{
    if (scan->n_values < SQL_MAX_VALUES)
        scan->values[scan->n_values++] = hash;
    else
        scan->flags |= SQL_SCAN_VALUES_CUT;
    scan->values_hash = wire_hash_combine(scan->values_hash, hash);
}

/* `::type` after a literal or a parameter is the driver's way to spell it, not a part of the
 * statement. */
static void skip_casts(struct lexer *lx)
{
    for (;;) {
        skip_trivia(lx);
        const uint8_t *before = lx->in.at;
        if (peek(lx, 0) != ':' || peek(lx, 1) != ':')
            return;
        lx->in.at += 2;
        if (!sql_trivia_skip_type(&lx->in, lx->mask.at)) {
            lx->in.at = before;
            return;
        }
    }
}

static void put_literal(struct lexer *lx, char kind)
{
    sql_mask_hole(&lx->mask, kind);
    skip_casts(lx);
}

static void put_string(struct lexer *lx, const struct sql_string *s, char kind, bool backslash)
{
    if (!s->terminated)
        lx->scan->flags |= SQL_SCAN_UNTERMINATED;
    lx->in.at = s->next;
    note_value(lx->scan, sql_string_hash(s, backslash));
    put_literal(lx, kind);
}

static void lex_string(struct lexer *lx, char kind, bool backslash)
{
    struct sql_string s = sql_read_string(lx->in.at, lx->in.end, backslash);
    put_string(lx, &s, kind, backslash);
}

/* A word that begins with b, e, n, u or x, or the literal this letter announces. */
static void lex_prefixed(struct lexer *lx)
{
    uint8_t letter = sql_word_byte[lx->in.at[0]];
    uint8_t next = peek(lx, 1);
    bool unicode = letter == 'u' && next == '&';
    if (unicode && peek(lx, 2) == '"') {
        lx->in.at += 2;
        lex_quoted(lx, true);
    } else if (unicode && peek(lx, 2) == '\'') {
        lx->in.at += 2;
        struct sql_string s = sql_read_string(lx->in.at, lx->in.end, false);
        lx->in.at = s.next;
        skip_uescape(lx);
        s.next = lx->in.at;
        put_string(lx, &s, SQL_HOLE_STRING, false);
    } else if (next == '\'' && letter != 'u') {
        lx->in.at++;
        bool bits = letter == 'b' || letter == 'x';
        lex_string(lx, bits ? SQL_HOLE_BIT : SQL_HOLE_STRING,
                   letter == 'e' || (letter == 'n' && lx->backslash));
    } else {
        lex_word(lx);
    }
}

static void lex_dollar(struct lexer *lx)
{
    struct sql_string s;
    if (sql_char_class[peek(lx, 1)] == SQL_CHAR_DIGIT) {
        lx->in.at++;
        const uint8_t *digits = lx->in.at;
        while (sql_char_class[peek(lx, 0)] == SQL_CHAR_DIGIT)
            lx->in.at++;
        if (lx->bound != NULL)
            take_bound(lx, digits, true);
        put_literal(lx, SQL_HOLE_PARAM);
    } else if (sql_read_dollar_string(lx->in.at, lx->in.end, &s)) {
        put_string(lx, &s, SQL_HOLE_STRING, false);
    } else {
        sql_mask_begin(&lx->mask, SQL_TOKEN_OPERATOR);
        sql_mask_put(&lx->mask, '$');
        lx->in.at++;
    }
}

static bool at_number(const struct lexer *lx)
{
    uint8_t c = peek(lx, 0);
    return sql_char_class[c] == SQL_CHAR_DIGIT ||
           (c == '.' && sql_char_class[peek(lx, 1)] == SQL_CHAR_DIGIT);
}

static void lex_number(struct lexer *lx, bool negative)
{
    const uint8_t *start = lx->in.at;
    lx->in.at = sql_number_end(start, lx->in.end);
    size_t len = (size_t)(lx->in.at - start);
    if (lx->bound != NULL)
        take_bound(lx, start, false);
    if (negative && len < WIRE_VALUE_MAX) {
        uint8_t spelled[WIRE_VALUE_MAX];
        spelled[0] = '-';
        memcpy(spelled + 1, start, len);
        note_value(lx->scan, wire_value_hash_text(span_of(spelled, len + 1)));
    } else {
        note_value(lx->scan, wire_value_hash_text(span_of(start, len)));
    }
    put_literal(lx, SQL_HOLE_NUMBER);
}

/* Signs where an operand is due belong to the number that follows them, if one does. A run of signs
 * that leads nowhere is remembered, or it would be walked once for each of them. */
static bool lex_signed_number(struct lexer *lx)
{
    const uint8_t *before = lx->in.at;
    bool negative = false;
    if (before < lx->no_number_before)
        return false;
    for (;;) {
        uint8_t c = peek(lx, 0);
        bool sign = c == '+' || (c == '-' && peek(lx, 1) != '-');
        if (!sign || sql_trivia_operator_len(lx->in.at, lx->in.end) != 1)
            break;
        negative ^= c == '-';
        lx->in.at++;
        skip_trivia(lx);
    }
    if (at_number(lx)) {
        lex_number(lx, negative);
        return true;
    }
    lx->no_number_before = lx->in.at;
    lx->in.at = before;
    return false;
}

/* --- the rest --- */

static bool operand_is_due(enum sql_token prev)
{
    const unsigned due = (1U << SQL_TOKEN_START) | (1U << SQL_TOKEN_KEYWORD) |
                         (1U << SQL_TOKEN_OPERATOR) | (1U << SQL_TOKEN_COMMA) |
                         (1U << SQL_TOKEN_OPEN) | (1U << SQL_TOKEN_OPEN_BRACKET);
    return ((due >> prev) & 1U) != 0;
}

static void put_operator(struct lexer *lx, size_t len)
{
    struct sql_mask *m = &lx->mask;
    sql_mask_begin(m, SQL_TOKEN_OPERATOR);
    size_t room = (size_t)(m->end - m->at);
    size_t n = len < room ? len : room;
    for (size_t i = 0; i < n; i++)
        m->at[i] = (char)lx->in.at[i];
    m->at += n;
    lx->in.at += len;
}

static void lex_operator(struct lexer *lx)
{
    size_t len = sql_trivia_operator_len(lx->in.at, lx->in.end);
    uint8_t c = lx->in.at[0];
    if (len == 1 && (c == '-' || c == '+') && operand_is_due(lx->mask.prev) &&
        lex_signed_number(lx))
        return;
    put_operator(lx, len);
}

static void lex_colon(struct lexer *lx)
{
    uint8_t next = peek(lx, 1);
    if (next == ':') {
        sql_mask_begin(&lx->mask, SQL_TOKEN_CAST);
        sql_mask_put(&lx->mask, ':');
        sql_mask_put(&lx->mask, ':');
        lx->in.at += 2;
        return;
    }
    put_operator(lx, next == '=' ? 2 : 1);
}

static void lex_dot(struct lexer *lx)
{
    if (at_number(lx)) {
        lex_number(lx, false);
        return;
    }
    sql_mask_begin(&lx->mask, SQL_TOKEN_DOT);
    sql_mask_put(&lx->mask, '.');
    lx->in.at++;
}

/* After a ';': extra ones are skipped, and comments that only the end of the text follows are still
 * this statement's. Anything else is left for the next scan. */
static void end_statement(struct lexer *lx)
{
    const uint8_t *next;
    struct span comment;
    do {
        next = ++lx->in.at;
        comment = lx->in.last;
        skip_trivia(lx);
    } while (peek(lx, 0) == ';' && lx->in.at < lx->in.end);
    lx->done = true;
    if (lx->in.at == lx->in.end)
        return;
    lx->in.at = next;
    lx->in.last = comment;
}

/* A ';' in parentheses is CREATE RULE's and separates nothing. One in CREATE FUNCTION .. BEGIN
 * ATOMIC does split here, unlike in the server: the parts are known by themselves, and nothing is
 * lost but their unity. */
static void lex_semicolon(struct lexer *lx)
{
    struct sql_mask *m = &lx->mask;
    if (m->depth > 0) {
        sql_mask_begin(m, SQL_TOKEN_COMMA);
        sql_mask_put(m, ';');
        lx->in.at++;
    } else if (m->at == m->text) {
        lx->in.at++; /* nothing before it: not even an empty statement for the server */
    } else {
        sql_mask_settle(m);
        end_statement(lx);
    }
}

static void lex_token(struct lexer *lx)
{
    switch ((enum sql_char)sql_char_class[*lx->in.at]) {
    case SQL_CHAR_SPACE:
        lx->in.at++;
        break;
    case SQL_CHAR_WORD:
        lex_word(lx);
        break;
    case SQL_CHAR_PREFIX:
        lex_prefixed(lx);
        break;
    case SQL_CHAR_DIGIT:
        lex_number(lx, false);
        break;
    case SQL_CHAR_QUOTE:
        lex_string(lx, SQL_HOLE_STRING, lx->backslash);
        break;
    case SQL_CHAR_DOUBLE_QUOTE:
        lex_quoted(lx, false);
        break;
    case SQL_CHAR_DOLLAR:
        lex_dollar(lx);
        break;
    case SQL_CHAR_DOT:
        lex_dot(lx);
        break;
    case SQL_CHAR_COMMA:
        sql_mask_comma(&lx->mask);
        lx->in.at++;
        break;
    case SQL_CHAR_OPEN:
        sql_mask_open(&lx->mask);
        lx->in.at++;
        break;
    case SQL_CHAR_CLOSE:
        sql_mask_close(&lx->mask);
        lx->in.at++;
        break;
    case SQL_CHAR_OPEN_BRACKET:
        sql_mask_open_bracket(&lx->mask);
        lx->in.at++;
        break;
    case SQL_CHAR_CLOSE_BRACKET:
        sql_mask_close_bracket(&lx->mask);
        lx->in.at++;
        break;
    case SQL_CHAR_COLON:
        lex_colon(lx);
        break;
    case SQL_CHAR_SEMICOLON:
        lex_semicolon(lx);
        break;
    case SQL_CHAR_COMMENT:
        if (sql_trivia_at_comment(&lx->in))
            skip_trivia(lx);
        else
            lex_operator(lx);
        break;
    case SQL_CHAR_OPERATOR:
        lex_operator(lx);
        break;
    case SQL_CHAR_OTHER:
        put_operator(lx, 1);
        break;
    }
}

/* The statement did not fit. What is left is not looked at, but for a tag at its very end. */
static void cut_short(struct lexer *lx)
{
    lx->scan->flags |= SQL_SCAN_TRUNCATED;
    if (lx->done)
        return;
    struct span rest = span_of(lx->in.at, (size_t)(lx->in.end - lx->in.at));
    struct span tail = sql_trivia_tail_comment(rest);
    if (tail.len > 0)
        lx->in.last = tail;
    lx->in.at = lx->in.end;
}

static unsigned length_class(size_t len)
{
    unsigned class = 0;
    for (; len > 0; len >>= 1)
        class ++;
    return class;
}

static struct sql_id identity(const struct sql_mask *m, unsigned seed)
{
    if (m->at == m->text)
        return (struct sql_id){.hi = 0, .lo = 0};
    XXH128_hash_t h = XXH3_128bits_withSeed(m->text, (size_t)(m->at - m->text), seed);
    return (struct sql_id){.hi = h.high64, .lo = h.low64};
}

static void finish(struct lexer *lx, struct span text)
{
    struct sql_scan *scan = lx->scan;
    struct sql_mask *m = &lx->mask;
    bool nothing = m->at == m->text;
    scan->flags |= m->flags | (lx->in.unterminated ? SQL_SCAN_UNTERMINATED : 0U);
    bool cut = (scan->flags & SQL_SCAN_TRUNCATED) != 0;
    scan->id = identity(m, cut ? length_class(text.len) : 0);
    if (!nothing && scan->verb == SQL_VERB_EMPTY)
        scan->verb = SQL_VERB_OTHER;
    scan->text_len = (size_t)(m->at - m->text);
    scan->n_holes = m->n_holes < m->kinds_size ? m->n_holes : m->kinds_size;
    scan->next = text.len - (size_t)(lx->in.end - lx->in.at);
    scan->first_comment = lx->in.first;
    scan->last_comment = lx->in.last;
}

void sql_scan(struct span text, size_t from, struct sql_dialect dialect, struct sql_masked out,
              struct sql_scan *scan)
{
    *scan = (struct sql_scan){.verb = SQL_VERB_EMPTY};
    struct lexer lx = {.scan = scan, .backslash = !dialect.standard_conforming_strings};
    struct span rest = span_skip(text, from);
    sql_trivia_init(&lx.in, rest, out.text);
    sql_mask_init(&lx.mask, out);
    while (!lx.done && lx.in.at < lx.in.end && !sql_mask_full(&lx.mask))
        lex_token(&lx);
    sql_mask_settle(&lx.mask);
    if (sql_mask_full(&lx.mask))
        cut_short(&lx);
    finish(&lx, text);
}
