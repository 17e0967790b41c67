#include "detectors/rules/fan_out.h"

#include "detectors/sessions.h"
#include "wire/values.h"

#include <stdlib.h>

enum {
    MAX_CALLS = 16384, /* reads kept */
    MAX_SCAN = 8192,   /* of them looked at for one list */
    MAX_UNIT_CALLS = 1024,
    MAX_LISTS = 4096, /* that wait for their reads */
    MAX_LIST_BYTES = 8 * 1024 * 1024,
    MAX_LIST_KINDS = 2000, /* statements that are lists, at an endpoint each */
    MAX_ROWS = 1024,       /* of one list */
    SET_SLOTS = 4096,      /* power of two, over twice MAX_ROWS */
    MAX_GROUPS = 8,        /* statements that follow one list */
    MAX_CALL_VALUES = 4,   /* of a read, looked at */
    MAX_LEAF = 64,         /* statements of a unit that is nothing but reads of one row */
    MAX_CONNECTIONS = 256,
    WINDOW_US = 2 * 1000 * 1000, /* after the list's end, in which its reads start */
    LEAD_US = 250 * 1000,        /* at most, to the first of them */
    PATIENT_LISTS = 64,          /* a statement never followed by reads so often ... */
    SAMPLE = 16,                 /* ... is looked at this rarely */
};
#define MIN_COVER   0.8 /* of the list's values asked for */
#define MIN_BUSY    0.3 /* of the burst's time in which a read runs */
#define MIN_OVERLAP 0.1 /* of the reads start while another one runs */

/* A single-row read. */
struct call {
    int64_t added_us; /* when it was known */
    int64_t start_us;
    int64_t end_us;
    int64_t from_us;  /* its connection was in use for it: of a leaf from the unit's start ... */
    int64_t until_us; /* ... to its end */
    uint32_t total_us;
    uint64_t client;
    uint64_t unit;
    uint64_t session;
    struct statement *statement;
    struct endpoint *endpoint;
    const struct tag *tag;
    uint64_t values[MAX_CALL_VALUES];
    uint8_t n_values;
    bool leaf;  /* its unit reads rows by one key, or in one statement, and does nothing else */
    bool first; /* of its unit */
    bool taken; /* by a list */
};

/* A result that reads may follow, one for each of its rows. */
struct list {
    struct list *older; /* by end */
    struct list *newer;
    size_t bytes;
    uint64_t client;
    uint64_t unit;
    struct statement *statement;
    struct endpoint *endpoint;
    const struct tag *tag;
    int64_t start_us;
    int64_t end_us;
    int64_t known_us; /* when its unit closed */
    int64_t held_us;  /* until then its connection belonged to the request; 0 when not known */
    uint64_t rows;
    unsigned n_keys;
    struct record_key keys[RECORD_MAX_KEYS];
    uint64_t hashes[]; /* of the keys, one column behind the other */
};

struct slot {
    uint64_t hash; /* 0: free */
    uint16_t row;
    uint8_t asked; /* bit of each group */
};

/* Reads of one statement that match one column of a list by the value at one position. */
struct group {
    struct statement *statement;
    unsigned position;
    size_t n;
    uint32_t members[MAX_ROWS]; /* calls, by their place in the ring */
    uint16_t rows[MAX_ROWS];    /* of the list */
};

/* A group that is an occurrence of a fan-out. */
struct burst {
    unsigned column;
    double cover;
    double order;
    bool dense;
    unsigned connections;
    int64_t last_us; /* end of the last read */
    uint64_t busy_us;
    struct group group;
};

struct fan_out {
    struct arena *arena;
    struct repeats *repeats;
    struct map64 kinds; /* (endpoint, statement) -> fan_list */
    struct list *oldest;
    struct list *newest;
    size_t n_lists;
    size_t list_bytes;
    int64_t now_us;
    uint64_t n_calls; /* ever; the last MAX_CALLS are kept */
    uint64_t lost_lists;
    uint64_t lost_calls; /* beyond what is kept of one unit */
    uint64_t cut;        /* lists not judged: too many reads in their time */
    uint64_t null_hash;

