#include "detectors/rules/lineage.h"

#include "wire/values.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NO_EXCHANGE = UINT32_MAX,
    MAX_PARENTS = 64,  /* groups looked at as parents of one unit */
    MAX_ROWS = 5000,   /* of one parent column */
    MAX_POSITIONS = 4, /* values of a child looked at */
    SET_SLOTS = 16384, /* power of two, over twice MAX_ROWS */
    SMALL_UNIT = 3,    /* a parent and two children */
    LOOKUPS = 1024,    /* of values in columns for one unit, and so many more an exchange: */
    LOOKUPS_EACH = 128,
};

/* All exchanges of one statement. */
struct group {
    struct statement *statement;
    uint32_t first;
    uint32_t last;
    uint64_t rows;
    uint64_t max_rows;
    unsigned n_single; /* executions that may be a child's */
    int child;         /* index into `out`, or -1 */
};

/* A value of a parent's column, where it first was. */
struct slot {
    uint64_t hash; /* 0: free */
    uint32_t exchange;
    uint32_t row;
    uint32_t asked_by; /* last evaluation that asked for it */
};

struct lineage {
    struct map64 by_statement; /* -> group */
    struct group *groups;
    uint32_t *next;   /* exchange -> next of its group */
    uint64_t *values; /* scratch of one child */
    size_t size;      /* exchanges that fit */
    size_t n_groups;
    struct slot slots[SET_SLOTS];
    uint32_t used[MAX_ROWS]; /* slots taken */
    size_t n_used;
    size_t n_small; /* small integers at the head of them */
    uint32_t evaluation;
    uint64_t lookups_left;
    uint64_t cut;
    uint64_t null_hash;
    uint64_t small[LINEAGE_SMALL_INTEGERS];
};

struct lineage *lineage_new(void)
{
    struct lineage *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    map64_init(&l->by_statement, SIZE_MAX);
    l->null_hash = wire_value_hash_null();
    for (int i = 0; i < LINEAGE_SMALL_INTEGERS; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", i);
        l->small[i] = wire_value_hash_text(span_of_text(text));
    }
    return l;
}

void lineage_free(struct lineage *l)
{
    if (l == NULL)
        return;
    map64_fini(&l->by_statement);
    free(l->groups);
    free(l->next);
    free(l->values);
    free(l);
}

uint64_t lineage_cut(const struct lineage *l)
{
    return l->cut;
}

static bool make_room(struct lineage *l, size_t n)
{
    if (n <= l->size)
        return true;
    free(l->groups);
    free(l->next);
    free(l->values);
    l->groups = calloc(n, sizeof(*l->groups));
    l->next = calloc(n, sizeof(*l->next));
    l->values = calloc(n, sizeof(*l->values));
    l->size = l->groups != NULL && l->next != NULL && l->values != NULL ? n : 0;
    return l->size > 0;
}

/* --- groups --- */

bool lineage_is_single(const struct unit_exchange *x)
{
    const struct statement *s = x->statement;
    bool reads = s->verb == SQL_VERB_SELECT || s->verb == SQL_VERB_WITH ||
                 s->verb == SQL_VERB_TABLE || s->verb == SQL_VERB_VALUES;
    return reads && s->serial != 0 && x->values_hash != 0 &&
           (x->flags & (EXCHANGE_LIST | EXCHANGE_ERROR | EXCHANGE_UNKNOWN)) == 0 &&
           (s->scan_flags & SQL_SCAN_LIST) == 0;
}

static struct group *group_of(struct lineage *l, const struct unit *u, uint32_t i)
{
    struct statement *s = u->exchanges[i].statement;
    struct group *g = map64_get(&l->by_statement, s->serial);
    if (g != NULL)
        return g;
    g = &l->groups[l->n_groups];
    *g = (struct group){.statement = s, .first = i, .last = NO_EXCHANGE, .child = -1};
    if (map64_put(&l->by_statement, s->serial, g) != MAP64_OK)
        return NULL;
    l->n_groups++;
    return g;
}

static bool make_groups(struct lineage *l, const struct unit *u)
{
    map64_fini(&l->by_statement);
    l->n_groups = 0;
    for (uint32_t i = 0; i < u->n; i++) {
        struct group *g = group_of(l, u, i);
        if (g == NULL)
            return false;
        const struct unit_exchange *x = &u->exchanges[i];
        l->next[i] = NO_EXCHANGE;
        if (g->last != NO_EXCHANGE)
            l->next[g->last] = i;
        g->last = i;
        if ((x->flags & EXCHANGE_ERROR) == 0) {
            g->rows += x->rows;
            if (x->rows > g->max_rows)
                g->max_rows = x->rows;
        }
        g->n_single += lineage_is_single(x);
    }
    return true;
}

