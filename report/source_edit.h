/*
 * The function that a finding is about, with the cure edited in.
 *
 * Made only where tokens show all that the edit needs to be right Python with the same answers: the
 * one statement it is about, what becomes of its rows, names that go together. In every other case
 * there is no edit, and the finding keeps its general advice. What the tokens cannot show is said
 * in a comment above the function.
 *
 * The text may be anything. Names are taken from it, and from the finding through names.h.
 */
#ifndef PGSLEUTH_REPORT_SOURCE_EDIT_H
#define PGSLEUTH_REPORT_SOURCE_EDIT_H

#include "detectors/finding.h"
#include "report/source_quote.h"

enum { SOURCE_EDIT_BYTES = 16 * 1024 }; /* of a longer function there is no edit */

/* Append the imports it needs more and the whole function, without its indentation, edited. False,
 * with nothing appended, when there is no certain edit. */
bool source_edit(struct strbuf *out, struct span text, const struct source_place *place,
                 const struct finding *f);

#endif
