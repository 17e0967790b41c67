/*
 * UTF-8, one code point at a time, over bytes that nobody vouches for.
 */
#ifndef PGSLEUTH_REPORT_UTF8_H
#define PGSLEUTH_REPORT_UTF8_H

#include "common/strbuf.h"

enum { RPT_REPLACEMENT = 0xFFFD };

/* Take one code point from the front of `in`; false when it is empty. Bytes that are not UTF-8
 * (overlong forms, surrogates, values past 10FFFF, cut sequences) give RPT_REPLACEMENT, at least
 * one byte each. */
bool rpt_utf8_next(struct span *in, uint32_t *code);

/* Append one code point, which rpt_utf8_next may have given. */
void rpt_utf8_put(struct strbuf *out, uint32_t code);

/* Whether a code point acts on a terminal or on the order of text instead of being text: C0, DEL,
 * C1, the bidirectional overrides, the byte order mark. Newline and tab count as control too. */
bool rpt_is_control(uint32_t code);

/* Columns a code point takes on a terminal: 0, 1 or 2. A fixed table and not wcwidth(), which
 * depends on the locale. */
unsigned rpt_columns(uint32_t code);

#endif
