/*
 * The input side of the SQL lexer: where it stands, what it may step over, which comments it met on
 * the way. Internal to the lexer.
 *
 * Comments with no token between them that shows in the masked text are one run, and a run is
 * handed over as one span: from the first body to the last, what stands between included. So tags
 * that two libraries put one after the other are both in it (wire/sql_comment.h knows the marks).
 * Hints begin no run and end none.
 */
#ifndef PGSLEUTH_WIRE_SQL_TRIVIA_H
#define PGSLEUTH_WIRE_SQL_TRIVIA_H

#include "common/span.h"

struct sql_trivia {
    const uint8_t *at;
    const uint8_t *end;
    const char *origin;    /* mark of the statement's beginning, before any token */
    const char *last_mark; /* mark at which the last run was met */
    struct span first;
    struct span last;
    bool unterminated; /* a comment or a type's name was open at the end */
};

/* A mark is the lexer's output position: it is the same for as long as there are no tokens. */
void sql_trivia_init(struct sql_trivia *in, struct span text, const char *mark);

/* Whether a comment begins at `at`. */
static inline bool sql_trivia_at_comment(const struct sql_trivia *in)
{
    if (in->end - in->at < 2)
        return false;
    return (in->at[0] == '-' && in->at[1] == '-') || (in->at[0] == '/' && in->at[1] == '*');
}

/* Step over white space and comments. */
void sql_trivia_skip(struct sql_trivia *in, const char *mark);

/* Step over this lower-case word, in any case; false and nothing done when another stands here. */
bool sql_trivia_accept(struct sql_trivia *in, const char *word);

/* Step over the name of a type with its modifiers and array bounds. False when there is none; then
 * `at` is somewhere after trivia. */
bool sql_trivia_skip_type(struct sql_trivia *in, const char *mark);

/* Length of the operator at `at`, at least 1 (PostgreSQL manual 4.1.3). */
size_t sql_trivia_operator_len(const uint8_t *at, const uint8_t *end);

/* Inside of a block comment that ends the text, but for white space and ';'. Empty when there is
 * none. */
struct span sql_trivia_tail_comment(struct span text);

#endif