    /* scratch of one list */
    uint32_t candidates[MAX_SCAN];
    size_t n_candidates;
    struct slot slots[SET_SLOTS];
    uint16_t used[MAX_ROWS];
    size_t n_used;
    size_t n_small;
    struct group groups[MAX_GROUPS];
    size_t n_groups;
    struct burst bursts[MAX_GROUPS];
    size_t n_bursts;
    struct call calls[MAX_CALLS];
};

struct fan_out *fan_out_new(struct arena *arena, struct repeats *repeats)
{
    struct fan_out *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->arena = arena;
    f->repeats = repeats;
    f->null_hash = wire_value_hash_null();
    map64_init(&f->kinds, MAX_LIST_KINDS);
    return f;
}

void fan_out_free(struct fan_out *f)
{
    if (f == NULL)
        return;
    for (struct list *l = f->oldest, *newer; l != NULL; l = newer) {
        newer = l->newer;
        free(l);
    }
    map64_fini(&f->kinds);
    free(f);
}

/* --- reads --- */

static bool asks_for(const struct unit_exchange *x, uint64_t value)
{
    for (unsigned i = 0; i < x->n_values && i < MAX_CALL_VALUES; i++) {
        if (x->values[i] == value)
            return true;
    }
    return false;
}

static bool is_read(const struct unit_exchange *x)
{
    return x->values != NULL && x->n_values > 0 && lineage_is_single(x);
}

/* One statement for several keys, or several statements for one. */
static bool is_leaf(const struct unit *u)
{
    if (u->n > MAX_LEAF || u->overflow.statements > 0)
        return false;
    bool one_statement = true;
    bool one_key[MAX_CALL_VALUES] = {true, true, true, true};
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        const struct unit_exchange *first = &u->exchanges[0];
        if (!is_read(x))
            return false;
        one_statement &= x->statement == first->statement;
        for (unsigned p = 0; p < MAX_CALL_VALUES; p++)
            one_key[p] &= p < first->n_values && asks_for(x, first->values[p]);
    }
    return one_statement || one_key[0] || one_key[1] || one_key[2] || one_key[3];
}

static void add_call(struct fan_out *f, const struct unit *u, const struct unit_exchange *x,
                     bool leaf)
{
    struct call *c = &f->calls[f->n_calls++ % MAX_CALLS];
    *c = (struct call){
        .added_us = f->now_us,
        .start_us = x->start_us,
        .end_us = x->end_us,
        .from_us = leaf ? u->start_us : x->start_us,
        .until_us = leaf ? u->until_us : x->end_us,
        .total_us = x->total_us,
        .client = u->client,
        .unit = u->serial,
        .session = x->session,
        .statement = x->statement,
        .endpoint = u->endpoint,
        .tag = x->tag,
        .n_values = x->n_values < MAX_CALL_VALUES ? x->n_values : MAX_CALL_VALUES,
        .leaf = leaf,
        .first = x == &u->exchanges[0],
    };
    memcpy(c->values, x->values, c->n_values * sizeof(c->values[0]));
}

/* All of a unit that is nothing but reads, or that a list stands in; of another only the first. */
static void add_calls(struct fan_out *f, const struct unit *u, bool has_list)
{
    bool leaf = is_leaf(u);
    size_t n = leaf || has_list ? u->n : 1;
    size_t added = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_read(&u->exchanges[i]))
            continue;
        if (added++ < MAX_UNIT_CALLS)
            add_call(f, u, &u->exchanges[i], leaf);
        else
            f->lost_calls++;
    }
}

/* --- lists --- */

