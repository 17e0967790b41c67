/*
 * The tokens of a Python file, as far as an edit has to know them: names, numbers, strings with
 * their prefixes, brackets with their mates, ends of logical lines.
 *
 * Comments and indentation are no tokens. The text may be anything: what is no Python as far as
 * tokens tell (brackets that do not match, strings without an end, bytes that no code has) is
 * refused as a whole, and so is a formatted string that two versions of Python read differently.
 */
#ifndef PGSLEUTH_REPORT_PYTHON_TOKENS_H
#define PGSLEUTH_REPORT_PYTHON_TOKENS_H

#include "common/span.h"

enum {
    PY_MAX_BYTES = 2 * 1024 * 1024,
    PY_MAX_TOKENS = 256 * 1024,
    PY_MAX_DEPTH = 100, /* brackets within brackets; Python allows 200 */
};

enum py_kind {
    PY_NAME, /* keywords too */
    PY_NUMBER,
    PY_STRING,
    PY_FORMATTED, /* a string with code in it */
    PY_OP,
    PY_NEWLINE /* the end of a logical line; empty at the file's end */
};

struct py_token {
    enum py_kind kind;
    uint32_t at; /* byte in the text */
    uint32_t len;
    uint32_t line;    /* from 1: where it begins */
    uint32_t logical; /* number of its logical line, from 0 */
    uint32_t mate;    /* of a bracket: the token that closes or opens it; else its own number */
};

/* Ends in a PY_NEWLINE. Borrows the text. */
struct py_tokens {
    struct span text;
    struct py_token *items;
    size_t n;
};

/* False, with nothing to free, for what is refused, passes a limit, or finds no memory. */
bool py_read(struct py_tokens *out, struct span text);
void py_free(struct py_tokens *t);

/* The bytes of a token; empty past either end, so that neighbours may be asked for blindly. */
struct span py_text(const struct py_tokens *t, size_t i);

/* Whether token i is this operator or bracket. */
bool py_is_op(const struct py_tokens *t, size_t i, const char *op);

/* Whether token i is this name; any name when it is NULL. */
bool py_is_name(const struct py_tokens *t, size_t i, const char *name);

bool py_is_newline(const struct py_tokens *t, size_t i);

#endif