/* --- children --- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t count_distinct(uint64_t *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_value);
    uint64_t distinct = n > 0;
    for (size_t i = 1; i < n; i++)
        distinct += values[i] != values[i - 1];
    return distinct;
}

static void add_repeat(struct lineage_child *c, const struct unit *u, uint32_t i)
{
    const struct unit_exchange *x = &u->exchanges[i];
    c->repeat_us += x->total_us;
    int64_t gap = i > 0 ? x->start_us - u->exchanges[i - 1].end_us : 0;
    if (gap > 0)
        c->gap_us += (uint64_t)gap;
}

static void measure_child(struct lineage *l, const struct unit *u, const struct group *g,
                          struct lineage_child *c)
{
    const struct unit_exchange *before = NULL;
    size_t n = 0;
    for (uint32_t i = g->first; i != NO_EXCHANGE; i = l->next[i]) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (!lineage_is_single(x))
            continue;
        if (before == NULL) {
            c->first = i;
            c->tag = x->tag;
        } else {
            add_repeat(c, u, i);
        }
        if (x->total_us > c->each_us)
            c->each_us = x->total_us;
        c->round_trips +=
            before == NULL || before->session != x->session || before->round_trip != x->round_trip;
        l->values[n++] = x->values_hash;
        before = x;
    }
    c->distinct = count_distinct(l->values, n);
    /* A retry sends the same values again; that is no second row of a loop. */
    c->n = u->errors > 0 ? c->distinct : n;
}

static unsigned find_children(struct lineage *l, const struct unit *u,
                              struct lineage_child out[LINEAGE_MAX_CHILDREN])
{
    unsigned n = 0;
    for (size_t i = 0; i < l->n_groups && n < LINEAGE_MAX_CHILDREN; i++) {
        struct group *g = &l->groups[i];
        if (g->n_single < 2)
            continue;
        struct lineage_child *c = &out[n];
        *c = (struct lineage_child){.statement = g->statement};
        measure_child(l, u, g, c);
        if (c->n >= 2 && c->distinct >= 2)
            g->child = (int)n++;
    }
    return n;
}

/* --- parents --- */

static struct slot *find_slot(struct lineage *l, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (SET_SLOTS - 1);
    while (l->slots[i].hash != 0 && l->slots[i].hash != hash)
        i = (i + 1) & (SET_SLOTS - 1);
    return &l->slots[i];
}

static void clear_set(struct lineage *l)
{
    for (size_t i = 0; i < l->n_used; i++)
        l->slots[l->used[i]].hash = 0;
    l->n_used = 0;
    l->n_small = 0;
}

bool lineage_is_small(const struct lineage *l, uint64_t hash)
{
    for (int i = 0; i < LINEAGE_SMALL_INTEGERS; i++) {
        if (l->small[i] == hash)
            return true;
    }
    return false;
}

static void add_value(struct lineage *l, uint64_t hash, uint32_t exchange, uint32_t row)
{
    if (hash == 0 || hash == l->null_hash || l->n_used == MAX_ROWS)
        return;
    struct slot *slot = find_slot(l, hash);
    if (slot->hash != 0)
        return;
    *slot = (struct slot){.hash = hash, .exchange = exchange, .row = row};
    l->used[l->n_used++] = (uint32_t)(slot - l->slots);
    if (l->n_small + 1 == l->n_used) /* all before it are */
        l->n_small += lineage_is_small(l, hash);
}

const uint64_t *lineage_column(const struct unit_exchange *x, unsigned k, unsigned *n)
{
    const uint64_t *at = x->key_hashes;
    for (unsigned i = 0; i < k; i++)
        at += x->keys[i].count;
    *n = x->keys[k].count;
    return at;
}

/* The values of one column of all executions of a group. */
static void fill_set(struct lineage *l, const struct unit *u, const struct group *g, unsigned k)
{
    clear_set(l);
    uint32_t row = 0;
    for (uint32_t i = g->first; i != NO_EXCHANGE && l->n_used < MAX_ROWS; i = l->next[i]) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (x->keys == NULL || k >= x->n_keys || (x->flags & EXCHANGE_ERROR) != 0)
            continue;
        unsigned n;
        const uint64_t *hashes = lineage_column(x, k, &n);
        for (unsigned r = 0; r < n; r++)
            add_value(l, hashes[r], i, row++);
    }
}

struct match {
    uint64_t tried;
    uint64_t matched;
    uint64_t in_order;
    uint64_t covered;
};

static struct match match_position(struct lineage *l, const struct unit *u, const struct group *g,
                                   unsigned position)
{
    struct match m = {0};
    uint32_t row = 0;
    l->evaluation++;
    /* Once half of them are missing this column explains nothing: consider() wants as many. */
    for (uint32_t i = g->first; i != NO_EXCHANGE && (m.tried - m.matched) * 2 <= g->n_single;
         i = l->next[i]) {
        const struct unit_exchange *x = &u->exchanges[i];
        if (!lineage_is_single(x))
            continue;
        m.tried++;
        if (x->values == NULL || position >= x->n_values)
            continue;
        struct slot *slot = find_slot(l, x->values[position]);
        if (slot->hash == 0 || slot->exchange >= i)
            continue;
        m.in_order += m.matched == 0 || slot->row >= row;
        m.matched++;
        m.covered += slot->asked_by != l->evaluation;
        slot->asked_by = l->evaluation;
        row = slot->row;
    }
    return m;
}

/* Of candidates that explain as many values, the one whose rows are followed, then the one whose
 * values are all asked for, then the nearest. */
