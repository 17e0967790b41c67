#include "wire/sql_route.h"

/* One pass, but for a look ahead over each group: a route is never longer than a tag's value. */

struct writer {
    uint8_t *out;
    size_t size;
    size_t n;
};

static void put(struct writer *w, struct span text)
{
    for (size_t i = 0; i < text.len && w->n < w->size; i++)
        w->out[w->n++] = text.data[i];
}

static void put_name(struct writer *w, struct span name)
{
    put(w, span_of_text("{"));
    put(w, name);
    put(w, span_of_text("}"));
}

/* What nobody gave a name. Several in a row are one. */
static void put_value(struct writer *w)
{
    static const char value[] = "{value}";
    struct span last = span_of(w->out, w->n);
    size_t len = sizeof(value) - 1;
    if (last.len < len || !span_is(span_skip(last, last.len - len), value))
        put(w, span_of_text(value));
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_name(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_word(s.data[i]))
            return false;
    return s.len > 0;
}

/* --- <name>, <converter:name> --- */

/* Length of the converter at the head, which `*name` is in; 0 when it is none. */
static size_t converter(struct span s, struct span *name)
{
    size_t end = span_find_byte(s, '>');
    size_t from = 1;
    if (end == s.len)
        return 0;
    for (size_t i = 1; i < end; i++)
        if (s.data[i] == ':')
            from = i + 1;
    *name = span_of(s.data + from, end - from);
    return is_name(*name) ? end + 1 : 0;
}

static void read_plain(struct span s, struct writer *w)
{
    while (s.len > 0) {
        struct span name;
        size_t n = s.data[0] == '<' ? converter(s, &name) : 0;
        if (n > 0)
            put_name(w, name);
        else
            put(w, span_head(s, n = 1));
        s = span_skip(s, n);
    }
}

/* --- regular expressions --- */

static bool is_regex(struct span s)
{
    return span_find_byte(s, '^') < s.len || span_find(s, "(?P<") < s.len ||
           span_find(s, "\\Z") < s.len || (s.len > 0 && s.data[s.len - 1] == '$');
}

/* Length of the class at the head, with its brackets; what is not closed ends with the text. A
 * bracket that comes first belongs to it. */
static size_t class_length(struct span s)
{
    size_t first = s.len > 1 && s.data[1] == '^' ? 2 : 1;
    for (size_t i = first; i < s.len; i++) {
        if (s.data[i] == ']' && i > first)
            return i + 1;
        i += s.data[i] == '\\';
    }
    return s.len;
}

/* Length of the group at the head, with its parentheses. */
static size_t group_length(struct span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.data[i];
        if (c == '[') {
            i += class_length(span_skip(s, i));
            continue;
        }
        depth += c == '(';
        if (c == ')' && --depth == 0)
            return i + 1;
        i += c == '\\' ? 2 : 1;
    }
    return s.len;
}

/* Writes what stands for the group at the head and gives how much of it that was: all, or, where
 * only its parentheses are to go, the opening one. */
static size_t read_group(struct span s, struct writer *w)
{
    if (span_starts(s, "(?:"))
        return 3;
    size_t n = group_length(s);
    if (span_starts(s, "(?P<")) {
        struct span name = span_head(span_skip(s, 4), span_find(span_skip(s, 4), ">"));
        if (is_name(name)) {
            put_name(w, name);
            return n;
        }
    }
    if (!span_starts(s, "(?") || span_starts(s, "(?P"))
        put_value(w);
    return n;
}

/* `{2,3}` and the like, behind what they are about. */
static size_t quantifier_length(struct span s)
{
    size_t n = 0;
    if (s.len > 0 && s.data[0] == '{') {
        size_t end = span_find_byte(s, '}');
        for (size_t i = 1; i < end; i++)
            if (s.data[i] != ',' && (s.data[i] < '0' || s.data[i] > '9'))
                return 0;
        n = end < s.len ? end + 1 : 0;
    }
    while (n < s.len && (s.data[n] == '?' || s.data[n] == '*' || s.data[n] == '+'))
        n++;
    return n;
}

static bool is_class(uint8_t c)
{
    return c == 'd' || c == 'D' || c == 's' || c == 'S' || c == 'w' || c == 'W';
}

static size_t read_escape(struct span s, struct writer *w)
{
    if (s.len < 2)
        return 1;
    if (!is_word(s.data[1]))
        put(w, span_of(s.data + 1, 1));
    else if (is_class(s.data[1]))
        put_value(w);
    return 2;
}

/* Writes what stands for the atom at the head and gives its length. */
static size_t read_atom(struct span s, struct writer *w)
{
    switch (s.data[0]) {
    case '^':
    case '$':
    case ')':
        return 1;
    case '(':
        return read_group(s, w);
    case '[':
        put_value(w);
        return class_length(s);
    case '\\':
        return read_escape(s, w);
    case '.':
        if (quantifier_length(span_skip(s, 1)) > 0) {
            put_value(w);
            return 1;
        }
        break;
    default:
        break;
    }
    put(w, span_head(s, 1));
    return 1;
}

static void read_regex(struct span s, struct writer *w)
{
    while (s.len > 0) {
        bool opens = span_starts(s, "(?:");
        size_t n = read_atom(s, w);
        s = span_skip(s, n);
        if (!opens)
            s = span_skip(s, quantifier_length(s));
    }
}

/* Django writes paths without the first slash. Some put other things here; those stay. */
static bool wants_slash(struct span s, bool regex)
{
    if (s.len == 0)
        return regex;
    if (s.data[0] == '/' || s.data[0] == '*' || span_starts(s, "\\/"))
        return false;
    return regex || (span_find_byte(s, ' ') == s.len && span_find(s, "://") == s.len);
}

size_t sql_route_readable(struct span route, uint8_t *out, size_t size)
{
    struct writer w = {.out = out, .size = size};
    bool regex = is_regex(route);
    while (regex && span_starts(route, "^"))
        route = span_skip(route, 1);
    if (wants_slash(route, regex))
        put(&w, span_of_text("/"));
    if (regex)
        read_regex(route, &w);
    else
        read_plain(route, &w);
    return w.n;
}
