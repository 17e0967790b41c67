#include "report/python_tokens.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { FIRST_ROOM = 256, PREFIX_MAX = 2 };

struct reader {
    struct py_tokens *out;
    size_t room;
    size_t at;
    uint32_t line;
    uint32_t logical;
    uint32_t open[PY_MAX_DEPTH];
    unsigned depth;
};

/* --- the tokens --- */

struct span py_text(const struct py_tokens *t, size_t i)
{
    if (i >= t->n)
        return span_of(NULL, 0);
    return span_of(t->text.data + t->items[i].at, t->items[i].len);
}

static bool is_kind(const struct py_tokens *t, size_t i, enum py_kind kind)
{
    return i < t->n && t->items[i].kind == kind;
}

bool py_is_op(const struct py_tokens *t, size_t i, const char *op)
{
    return is_kind(t, i, PY_OP) && span_is(py_text(t, i), op);
}

bool py_is_name(const struct py_tokens *t, size_t i, const char *name)
{
    return is_kind(t, i, PY_NAME) && (name == NULL || span_is(py_text(t, i), name));
}

bool py_is_newline(const struct py_tokens *t, size_t i)
{
    return is_kind(t, i, PY_NEWLINE);
}

void py_free(struct py_tokens *t)
{
    free(t->items);
    *t = (struct py_tokens){.n = 0};
}

static bool make_room(struct reader *r)
{
    struct py_tokens *t = r->out;
    if (t->n < r->room)
        return true;
    if (t->n >= PY_MAX_TOKENS)
        return false;
    size_t room = r->room > 0 ? r->room * 2 : FIRST_ROOM;
    struct py_token *items = realloc(t->items, room * sizeof(*items));
    if (items == NULL)
        return false;
    t->items = items;
    r->room = room;
    return true;
}

/* The token of the next `len` bytes, and behind them. */
static bool add(struct reader *r, enum py_kind kind, size_t len)
{
    struct py_tokens *t = r->out;
    if (!make_room(r))
        return false;
    t->items[t->n] = (struct py_token){
        .kind = kind,
        .at = (uint32_t)r->at,
        .len = (uint32_t)len,
        .line = r->line,
        .logical = r->logical,
        .mate = (uint32_t)t->n,
    };
    t->n++;
    r->at += len;
    return true;
}

/* --- reading --- */

static struct span rest_of(const struct reader *r)
{
    return span_skip(r->out->text, r->at);
}

static bool is_name_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

static size_t name_length(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_name_byte(s.data[n]))
        n++;
    return n;
}

/* 1.5, 0x1f, 1_000, 1e-3: what is read too far is no Python either. */
static size_t number_length(struct span s)
{
    size_t n = 0;
    while (n < s.len && (is_name_byte(s.data[n]) || s.data[n] == '.'))
        n++;
    return n;
}

static bool is_triple(struct span s)
{
    return s.len >= 3 && s.data[1] == s.data[0] && s.data[2] == s.data[0];
}

/* Up to and with the end of a string that begins with its quotes; 0 when it has none. */
static size_t string_length(struct span s)
{
    uint8_t quote = s.data[0];
    bool triple = is_triple(s);
    for (size_t i = triple ? 3 : 1; i < s.len; i++) {
        struct span here = span_skip(s, i);
        if (here.data[0] == '\\')
            i++;
        else if (here.data[0] == '\n' && !triple)
            return 0;
        else if (here.data[0] == quote && (!triple || is_triple(here)))
            return i + (triple ? 3 : 1);
    }
    return 0;
}

/* Whether the braces of a formatted string match: where code in it holds the string's own quotes,
 * which Python reads since 3.12 alone, they do not. */
static bool are_braces_closed(struct span s)
{
    unsigned depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool twice = i + 1 < s.len && s.data[i + 1] == c;
        if (depth == 0 && twice && (c == '{' || c == '}'))
            i++; /* a brace of the text */
        else if (c == '{')
            depth++;
        else if (c == '}' && depth-- == 0)
            return false;
    }
    return depth == 0;
}

static bool has_byte(struct span s, int lower)
{
    return span_find_byte(s, (uint8_t)lower) < s.len ||
           span_find_byte(s, (uint8_t)toupper(lower)) < s.len;
}

