#include "detectors/rules/fan_out_parts.h"
#include "detectors/sessions.h"
#include "wire/values.h"

#include <stdlib.h>

enum {
    MAX_UNIT_CALLS = 1024,
    MAX_LISTS = 4096, /* that wait for their reads */
    MAX_LIST_BYTES = 32 * 1024 * 1024,
    MAX_LIST_KINDS = 2000, /* statements that are lists, at an endpoint each */
    MAX_LEAF = 64,         /* statements of a unit that is nothing but reads of one row */
    PATIENT_LISTS = 64,    /* a statement never followed by reads so often ... */
    SAMPLE = 16,           /* ... is looked at this rarely */
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
    for (struct fan_result *l = f->oldest, *newer; l != NULL; l = newer) {
        newer = l->newer;
        free(l);
    }
    map64_fini(&f->kinds);
    free(f);
}

/* --- reads --- */

static bool asks_for(const struct unit_exchange *x, uint64_t value)
{
    for (unsigned i = 0; i < x->n_values && i < FAN_MAX_VALUES; i++) {
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
    bool one_key[FAN_MAX_VALUES] = {true, true, true, true};
    for (size_t i = 0; i < u->n; i++) {
        const struct unit_exchange *x = &u->exchanges[i];
        const struct unit_exchange *first = &u->exchanges[0];
        if (!is_read(x))
            return false;
        one_statement &= x->statement == first->statement;
        for (unsigned p = 0; p < FAN_MAX_VALUES; p++)
            one_key[p] &= p < first->n_values && asks_for(x, first->values[p]);
    }
    return one_statement || one_key[0] || one_key[1] || one_key[2] || one_key[3];
}

static void add_call(struct fan_out *f, const struct unit *u, const struct unit_exchange *x,
                     bool leaf)
{
    struct fan_call *c = &f->calls[f->n_calls++ % FAN_MAX_CALLS];
    *c = (struct fan_call){
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
        .n_values = x->n_values < FAN_MAX_VALUES ? x->n_values : FAN_MAX_VALUES,
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
static size_t copy_keys(const struct unit_exchange *x, size_t least, struct fan_result *l)
{
    size_t total = 0;
    for (unsigned k = 0; x->keys != NULL && k < x->n_keys; k++) {
        unsigned n;
        const uint64_t *hashes = lineage_column(x, k, &n);
        if (n < least)
            continue;
        n = n < FAN_MAX_ROWS ? n : FAN_MAX_ROWS;
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

static void insert_list(struct fan_out *f, struct fan_result *l)
{
    struct fan_result *before = f->newest;
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
    size_t bytes = sizeof(struct fan_result) + n * sizeof(uint64_t);
    if (n == 0)
        return false;
    bool room = f->n_lists < MAX_LISTS && bytes <= MAX_LIST_BYTES - f->list_bytes;
    struct fan_result *l = room ? calloc(1, bytes) : NULL;
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

static struct fan_result *take_oldest(struct fan_out *f)
{
    struct fan_result *l = f->oldest;
    f->oldest = l->newer;
    *(l->newer != NULL ? &l->newer->older : &f->newest) = NULL;
    f->n_lists--;
    f->list_bytes -= l->bytes;
    return l;
}

static struct fan_list *kind_of(struct fan_out *f, const struct fan_result *l)
{
    uint64_t key = wire_hash_combine(l->endpoint->key, statement_key(l->statement));
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

/* --- counting --- */

static struct lineage_child child_of(const struct fan_out *f, const struct fan_result *l,
                                     const struct fan_burst *b)
{
    const struct fan_group *g = &b->group;
    const struct fan_call *first = &f->calls[g->members[0]];
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

static void count_fan(struct fan_out *f, const struct fan_result *l, const struct fan_burst *b,
                      struct fan *fan)
{
    bool tagged = true;
    for (size_t i = 0; i < b->group.n; i++) {
        struct fan_call *c = &f->calls[b->group.members[i]];
        c->taken = true;
        tagged &= c->tag != NULL;
        fan->beside_us -= c->endpoint == l->endpoint ? (int64_t)c->total_us : 0;
    }
    fan->beside_us += (int64_t)b->busy_us;
    fan->tagged += tagged;
    fan->held += l->held_us >= b->last_us;
    fan->order += b->order;
    histogram_add(&fan->connections, f->arena, b->connections);
    histogram_add(&fan->span_us, f->arena, (uint64_t)(b->last_us - l->start_us));
}

static bool count_burst(struct fan_out *f, const struct fan_list *kind, const struct fan_result *l,
                        const struct fan_burst *b)
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
    repeats_add(f->repeats, e, &c, (double)(b->last_us - l->start_us) / 1000);
    histogram_add(&e->fan->dearest_us, f->arena, c.each_us);
    count_fan(f, l, b, e->fan);
    return true;
}

/* A statement that was never followed by reads is looked at now and then. */
static bool is_its_turn(struct fan_list *kind)
{
    kind->seen++;
    return kind->fanned > 0 || kind->judged < PATIENT_LISTS || kind->seen % SAMPLE == 0;
}

static void judge_list(struct fan_out *f, const struct det_settings *set,
                       const struct fan_result *l)
{
    struct fan_list *kind = kind_of(f, l);
    if (kind == NULL || !is_its_turn(kind))
        return;
    if (!fan_out_match(f, set, l)) {
        f->cut++;
        return;
    }
    kind->judged++;
    bool fanned = false;
    for (size_t i = 0; i < f->n_bursts; i++)
        fanned |= count_burst(f, kind, l, &f->bursts[i]);
    kind->fanned += fanned;
}

/* --- the way of a unit --- */

/* A read's unit may close after its gap and the slack of late records. A list that was itself late,
 * since its worker's records were, waits for those that come after it. */
static int64_t due_us(const struct det_settings *set, const struct fan_result *l)
{
    int64_t from_us = l->known_us > l->end_us ? l->known_us : l->end_us;
    return from_us + FAN_WINDOW_US + set->unit_gap_ms * 1000 + SESSIONS_SLACK_US;
}

void fan_out_advance(struct fan_out *f, const struct det_settings *set, int64_t now_us)
{
    while (f->oldest != NULL && now_us >= due_us(set, f->oldest)) {
        struct fan_result *l = take_oldest(f);
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

uint64_t fan_out_lost(const struct fan_out *f)
{
    return f->lost_lists + f->lost_calls + f->cut;
}
