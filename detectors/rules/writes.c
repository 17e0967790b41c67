#include "detectors/rules/writes.h"

#include "detectors/ledger.h"
#include "wire/values.h"

void writes_init(struct writes *w)
{
    *w = (struct writes){.last = 0};
    map64_init(&w->by_table, WRITES_MAX_TABLES);
}

void writes_fini(struct writes *w)
{
    map64_fini(&w->by_table);
}

uint64_t writes_table_key(struct span name)
{
    return wire_value_hash(WIRE_OID_TEXT, 0, name);
}

static bool are_known(const struct statement *s)
{
    return s->facts != NULL && s->facts->status == FACTS_OK && s->facts->n_tables > 0;
}

/* Positions are kept in the map's pointers themselves. */
static void *as_pointer(int64_t at)
{
    return (void *)(uintptr_t)at; /* NOLINT(performance-no-int-to-ptr) */
}

void writes_add(struct writes *w, const struct statement *s, int64_t at)
{
    w->last = at;
    if (!are_known(s)) {
        w->last_unknown = at;
        return;
    }
    for (unsigned i = 0; i < s->facts->n_tables; i++) {
        uint64_t key = writes_table_key(ledger_table(s, i));
        (void)map64_remove(&w->by_table, key);
        if (map64_put(&w->by_table, key, as_pointer(at)) == MAP64_OK)
            continue;
        w->last_unknown = at;
        w->lost++;
    }
}

int64_t writes_last(const struct writes *w, const struct statement *s)
{
    if (!are_known(s))
        return w->last;
    int64_t last = w->last_unknown;
    for (unsigned i = 0; i < s->facts->n_tables; i++) {
        int64_t at =
            (int64_t)(uintptr_t)map64_get(&w->by_table, writes_table_key(ledger_table(s, i)));
        last = at > last ? at : last;
    }
    return last;
}
