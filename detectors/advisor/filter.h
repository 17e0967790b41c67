/*
 * Reading a filter: the text that EXPLAIN prints of a condition, into the comparisons that an index
 * could answer. Pure. The server writes filters in one way (ruleutils): every operator's
 * expression in its own parentheses, every column behind its table's alias, every cast as
 * (x)::type.
 */
#ifndef PGSLEUTH_DETECTORS_ADVISOR_FILTER_H
#define PGSLEUTH_DETECTORS_ADVISOR_FILTER_H

#include "common/span.h"

enum {
    ADVISOR_MAX_TERMS = 16,
    ADVISOR_NAME_SIZE = 64, /* an identifier and its NUL */
    ADVISOR_EXPRESSION_SIZE = 192,
};

enum advisor_op {
    ADVISOR_EQ,
    ADVISOR_ANY, /* = ANY(...) */
    ADVISOR_RANGE,
    ADVISOR_LIKE_PREFIX,
    ADVISOR_WRAPPED, /* compared, but inside an expression that is not one call of one column */
    ADVISOR_ORDER,   /* not compared: rows are wanted in its order */
};

/* One comparison of a column of the table with something else; or one key of an order. */
struct advisor_term {
    enum advisor_op op;
    char column[ADVISOR_NAME_SIZE];           /* unquoted */
    char cast[ADVISOR_NAME_SIZE];             /* type the column is cast to, "" when it is not */
    char function[ADVISOR_NAME_SIZE];         /* one-argument function around it, or "" */
    char expression[ADVISOR_EXPRESSION_SIZE]; /* what is compared, without the alias, as
                                                 pg_get_indexdef prints it; no values for a plain
                                                 column or call, "" when wrapped */
    bool descending;                          /* of an order */
    bool nulls_first;
};

struct advisor_filter {
    unsigned n_terms;
    struct advisor_term terms[ADVISOR_MAX_TERMS];
};

/* Read a filter of the table whose columns are qualified by `alias` (unquoted). Always succeeds:
 * what is not understood gives no term. */
void advisor_filter_read(const char *filter, const char *alias, struct advisor_filter *out);

/* The same, behind the terms that are there already. */
void advisor_filter_add(const char *filter, const char *alias, struct advisor_filter *out);

/* Add one sort key as EXPLAIN prints it. False, and nothing added, when it is no plain column or
 * call of this table, or its order is not the type's own. */
bool advisor_filter_add_order(const char *key, const char *alias, struct advisor_filter *out);

/* The filter with every value as `?`, cut to `size` bytes with its NUL; returns its length. */
size_t advisor_filter_mask(const char *filter, char *out, size_t size);

#endif
