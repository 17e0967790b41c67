/*
 * When tables were last written to, as far as was seen: what a read may have missed. Bounded; a
 * table without room counts as written to by every write.
 */
#ifndef PGSLEUTH_DETECTORS_RULES_WRITES_H
#define PGSLEUTH_DETECTORS_RULES_WRITES_H

#include "common/map64.h"
#include "detectors/statement.h"

enum { WRITES_MAX_TABLES = 1024 };

struct writes {
    struct map64 by_table; /* hash of the name -> position + 1, as a pointer's number */
    int64_t last_unknown;  /* of a write whose tables are not known; 0: none */
    int64_t last;          /* of any write; 0: none */
    uint64_t lost;         /* writes to tables without room */
};

/* Of a bare name (ledger_table): "shop.orders" and "orders" are one table, and nothing is lost by
 * taking two for one. */
uint64_t writes_table_key(struct span name);

void writes_init(struct writes *w);
void writes_fini(struct writes *w);

/* A write by this statement at a position or time, > 0 and never falling. */
void writes_add(struct writes *w, const struct statement *s, int64_t at);

/* The last write to any table of this statement, 0 when there was none. */
int64_t writes_last(const struct writes *w, const struct statement *s);

#endif
