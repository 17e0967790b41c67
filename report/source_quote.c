#include "report/source_quote.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

enum { AROUND = 10, LAMBDA = '<' };

struct line {
    struct span text; /* without its end */
    unsigned indent;  /* a tab counts as one */
    bool blank;       /* or nothing but a comment */
    bool goes_on;     /* begins inside brackets or a string */
};

struct lines {
    struct line *items;
    size_t n;
};

/* --- lines --- */

/* What is open at the end of a line. */
struct open {
    uint8_t quote; /* of a string of several lines; 0 without */
    unsigned depth;
};

static bool is_triple(struct span s, uint8_t quote)
{
    return s.len >= 3 && s.data[0] == quote && s.data[1] == quote && s.data[2] == quote;
}

/* Behind the string's end, or the end of the line; `open` says whether it goes on. */
static struct span skip_string(struct span s, uint8_t quote, bool triple, struct open *open)
{
    while (s.len > 0) {
        if (s.data[0] == '\\') {
            s = span_skip(s, 2);
        } else if (s.data[0] != quote || (triple && !is_triple(s, quote))) {
            s = span_skip(s, 1);
        } else {
            open->quote = 0;
            return span_skip(s, triple ? 3 : 1);
        }
    }
    open->quote = triple ? quote : 0;
    return s;
}

static void scan(struct span s, struct open *open)
{
    if (open->quote != 0)
        s = skip_string(s, open->quote, true, open);
    while (s.len > 0 && s.data[0] != '#') {
        uint8_t c = s.data[0];
        if (c == '"' || c == '\'') {
            bool triple = is_triple(s, c);
            s = skip_string(span_skip(s, triple ? 3 : 1), c, triple, open);
            continue;
        }
        if (c == '(' || c == '[' || c == '{')
            open->depth++;
        else if ((c == ')' || c == ']' || c == '}') && open->depth > 0)
            open->depth--;
        s = span_skip(s, 1);
    }
}

static struct line make_line(struct span text, const struct open *before)
{
    struct line l = {.text = text, .goes_on = before->quote != 0 || before->depth > 0};
    while (l.indent < text.len && (text.data[l.indent] == ' ' || text.data[l.indent] == '\t'))
        l.indent++;
    l.blank = l.indent == text.len || text.data[l.indent] == '#';
    return l;
}

static size_t count_lines(struct span text)
{
    size_t n = 0;
    for (; text.len > 0 && n <= SOURCE_MAX_LINES; n++)
        text = span_skip(text, span_find_byte(text, '\n') + 1);
    return n;
}

/* False without memory, and for what has no lines or too many. */
static bool read_lines(struct lines *out, struct span text)
{
    struct open open = {.quote = 0};
    size_t n = count_lines(text);
    *out = (struct lines){.n = 0};
    if (n == 0 || n > SOURCE_MAX_LINES)
        return false;
    out->items = calloc(n, sizeof(*out->items));
    while (out->items != NULL && text.len > 0) {
        size_t len = span_find_byte(text, '\n');
        struct span one = span_head(text, len);
        (void)span_cut_end(&one, "\r");
        out->items[out->n++] = make_line(one, &open);
        scan(one, &open);
        text = span_skip(text, len + 1);
    }
    return out->items != NULL;
}

/* --- functions --- */

static struct span skip_spaces(struct span s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_skip(s, 1);
    return s;
}

/* The name of the function that the line begins to define; empty when it does not. */
static struct span defined_name(const struct line *l)
{
    struct span s = span_skip(l->text, l->indent);
    if (l->goes_on || l->blank)
        return span_of(NULL, 0);
    if (span_starts(s, "async "))
        s = skip_spaces(span_skip(s, 6));
    if (!span_starts(s, "def "))
        return span_of(NULL, 0);
    s = skip_spaces(span_skip(s, 4));
    size_t n = 0;
    while (n < s.len && (isalnum(s.data[n]) || s.data[n] == '_' || s.data[n] >= 0x80))
        n++;
    return span_head(s, n);
}

/* The innermost function around line i, that is above it and indented less than all since; all->n
 * when there is none. */
static size_t head_of(const struct lines *all, size_t i)
{
    unsigned least = UINT_MAX;
    for (size_t head = i + 1; head > 0; head--) {
        const struct line *l = &all->items[head - 1];
        if (l->blank || l->goes_on)
            continue;
        bool encloses = head - 1 == i || l->indent < least;
        if (encloses && defined_name(l).len > 0)
            return head - 1;
        least = l->indent < least ? l->indent : least;
    }
    return all->n;
}

