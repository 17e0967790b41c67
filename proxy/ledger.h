/*
 * Test builds only (PGSLEUTH_LEDGER): proof that a session passed on every byte, unchanged and in
 * order. Each direction keeps a hash of what came in and of what went out; they are compared when
 * the session ends. Other builds compile it to nothing.
 */
#ifndef PGSLEUTH_PROXY_LEDGER_H
#define PGSLEUTH_PROXY_LEDGER_H

#include "common/span.h"

#ifdef PGSLEUTH_LEDGER

struct ledger {
    uint64_t hash;
    uint64_t bytes;
};

/* FNV-1a: any cut of the same bytes gives the same hash. */
static inline void ledger_add(struct ledger *l, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        l->hash = (l->hash ^ bytes.data[i]) * 0x100000001b3ULL;
    l->bytes += bytes.len;
}

#else

struct ledger {
    char none[1];
};

static inline void ledger_add(struct ledger *l, struct span bytes)
{
    (void)l;
    (void)bytes;
}

#endif
#endif