/* The key columns with enough values, into `l` when it is given; their values. */
static size_t copy_keys(const struct unit_exchange *x, size_t least, struct list *l)
{
    size_t total = 0;
    for (unsigned k = 0; x->keys != NULL && k < x->n_keys; k++) {
        unsigned n;
        const uint64_t *hashes = lineage_column(x, k, &n);
        if (n < least)
            continue;
        n = n < MAX_ROWS ? n : MAX_ROWS;
        if (l != NULL) {
            memcpy(l->hashes + total, hashes, n * sizeof(*hashes));
            l->keys[l->n_keys] = x->keys[k];
            l->keys[l->n_keys++].count = (uint16_t)n;
        }
        total += n;
    }
    return total;
}

/* The parent's unit ends where its request gave the connection back, if anything marked that. */
static int64_t held_until(const struct unit *u)
{
    return u->confidence > UNIT_BY_GAP ? u->until_us : 0;
}

static void insert_list(struct fan_out *f, struct list *l)
{
    struct list *before = f->newest;
    while (before != NULL && before->end_us > l->end_us)
        before = before->older;
    l->older = before;
    l->newer = before != NULL ? before->newer : f->oldest;
    *(l->newer != NULL ? &l->newer->older : &f->newest) = l;
    *(before != NULL ? &before->newer : &f->oldest) = l;
    f->n_lists++;
    f->list_bytes += l->bytes;
}

static bool add_list(struct fan_out *f, const struct det_settings *set, const struct unit *u,
                     const struct unit_exchange *x)
{
    size_t least = (size_t)set->n_plus_one_min_count;
    if (x->rows < least || x->n_keys == 0 || !unit_exchange_reads(x))
        return false;
    size_t n = copy_keys(x, least, NULL);
    size_t bytes = sizeof(struct list) + n * sizeof(uint64_t);
    if (n == 0)
        return false;
    bool room = f->n_lists < MAX_LISTS && bytes <= MAX_LIST_BYTES - f->list_bytes;
    struct list *l = room ? calloc(1, bytes) : NULL;
    if (l == NULL) {
        f->lost_lists++;
        return false;
    }
    l->bytes = bytes;
    l->client = u->client;
    l->unit = u->serial;
    l->statement = x->statement;
    l->endpoint = u->endpoint;
    l->tag = x->tag;
    l->start_us = x->start_us;
    l->end_us = x->end_us;
    l->known_us = f->now_us;
    l->held_us = held_until(u);
    l->rows = x->rows;
    (void)copy_keys(x, least, l);
    insert_list(f, l);
    return true;
}

static struct list *take_oldest(struct fan_out *f)
{
    struct list *l = f->oldest;
    f->oldest = l->newer;
    *(l->newer != NULL ? &l->newer->older : &f->newest) = NULL;
    f->n_lists--;
    f->list_bytes -= l->bytes;
    return l;
}

static struct fan_list *kind_of(struct fan_out *f, const struct list *l)
{
    struct sql_id id = l->statement->id;
    uint64_t key = wire_hash_combine(l->endpoint->key, wire_hash_combine(id.hi, id.lo));
    struct fan_list *kind = map64_get(&f->kinds, key);
    if (kind != NULL)
        return kind;
    kind = f->kinds.count < MAX_LIST_KINDS ? arena_alloc(f->arena, sizeof(*kind)) : NULL;
    if (kind == NULL || map64_put(&f->kinds, key, kind) != MAP64_OK) {
        f->lost_lists++;
        return NULL;
    }
    return kind;
}

/* --- which reads may be of a list --- */

static bool may_be_of(const struct call *c, const struct list *l)
{
    if (c->client != l->client || c->taken || c->start_us < l->end_us ||
        c->start_us > l->end_us + WINDOW_US || c->statement == l->statement)
        return false;
    if (c->tag != NULL && (l->tag == NULL || !tag_same_endpoint(c->tag, l->tag)))
        return false;
    return c->leaf || c->unit == l->unit || (c->tag != NULL && c->first);
}