static double merit(double hit, double order, double cover)
{
    return hit + order / 2 + cover / 4;
}

static void consider(const struct lineage *l, const struct group *parent, unsigned k,
                     const struct unit_exchange *sample, struct match m, struct lineage_child *c)
{
    if (m.matched < 2 || m.matched * 2 < m.tried)
        return;
    double order = m.matched > 1 ? (double)(m.in_order - 1) / (double)(m.matched - 1) : 0;
    double cover = (double)m.covered / (double)l->n_used;
    double hit = (double)m.matched / (double)m.tried;
    double best = c->has_lineage ? merit(c->hit, c->order, c->cover) : -1;
    bool same_parent = c->has_lineage && c->parent == parent->statement;
    double now = merit(hit, order, cover);
    if (now < best || (now == best && same_parent))
        return;
    c->hit = hit;
    c->matched = (uint64_t)(hit * (double)c->n + 0.5); /* n is less than tried after a retry */
    c->has_lineage = true;
    c->parent = parent->statement;
    c->column = sample->keys[k].column;
    c->type_oid = sample->keys[k].type_oid;
    c->parent_rows = parent->rows;
    c->order = order;
    c->cover = cover;
    c->dense = l->n_small == l->n_used;
}

static const struct unit_exchange *with_keys(const struct lineage *l, const struct unit *u,
                                             const struct group *g)
{
    for (uint32_t i = g->first; i != NO_EXCHANGE; i = l->next[i]) {
        if (u->exchanges[i].keys != NULL && u->exchanges[i].n_keys > 0)
            return &u->exchanges[i];
    }
    return NULL;
}

static void try_column(struct lineage *l, const struct unit *u, const struct group *parent,
                       const struct unit_exchange *sample, unsigned k, struct lineage_child *out)
{
    fill_set(l, u, parent, k);
    if (l->n_used < 2)
        return;
    for (size_t i = 0; i < l->n_groups; i++) {
        const struct group *g = &l->groups[i];
        if (g->child < 0 || g == parent || out[g->child].first <= parent->first)
            continue;
        unsigned positions = u->exchanges[out[g->child].first].n_values;
        for (unsigned p = 0; p < positions && p < MAX_POSITIONS && l->lookups_left > 0; p++) {
            struct match m = match_position(l, u, g, p);
            l->lookups_left -= m.tried < l->lookups_left ? m.tried : l->lookups_left;
            consider(l, parent, k, sample, m, &out[g->child]);
        }
    }
}

static void find_parents(struct lineage *l, const struct unit *u, struct lineage_child *out)
{
    unsigned parents = 0;
    l->lookups_left = LOOKUPS + (uint64_t)LOOKUPS_EACH * u->n;
    for (size_t i = 0; i < l->n_groups && parents < MAX_PARENTS && l->lookups_left > 0; i++) {
        const struct group *g = &l->groups[i];
        const struct unit_exchange *sample = g->rows >= 2 ? with_keys(l, u, g) : NULL;
        if (sample == NULL)
            continue;
        parents++;
        for (unsigned k = 0; k < sample->n_keys; k++)
            try_column(l, u, g, sample, k, out);
    }
    l->cut += l->lookups_left == 0;
    clear_set(l);
}

/* A parent that returned its rows one by one explains nothing alone: requests that follow each
 * other look the same. It does when it is itself the child of a list. */
static void find_roots(const struct lineage *l, struct lineage_child *out)
{
    for (size_t i = 0; i < l->n_groups; i++) {
        const struct group *g = &l->groups[i];
        if (g->child < 0 || !out[g->child].has_lineage)
            continue;
        struct lineage_child *c = &out[g->child];
        const struct group *parent = map64_get(&l->by_statement, c->parent->serial);
        c->rooted = parent->max_rows >= 2 || (parent->child >= 0 && out[parent->child].rooted);
    }
}

/* Without lineage: the statement just before the first repeat, when it returned as many rows. */
static void match_rows(const struct lineage *l, const struct unit *u, struct lineage_child *c)
{
    const double tolerance = 0.1;
    for (size_t i = c->first; i > 0; i--) {
        const struct unit_exchange *x = &u->exchanges[i - 1];
        const struct group *g = map64_get(&l->by_statement, x->statement->serial);
        if (g == NULL || g->child >= 0)
            continue;
        double off = (double)x->rows - (double)c->n;
        if (x->rows >= 2 && off <= tolerance * (double)c->n && -off <= tolerance * (double)c->n) {
            c->parent = x->statement;
            c->parent_rows = x->rows;
        }
        return;
    }
}

unsigned lineage_find(struct lineage *l, const struct unit *u,
                      struct lineage_child out[LINEAGE_MAX_CHILDREN])
{
    if (u->n < SMALL_UNIT || !make_room(l, u->n) || !make_groups(l, u))
        return 0;
    unsigned n = find_children(l, u, out);
    if (n == 0)
        return 0;
    find_parents(l, u, out);
    find_roots(l, out);
    for (unsigned i = 0; i < n; i++) {
        if (!out[i].has_lineage)
            match_rows(l, u, &out[i]);
    }
    return n;
}
