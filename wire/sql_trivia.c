#include "wire/sql_trivia.h"

#include "wire/sql_tables.h"

void sql_trivia_init(struct sql_trivia *in, struct span text, const char *mark)
{
    static const uint8_t nothing[1];
    const uint8_t *begin = text.data != NULL ? text.data : nothing;
    *in = (struct sql_trivia){.at = begin, .end = begin + text.len, .origin = mark};
}

static bool is_class(const struct sql_trivia *in, enum sql_char class)
{
    return in->at < in->end && sql_char_class[*in->at] == class;
}

static void note_comment(struct sql_trivia *in, struct span body, const char *mark)
{
    if (body.len == 0 || body.data[0] == '+')
        return;
    const uint8_t *begin = body.data;
    const uint8_t *end = body.data + body.len;
    if (in->last.len > 0 && in->last_mark == mark && in->last.data < begin)
        begin = in->last.data;
    in->last = span_of(begin, (size_t)(end - begin));
    in->last_mark = mark;
    if (mark == in->origin)
        in->first = in->last;
}

/* Block comments nest. One without an end gives no tag: it may be cut anywhere. */
static void skip_block(struct sql_trivia *in, const char *mark)
{
    const uint8_t *body = in->at + 2;
    const uint8_t *p = body;
    size_t depth = 1;
    while (in->end - p >= 2) {
        if (p[0] == '*' && p[1] == '/') {
            p += 2;
            if (--depth == 0) {
                in->at = p;
                note_comment(in, span_of(body, (size_t)(p - 2 - body)), mark);
                return;
            }
        } else if (p[0] == '/' && p[1] == '*') {
            p += 2;
            depth++;
        } else {
            p++;
        }
    }
    in->at = in->end;
    in->unterminated = true;
}

struct span sql_trivia_tail_comment(struct span text)
{
    const struct span none = {.data = NULL, .len = 0};
    size_t end = text.len;
    while (end > 0 &&
           (sql_char_class[text.data[end - 1]] == SQL_CHAR_SPACE || text.data[end - 1] == ';'))
        end--;
    if (end < 4 || text.data[end - 1] != '/' || text.data[end - 2] != '*')
        return none;
    end -= 2;
    for (size_t at = end; at >= 2; at--)
        if (text.data[at - 2] == '/' && text.data[at - 1] == '*')
            return span_of(text.data + at, end - at);
    return none;
}

/* An instrumentation that appends its tag to SQL ending in a line comment puts it inside. */
static void skip_line(struct sql_trivia *in, const char *mark)
{
    const uint8_t *body = in->at + 2;
    const uint8_t *p = body;
    while (p < in->end && *p != '\n' && *p != '\r')
        p++;
    in->at = p;
    note_comment(in, sql_trivia_tail_comment(span_of(body, (size_t)(p - body))), mark);
}

void sql_trivia_skip(struct sql_trivia *in, const char *mark)
{
    for (;;) {
        while (is_class(in, SQL_CHAR_SPACE))
            in->at++;
        if (!sql_trivia_at_comment(in))
            return;
        if (in->at[0] == '-')
            skip_line(in, mark);
        else
            skip_block(in, mark);
    }
}

static struct span word_at(const struct sql_trivia *in)
{
    const uint8_t *p = in->at;
    while (p < in->end && sql_word_byte[*p] != 0)
        p++;
    return span_of(in->at, (size_t)(p - in->at));
}

static bool word_is(struct span word, const char *lower)
{
    if (word.len != strlen(lower))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (sql_word_byte[word.data[i]] != (uint8_t)lower[i])
            return false;
    return true;
}

bool sql_trivia_accept(struct sql_trivia *in, const char *word)
{
    struct span found = word_at(in);
    if (!word_is(found, word))
        return false;
    in->at += found.len;
    return true;
}

/* Trivia and this word, or nothing. */
static bool accept_next(struct sql_trivia *in, const char *word, const char *mark)
{
    const uint8_t *before = in->at;
    sql_trivia_skip(in, mark);
    if (sql_trivia_accept(in, word))
        return true;
    in->at = before;
    return false;
}

