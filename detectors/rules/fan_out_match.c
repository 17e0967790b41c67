/* Which reads follow a list as a loop over its rows would, and not as other people's would. */
#include "detectors/rules/fan_out_parts.h"

#include <stdlib.h>

enum {
    MAX_CONNECTIONS = 256, /* told apart */
    LEAD_US = 250 * 1000,  /* at most, to the first read */
};
#define MIN_COVER   0.8 /* of the list's values asked for */
#define MIN_BUSY    0.3 /* of the burst's time in which a read runs */
#define MIN_OVERLAP 0.1 /* of the reads start while another one runs */

/* --- which reads may be of a list --- */

static bool may_be_of(const struct fan_call *c, const struct fan_result *l)
{
    if (c->client != l->client || c->taken || c->start_us < l->end_us ||
        c->start_us > l->end_us + FAN_WINDOW_US || c->statement == l->statement)
        return false;
    if (c->tag != NULL && (l->tag == NULL || !tag_same_endpoint(c->tag, l->tag)))
        return false;
    return c->leaf || c->unit == l->unit || (c->tag != NULL && c->first);
}

/* The oldest read kept that was known at `time_us` or later. */
static uint64_t known_since(const struct fan_out *f, int64_t time_us)
{
    uint64_t low = f->n_calls > FAN_MAX_CALLS ? f->n_calls - FAN_MAX_CALLS : 0;
    uint64_t high = f->n_calls;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (f->calls[mid % FAN_MAX_CALLS].added_us < time_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* False when there are too many to look at, or when some were overwritten before their time. */
static bool find_candidates(struct fan_out *f, const struct fan_result *l)
{
    uint64_t from = known_since(f, l->end_us);
    f->n_candidates = 0;
    if (f->n_calls - from > FAN_MAX_SCAN)
        return false;
    for (uint64_t i = from; i < f->n_calls; i++) {
        uint32_t at = (uint32_t)(i % FAN_MAX_CALLS);
        if (may_be_of(&f->calls[at], l))
            f->candidates[f->n_candidates++] = at;
    }
    return true;
}

/* --- matching --- */

static struct fan_slot *find_slot(struct fan_out *f, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (FAN_SET_SLOTS - 1);
    while (f->slots[i].hash != 0 && f->slots[i].hash != hash)
        i = (i + 1) & (FAN_SET_SLOTS - 1);
    return &f->slots[i];
}

static void clear_set(struct fan_out *f)
{
    for (size_t i = 0; i < f->n_used; i++)
        f->slots[f->used[i]].hash = 0;
    f->n_used = 0;
    f->n_small = 0;
}

static void fill_set(struct fan_out *f, const uint64_t *hashes, unsigned n)
{
    clear_set(f);
    for (unsigned i = 0; i < n; i++) {
        struct fan_slot *slot = find_slot(f, hashes[i]);
        if (hashes[i] == 0 || hashes[i] == f->null_hash || slot->hash != 0)
            continue;
        *slot = (struct fan_slot){.hash = hashes[i], .row = (uint16_t)i};
        f->used[f->n_used++] = (uint16_t)(slot - f->slots);
        f->n_small += lineage_is_small(f->repeats->lineage, hashes[i]);
    }
}

static struct fan_group *group_of(struct fan_out *f, struct statement *s, unsigned position)
{
    for (size_t i = 0; i < f->n_groups; i++) {
        if (f->groups[i].statement == s && f->groups[i].position == position)
            return &f->groups[i];
    }
    if (f->n_groups == FAN_MAX_GROUPS)
        return NULL;
    struct fan_group *g = &f->groups[f->n_groups++];
    g->statement = s;
    g->position = position;
    g->n = 0;
    return g;
}

/* The first read of each value; further ones are left to other lists. */
static void match_call(struct fan_out *f, uint32_t at)
{
    const struct fan_call *c = &f->calls[at];
    for (unsigned p = 0; p < c->n_values; p++) {
        struct fan_slot *slot = find_slot(f, c->values[p]);
        struct fan_group *g = slot->hash != 0 ? group_of(f, c->statement, p) : NULL;
        if (g == NULL)
            continue;
        uint8_t bit = (uint8_t)(1u << (g - f->groups));
        if ((slot->asked & bit) != 0)
            continue;
        slot->asked |= bit;
        g->members[g->n] = at;
        g->rows[g->n++] = slot->row;
    }
}

/* --- what a burst is --- */

static int by_start(const void *a, const void *b)
{
    const struct fan_place *x = a;
    const struct fan_place *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void sort_by_start(struct fan_out *f, struct fan_group *g)
{
    struct fan_place *places = f->places;
    for (size_t i = 0; i < g->n; i++)
        places[i] = (struct fan_place){f->calls[g->members[i]].start_us, g->rows[i], g->members[i]};
    qsort(places, g->n, sizeof(places[0]), by_start);
    for (size_t i = 0; i < g->n; i++) {
        g->members[i] = places[i].member;
        g->rows[i] = places[i].row;
    }
}

static unsigned count_connections(const struct fan_out *f, const struct fan_group *g)
{
    uint64_t seen[MAX_CONNECTIONS];
    unsigned n = 0;
    for (size_t i = 0; i < g->n && n < MAX_CONNECTIONS; i++) {
        uint64_t session = f->calls[g->members[i]].session;
        unsigned k = 0;
        while (k < n && seen[k] != session)
            k++;
        if (k == n)
            seen[n++] = session;
    }
    return n;
}

/* A time that lasts until `*until` goes on to `to`, with nothing before `from`: by how much. */
static int64_t longer(int64_t *until, int64_t from, int64_t to)
{
    int64_t begin = from > *until ? from : *until;
    int64_t more = to > begin ? to - begin : 0;
    *until = to > *until ? to : *until;
    return more;
}

/* Whether they ran together, soon after the list; fills in the times. Members are by start. */
static bool ran_together(const struct fan_out *f, const struct fan_result *l, struct fan_burst *b)
{
    const struct fan_group *g = &b->group;
    int64_t first_us = f->calls[g->members[0]].start_us;
    int64_t used_until = first_us; /* a connection for them */
    int64_t used_us = 0;
    size_t overlapping = 0;
    b->last_us = first_us;
    for (size_t i = 0; i < g->n; i++) {
        const struct fan_call *c = &f->calls[g->members[i]];
        overlapping += i > 0 && c->from_us < used_until;
        used_us += longer(&used_until, c->from_us, c->until_us);
        b->busy_us += (uint64_t)longer(&b->last_us, c->start_us, c->end_us);
    }
    return first_us - l->end_us <= LEAD_US && (double)overlapping >= MIN_OVERLAP * (double)g->n &&
           (double)used_us >= MIN_BUSY * (double)(used_until - first_us);
}

static bool holds(const struct fan_result *l, uint64_t value)
{
    size_t total = 0;
    for (unsigned k = 0; k < l->n_keys; k++)
        total += l->keys[k].count;
    for (size_t i = 0; i < total; i++) {
        if (l->hashes[i] == value)
            return true;
    }
    return false;
}

/* Another statement's result, after this list and before the reads, has their first value: they are
 * rather its. Lists of one statement share such reads by their order in time. */
static bool is_nearer(const struct fan_out *f, const struct fan_result *other,
                      const struct fan_result *l, const struct fan_group *g)
{
    const struct fan_call *first = &f->calls[g->members[0]];
    return other->client == l->client && other->statement != l->statement &&
           holds(other, first->values[g->position]);
}

/* The lists that wait are by their end; `l` is no longer among them. */
static bool has_nearer(const struct fan_out *f, const struct fan_result *l,
                       const struct fan_group *g)
{
    int64_t first_us = f->calls[g->members[0]].start_us;
    for (const struct fan_result *o = f->oldest; o != NULL && o->end_us <= first_us; o = o->newer) {
        if (o->end_us > l->end_us && is_nearer(f, o, l, g))
            return true;
    }
    return false;
}

/* Nothing else of the kind happened meanwhile: no further read of the statement that could be this
 * list's, and no further result of the list's statement. */
static bool is_alone(const struct fan_out *f, const struct fan_result *l, const struct fan_burst *b)
{
    const struct fan_group *g = &b->group;
    int64_t first_us = f->calls[g->members[0]].start_us;
    size_t reads = 0;
    for (size_t i = 0; i < f->n_candidates; i++) {
        const struct fan_call *c = &f->calls[f->candidates[i]];
        reads +=
            c->statement == g->statement && c->start_us >= first_us && c->start_us < b->last_us;
    }
    for (const struct fan_result *o = f->oldest; o != NULL && o->end_us < b->last_us;
         o = o->newer) {
        if (o->client == l->client && o->statement == l->statement && o->end_us >= l->end_us)
            return false;
    }
    return reads == g->n;
}

/* How far the reads follow the list's rows: of those that ran one after the other, the share whose
 * rows are in that order. Those of other people come in any. When nearly all overlap the order says
 * nothing; then it is 1 when they were alone and 0 when they may be anybody's. */
static double order_of(const struct fan_out *f, const struct fan_result *l,
                       const struct fan_burst *b)
{
    const struct fan_group *g = &b->group;
    size_t pairs = 0;
    size_t in_order = 0;
    for (size_t i = 0; i < g->n; i++) {
        int64_t until_us = f->calls[g->members[i]].until_us;
        for (size_t k = i + 1; k < g->n; k++) {
            bool later = f->calls[g->members[k]].from_us >= until_us;
            pairs += later;
            in_order += later && g->rows[k] > g->rows[i];
        }
    }
    if (pairs < g->n)
        return is_alone(f, l, b) ? 1 : 0;
    return (double)in_order / (double)pairs;
}

static bool is_better(const struct fan_burst *a, const struct fan_burst *b)
{
    if (a->group.n != b->group.n)
        return a->group.n > b->group.n;
    return a->order > b->order;
}

/* One burst a statement: by the column and position that explain most. */
static void keep_burst(struct fan_out *f, const struct fan_burst *b)
{
    size_t i = 0;
    while (i < f->n_bursts && f->bursts[i].group.statement != b->group.statement)
        i++;
    if (i == FAN_MAX_GROUPS || (i < f->n_bursts && !is_better(b, &f->bursts[i])))
        return;
    f->bursts[i] = *b;
    f->n_bursts += i == f->n_bursts;
}

static void judge_group(struct fan_out *f, const struct det_settings *set,
                        const struct fan_result *l, unsigned column, struct fan_group *g)
{
    double cover = (double)g->n / (double)f->n_used;
    if (g->n < (size_t)set->n_plus_one_min_count || g->n < 2 || cover < MIN_COVER)
        return;
    sort_by_start(f, g);
    struct fan_burst b = {
        .column = column,
        .cover = cover,
        .dense = f->n_small == f->n_used,
        .connections = count_connections(f, g),
        .group = *g,
    };
    if (b.connections < 2 || !ran_together(f, l, &b) || has_nearer(f, l, g))
        return;
    b.order = order_of(f, l, &b);
    keep_burst(f, &b);
}

static void try_column(struct fan_out *f, const struct det_settings *set,
                       const struct fan_result *l, unsigned k, const uint64_t *hashes)
{
    fill_set(f, hashes, l->keys[k].count);
    f->n_groups = 0;
    for (size_t i = 0; i < f->n_candidates; i++)
        match_call(f, f->candidates[i]);
    for (size_t i = 0; i < f->n_groups; i++)
        judge_group(f, set, l, k, &f->groups[i]);
}

bool fan_out_match(struct fan_out *f, const struct det_settings *set, const struct fan_result *l)
{
    if (!find_candidates(f, l))
        return false;
    f->n_bursts = 0;
    const uint64_t *hashes = l->hashes;
    for (unsigned k = 0; k < l->n_keys; hashes += l->keys[k++].count) {
        if (f->n_candidates >= (size_t)set->n_plus_one_min_count)
            try_column(f, set, l, k, hashes);
    }
    return true;
}
