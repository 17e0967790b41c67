#include "report/screen.h"

#include "report/utf8.h"

#include <stdarg.h>

enum { ESCAPE = 0x1B, LINE_MAX_BYTES = 1024 * 1024 };

void rpt_screen_init(struct rpt_screen *s, struct strbuf *out, unsigned width, bool color)
{
    *s = (struct rpt_screen){.out = out, .width = width, .color = color};
    strbuf_init(&s->line, LINE_MAX_BYTES);
}

void rpt_screen_fini(struct rpt_screen *s)
{
    s->out->failed |= s->line.failed;
    strbuf_fini(&s->line);
}

static void begin_style(struct rpt_screen *s, enum rpt_style style)
{
    static const char *const codes[] = {
        [RPT_STYLE_NONE] = "",      [RPT_STYLE_BOLD] = "1",    [RPT_STYLE_DIM] = "2",
        [RPT_STYLE_GREEN] = "1;32", [RPT_STYLE_YELLOW] = "33", [RPT_STYLE_RED] = "31",
        [RPT_STYLE_ALARM] = "1;31",
    };
    if (s->color && style != RPT_STYLE_NONE)
        strbuf_printf(&s->line, "\033[%sm", codes[style]);
}

static void end_style(struct rpt_screen *s, enum rpt_style style)
{
    if (s->color && style != RPT_STYLE_NONE)
        strbuf_puts(&s->line, "\033[0m");
}

/* One code point, made harmless. */
static uint32_t visible(uint32_t code)
{
    if (code == '\n' || code == '\t')
        return ' ';
    return rpt_is_control(code) ? RPT_REPLACEMENT : code;
}

unsigned rpt_text_columns(struct span text)
{
    uint32_t code;
    unsigned n = 0;
    while (rpt_utf8_next(&text, &code))
        n += rpt_columns(visible(code));
    return n;
}

/* Text without style, cut at `width` columns. */
static void put_cut(struct rpt_screen *s, struct span text, unsigned width)
{
    uint32_t code;
    bool cut = rpt_text_columns(text) > width;
    unsigned left = cut ? width - 1 : width;
    if (width == 0)
        return;
    while (rpt_utf8_next(&text, &code)) {
        unsigned n = rpt_columns(visible(code));
        if (n > left)
            break;
        rpt_utf8_put(&s->line, visible(code));
        s->column += n;
        left -= n;
    }
    if (cut) {
        strbuf_puts(&s->line, "…");
        s->column++;
    }
}

static void put_span(struct rpt_screen *s, enum rpt_style style, struct span text)
{
    begin_style(s, style);
    put_cut(s, text, rpt_text_columns(text));
    end_style(s, style);
}

void rpt_screen_put(struct rpt_screen *s, enum rpt_style style, const char *text)
{
    put_span(s, style, span_of_text(text));
}

void rpt_screen_printf(struct rpt_screen *s, enum rpt_style style, const char *format, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, LINE_MAX_BYTES);
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    put_span(s, style, strbuf_span(&text));
    s->line.failed |= text.failed;
    strbuf_fini(&text);
}

void rpt_screen_to(struct rpt_screen *s, unsigned column)
{
    for (; s->column < column; s->column++)
        strbuf_putc(&s->line, ' ');
}

void rpt_screen_left(struct rpt_screen *s, enum rpt_style style, const char *text, unsigned width)
{
    unsigned end = s->column + width;
    begin_style(s, style);
    put_cut(s, span_of_text(text), width);
    end_style(s, style);
    rpt_screen_to(s, end);
}

void rpt_screen_right(struct rpt_screen *s, enum rpt_style style, const char *text, unsigned width)
{
    unsigned n = rpt_text_columns(span_of_text(text));
    rpt_screen_to(s, s->column + (n < width ? width - n : 0));
    begin_style(s, style);
    put_cut(s, span_of_text(text), width);
    end_style(s, style);
}

/* Copy the line, cut at the width; escape sequences take no room and are all kept, so that no style
 * outlives its line. Only ours can be there. */
static void copy_line(struct rpt_screen *s, struct span line)
{
    uint32_t code;
    bool cut = s->column > s->width;
    unsigned left = cut && s->width > 0 ? s->width - 1 : s->width;
    bool in_escape = false, full = false;
    while (rpt_utf8_next(&line, &code)) {
        if (code == ESCAPE || in_escape) {
            in_escape = code != 'm';
            rpt_utf8_put(s->out, code);
            continue;
        }
        unsigned n = rpt_columns(code);
        if (!full && n > left) {
            full = true;
            strbuf_puts(s->out, "…");
        }
        if (full)
            continue;
        rpt_utf8_put(s->out, code);
        left -= n;
    }
}

void rpt_screen_end(struct rpt_screen *s)
{
    struct span line = strbuf_span(&s->line);
    while (line.len > 0 && line.data[line.len - 1] == ' ') {
        line.len--;
        s->column--;
    }
    copy_line(s, line);
    strbuf_putc(s->out, '\n');
    s->out->failed |= s->line.failed;
    strbuf_reset(&s->line);
    s->column = 0;
}

/* How much of `text` goes on a line of `room` columns: up to its last space, or to a cut inside a
 * word that is longer than a line. */
static size_t line_break(struct span text, unsigned room)
{
    uint32_t code;
    struct span left = text;
    size_t at_space = 0, at_room = 0;
    unsigned column = 0;
    while (rpt_utf8_next(&left, &code)) {
        if (visible(code) == ' ' && column <= room)
            at_space = text.len - left.len;
        column += rpt_columns(visible(code));
        if (column <= room)
            at_room = text.len - left.len;
    }
    if (column <= room)
        return text.len;
    if (at_space > 0)
        return at_space;
    return at_room > 0 ? at_room : text.len;
}

void rpt_screen_paragraph(struct rpt_screen *s, const char *text, unsigned indent,
                          unsigned max_lines)
{
    struct span left = span_of_text(text);
    for (unsigned line = 1; left.len > 0 && line <= max_lines; line++) {
        rpt_screen_to(s, indent);
        unsigned room = s->width > s->column ? s->width - s->column : 0;
        size_t n = line == max_lines ? left.len : line_break(left, room);
        put_span(s, RPT_STYLE_NONE, span_head(left, n));
        left = span_skip(left, n);
        rpt_screen_end(s);
    }
}
