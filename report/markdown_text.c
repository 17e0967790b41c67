#include "report/markdown_text.h"

#include "report/utf8.h"

/* Printable text of at most `most` bytes, cut between code points. With `lines` 0 it is made one
 * line. False when something was cut. */
static bool add_clean(struct strbuf *out, const char *text, size_t most, size_t lines)
{
    struct span left = span_of_text(text);
    uint32_t code;
    size_t newlines = 0;
    while (rpt_utf8_next(&left, &code)) {
        bool blank = code == '\n' || code == '\t' || code == '\r';
        if (code == '\n' && lines > 0 && ++newlines >= lines && left.len > 0)
            return false;
        if (blank && !(code == '\n' && lines > 0))
            code = ' ';
        else if (!blank && rpt_is_control(code))
            code = RPT_REPLACEMENT;
        rpt_utf8_put(out, code);
        if (out->len >= most && left.len > 0)
            return false;
    }
    return true;
}

/* --- code --- */

static size_t longest_run(struct span text, uint8_t byte)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.data[i] == byte ? run + 1 : 0;
        if (run > longest)
            longest = run;
    }
    return longest;
}

static void put_run(struct strbuf *out, char c, size_t n)
{
    for (; n > 0; n--)
        strbuf_putc(out, c);
}

/* A pipe ends a cell even in code, unless a backslash stands before it, which is then not shown. */
static void put_cell(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '|')
            strbuf_putc(out, '\\');
        strbuf_putc(out, (char)text.data[i]);
    }
}

static void put_html(struct strbuf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("&<>\"'", text.data[i]) != NULL)
            strbuf_printf(out, "&#%u;", (unsigned)text.data[i]);
        else
            strbuf_putc(out, (char)text.data[i]);
    }
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = span_skip(text, 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

static void put_span(struct strbuf *out, struct span text, enum rpt_markdown where)
{
    text = trimmed(text);
    if (text.len == 0)
        return;
    if (where == RPT_MARKDOWN_HTML) {
        strbuf_puts(out, "<code>");
        put_html(out, text);
        strbuf_puts(out, "</code>");
        return;
    }
    size_t fence = longest_run(text, '`') + 1;
    bool pad = text.data[0] == '`' || text.data[text.len - 1] == '`';
    if (out->len > 0 && out->data[out->len - 1] == '`')
        strbuf_putc(out, ' '); /* or the two would share a fence */
    put_run(out, '`', fence);
    put_run(out, ' ', pad);
    if (where == RPT_MARKDOWN_CELL)
        put_cell(out, text);
    else
        strbuf_add_span(out, text);
    put_run(out, ' ', pad);
    put_run(out, '`', fence);
}

void rpt_markdown_code(struct strbuf *out, const char *text, enum rpt_markdown where, size_t most)
{
    struct strbuf line;
    strbuf_init(&line, out->max);
    bool whole = add_clean(&line, text, most, 0);
    put_span(out, strbuf_span(&line), where);
    if (!whole)
        strbuf_puts(out, "…");
    out->failed |= line.failed;
    strbuf_fini(&line);
}

void rpt_markdown_block(struct strbuf *out, const char *language, const char *text, size_t most,
                        size_t lines)
{
    struct strbuf code;
    if (*text == '\0')
        return;
    strbuf_init(&code, out->max);
    bool whole = add_clean(&code, text, most, lines);
    size_t run = longest_run(strbuf_span(&code), '`');
    size_t fence = run < 3 ? 3 : run + 1;
    put_run(out, '`', fence);
    strbuf_printf(out, "%s\n", language);
    strbuf_add_span(out, strbuf_span(&code));
    if (code.len > 0 && code.data[code.len - 1] != '\n')
        strbuf_putc(out, '\n');
    if (!whole)
        strbuf_puts(out, "…\n");
    put_run(out, '`', fence);
    strbuf_putc(out, '\n');
    out->failed |= code.failed;
    strbuf_fini(&code);
}

/* --- prose --- */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What GitHub may take for a commit. */
static bool is_hash(struct span word)
{
    enum { SHORTEST = 7 };
    size_t n = 0;
    while (n < word.len && is_hex(word.data[n]))
        n++;
    return n == word.len && n >= SHORTEST;
}

/* Whether a sign joins the two characters around it without a meaning: N+1, client's, by-name, 1.5,
 * 1,000. */
static bool joins(uint8_t before, uint8_t sign, uint8_t after)
{
    bool name = is_letter(before) || is_digit(before);
    if (sign == '+')
        return name && (is_letter(after) || is_digit(after));
    if (sign == '-')
        return name && is_letter(after); /* GH-1 is an issue */
    if (sign == '\'')
        return is_letter(before) && is_letter(after);
    return (sign == '.' || sign == ',') && is_digit(before) && is_digit(after);
}

/* Whether a word may stand outside code. */
static bool is_plain(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.data[i];
        bool last = i + 1 == word.len;
        if (is_letter(c) || is_digit(c) || c >= 0x80 || (c == '%' && last))
            continue;
        if (i == 0 || last || !joins(word.data[i - 1], c, word.data[i + 1]))
            return false;
    }
    return !is_hash(word);
}

/* How many bytes at the end of a word are punctuation of the sentence: a closing parenthesis too,
 * unless it was opened inside the word. */
static size_t sentence_end(struct span word)
{
    bool closes = span_find_byte(word, '(') == word.len;
    size_t n = 0;
    while (n < word.len && strchr(closes ? ".,;:)" : ".,;:", word.data[word.len - 1 - n]) != NULL)
        n++;
    return n;
}

static void put_word(struct strbuf *out, struct span word, enum rpt_markdown where)
{
    bool opened = word.len > 1 && word.data[0] == '(';
    struct span core = span_skip(word, opened);
    size_t end = sentence_end(core);
    struct span tail = span_skip(core, core.len - end);
    core.len -= end;
    if (opened)
        strbuf_putc(out, '(');
    if (is_plain(core))
        strbuf_add_span(out, core);
    else
        put_span(out, core, where);
    strbuf_add_span(out, tail);
}

/* Cut the next piece off: blanks, code between backticks, or a word. */
static void put_piece(struct strbuf *out, struct span *text, enum rpt_markdown where)
{
    size_t n = 0;
    if (text->data[0] == ' ') {
        strbuf_putc(out, ' ');
        *text = trimmed(*text);
        return;
    }
    if (text->data[0] == '`') {
        struct span inside = span_skip(*text, 1);
        n = span_find_byte(inside, '`');
        if (n > 0 && n < inside.len) {
            put_span(out, span_head(inside, n), where);
            *text = span_skip(inside, n + 1);
            return;
        }
    }
    n = span_find_byte(*text, ' ');
    put_word(out, span_head(*text, n), where);
    *text = span_skip(*text, n);
}

void rpt_markdown_prose(struct strbuf *out, const char *text, enum rpt_markdown where, size_t most)
{
    struct strbuf line;
    strbuf_init(&line, out->max);
    bool whole = add_clean(&line, text, most, 0);
    struct span left = trimmed(strbuf_span(&line));
    while (left.len > 0)
        put_piece(out, &left, where);
    if (!whole)
        strbuf_puts(out, "…");
    out->failed |= line.failed;
    strbuf_fini(&line);
}
