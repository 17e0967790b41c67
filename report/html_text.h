/*
 * What HTML is made of: escaped text, and numbers for readers.
 *
 * Every text of the tree enters a page through html_text, between tags and in quoted attributes
 * alike; there is no other way in. Markup around it is constant.
 */
#ifndef PGSLEUTH_REPORT_HTML_TEXT_H
#define PGSLEUTH_REPORT_HTML_TEXT_H

#include "common/strbuf.h"

#include <jansson.h>

/* Append a text that nobody vouches for. What would be markup is escaped; what would act on the
 * order or the display of text is shown as U+FFFD. */
void html_text(struct strbuf *b, const char *text);

/* The same of at most `most` bytes, with an ellipsis for what is left out. */
void html_text_cut(struct strbuf *b, const char *text, size_t most);

/* The same where `between backticks` is code. */
void html_prose(struct strbuf *b, const char *text);

/* The same of a name with underscores, which are shown as spaces. */
void html_words(struct strbuf *b, const char *name);

/* Append <tag>text</name>, where `tag` is a name and maybe attributes: "p class=lead". */
void html_element(struct strbuf *b, const char *tag, const char *text);

/* Append a whole number with its thousands apart: "12,345". */
void html_count(struct strbuf *b, json_int_t n);

/* Append a number that is not negative with three digits or so, whole from 100 on; null gives a
 * dash. */
void html_real(struct strbuf *b, double v);
void html_number(struct strbuf *b, const json_t *value);

/* Append bytes as "1.5 MiB"; null gives a dash. */
void html_bytes(struct strbuf *b, const json_t *value);

/* Append 0..1 as "87 %"; null gives a dash. */
void html_percent(struct strbuf *b, const json_t *share);

/* Append <td data-v=...>number</td>: a cell that is sorted by its value; null sorts last. */
void html_cell(struct strbuf *b, const json_t *value);

/* Append <div ...>, in which something wide is moved sideways, by keys too. */
void html_scroll(struct strbuf *b, const char *label);

#endif