/* Trivia and this byte, or nothing. */
static bool accept_byte(struct sql_trivia *in, uint8_t byte, const char *mark)
{
    const uint8_t *before = in->at;
    sql_trivia_skip(in, mark);
    if (in->at < in->end && *in->at == byte) {
        in->at++;
        return true;
    }
    in->at = before;
    return false;
}

/* One identifier; `*word` is it when it is unquoted. */
static bool skip_identifier(struct sql_trivia *in, const char *mark, struct span *word)
{
    sql_trivia_skip(in, mark);
    *word = (struct span){.data = NULL, .len = 0};
    if (is_class(in, SQL_CHAR_WORD) || is_class(in, SQL_CHAR_PREFIX)) {
        *word = word_at(in);
        in->at += word->len;
        return true;
    }
    if (!is_class(in, SQL_CHAR_DOUBLE_QUOTE))
        return false;
    const uint8_t *p = in->at + 1;
    while (p < in->end && *p != '"')
        p++;
    in->unterminated = in->unterminated || p == in->end;
    in->at = p < in->end ? p + 1 : p;
    return true;
}

static void skip_digits(struct sql_trivia *in, const char *mark)
{
    sql_trivia_skip(in, mark);
    while (is_class(in, SQL_CHAR_DIGIT))
        in->at++;
}

/* (n) or (n, m), or nothing. */
static void skip_modifier(struct sql_trivia *in, const char *mark)
{
    const uint8_t *before = in->at;
    if (!accept_byte(in, '(', mark))
        return;
    do
        skip_digits(in, mark);
    while (accept_byte(in, ',', mark));
    if (!accept_byte(in, ')', mark))
        in->at = before;
}

/* The names of types that are several words. */
static void skip_second_word(struct sql_trivia *in, struct span word, const char *mark)
{
    if (word_is(word, "double"))
        accept_next(in, "precision", mark);
    else if (word_is(word, "character") || word_is(word, "char") || word_is(word, "bit"))
        accept_next(in, "varying", mark);
}

static void skip_time_zone(struct sql_trivia *in, struct span word, const char *mark)
{
    if (!word_is(word, "timestamp") && !word_is(word, "time"))
        return;
    const uint8_t *before = in->at;
    if ((accept_next(in, "with", mark) || accept_next(in, "without", mark)) &&
        accept_next(in, "time", mark) && accept_next(in, "zone", mark))
        return;
    in->at = before;
}

static void skip_bounds(struct sql_trivia *in, const char *mark)
{
    for (;;) {
        const uint8_t *before = in->at;
        if (!accept_byte(in, '[', mark))
            return;
        skip_digits(in, mark);
        if (!accept_byte(in, ']', mark)) {
            in->at = before;
            return;
        }
    }
}

bool sql_trivia_skip_type(struct sql_trivia *in, const char *mark)
{
    struct span word;
    if (!skip_identifier(in, mark, &word))
        return false;
    for (;;) {
        const uint8_t *before = in->at;
        if (accept_byte(in, '.', mark) && skip_identifier(in, mark, &word))
            continue;
        in->at = before;
        break;
    }
    skip_second_word(in, word, mark);
    skip_modifier(in, mark);
    skip_time_zone(in, word, mark);
    skip_bounds(in, mark);
    return true;
}

static bool begins_comment(const uint8_t *at, const uint8_t *end)
{
    return end - at >= 2 && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'));
}

size_t sql_trivia_operator_len(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *p = at + 1;
    if (p == end || sql_operator_byte[*p] == 0)
        return 1;
    bool may_end_in_sign = sql_operator_byte[*at] == 2;
    for (; p < end && sql_operator_byte[*p] != 0 && !begins_comment(p, end); p++)
        may_end_in_sign = may_end_in_sign || sql_operator_byte[*p] == 2;
    if (!may_end_in_sign)
        while (p - at > 1 && (p[-1] == '+' || p[-1] == '-'))
            p--;
    return (size_t)(p - at);
}
