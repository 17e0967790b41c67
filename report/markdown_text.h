/*
 * Text of the traffic inside Markdown as GitHub reads it, so that it acts as nothing but text.
 *
 * Names, comments and SQL may hold links, images, HTML, mentions, references to issues or commits.
 * Escaping signs is not enough, since GitHub looks for some of these after it has parsed the
 * Markdown; but never in code. So words of letters and figures stay words, and everything else is
 * put into code. Code spans and fences are longer than any run of backticks in what they hold.
 */
#ifndef PGSLEUTH_REPORT_MARKDOWN_TEXT_H
#define PGSLEUTH_REPORT_MARKDOWN_TEXT_H

#include "common/strbuf.h"

enum rpt_markdown {
    RPT_MARKDOWN_LINE, /* in a paragraph, behind other words */
    RPT_MARKDOWN_CELL, /* in a cell of a table */
    RPT_MARKDOWN_HTML, /* on a line between HTML tags, which GitHub does not read as Markdown */
};

/* Append prose on one line; what it has between backticks stays code. At most `most` bytes of it
 * are taken; where it was cut it ends in an ellipsis. */
void rpt_markdown_prose(struct strbuf *out, const char *text, enum rpt_markdown where, size_t most);

/* Append all of a text as one code span; nothing when it is blank. */
void rpt_markdown_code(struct strbuf *out, const char *text, enum rpt_markdown where, size_t most);

/* Append a fenced block, on lines of its own; a text of more than `most` bytes or `lines` lines is
 * cut and says so. Nothing when it is empty. `language` is a constant of the caller. */
void rpt_markdown_block(struct strbuf *out, const char *language, const char *text, size_t most,
                        size_t lines);

#endif
