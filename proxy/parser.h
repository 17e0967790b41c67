/*
 * The parser helper as the auditor sees it: statements go to a child process, facts come back as
 * records.
 *
 * The child is this same program started as `pgsleuth parser-helper` with one end of a socketpair
 * as its standard input and output. It may crash on a statement: then that statement gets
 * FACTS_CRASHED, those behind it are sent again to a new child, and nobody else notices. A child
 * that answers nothing for 5 s is killed and counts as crashed. After 20 crashes within a minute no
 * child is started for a minute, so that hostile SQL cannot keep the machine busy with forks.
 *
 * Everything here runs on the auditor's loop; nothing blocks.
 */
#ifndef PGSLEUTH_PROXY_PARSER_H
#define PGSLEUTH_PROXY_PARSER_H

#include "common/span.h"
#include "wire/record.h"

struct event_base;
struct parser;

/* Called on the loop for each answer, in the order of the questions but for those that were too
 * long; `facts` passed record_check, is of the identity asked for, and is valid during the call.
 * The callback may ask, and must not free the parser. */
typedef void parser_answer(void *context, const struct record_facts *facts);

/* NULL when there is no memory. The child is started at the first question. */
struct parser *parser_new(struct event_base *base, parser_answer *answer, void *context);

/* Ask for the facts of one statement; masked text and kinds are copied. When too many wait (4,096)
 * or the text is longer than 16 KiB the answer is FACTS_TOO_LONG, at once. */
void parser_ask(struct parser *p, struct sql_id id, struct span masked, struct span kinds);

/* Questions without an answer yet. */
size_t parser_waiting(const struct parser *p);

/* Children started after the first one. */
uint64_t parser_restarts(const struct parser *p);

/* Process id of the child, or 0; for the tests that kill it. */
int parser_pid(const struct parser *p);

/* Kill the child, forget what waits. NULL is allowed. */
void parser_free(struct parser *p);

/* The child's side: answer questions on `fd` until it is closed. Returns the exit code. */
int parser_helper_serve(int fd);

#endif