/* Behind the function's last line that is not blank. */
static size_t end_of(const struct lines *all, size_t head)
{
    size_t end = head + 1;
    for (size_t i = head + 1; i < all->n; i++) {
        const struct line *l = &all->items[i];
        if (!l->goes_on && !l->blank && l->indent <= all->items[head].indent)
            break;
        if (l->goes_on || !l->blank)
            end = i + 1;
    }
    return end;
}

/* Its first decorator, or itself. */
static size_t start_of(const struct lines *all, size_t head)
{
    size_t start = head;
    for (size_t i = head; i > 0; i--) {
        const struct line *l = &all->items[i - 1];
        bool decorator = !l->blank && !l->goes_on && l->indent == all->items[head].indent &&
                         l->text.data[l->indent] == '@';
        if (decorator)
            start = i - 1;
        else if (!l->goes_on)
            break;
    }
    return start;
}

static struct span last_part(struct span name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.data[i - 1] == '.')
            return span_skip(name, i);
    }
    return name;
}

/* A lambda or a comprehension has no name to compare. */
static bool is_expected(struct span found, struct span wanted)
{
    wanted = last_part(wanted);
    return wanted.len == 0 || wanted.data[0] == LAMBDA || span_equal(found, wanted);
}

/* --- the quote --- */

static void put_lines(struct strbuf *out, const struct lines *all, size_t from, size_t to,
                      unsigned indent)
{
    for (size_t i = from; i < to; i++) {
        const struct line *l = &all->items[i];
        struct span text = span_skip(l->text, l->indent < indent ? l->indent : indent);
        strbuf_add(out, text.data, text.len);
        strbuf_putc(out, '\n');
    }
}

/* The whole function, or its head and what is around the line. */
static void put_function(struct strbuf *out, const struct lines *all, size_t start, size_t head,
                         size_t line)
{
    unsigned indent = all->items[head].indent;
    size_t end = end_of(all, head);
    end = end > line ? end : line + 1; /* the line may be blank */
    if (end - start <= SOURCE_QUOTE_LINES) {
        put_lines(out, all, start, end, indent);
        return;
    }
    size_t body = head + 1;
    while (body < end && all->items[body].goes_on && body - start < AROUND)
        body++;
    size_t from = line > body + AROUND ? line - AROUND : body;
    size_t to = end - line > AROUND ? line + AROUND : end;
    put_lines(out, all, start, body, indent);
    if (from > body)
        strbuf_puts(out, "    # ...\n");
    put_lines(out, all, from, to, indent);
    if (to < end)
        strbuf_puts(out, "    # ...\n");
}

static bool quote(struct strbuf *out, const struct lines *all, const struct source_place *place)
{
    size_t line = place->line - 1;
    if (place->line == 0 || line >= all->n)
        return false;
    size_t head = head_of(all, line);
    if (head == all->n) {
        bool module = place->function.len == 0 || place->function.data[0] == LAMBDA;
        if (!module)
            return false;
        size_t from = line > AROUND ? line - AROUND : 0;
        size_t to = all->n - line > AROUND ? line + AROUND : all->n;
        strbuf_printf(out, "# %s:%u\n", place->file, place->line);
        put_lines(out, all, from, to, 0);
        return true;
    }
    if (!is_expected(defined_name(&all->items[head]), place->function))
        return false;
    strbuf_printf(out, "# %s:%u\n", place->file, place->line);
    put_function(out, all, start_of(all, head), head, line);
    return true;
}

/* The head of the function around the place; all->n without one, or when it has another name. */
static size_t expected_head(const struct lines *all, const struct source_place *place)
{
    size_t line = place->line - 1;
    size_t head = place->line > 0 && line < all->n ? head_of(all, line) : all->n;
    bool same = head < all->n && is_expected(defined_name(&all->items[head]), place->function);
    return same ? head : all->n;
}

bool source_function(struct source_function *out, struct span text,
                     const struct source_place *place)
{
    struct lines all;
    if (text.len > SOURCE_MAX_BYTES || !read_lines(&all, text))
        return false;
    size_t head = expected_head(&all, place);
    bool found = head < all.n;
    if (found) {
        const uint8_t *from = all.items[start_of(&all, head)].text.data;
        size_t end = end_of(&all, head);
        const uint8_t *to = end < all.n ? all.items[end].text.data : text.data + text.len;
        *out = (struct source_function){
            .text = span_of(from, (size_t)(to - from)),
            .indent = all.items[head].indent,
        };
    }
    free(all.items);
    return found;
}

bool source_quote(struct strbuf *out, struct span text, const struct source_place *place)
{
    struct lines all;
    if (text.len > SOURCE_MAX_BYTES)
        return false;
    bool found = read_lines(&all, text) && quote(out, &all, place);
    free(all.items);
    return found;
}
