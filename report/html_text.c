#include "report/html_text.h"

#include "report/utf8.h"

#include <inttypes.h>
#include <stdio.h>

static void put_code(struct strbuf *b, uint32_t code)
{
    switch (code) {
    case '&':
        strbuf_puts(b, "&amp;");
        break;
    case '<':
        strbuf_puts(b, "&lt;");
        break;
    case '>':
        strbuf_puts(b, "&gt;");
        break;
    case '"':
        strbuf_puts(b, "&quot;");
        break;
    case '\'':
        strbuf_puts(b, "&#39;");
        break;
    default:
        if (code != '\n' && code != '\t' && rpt_is_control(code))
            code = RPT_REPLACEMENT;
        rpt_utf8_put(b, code);
    }
}

static bool is_plain(uint8_t c)
{
    return c >= ' ' && c < 0x7F && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'';
}

static void put_span(struct strbuf *b, struct span left)
{
    while (left.len > 0) {
        size_t n = 0;
        uint32_t code;
        while (n < left.len && is_plain(left.data[n]))
            n++;
        strbuf_add(b, left.data, n);
        left = span_skip(left, n);
        if (rpt_utf8_next(&left, &code))
            put_code(b, code);
    }
}

void html_text(struct strbuf *b, const char *text)
{
    put_span(b, span_of_text(text));
}

void html_text_cut(struct strbuf *b, const char *text, size_t most)
{
    struct span all = span_of_text(text);
    size_t n = most < all.len ? most : all.len;
    while (n < all.len && n > 0 && (all.data[n] & 0xC0) == 0x80)
        n--; /* not within a character */
    put_span(b, span_head(all, n));
    if (n < all.len)
        strbuf_puts(b, "…");
}

void html_prose(struct strbuf *b, const char *text)
{
    struct span left = span_of_text(text);
    while (left.len > 0) {
        size_t n = span_find_byte(left, '`');
        put_span(b, span_head(left, n));
        left = span_skip(left, n);
        size_t end = left.len > 0 ? span_find_byte(span_skip(left, 1), '`') + 1 : 0;
        if (left.len == 0)
            break;
        if (end == left.len) { /* no second one */
            put_span(b, left);
            break;
        }
        strbuf_puts(b, "<code>");
        put_span(b, span_skip(span_head(left, end), 1));
        strbuf_puts(b, "</code>");
        left = span_skip(left, end + 1);
    }
}

void html_words(struct strbuf *b, const char *name)
{
    while (*name != '\0') {
        size_t n = strcspn(name, "_");
        put_span(b, span_of(name, n));
        name += n;
        if (*name == '_') {
            strbuf_putc(b, ' ');
            name++;
        }
    }
}

void html_element(struct strbuf *b, const char *tag, const char *text)
{
    strbuf_printf(b, "<%s>", tag);
    html_text(b, text);
    strbuf_printf(b, "</%.*s>", (int)strcspn(tag, " "), tag);
}

void html_count(struct strbuf *b, json_int_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n < 0 ? 0 : (uint64_t)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            strbuf_putc(b, ',');
        strbuf_putc(b, digits[i]);
    }
}

void html_real(struct strbuf *b, double v)
{
    const double most = 9e15; /* what a count holds exactly */
    if (v >= most)
        html_count(b, (json_int_t)most);
    else if (v >= 99.95 || v == (double)(json_int_t)v)
        html_count(b, (json_int_t)(v + 0.5));
    else
        strbuf_printf(b, "%.*f", v >= 9.995 ? 1 : v >= 0.1 ? 2 : 3, v);
}

void html_number(struct strbuf *b, const json_t *value)
{
    if (json_is_integer(value))
        html_count(b, json_integer_value(value));
    else if (json_is_real(value))
        html_real(b, json_real_value(value));
    else
        strbuf_puts(b, "–");
}

void html_bytes(struct strbuf *b, const json_t *value)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = json_number_value(value);
    size_t unit = 0;
    if (!json_is_number(value)) {
        strbuf_puts(b, "–");
        return;
    }
    for (; v >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        v /= 1024;
    if (unit == 0)
        html_count(b, json_integer_value(value));
    else
        html_real(b, v);
    strbuf_printf(b, " %s", units[unit]);
}

void html_percent(struct strbuf *b, const json_t *share)
{
    if (json_is_number(share))
        strbuf_printf(b, "%.0f %%", 100 * json_number_value(share));
    else
        strbuf_puts(b, "–");
}

void html_cell(struct strbuf *b, const json_t *value)
{
    if (json_is_integer(value))
        strbuf_printf(b, "<td data-v=%" JSON_INTEGER_FORMAT ">", json_integer_value(value));
    else if (json_is_real(value))
        strbuf_printf(b, "<td data-v=%.3f>", json_real_value(value));
    else
        strbuf_puts(b, "<td>");
    html_number(b, value);
    strbuf_puts(b, "</td>");
}

void html_scroll(struct strbuf *b, const char *label)
{
    strbuf_printf(b, "<div class=scroll tabindex=0 role=group aria-label=\"%s\">", label);
}
