#include "report/value.h"

#include "report/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void rpt_put(json_t **object, const char *key, json_t *value)
{
    if (*object == NULL) {
        json_decref(value);
        return;
    }
    /* jansson releases a value that it could not set, and refuses NULL. */
    if (json_object_set_new(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

void rpt_add(json_t **list, json_t *value)
{
    if (*list == NULL) {
        json_decref(value);
        return;
    }
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

void rpt_clean(struct strbuf *out, struct span text)
{
    uint32_t code;
    struct span left = span_head(text, RPT_TEXT_MAX);
    while (rpt_utf8_next(&left, &code)) {
        if (code == '\r')
            continue;
        if (code != '\n' && code != '\t' && rpt_is_control(code))
            code = RPT_REPLACEMENT;
        rpt_utf8_put(out, code);
    }
    if (text.len > RPT_TEXT_MAX)
        strbuf_puts(out, "…");
}

/* The buffer's contents as a value; the buffer is freed. */
static json_t *take(struct strbuf *b)
{
    json_t *out = b->failed ? NULL : json_stringn(strbuf_text(b), b->len);
    strbuf_fini(b);
    return out;
}

json_t *rpt_text(struct span text)
{
    struct strbuf b;
    /* A replaced byte grows to three. */
    strbuf_init(&b, (size_t)RPT_TEXT_MAX * 3 + 8);
    rpt_clean(&b, text);
    return take(&b);
}

json_t *rpt_string(const char *text)
{
    return text != NULL ? rpt_text(span_of_text(text)) : json_null();
}

/* --- program text --- */

enum { TAB_WIDTH = 4 };

/* Cut the next line off `text`, without its newline; false at the end. */
static bool next_line(struct span *text, struct span *line)
{
    if (text->len == 0)
        return false;
    *line = span_head(*text, span_find_byte(*text, '\n'));
    *text = span_skip(*text, line->len + 1);
    return true;
}

/* One line with its tabs expanded and its end trimmed. */
static void add_line(struct strbuf *out, struct span line)
{
    size_t column = 0;
    while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] != '\t') {
            strbuf_putc(out, (char)line.data[i]);
            column += (line.data[i] & 0xC0) != 0x80;
            continue;
        }
        do
            strbuf_putc(out, ' ');
        while (++column % TAB_WIDTH != 0);
    }
    strbuf_putc(out, '\n');
}

static size_t indent_of(struct span line)
{
    size_t n = 0;
    while (n < line.len && line.data[n] == ' ')
        n++;
    return n;
}

/* The least indent of the lines that are not blank. */
static size_t common_indent(struct span text)
{
    struct span line;
    size_t least = SIZE_MAX;
    while (next_line(&text, &line)) {
        size_t indent = indent_of(line);
        if (line.len > 0 && indent < least)
            least = indent;
    }
    return least == SIZE_MAX ? 0 : least;
}

/* Trimmed lines to `out`: no blank ones at either end, the common indent off. */
static void add_dedented(struct strbuf *out, struct span text)
{
    struct span line;
    size_t indent = common_indent(text);
    size_t blank = 0;
    while (next_line(&text, &line)) {
        if (line.len == 0) {
            blank++;
            continue;
        }
        for (; blank > 0 && out->len > 0; blank--)
            strbuf_putc(out, '\n');
        blank = 0;
        strbuf_add_span(out, span_skip(line, indent));
        strbuf_putc(out, '\n');
    }
}

json_t *rpt_code(const char *text)
{
    if (text == NULL)
        return json_null();
    enum { ROOM = RPT_TEXT_MAX * 3 * TAB_WIDTH };
    struct strbuf clean, lines, out;
    struct span line;
    strbuf_init(&clean, ROOM);
    strbuf_init(&lines, ROOM);
    strbuf_init(&out, ROOM);
    rpt_clean(&clean, span_of_text(text));
    struct span left = strbuf_span(&clean);
    while (next_line(&left, &line))
        add_line(&lines, line);
    add_dedented(&out, strbuf_span(&lines));
    out.failed |= clean.failed || lines.failed;
    strbuf_fini(&clean);
    strbuf_fini(&lines);
    return take(&out);
}

/* --- numbers --- */

json_t *rpt_count(uint64_t n)
{
    return json_integer(n < INT64_MAX ? (json_int_t)n : (json_int_t)INT64_MAX);
}

json_t *rpt_number(double v)
{
    /* Below this, three decimals fit into the digits written; above, snap to those digits, so that
     * every rendering prints the same ones. */
    const double largest = 1e11;
    if (!isfinite(v))
        return json_null();
    if (v > -largest && v < largest)
        return json_real((double)(int64_t)(v * 1000 + (v < 0 ? -0.5 : 0.5)) / 1000);
    char digits[32];
    snprintf(digits, sizeof digits, "%.*g", RPT_REAL_DIGITS, v);
    double snapped = strtod(digits, NULL);
    return isfinite(snapped) ? json_real(snapped) : json_null();
}

json_t *rpt_known(double v)
{
    return v < 0 ? json_null() : rpt_number(v);
}

json_t *rpt_ms(uint64_t us)
{
    return rpt_number((double)us / 1000);
}

json_t *rpt_ratio(double n, double of)
{
    return of > 0 ? rpt_number(n / of) : json_null();
}

json_t *rpt_hex(uint64_t id)
{
    return json_sprintf("%016" PRIx64, id);
}

/* --- time --- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Civil date of a day counted from 1970-01-01. The C library's gmtime is off limits here, and two
 * dates a report do not ask for a closed formula. */
static bool civil_of(int64_t days, int *year, int *month, int *day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    *year = 1970;
    for (int n; days >= (n = is_leap(*year) ? 366 : 365); days -= n) {
        if (++*year > RPT_TIME_LAST_YEAR)
            return false;
    }
    for (*month = 1;; ++*month) {
        int n = lengths[*month - 1] + (*month == 2 && is_leap(*year));
        if (days < n)
            break;
        days -= n;
    }
    *day = (int)days + 1;
    return true;
}

json_t *rpt_time(int64_t wall_us)
{
    const int64_t day_us = INT64_C(86400) * 1000 * 1000;
    int year, month, day;
    if (wall_us < 0 || !civil_of(wall_us / day_us, &year, &month, &day))
        return json_null();
    int ms = (int)(wall_us % day_us / 1000);
    return json_sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, ms / 3600000,
                        ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}
