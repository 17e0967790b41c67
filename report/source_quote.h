/*
 * The lines of a Python file that a finding is about: the function around a line, as they stand.
 *
 * Nothing is executed or imported; the text is read as far as strings, brackets and indentation
 * tell. It may be anything, and may have changed since the line was noted: then there is no quote.
 */
#ifndef PGSLEUTH_REPORT_SOURCE_QUOTE_H
#define PGSLEUTH_REPORT_SOURCE_QUOTE_H

#include "common/span.h"
#include "common/strbuf.h"

enum {
    SOURCE_MAX_BYTES = 2 * 1024 * 1024,
    SOURCE_MAX_LINES = 65536,
    SOURCE_QUOTE_LINES = 40, /* of a longer function its head, and what is around the line */
};

/* Where in the file. `function` may be qualified, or empty: then whatever is around the line. */
struct source_place {
    const char *file; /* as it is to be shown */
    unsigned line;    /* from 1 */
    struct span function;
};

/* Append a comment with file and lines, then the lines without their common indentation. False,
 * with nothing appended, when the file has no such line, or another function there. */
bool source_quote(struct strbuf *out, struct span text, const struct source_place *place);

/* A function in the text, with its decorators. */
struct source_function {
    struct span text; /* whole lines */
    unsigned indent;  /* of its first one */
};

/* The function that source_quote() would quote; false when there is none, or when the line is in no
 * function. */
bool source_function(struct source_function *out, struct span text,
                     const struct source_place *place);

#endif
