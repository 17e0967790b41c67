/*
 * Where a literal of the SQL text ends and what value it has. Internal to the lexer; pure functions
 * over the bytes from `at` to `end`, which never read at or past `end`.
 */
#ifndef PGSLEUTH_WIRE_SQL_LITERAL_H
#define PGSLEUTH_WIRE_SQL_LITERAL_H

#include "common/span.h"

struct sql_string {
    const uint8_t *next; /* after the closing mark, or `end` */
    struct span body;    /* between the outermost marks, as written */
    bool escaped; /* the body is not the value: doubled quotes, backslashes, continuation lines */
    bool terminated;
};

/* Quoted literal whose opening quote is at `at`, with the lines that continue it (PostgreSQL
 * manual 4.1.2.1: quotes with a line break between them are one literal). `backslash`: E'' rules.
 */
struct sql_string sql_read_string(const uint8_t *at, const uint8_t *end, bool backslash);

/* Dollar-quoted literal at `at`, which is a '$'. False when this is no dollar quote. */
bool sql_read_dollar_string(const uint8_t *at, const uint8_t *end, struct sql_string *out);

/* Canonical hash of the value of a string (wire/values.h). The value of one of more than
 * WIRE_VALUE_MAX bytes is its bytes as written. */
uint64_t sql_string_hash(const struct sql_string *string, bool backslash);

/* End of the number at `at`, which is a digit, or a point before a digit. */
const uint8_t *sql_number_end(const uint8_t *at, const uint8_t *end);

#endif
