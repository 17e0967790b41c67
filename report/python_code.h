/*
 * What an edit asks of tokens: names that go together, chains of calls, what becomes of their
 * result, what a file imports.
 *
 * Every question is answered by what is certain: "no" stands for "not surely".
 */
#ifndef PGSLEUTH_REPORT_PYTHON_CODE_H
#define PGSLEUTH_REPORT_PYTHON_CODE_H

#include "report/python_tokens.h"

/* Tokens from `from` up to `to`, of one function. */
struct py_range {
    const struct py_tokens *t;
    size_t from;
    size_t to;
};

/* --- names --- */

/* Whether a class may be that of a table, or a list of its rows be called so: Book and books,
 * OrderItem and shop_orderitem. */
bool py_names_table(struct span name, struct span table);

/* Whether the name begins as a class does. */
bool py_is_class(struct span name);

/* Whether the name is among the words, which are separated by single spaces. */
bool py_is_word_of(struct span name, const char *words);

/* --- chains --- */

/* Author.objects.filter(...), session.query(Author).where(...), select(Author).limit(5): a head
 * that names a class, and calls behind it. */
struct py_chain {
    size_t first;    /* token of the head */
    size_t head_end; /* behind the head */
    size_t end;      /* behind the last call that is among the words */
    struct span class;
};

/* The first token of a.b.c that ends with the name at token i. */
size_t py_start_of_path(const struct py_range *r, size_t i);

/* Kinds of heads. */
enum py_head { PY_HEAD_SELECT, PY_HEAD_QUERY, PY_HEAD_OBJECTS };

/* Whether a head of that kind begins at token i; `chain` then ends with its head. */
bool py_head_at(const struct py_range *r, size_t i, enum py_head kind, struct py_chain *chain);

/* Let the chain end behind those of its next calls that are among the words. */
void py_take_calls(const struct py_range *r, struct py_chain *chain, const char *words);

/* The first call in the chain, or just behind it, of that method: the token of its name, or 0. */
size_t py_call_in(const struct py_range *r, const struct py_chain *chain, const char *method);

/* Whether some token of the chain, a string's contents too, holds that name. */
bool py_mentions(const struct py_range *r, size_t from, size_t to, struct span name);

/* --- what becomes of it --- */

/* Where values may go so that a loaded relationship more changes nothing: `callees` are functions,
 * `methods` what executes them. */
struct py_uses {
    const char *callees;  /* list(x) */
    const char *methods;  /* session.scalars(x) */
    const char *calls;    /* x.filter(...) may be assigned to x again */
    const char *terminal; /* x.all() may go anywhere; "" for none */
    bool iterated;        /* for row in x */
    bool sliced;          /* x[:10], in all those places */
};

/* Whether the chain, and the variable that it is assigned to, go nowhere else. */
bool py_goes_only_to(const struct py_range *r, const struct py_chain *chain,
                     const struct py_uses *uses);

/* What the chain gives: itself, and variables whose assignment it or such a variable is part of. */
enum { PY_CARRIERS = 8 };

struct py_rows {
    const struct py_chain *chain;
    struct span names[PY_CARRIERS]; /* as many as there is room for */
    unsigned n;
};

struct py_rows py_rows_of(const struct py_range *r, const struct py_chain *chain);

/* Whether the name is a variable of loops or comprehensions, each of them over such rows. */
bool py_loops_over(const struct py_range *r, struct span name, const struct py_rows *rows);

/* --- the file --- */

/* Whether imports bind the name, one of them for the whole file, and all of them from modules whose
 * first part is among the words. */
bool py_imported_from(const struct py_tokens *t, const char *name, const char *modules);

/* Whether the name occurs in the file. */
bool py_occurs(const struct py_tokens *t, const char *name);

/* Whether token i is the first of a logical line or behind a semicolon. */
bool py_begins_statement(const struct py_tokens *t, size_t i);

#endif
