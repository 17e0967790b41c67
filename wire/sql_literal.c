#include "wire/sql_literal.h"

#include "wire/sql_tables.h"
#include "wire/values.h"

static bool is_class(const uint8_t *at, const uint8_t *end, enum sql_char class)
{
    return at < end && sql_char_class[*at] == class;
}

static bool is_digit_at(const uint8_t *at, const uint8_t *end)
{
    return is_class(at, end, SQL_CHAR_DIGIT);
}

/* The quote that continues a literal closed just before `at`, or NULL. */
static const uint8_t *continuation(const uint8_t *at, const uint8_t *end)
{
    bool line_break = false;
    for (; is_class(at, end, SQL_CHAR_SPACE); at++)
        line_break = line_break || *at == '\n' || *at == '\r';
    return line_break && is_class(at, end, SQL_CHAR_QUOTE) ? at : NULL;
}

/* The closing quote of the part that begins at `at` (after its opening quote), or `end`. */
static const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end, bool backslash,
                                    bool *escaped)
{
    for (; at < end; at++) {
        if (*at == '\'') {
            if (end - at < 2 || at[1] != '\'')
                return at;
            *escaped = true;
            at++;
        } else if (backslash && *at == '\\') {
            *escaped = true;
            if (end - at >= 2)
                at++;
        }
    }
    return end;
}

struct sql_string sql_read_string(const uint8_t *at, const uint8_t *end, bool backslash)
{
    struct sql_string s = {.next = end};
    const uint8_t *begin = at + 1;
    const uint8_t *close = closing_quote(begin, end, backslash, &s.escaped);
    const uint8_t *more;
    while (close < end && (more = continuation(close + 1, end)) != NULL) {
        s.escaped = true;
        close = closing_quote(more + 1, end, backslash, &s.escaped);
    }
    s.body = span_of(begin, (size_t)(close - begin));
    s.terminated = close < end;
    s.next = s.terminated ? close + 1 : end;
    return s;
}

bool sql_read_dollar_string(const uint8_t *at, const uint8_t *end, struct sql_string *out)
{
    const uint8_t *tag_end = at + 1;
    if (is_digit_at(tag_end, end))
        return false;
    while (tag_end < end && sql_word_byte[*tag_end] != 0 && *tag_end != '$')
        tag_end++;
    if (tag_end == end || *tag_end != '$')
        return false;
    tag_end++;
    size_t tag_len = (size_t)(tag_end - at);
    const uint8_t *close = memmem(tag_end, (size_t)(end - tag_end), at, tag_len);
    *out = (struct sql_string){.terminated = close != NULL};
    if (close == NULL)
        close = end;
    out->body = span_of(tag_end, (size_t)(close - tag_end));
    out->next = out->terminated ? close + tag_len : end;
    return true;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Byte of up to `max` digits at in->data[*at] and on; *at is moved past them. */
static uint8_t numeric_escape(struct span in, size_t *at, int base, size_t max)
{
    unsigned value = 0;
    for (size_t n = 0; n < max && *at < in.len && digit_of(in.data[*at]) < base; n++)
        value = value * (unsigned)base + (unsigned)digit_of(in.data[(*at)++]);
    return (uint8_t)value;
}

/* One escape; *at is after the backslash. \u and \U stay as they are spelled: no key needs them. */
static uint8_t backslash_escape(struct span in, size_t *at)
{
    uint8_t c = in.data[*at];
    if (c >= '0' && c <= '7')
        return numeric_escape(in, at, 8, 3);
    (*at)++;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x':
        return *at < in.len && digit_of(in.data[*at]) < 16 ? numeric_escape(in, at, 16, 2) : c;
    default:
        return c;
    }
}

/* The value of the body in `out`; false when it is longer than that. */
static bool unescape(struct span in, bool backslash, uint8_t out[WIRE_VALUE_MAX], size_t *len)
{
    size_t n = 0;
    for (size_t at = 0; at < in.len;) {
        uint8_t c = in.data[at++];
        if (c == '\'') { /* doubled, or the end of a line that is continued at the next quote */
            bool doubled = at < in.len && in.data[at] == '\'';
            while (at < in.len && in.data[at] != '\'')
                at++;
            at++;
            if (!doubled)
                continue;
        } else if (backslash && c == '\\' && at < in.len) {
            c = backslash_escape(in, &at);
        }
        if (n == WIRE_VALUE_MAX)
            return false;
        out[n++] = c;
    }
    *len = n;
    return true;
}

uint64_t sql_string_hash(const struct sql_string *string, bool backslash)
{
    uint8_t value[WIRE_VALUE_MAX];
    size_t len;
    if (string->escaped && unescape(string->body, backslash, value, &len))
        return wire_value_hash(0, 0, span_of(value, len));
    return wire_value_hash(0, 0, string->body);
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (is_digit_at(at, end) || (*at == '_' && is_digit_at(at + 1, end))))
        at++;
    return at;
}

/* 0x, 0o, 0b integers of PostgreSQL 16; `at` itself when it is none. */
static const uint8_t *prefixed_end(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 3 || *at != '0')
        return at;
    uint8_t mark = at[1] | 0x20;
    int base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 0));
    const uint8_t *p = at + 2;
    while (p < end && (digit_of(*p) < base || (*p == '_' && end - p > 1 && digit_of(p[1]) < base)))
        p++;
    return p > at + 2 ? p : at;
}

const uint8_t *sql_number_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *p = prefixed_end(at, end);
    if (p != at)
        return p;
    p = skip_digits(at, end);
    /* 1..10 is a range, not the number "1." */
    if (p < end && *p == '.' && !(end - p > 1 && p[1] == '.'))
        p = skip_digits(p + 1, end);
    if (end - p < 2 || (*p | 0x20) != 'e')
        return p;
    const uint8_t *exponent = p + 1;
    if (*exponent == '-' || *exponent == '+')
        exponent++;
    return is_digit_at(exponent, end) ? skip_digits(exponent, end) : p;
}