/* The string whose quotes come behind `prefix` bytes. */
static bool read_string(struct reader *r, size_t prefix)
{
    struct span s = rest_of(r);
    struct span letters = span_head(s, prefix);
    size_t len = string_length(span_skip(s, prefix));
    if (len == 0)
        return false;
    bool formatted = has_byte(letters, 'f') || has_byte(letters, 't');
    struct span all = span_head(s, prefix + len);
    if (formatted && !are_braces_closed(all))
        return false;
    if (!add(r, formatted ? PY_FORMATTED : PY_STRING, all.len))
        return false;
    for (size_t i = 0; i < all.len; i++)
        r->line += all.data[i] == '\n';
    return true;
}

static bool is_prefix(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("rbuftRBUFT", name.data[i]) == NULL)
            return false;
    }
    return name.len <= PREFIX_MAX;
}

static bool read_word(struct reader *r)
{
    struct span s = rest_of(r);
    if (isdigit(s.data[0]))
        return add(r, PY_NUMBER, number_length(s));
    size_t n = name_length(s);
    bool quoted = n < s.len && (s.data[n] == '"' || s.data[n] == '\'');
    if (quoted)
        return is_prefix(span_head(s, n)) && read_string(r, n);
    return add(r, PY_NAME, n);
}

static bool read_open(struct reader *r)
{
    if (r->depth >= PY_MAX_DEPTH)
        return false;
    r->open[r->depth++] = (uint32_t)r->out->n;
    return add(r, PY_OP, 1);
}

static bool read_close(struct reader *r, uint8_t c)
{
    struct py_tokens *t = r->out;
    if (r->depth == 0)
        return false;
    uint32_t opened = r->open[--r->depth];
    uint8_t by = t->text.data[t->items[opened].at];
    if (c != (by == '(' ? ')' : by == '[' ? ']' : '}') || !add(r, PY_OP, 1))
        return false;
    t->items[opened].mate = (uint32_t)(t->n - 1);
    t->items[t->n - 1].mate = opened;
    return true;
}

static bool read_op(struct reader *r)
{
    static const char *const longer[] = {
        "**=", "//=", "<<=", ">>=", "...", "==", "!=", "<=", ">=", "->", ":=", "**",
        "//",  "<<",  ">>",  "+=",  "-=",  "*=", "/=", "%=", "@=", "&=", "|=", "^="};
    struct span s = rest_of(r);
    uint8_t c = s.data[0];
    if (c == '(' || c == '[' || c == '{')
        return read_open(r);
    if (c == ')' || c == ']' || c == '}')
        return read_close(r, c);
    for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
        if (span_starts(s, longer[i]))
            return add(r, PY_OP, strlen(longer[i]));
    }
    return c != '\0' && strchr("+-*/%@&|^~<>=.,:;", c) != NULL && add(r, PY_OP, 1);
}

/* The end of a line: of a logical one, unless there is nothing in it or something is open. */
static bool read_newline(struct reader *r)
{
    const struct py_tokens *t = r->out;
    bool empty = t->n == 0 || py_is_newline(t, t->n - 1);
    size_t len = r->at < t->text.len;
    if (r->depth > 0 || empty) {
        r->at += len;
    } else {
        if (!add(r, PY_NEWLINE, len))
            return false;
        r->logical++;
    }
    r->line++;
    return true;
}

/* A carriage return belongs to the line feed behind it. */
static size_t newline_length(struct span s)
{
    return span_starts(s, "\n") ? 1 : span_starts(s, "\r\n") ? 2 : 0;
}

static bool read_one(struct reader *r)
{
    struct span s = rest_of(r);
    uint8_t c = s.data[0];
    size_t newline = newline_length(s);
    if (newline > 0) {
        r->at += newline - 1;
        return read_newline(r);
    }
    if (c == ' ' || c == '\t' || c == '\f') {
        r->at++;
        return true;
    }
    if (c == '#') {
        size_t end = span_find_byte(s, '\n');
        r->at += end > 0 && end < s.len && s.data[end - 1] == '\r' ? end - 1 : end;
        return true;
    }
    if (c == '\\') {
        size_t len = newline_length(span_skip(s, 1));
        r->at += 1 + len;
        r->line++;
        return len > 0;
    }
    if (c == '"' || c == '\'')
        return read_string(r, 0);
    return is_name_byte(c) ? read_word(r) : read_op(r);
}

bool py_read(struct py_tokens *out, struct span text)
{
    struct reader r = {.out = out, .line = 1};
    *out = (struct py_tokens){.text = text};
    bool ok = text.len <= PY_MAX_BYTES;
    if (span_starts(text, "\xef\xbb\xbf"))
        r.at = 3; /* a byte order mark */
    while (ok && r.at < text.len)
        ok = read_one(&r);
    ok = ok && r.depth == 0 && read_newline(&r) && out->n > 0;
    if (!ok)
        py_free(out);
    return ok;
}