/* The oldest read kept that was known at `time_us` or later. */
static uint64_t known_since(const struct fan_out *f, int64_t time_us)
{
    uint64_t low = f->n_calls > MAX_CALLS ? f->n_calls - MAX_CALLS : 0;
    uint64_t high = f->n_calls;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (f->calls[mid % MAX_CALLS].added_us < time_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* False when there are too many to look at, or when some were overwritten before their time. */
static bool find_candidates(struct fan_out *f, const struct list *l)
{
    uint64_t from = known_since(f, l->end_us);
    f->n_candidates = 0;
    if (f->n_calls - from > MAX_SCAN)
        return false;
    for (uint64_t i = from; i < f->n_calls; i++) {
        uint32_t at = (uint32_t)(i % MAX_CALLS);
        if (may_be_of(&f->calls[at], l))
            f->candidates[f->n_candidates++] = at;
    }
    return true;
}

/* --- matching --- */

static struct slot *find_slot(struct fan_out *f, uint64_t hash)
{
    size_t i = (size_t)(hash ^ hash >> 32) & (SET_SLOTS - 1);
    while (f->slots[i].hash != 0 && f->slots[i].hash != hash)
        i = (i + 1) & (SET_SLOTS - 1);
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
        struct slot *slot = find_slot(f, hashes[i]);
        if (hashes[i] == 0 || hashes[i] == f->null_hash || slot->hash != 0)
            continue;
        *slot = (struct slot){.hash = hashes[i], .row = (uint16_t)i};
        f->used[f->n_used++] = (uint16_t)(slot - f->slots);
        f->n_small += lineage_is_small(f->repeats->lineage, hashes[i]);
    }
}

static struct group *group_of(struct fan_out *f, struct statement *s, unsigned position)
{
    for (size_t i = 0; i < f->n_groups; i++) {
        if (f->groups[i].statement == s && f->groups[i].position == position)
            return &f->groups[i];
    }
    if (f->n_groups == MAX_GROUPS)
        return NULL;
    struct group *g = &f->groups[f->n_groups++];
    g->statement = s;
    g->position = position;
    g->n = 0;
    return g;
}

/* The first read of each value; further ones are left to other lists. */
static void match_call(struct fan_out *f, uint32_t at)
{
    const struct call *c = &f->calls[at];
    for (unsigned p = 0; p < c->n_values; p++) {
        struct slot *slot = find_slot(f, c->values[p]);
        struct group *g = slot->hash != 0 ? group_of(f, c->statement, p) : NULL;
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

struct place {
    int64_t start_us;
    uint16_t row;
    uint32_t member;
};

static int by_start(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void sort_by_start(const struct fan_out *f, struct group *g)
{
    struct place places[MAX_ROWS];
    for (size_t i = 0; i < g->n; i++)
        places[i] = (struct place){f->calls[g->members[i]].start_us, g->rows[i], g->members[i]};
    qsort(places, g->n, sizeof(places[0]), by_start);
    for (size_t i = 0; i < g->n; i++) {
        g->members[i] = places[i].member;
        g->rows[i] = places[i].row;
    }
}

static unsigned count_connections(const struct fan_out *f, const struct group *g)
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
static bool ran_together(const struct fan_out *f, const struct list *l, struct burst *b)
{
    const struct group *g = &b->group;
    int64_t first_us = f->calls[g->members[0]].start_us;
    int64_t used_until = first_us; /* a connection for them */
    int64_t used_us = 0;
    size_t overlapping = 0;
    b->last_us = first_us;
    for (size_t i = 0; i < g->n; i++) {
        const struct call *c = &f->calls[g->members[i]];
        overlapping += i > 0 && c->from_us < used_until;
        used_us += longer(&used_until, c->from_us, c->until_us);
        b->busy_us += (uint64_t)longer(&b->last_us, c->start_us, c->end_us);
    }
    return first_us - l->end_us <= LEAD_US && (double)overlapping >= MIN_OVERLAP * (double)g->n &&
           (double)used_us >= MIN_BUSY * (double)(used_until - first_us);
}

static bool holds(const struct list *l, uint64_t value)
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
static bool is_nearer(const struct fan_out *f, const struct list *other, const struct list *l,
                      const struct group *g)
{
    const struct call *first = &f->calls[g->members[0]];
    return other->client == l->client && other->statement != l->statement &&
           holds(other, first->values[g->position]);
}

/* The lists that wait are by their end; `l` is no longer among them. */
static bool has_nearer(const struct fan_out *f, const struct list *l, const struct group *g)
{
    int64_t first_us = f->calls[g->members[0]].start_us;
    for (const struct list *o = f->oldest; o != NULL && o->end_us <= first_us; o = o->newer) {
        if (o->end_us > l->end_us && is_nearer(f, o, l, g))
            return true;
    }
    return false;
}

/* Nothing else of the kind happened meanwhile: no further read of the statement that could be this
 * list's, and no further result of the list's statement. */
static bool is_alone(const struct fan_out *f, const struct list *l, const struct burst *b)
{
    const struct group *g = &b->group;
    int64_t first_us = f->calls[g->members[0]].start_us;
    size_t reads = 0;
    for (size_t i = 0; i < f->n_candidates; i++) {
        const struct call *c = &f->calls[f->candidates[i]];
        reads +=
            c->statement == g->statement && c->start_us >= first_us && c->start_us < b->last_us;
    }
    for (const struct list *o = f->oldest; o != NULL && o->end_us < b->last_us; o = o->newer) {
        if (o->client == l->client && o->statement == l->statement && o->end_us >= l->end_us)
            return false;
    }
    return reads == g->n;
}

/* How far the reads follow the list's rows: of those that ran one after the other, the share whose
 * rows are in that order. Those of other people come in any. When nearly all overlap the order says
 * nothing; then it is 1 when they were alone and 0 when they may be anybody's. */
static double order_of(const struct fan_out *f, const struct list *l, const struct burst *b)
{
    const struct group *g = &b->group;
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

static bool is_better(const struct burst *a, const struct burst *b)
{
    if (a->group.n != b->group.n)
        return a->group.n > b->group.n;
    return a->order > b->order;
}

/* One burst a statement: by the column and position that explain most. */
static void keep_burst(struct fan_out *f, const struct burst *b)
{
    size_t i = 0;
    while (i < f->n_bursts && f->bursts[i].group.statement != b->group.statement)
        i++;
    if (i == MAX_GROUPS || (i < f->n_bursts && !is_better(b, &f->bursts[i])))
        return;
    f->bursts[i] = *b;
    f->n_bursts += i == f->n_bursts;
}

static void judge_group(struct fan_out *f, const struct det_settings *set, const struct list *l,
                        unsigned column, struct group *g)
{
    double cover = (double)g->n / (double)f->n_used;
    if (g->n < (size_t)set->n_plus_one_min_count || g->n < 2 || cover < MIN_COVER)
        return;
    sort_by_start(f, g);
    struct burst b = {
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

static void try_column(struct fan_out *f, const struct det_settings *set, const struct list *l,
                       unsigned k, const uint64_t *hashes)
{
    fill_set(f, hashes, l->keys[k].count);
    f->n_groups = 0;
    for (size_t i = 0; i < f->n_candidates; i++)
        match_call(f, f->candidates[i]);
    for (size_t i = 0; i < f->n_groups; i++)
        judge_group(f, set, l, k, &f->groups[i]);
}

/* --- counting --- */

static struct lineage_child child_of(const struct fan_out *f, const struct list *l,
                                     const struct burst *b)
{
    const struct group *g = &b->group;
    const struct call *first = &f->calls[g->members[0]];
    struct lineage_child c = {
        .statement = g->statement,
        .tag = first->tag,
        .n = g->n,
        .round_trips = (g->n + b->connections - 1) / b->connections,
        .distinct = g->n,
        .parent = l->statement,
        .has_lineage = true,
        .column = l->keys[b->column].column,
        .type_oid = l->keys[b->column].type_oid,
        .matched = g->n,
        .parent_rows = l->rows,
        .hit = 1,
        .order = b->order,
        .cover = b->cover,
        .dense = b->dense,
        .rooted = true,
    };
    for (size_t i = 0; i < g->n; i++) {
        if (f->calls[g->members[i]].total_us > c.each_us)
            c.each_us = f->calls[g->members[i]].total_us;
    }
    c.repeat_us = b->busy_us > first->total_us ? b->busy_us - first->total_us : 0;
    return c;
}

static void count_fan(struct fan_out *f, const struct list *l, const struct burst *b,
                      struct fan *fan)
{
    bool tagged = true;
    for (size_t i = 0; i < b->group.n; i++) {
        struct call *c = &f->calls[b->group.members[i]];
        c->taken = true;
        tagged &= c->tag != NULL;
        fan->beside_us -= c->endpoint == l->endpoint ? (int64_t)c->total_us : 0;
    }
    fan->beside_us += (int64_t)b->busy_us;
    fan->tagged += tagged;
    fan->held += l->held_us >= b->last_us;
    fan->order += b->order;
    sketch_add(&fan->connections, b->connections);
    sketch_add(&fan->span_us, (uint64_t)(b->last_us - l->start_us));
}

static bool count_burst(struct fan_out *f, const struct fan_list *kind, const struct list *l,
                        const struct burst *b)
{
    struct lineage_child c = child_of(f, l, b);
    struct repeat *e = repeats_get(f->repeats, l->endpoint, &c, true);
    if (e == NULL)
        return false;
    if (e->fan == NULL)
        e->fan = arena_alloc(f->arena, sizeof(*e->fan));
    if (e->fan == NULL)
        return false;
    e->fan->list = kind;
    repeats_add(e, &c);
    count_fan(f, l, b, e->fan);
    return true;
}

/* A statement that was never followed by reads is looked at now and then. */
static bool is_its_turn(struct fan_list *kind)
{
    kind->seen++;
    return kind->fanned > 0 || kind->judged < PATIENT_LISTS || kind->seen % SAMPLE == 0;
}

static void judge_list(struct fan_out *f, const struct det_settings *set, const struct list *l)
{
    struct fan_list *kind = kind_of(f, l);
    if (kind == NULL || !is_its_turn(kind))
        return;
    if (!find_candidates(f, l)) {
        f->cut++;
        return;
    }
    kind->judged++;
    f->n_bursts = 0;
    const uint64_t *hashes = l->hashes;
    for (unsigned k = 0; k < l->n_keys; hashes += l->keys[k++].count) {
        if (f->n_candidates >= (size_t)set->n_plus_one_min_count)
            try_column(f, set, l, k, hashes);
    }
    bool fanned = false;
    for (size_t i = 0; i < f->n_bursts; i++)
        fanned |= count_burst(f, kind, l, &f->bursts[i]);
    kind->fanned += fanned;
}

/* --- the way of a unit --- */

/* A read's unit may close after its gap and the slack of late records. A list that was itself late,
 * since its worker's records were, waits for those that come after it. */
static int64_t due_us(const struct det_settings *set, const struct list *l)
{
    int64_t from_us = l->known_us > l->end_us ? l->known_us : l->end_us;
    return from_us + WINDOW_US + set->unit_gap_ms * 1000 + SESSIONS_SLACK_US;
}

void fan_out_advance(struct fan_out *f, const struct det_settings *set, int64_t now_us)
{
    while (f->oldest != NULL && now_us >= due_us(set, f->oldest)) {
        struct list *l = take_oldest(f);
        judge_list(f, set, l);
        free(l);
    }
}

void fan_out_count(struct fan_out *f, const struct det_settings *set, const struct unit *u)
{
    if (u->end_us > f->now_us)
        f->now_us = u->end_us;
    fan_out_advance(f, set, f->now_us);
    if (u->trace != 0 || u->client == 0)
        return; /* a trace gathers its connections itself */
    bool has_list = false;
    for (size_t i = 0; i < u->n; i++)
        has_list |= add_list(f, set, u, &u->exchanges[i]);
    add_calls(f, u, has_list);
}
