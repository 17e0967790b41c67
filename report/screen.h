/*
 * Lines for a terminal: measured in columns, cut with an ellipsis where they would pass the width,
 * coloured only when asked. Texts put here come from the traffic: whatever could act on the
 * terminal is written as U+FFFD.
 */
#ifndef PGSLEUTH_REPORT_SCREEN_H
#define PGSLEUTH_REPORT_SCREEN_H

#include "common/strbuf.h"

enum rpt_style {
    RPT_STYLE_NONE,
    RPT_STYLE_BOLD,
    RPT_STYLE_DIM,
    RPT_STYLE_GREEN,
    RPT_STYLE_YELLOW,
    RPT_STYLE_RED,
    RPT_STYLE_ALARM,
};

struct rpt_screen {
    struct strbuf *out; /* the caller's */
    struct strbuf line; /* the one being made; our own escape sequences are in it */
    unsigned width;
    unsigned column; /* of `line`, escape sequences not counted */
    bool color;
};

void rpt_screen_init(struct rpt_screen *s, struct strbuf *out, unsigned width, bool color);
void rpt_screen_fini(struct rpt_screen *s);

/* Add text to the line. A newline in it counts as a space. */
void rpt_screen_put(struct rpt_screen *s, enum rpt_style style, const char *text);
void rpt_screen_printf(struct rpt_screen *s, enum rpt_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add spaces up to a column. */
void rpt_screen_to(struct rpt_screen *s, unsigned column);

/* Add text cut or padded to `width` columns: to the left, or to the right. */
void rpt_screen_left(struct rpt_screen *s, enum rpt_style style, const char *text, unsigned width);
void rpt_screen_right(struct rpt_screen *s, enum rpt_style style, const char *text, unsigned width);

/* End the line. */
void rpt_screen_end(struct rpt_screen *s);

/* Whole lines: `text` wrapped at its spaces, each line behind `indent` columns, at most
 * `max_lines`; the last one is cut when there is more. Starts on the current line when that is not
 * empty. */
void rpt_screen_paragraph(struct rpt_screen *s, const char *text, unsigned indent,
                          unsigned max_lines);

/* Columns of a text. */
unsigned rpt_text_columns(struct span text);

#endif
