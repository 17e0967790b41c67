/*
 * From a filter and what the catalog says of its table: the columns an index should have, or why
 * the index that exists does not help. Pure.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_ADVICE_H
#define PGSLEUTH_DETECTORS_ADVISOR_ADVICE_H

#include "common/strbuf.h"
#include "detectors/advisor/catalog.h"

enum { ADVISOR_COLUMNS_MAX = 1000, ADVISOR_NOTE_MAX = 500 };

/* Columns separated by ", ": compared for equality first (`=` before ANY, the most distinct first,
 * at most three), then one range or LIKE prefix. A part is a column's bare, unquoted name; or an
 * expression, which has a parenthesis and is SQL as it stands, `lower(email)`; either with
 * " text_pattern_ops" or " bpchar_pattern_ops" behind it where LIKE asks for that operator class.
 * Empty when an index that begins with the first of them exists already.
 *
 * The note is empty or names indexes that this filter does not use and why; without any column to
 * propose it may also say why none can be. Neither holds a value. */
void advisor_advice_make(const struct advisor_filter *filter, const struct advisor_table *table,
                         struct strbuf *columns, struct strbuf *note);

#endif
