/*
 * One pass over the text of a statement: its identity, its values, its comments.
 *
 * Python drivers put literals into the text (psycopg2, Django) or send one text many times (psycopg
 * 3, asyncpg), so what counts as "the same statement" is the token stream with every value taken
 * out. The lexer writes that stream into the caller's buffer (the masked text) and the identity is
 * the 128-bit XXH3 of it.
 *
 * Masked text: spaced by a rule of its own (wire/sql_mask.h) whatever the layout of the input was,
 * comments dropped, unquoted identifiers and keywords in lower case, quoted ones verbatim. A value
 * (literal or $n, with its sign and its `::type`) is one byte SQL_HOLE; what each hole was stands
 * in `kinds`, in order, so that a text which parses can be made again without any value. A list of
 * values in parentheses or brackets is one hole and SQL_MORE. So are the rows of VALUES, and of
 * `IN ((..), (..))`, after the first, when they look the same or hold only values and NULL, TRUE,
 * FALSE, DEFAULT. `= ?`, `IN (?)` and `IN (?, ...)` stay three different texts: the first two are
 * what an N+1 sends, the last is its cure. Control bytes of the input never reach the masked text,
 * so SQL_HOLE and SQL_MORE cannot be forged.
 *
 * Nothing here allocates. No value of the input is in the output except as a hash.
 */
#ifndef PGSLEUTH_WIRE_SQL_LEXER_H
#define PGSLEUTH_WIRE_SQL_LEXER_H

#include "common/span.h"

#define SQL_HOLE '\x01'
#define SQL_MORE '\x02'

enum sql_verb {
#define SQL_VERB(name, keyword, class) SQL_VERB_##name,
#include "wire/sql_verbs.def"
#undef SQL_VERB
    SQL_VERB_COUNT
};

enum sql_verb_class { SQL_CLASS_DATA, SQL_CLASS_TX, SQL_CLASS_UTIL, SQL_CLASS_DDL };

/* Upper-case keyword for display, "" for EMPTY, "OTHER" for OTHER. Static storage. */
const char *sql_verb_name(enum sql_verb verb);
enum sql_verb_class sql_verb_class(enum sql_verb verb);

/* Identity of a statement. {0,0} is no statement. */
struct sql_id {
    uint64_t hi;
    uint64_t lo;
};

static inline bool sql_id_equal(struct sql_id a, struct sql_id b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

enum sql_hole_kind {
    SQL_HOLE_STRING = 's', /* any quoted literal: parses as '' */
    SQL_HOLE_NUMBER = 'n', /* parses as 0 */
    SQL_HOLE_PARAM = 'p',  /* $n: parses as $k, k counted from 1 */
    SQL_HOLE_NAME = 'i',   /* driver-made name (savepoint, cursor, prepared statement): as n */
    SQL_HOLE_BIT = 'b',    /* B'' or X'': parses as B'0' */
};

enum { SQL_MAX_VALUES = 16 };

enum sql_scan_flags {
    /* The masked text did not fit; the identity covers what did, and a length class. */
    SQL_SCAN_TRUNCATED = 1 << 0,
    /* A quote or comment was still open at the end of the text. */
    SQL_SCAN_UNTERMINATED = 1 << 1,
    /* At least one list of two or more values, or of rows, was collapsed. */
    SQL_SCAN_LIST = 1 << 2,
    /* More than SQL_MAX_VALUES literals: only the first ones are in `values`. */
    SQL_SCAN_VALUES_CUT = 1 << 3,
};

/* The number of a LIMIT or OFFSET: written there, or the value of a parameter; neither when the
 * clause is missing or holds something else. */
struct sql_bound {
    uint64_t value;
    uint16_t param; /* $n; 0: `value` it is */
};

/* The result for one statement. Spans look into the scanned text. */
struct sql_scan {
    struct sql_id id;
    enum sql_verb verb;
    unsigned flags;
    size_t next;     /* offset of what follows this statement's ';', or the length of the text */
    size_t text_len; /* bytes written to the caller's masked-text buffer */
    size_t n_holes;  /* bytes written to the caller's kinds buffer */

    /* Canonical hashes (wire/values.h) of the literals in order, those of lists included. */
    uint64_t values[SQL_MAX_VALUES];
    unsigned n_values;
    /* Over every literal, also past SQL_MAX_VALUES; 0 when there is none. */
    uint64_t values_hash;

    /* Of the statement itself, not of what stands in parentheses. */
    struct sql_bound limit;
    struct sql_bound offset;

    /* Bodies of comments, without the outer marks, hints excluded; empty when none. Comments that
     * follow each other are one span with the marks between them in it, as sql_tag_read takes it.
     * Of a line comment only a block comment at its end counts: instrumentation appended it. */
    struct span first_comment; /* before the first token */
    struct span last_comment;  /* the last seen, which may be the first */
};

/* How the server will read the text; from ParameterStatus. */
struct sql_dialect {
    bool standard_conforming_strings; /* default true */
};

/* Where the masked text and the kinds go. Both are the caller's; they are not NUL-terminated. The
 * last 16 bytes of `text` are working room: a text that reaches into them counts as one that did
 * not fit, and so does one with more holes than `kinds` takes. */
struct sql_masked {
    char *text;
    size_t text_size;
    char *kinds;
    size_t kinds_size;
};

/* Scan one statement of `text` beginning at offset `from` (<= text.len). A comment that follows the
 * last ';' belongs to the statement before it. A ';' with nothing before it is skipped, as the
 * server does; text without any statement has verb EMPTY and id {0,0}. Always succeeds: text that
 * no server would accept still gets a stable identity. */
void sql_scan(struct span text, size_t from, struct sql_dialect dialect, struct sql_masked out,
              struct sql_scan *scan);

/* Masked text for people: holes become ?, SQL_MORE becomes ", ...". Writes at most `size` bytes
 * including the terminating NUL, returns the length written. */
size_t sql_display(struct span masked, char *out, size_t size);

/* Masked text that the grammar accepts where it accepted the original: each hole by its kind. Same
 * contract. */
size_t sql_parseable(struct span masked, struct span kinds, char *out, size_t size);

#endif
