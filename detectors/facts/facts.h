/*
 * What PostgreSQL's own grammar (libpg_query) says of a statement: tables, `*`, LIMIT, predicates.
 *
 * The grammar may run out of stack or call exit() on hostile text, so facts_read() is called only
 * in the parser helper, a child process of its own; nothing else links this layer's code on the
 * path of traffic. Input is masked text (wire/sql_lexer.h): no value ever reaches the grammar.
 */
#ifndef PGSLEUTH_DETECTORS_FACTS_FACTS_H
#define PGSLEUTH_DETECTORS_FACTS_FACTS_H

#include "common/span.h"
#include "wire/record.h"

enum { FACTS_RECORD_MAX = 4096 };

/* Write the facts of one statement as a record_facts of at most FACTS_RECORD_MAX bytes into `out`
 * (8-aligned) and return its length. A statement that the grammar refuses gives status
 * FACTS_REFUSED; this never fails. */
size_t facts_read(struct sql_id id, struct span masked, struct span kinds, void *out);

/* A facts record without facts, for a statement that was never read: FACTS_CRASHED or
 * FACTS_TOO_LONG. */
size_t facts_missing(struct sql_id id, enum record_facts_status status, void *out);

#endif
