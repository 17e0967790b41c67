/*
 * Canonical value hashes: the same value gives the same hash whether it was a column of a result
 * (text or binary), a bound parameter (text or binary) or a literal in the SQL. They are what
 * proves an N+1: a child's value is one that came out of a parent's row. Hashes are kept, values
 * never are.
 *
 * Canonical forms: an integer of any width or spelling (42, +42, '42', int2/4/8 binary) is its
 * int64; a numeric is its shortest decimal text (and an integer when it is one: 42.00 is 42); a
 * uuid is its 16 bytes, from text with hyphens or binary; bool is t or f; anything else is its
 * bytes. Only values of at most WIRE_VALUE_MAX bytes are canonicalised; longer ones hash their
 * bytes.
 */
#ifndef PGSLEUTH_WIRE_VALUES_H
#define PGSLEUTH_WIRE_VALUES_H

#include "common/span.h"

enum { WIRE_VALUE_MAX = 64 };

/* Type OIDs of PostgreSQL's pg_type.dat that the canonical forms know. */
enum wire_type_oid {
    WIRE_OID_BOOL = 16,
    WIRE_OID_INT8 = 20,
    WIRE_OID_INT2 = 21,
    WIRE_OID_INT4 = 23,
    WIRE_OID_TEXT = 25,
    WIRE_OID_OID = 26,
    WIRE_OID_BPCHAR = 1042,
    WIRE_OID_VARCHAR = 1043,
    WIRE_OID_NUMERIC = 1700,
    WIRE_OID_UUID = 2950,
};

/* True for types whose columns may be keys: integers, oid, numeric, uuid, text, varchar, bpchar. */
bool wire_type_is_key_like(uint32_t type_oid);

/* Hash of one value of a given type and format (0 text, 1 binary). type_oid 0 is "unknown": text is
 * read by its look, binary of 2, 4 or 8 bytes as an integer and of 16 as a uuid. Never 0. */
uint64_t wire_value_hash(uint32_t type_oid, int format, struct span value);

/* The value as a number that is not negative: decimal digits in text, 2, 4 or 8 bytes in binary.
 * False for anything else. */
bool wire_value_count(int format, struct span value, uint64_t *out);

/* Hash of a literal of the SQL text: a number as spelled, possibly signed. Never 0. */
uint64_t wire_value_hash_text(struct span text);

/* Hash that stands for SQL NULL. */
uint64_t wire_value_hash_null(void);

/* Order-dependent combination of two hashes. */
uint64_t wire_hash_combine(uint64_t a, uint64_t b);

#endif
