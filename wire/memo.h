/*
 * Texts that came before, with what the lexer said of them: a text that comes again to the byte,
 * as drivers that prepare send it and BEGIN and COMMIT do, costs a hash and a comparison instead of
 * a pass of the lexer.
 *
 * A fixed number of slots, each with one short text; a text is kept at its second sight, so that
 * texts with values in them do not push out those that stay. What is kept holds a reference to its
 * statement. One thread; part of the worker's context.
 */
#ifndef PGSLEUTH_WIRE_MEMO_H
#define PGSLEUTH_WIRE_MEMO_H

#include "wire/sql_lexer.h"

enum { WIRE_MEMO_SLOTS = 512, WIRE_MEMO_TEXT_MAX = 4096 };

struct wire_statement;

/* One text: the scan is of its only statement, its comments are left out. */
struct wire_known {
    struct wire_statement *statement;
    struct sql_scan scan;
    struct sql_dialect dialect;
    size_t len;
    uint8_t text[];
};

struct wire_memo {
    struct {
        uint64_t hash; /* of the text seen here last */
        struct wire_known *known;
    } slots[WIRE_MEMO_SLOTS];
};

void wire_memo_init(struct wire_memo *m);

/* Forget everything. */
void wire_memo_clear(struct wire_memo *m);

/* What is known of this text, or NULL. Valid until the next call. */
const struct wire_known *wire_memo_find(const struct wire_memo *m, struct span text,
                                        struct sql_dialect dialect);

/* The text was scanned: keep it if it was seen before. It may be left out for any reason. */
void wire_memo_put(struct wire_memo *m, struct span text, struct sql_dialect dialect,
                   const struct sql_scan *scan, struct wire_statement *statement);

#endif
