/*
 * Bytes that the analysis holds: a budget for all sessions of one worker together, and an account
 * of what each has taken from it.
 *
 * What a peer can make grow (queues, names, portals, bodies that are gathered) is charged before or
 * as it is allocated. A charge that is refused makes the session opaque, which gives everything
 * back: the bytes of its peers are relayed on. One session gets a share of the budget at most, so
 * that a single hostile client cannot take the analysis away from all others.
 *
 * One thread.
 */
#ifndef PGSLEUTH_WIRE_ACCOUNT_H
#define PGSLEUTH_WIRE_ACCOUNT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

enum { WIRE_SESSION_SHARE = 8 }; /* a session may hold one part in so many of the budget */

struct wire_budget {
    size_t max;
    size_t used;
};

struct wire_account {
    struct wire_budget *budget; /* borrowed */
    size_t held;
    bool refused; /* a charge was refused since the account was opened */
};

static inline bool wire_account_charge(struct wire_account *a, size_t bytes)
{
    struct wire_budget *b = a->budget;
    assert(a->held <= b->used);
    size_t share = b->max / WIRE_SESSION_SHARE;
    if (b->used > b->max || bytes > b->max - b->used || a->held > share ||
        bytes > share - a->held) {
        a->refused = true;
        return false;
    }
    a->held += bytes;
    b->used += bytes;
    return true;
}

/* Give back what was charged. */
static inline void wire_account_credit(struct wire_account *a, size_t bytes)
{
    assert(bytes <= a->held && a->held <= a->budget->used);
    a->held -= bytes;
    a->budget->used -= bytes;
}

#endif
