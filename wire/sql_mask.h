/*
 * The output side of the SQL lexer: takes one token after the other and writes the canonical masked
 * text. It owns the spacing rule, the record of holes, and the collapsing of lists, so that the
 * lexer proper only cuts tokens. Internal to the lexer.
 *
 * Room is checked once a token, not once a byte: the last SQL_MASK_SLACK bytes of the caller's
 * buffer are kept free for what a token of fixed size needs, and only words, quoted identifiers and
 * operators look at the end of the buffer themselves. A mask that has passed `soft_end` is full.
 */
#ifndef PGSLEUTH_WIRE_SQL_MASK_H
#define PGSLEUTH_WIRE_SQL_MASK_H

#include "wire/sql_lexer.h"

enum { SQL_MASK_SLACK = 16 };

/* Kinds of token as far as spacing and signs care. */
enum sql_token {
    SQL_TOKEN_START,
    SQL_TOKEN_WORD,    /* identifier, quoted or not, or a word that ends an operand */
    SQL_TOKEN_KEYWORD, /* a word after which an operand begins */
    SQL_TOKEN_HOLE,
    SQL_TOKEN_OPERATOR,
    SQL_TOKEN_COMMA,
    SQL_TOKEN_OPEN,
    SQL_TOKEN_CLOSE,
    SQL_TOKEN_OPEN_BRACKET,
    SQL_TOKEN_CLOSE_BRACKET,
    SQL_TOKEN_DOT,
    SQL_TOKEN_CAST,
    SQL_TOKEN_COUNT
};

/* Two things may be pending when a token arrives; any token that does not continue them settles
 * them. A list: since its '(' or '[' there were only values; those after the first are counted but
 * not yet written. Rows: after VALUES or `IN (`, the next thing may be the first '(..)', or after
 * one, a comma and another. */
enum sql_mask_watch {
    SQL_WATCH_LIST_OPEN = 1 << 0,
    SQL_WATCH_LIST_VALUE = 1 << 1,
    SQL_WATCH_LIST_COMMA = 1 << 2,
    SQL_WATCH_FIRST_ROW = 1 << 3,
    SQL_WATCH_ROW_DONE = 1 << 4,
    SQL_WATCH_ROW_COMMA = 1 << 5,
};

struct sql_mask_row {
    char *start; /* at its '('; NULL when there is no row */
    char *end;
    size_t n_holes;
    bool pure; /* only literals, parameters and constants: any other such row is as good */
};

struct sql_mask {
    char *text;
    char *at;
    char *soft_end;
    char *end;
    char *kinds;
    size_t kinds_size;
    size_t n_holes; /* may run past kinds_size while a list is pending */
    enum sql_token prev;
    unsigned watch;
    unsigned flags; /* of enum sql_scan_flags */
    size_t depth;   /* of parentheses */
    bool full;

    char *list_end; /* after the first value of the pending list */
    size_t list_holes;
    size_t list_more; /* values not written */

    size_t row_depth; /* depth inside the open row, 0 when none is open */
    bool row_pure;    /* of the innermost run of tokens; meaningful when the row closes */
    struct sql_mask_row row;
    struct sql_mask_row last_row;
    char *after_in; /* `at` after the word IN, or NULL */
};

/* Bit t of entry p: token t after token p is set off by a space. */
extern const uint16_t sql_mask_space[SQL_TOKEN_COUNT];

void sql_mask_init(struct sql_mask *m, struct sql_masked out);

/* End what is pending. */
void sql_mask_settle(struct sql_mask *m);

static inline bool sql_mask_full(const struct sql_mask *m)
{
    return m->full || m->at > m->soft_end;
}

/* Make ready for the bytes of a token, which the caller writes at `at`. */
static inline void sql_mask_begin(struct sql_mask *m, enum sql_token token)
{
    if (m->watch != 0)
        sql_mask_settle(m);
    *m->at = ' ';
    m->at += (sql_mask_space[m->prev] >> token) & 1;
    m->prev = token;
    m->row_pure = false;
}

static inline void sql_mask_put(struct sql_mask *m, char c)
{
    *m->at++ = c;
}

/* A whole token each. `kind` is an enum sql_hole_kind. */
void sql_mask_hole(struct sql_mask *m, char kind);
void sql_mask_comma(struct sql_mask *m);
void sql_mask_open(struct sql_mask *m);
void sql_mask_close(struct sql_mask *m);
void sql_mask_open_bracket(struct sql_mask *m);
void sql_mask_close_bracket(struct sql_mask *m);

/* Replace the token just written from `start` on by a hole. */
void sql_mask_replace(struct sql_mask *m, char *start, char kind);

/* The word VALUES, or IN, was just written. */
void sql_mask_expect_rows(struct sql_mask *m);
void sql_mask_expect_list(struct sql_mask *m);

#endif
