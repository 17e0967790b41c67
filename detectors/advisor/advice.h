/*
 * From the conditions of a scan and what the catalog says of its table: the indexes that could
 * serve it, or why the index that exists does not help. Pure.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_ADVICE_H
#define PGSLEUTH_DETECTORS_ADVISOR_ADVICE_H

#include "common/strbuf.h"
#include "detectors/advisor/catalog.h"

enum { ADVISOR_COLUMNS_MAX = 1000, ADVISOR_NOTE_MAX = 500, ADVISOR_MAX_CANDIDATES = 4 };

/* One index that could be made.
 *
 * `columns` is for the report: parts separated by ", ", compared for equality first (`=` before
 * ANY, the most distinct first, at most three, and none behind those that leave one row), then one
 * range or LIKE prefix, or the order. A part is a column's bare, unquoted name; or an expression,
 * which has a parenthesis and is SQL as it stands, `lower(email)`; either with " text_pattern_ops"
 * or " bpchar_pattern_ops" behind it where LIKE asks for that operator class, or with " DESC" and
 * " NULLS FIRST" or " NULLS LAST" where the order does. `sql` is the same list quoted for the
 * server. */
struct advisor_candidate {
    unsigned n_keys;
    unsigned n_equal;
    bool on_foreign_key; /* its first column refers to another table */
    char columns[ADVISOR_COLUMNS_MAX];
    char sql[ADVISOR_COLUMNS_MAX];
};

/* The first candidate is the one to propose when none can be tried; the others have fewer keys or
 * the range in place of the order. */
struct advisor_advice {
    bool exists; /* a usable index begins with the same column: only what was tried is worth saying
                  */
    unsigned n;
    struct advisor_candidate candidates[ADVISOR_MAX_CANDIDATES];
};

/* The note is empty or names indexes that this filter does not use and why; without any column to
 * propose it may also say why none can be. Nothing of this holds a value. */
void advisor_advice_make(const struct advisor_filter *filter, const struct advisor_table *table,
                         struct advisor_advice *out, struct strbuf *note);

/* Whether a bare name can stand in `columns` without being taken for something else. */
bool advisor_advice_is_name(const char *name);

#endif
