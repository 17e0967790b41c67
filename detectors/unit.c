#include "detectors/unit.h"

#include "detectors/audit.h"
#include "wire/values.h"

#include <stdlib.h>

enum {
    KEEP_EXCHANGES = 1024,
    FIRST_EXCHANGES = 8,
    FIRST_TRANSACTIONS = 4,
    RECHECK_EXCHANGES = 512,
    PORTAL_LOOK_BACK = 256,
    CYCLE_MAX = 8,       /* statements of a loop's body */
    SIGNATURE_KEPT = 64, /* statements of a sequence before its head is folded into the hash */
};

struct unit *unit_new(struct unit_room *room)
{
    bool fits = room->max - room->used >= sizeof(struct unit); /* used <= max always */
    struct unit *u = fits ? calloc(1, sizeof(*u)) : NULL;
    if (u == NULL)
        return NULL;
    room->used += sizeof(*u);
    u->room = room;
    arena_init(&u->arena, UNIT_ARENA_BYTES);
    u->recheck = RECHECK_EXCHANGES;
    return u;
}

void unit_free(struct unit *u)
{
    if (u == NULL)
        return;
    u->room->used -= sizeof(*u) + u->arena.used + u->size * sizeof(*u->exchanges) +
                     u->transactions_size * sizeof(*u->transactions);
    arena_fini(&u->arena);
    free(u->exchanges);
    free(u->transactions);
    free(u);
}

void unit_reset(struct unit *u)
{
    struct unit empty = {.exchanges = u->exchanges,
                         .size = u->size,
                         .transactions = u->transactions,
                         .transactions_size = u->transactions_size,
                         .arena = u->arena,
                         .room = u->room,
                         .recheck = RECHECK_EXCHANGES};
    if (empty.size > KEEP_EXCHANGES) {
        u->room->used -= empty.size * sizeof(*empty.exchanges);
        free(empty.exchanges);
        empty.exchanges = NULL;
        empty.size = 0;
    }
    arena_reset(&empty.arena);
    u->room->used -= u->arena.used - empty.arena.used;
    *u = empty;
}

/* Twice the place for `items`, within `max`: the new memory, or NULL when there is none. */
static void *grow(struct unit_room *room, void *items, size_t each, size_t first, size_t max,
                  size_t *size)
{
    size_t bigger = *size > 0 ? *size * 2 : first;
    if (bigger > max)
        bigger = max;
    size_t more = bigger > *size ? (bigger - *size) * each : 0;
    void *grown = more > 0 && more <= room->max - room->used ? realloc(items, bigger * each) : NULL;
    if (grown == NULL)
        return NULL;
    *size = bigger;
    room->used += more;
    return grown;
}

static bool make_room(struct unit *u)
{
    if (u->n < u->size)
        return true;
    struct unit_exchange *grown = grow(u->room, u->exchanges, sizeof(*u->exchanges),
                                       FIRST_EXCHANGES, AUDIT_MAX_UNIT_EXCHANGES, &u->size);
    if (grown != NULL)
        u->exchanges = grown;
    return grown != NULL;
}

/* --- transactions --- */

uint32_t unit_begin_transaction(struct unit *u)
{
    return ++u->begun;
}

void unit_add_transaction(struct unit *u, const struct unit_transaction *t)
{
    if (u->n_transactions == u->transactions_size) {
        struct unit_transaction *grown =
            grow(u->room, u->transactions, sizeof(*t), FIRST_TRANSACTIONS, UNIT_MAX_TRANSACTIONS,
                 &u->transactions_size);
        if (grown == NULL) {
            u->overflow.transactions++;
            return;
        }
        u->transactions = grown;
    }
    u->transactions[u->n_transactions++] = *t;
}

/* --- exchanges --- */

static int64_t end_of(const struct record_exchange *r)
{
    return r->start_us + (int64_t)r->total_us;
}

/* The earlier Execute of the same portal. */
static struct unit_exchange *continued(struct unit *u, const struct record_exchange *r)
{
    size_t oldest = u->n > PORTAL_LOOK_BACK ? u->n - PORTAL_LOOK_BACK : 0;
    for (size_t i = u->n; r->portal != 0 && i > oldest; i--) {
        struct unit_exchange *x = &u->exchanges[i - 1];
        if (x->portal == r->portal && x->session == r->session)
            return x;
    }
    return NULL;
}

static void add_to(struct unit_exchange *x, const struct record_exchange *r)
{
    const uint32_t room = UINT32_MAX - x->total_us;
    x->end_us = end_of(r);
    x->total_us += r->total_us < room ? r->total_us : room;
    x->rows += r->rows;
    x->affected += r->affected;
    x->bytes += r->bytes;
    x->result_hash = wire_hash_combine(x->result_hash, r->result_hash);
    x->flags |= r->exchange_flags;
    memcpy(x->sqlstate, r->sqlstate, sizeof(x->sqlstate));
    x->executes++;
}

/* Memory of the unit's arena, as far as there is room. */
static void *keep(struct unit *u, size_t bytes)
{
    struct unit_room *room = u->room;
    size_t before = u->arena.used;
    size_t left = room->max - room->used;
    u->arena.max = left < UNIT_ARENA_BYTES - before ? before + left : UNIT_ARENA_BYTES;
    void *kept = arena_alloc(&u->arena, bytes);
    room->used += u->arena.used - before;
    room->lost_values += kept == NULL;
    return kept;
}

/* Values and key hashes into the unit's arena; without room there are none. */
static void keep_tail(struct unit *u, struct unit_exchange *x, const struct record_exchange *r)
{
    size_t values = r->n_values * sizeof(uint64_t);
    size_t keys = r->n_keys * sizeof(struct record_key);
    size_t hashes = r->n_key_hashes * sizeof(uint64_t);
    if (values + keys + hashes == 0)
        return;
    uint8_t *copy = keep(u, values + keys + hashes);
    if (copy == NULL)
        return;
    memcpy(copy, record_tail(&r->h, sizeof(*r), 0, 0).data, values + keys + hashes);
    x->values = (const void *)copy;
    x->keys = (const void *)(copy + values);
    x->key_hashes = (const void *)(copy + values + keys);
    x->n_values = r->n_values;
    x->n_keys = r->n_keys;
}

static void note_time(struct unit *u, const struct record_exchange *r)
{
    bool first = u->n == 0 && u->overflow.statements == 0 && u->chatter == 0;
    if (first || r->start_us < u->start_us)
        u->start_us = r->start_us;
    if (first || end_of(r) > u->end_us)
        u->end_us = end_of(r);
    if (end_of(r) > u->last_us)
        u->last_us = end_of(r);
}

bool unit_add(struct unit *u, const struct record_exchange *r, struct statement *s,
              const struct tag *tag, bool idle_before, uint32_t transaction)
{
    note_time(u, r);
    struct unit_exchange *before = continued(u, r);
    if (before != NULL) {
        add_to(before, r);
        return true;
    }
    if (!make_room(u)) {
        u->overflow.statements++;
        u->overflow.rows += r->rows;
        u->overflow.bytes += r->bytes;
        return false;
    }
    struct unit_exchange *x = &u->exchanges[u->n];
    *x = (struct unit_exchange){
        .statement = s,
        .tag = tag,
        .session = r->session,
        .start_us = r->start_us,
        .end_us = end_of(r),
        .first_us = r->first_us,
        .total_us = r->total_us,
        .rows = r->rows,
        .affected = r->affected,
        .bytes = r->bytes,
        .result_hash = r->result_hash,
        .values_hash = r->values_hash,
        .flags = r->exchange_flags,
        .round_trip = r->round_trip,
        .portal = r->portal,
        .max_rows = r->max_rows,
        .executes = 1,
        .offset = r->offset,
        .limit = r->limit,
        .transaction = transaction,
        .verb = r->verb,
        .idle_before = idle_before,
    };
    memcpy(x->sqlstate, r->sqlstate, sizeof(x->sqlstate));
    keep_tail(u, x, r);
    if (u->n > 0 && idle_before && s == u->exchanges[0].statement)
        u->anchor_again = true;
    u->n++;
    return true;
}

void unit_add_chatter(struct unit *u, const struct record_exchange *r)
{
    note_time(u, r);
    u->chatter++;
}

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool tag_same_endpoint(const struct tag *a, const struct tag *b)
{
    return a == b || (same_text(a->value[SQL_TAG_ROUTE], b->value[SQL_TAG_ROUTE]) &&
                      same_text(a->value[SQL_TAG_METHOD], b->value[SQL_TAG_METHOD]) &&
                      same_text(a->value[SQL_TAG_CONTROLLER], b->value[SQL_TAG_CONTROLLER]) &&
                      same_text(a->value[SQL_TAG_ACTION], b->value[SQL_TAG_ACTION]));
}

/* --- sequences --- */

/* What is left of a sequence when runs and cycles are taken as one. */
struct sequence {
    uint64_t hash; /* of what was folded */
    uint64_t kept[SIGNATURE_KEPT];
    size_t n;
};

static void fold(struct sequence *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->hash = wire_hash_combine(s->hash, s->kept[i]);
    s->n = 0;
}

/* Drop the last `len` statements when they repeat those before them. */
static bool drop_cycle(struct sequence *s, size_t len)
{
    if (s->n < 2 * len ||
        memcmp(&s->kept[s->n - len], &s->kept[s->n - 2 * len], len * sizeof(uint64_t)) != 0)
        return false;
    s->n -= len;
    return true;
}

uint64_t unit_signature(const struct unit_exchange *exchanges, size_t n)
{
    struct sequence s = {.n = 0};
    for (size_t i = 0; i < n; i++) {
        if (s.n == SIGNATURE_KEPT)
            fold(&s);
        s.kept[s.n++] = statement_key(exchanges[i].statement);
        for (size_t len = 1; len <= CYCLE_MAX; len++) {
            if (drop_cycle(&s, len))
                break;
        }
    }
    fold(&s);
    return s.hash;
}

/* A stretch of a unit from one coming of its first statement to the next. */
struct stretch {
    size_t from;
    uint64_t signature;
    uint64_t times; /* that this signature occurs, at its first stretch */
    bool only_anchor;
};

static bool begins_stretch(const struct unit *u, size_t i)
{
    const struct unit_exchange *x = &u->exchanges[i];
    const struct unit_exchange *before = &u->exchanges[i - 1];
    return x->statement == u->exchanges[0].statement && x->idle_before &&
           (x->session != before->session || x->round_trip != before->round_trip);
}

static size_t find_stretches(const struct unit *u, struct stretch *out)
{
    size_t n = 0;
    out[n++] = (struct stretch){.only_anchor = true};
    for (size_t i = 1; i < u->n; i++) {
        if (begins_stretch(u, i))
            out[n++] = (struct stretch){.from = i, .only_anchor = true};
        else if (u->exchanges[i].statement != u->exchanges[0].statement)
            out[n - 1].only_anchor = false;
    }
    for (size_t i = 0; i < n; i++) {
        size_t to = i + 1 < n ? out[i + 1].from : u->n;
        out[i].signature = unit_signature(&u->exchanges[out[i].from], to - out[i].from);
    }
    return n;
}

/* Count each signature at its first stretch; false when there is no memory. */
static bool count_signatures(struct stretch *s, size_t n, struct map64 *first)
{
    for (size_t i = 0; i < n; i++) {
        struct stretch *seen = map64_get(first, s[i].signature);
        if (seen == NULL) {
            seen = &s[i];
            if (map64_put(first, s[i].signature, seen) != MAP64_OK)
                return false;
        }
        seen->times++;
    }
    return true;
}

static size_t keep_repeated(const struct stretch *s, size_t n, const struct map64 *first,
                            size_t *cuts)
{
    size_t count = 0;
    for (size_t i = 1; i < n; i++) {
        const struct stretch *seen = map64_get(first, s[i].signature);
        bool as_first = s[i].signature == s[0].signature;
        if (as_first || (!s[i].only_anchor && seen->times > 1))
            cuts[count++] = s[i].from;
    }
    return count;
}

size_t *unit_cuts(const struct unit *u, size_t *count)
{
    *count = 0;
    if (!u->anchor_again || u->exchanges[0].statement->serial == 0)
        return NULL;
    struct map64 first;
    map64_init(&first, u->n);
    struct stretch *stretches = calloc(u->n, sizeof(*stretches));
    size_t *cuts = calloc(u->n, sizeof(*cuts));
    if (stretches != NULL && cuts != NULL) {
        size_t n = find_stretches(u, stretches);
        if (count_signatures(stretches, n, &first))
            *count = keep_repeated(stretches, n, &first, cuts);
    }
    map64_fini(&first);
    free(stretches);
    if (*count == 0) {
        free(cuts);
        return NULL;
    }
    return cuts;
}

/* --- parts --- */

static void measure(struct unit *part)
{
    int64_t busy_until = part->exchanges[0].start_us;
    part->start_us = part->exchanges[0].start_us;
    part->end_us = part->start_us;
    for (size_t i = 0; i < part->n; i++) {
        const struct unit_exchange *x = &part->exchanges[i];
        if (x->start_us < part->start_us)
            part->start_us = x->start_us;
        if (x->end_us > part->end_us)
            part->end_us = x->end_us;
        int64_t begin = x->end_us - (int64_t)x->total_us;
        int64_t from = begin > busy_until ? begin : busy_until;
        if (x->end_us > from) {
            part->db_us += (uint64_t)(x->end_us - from);
            busy_until = x->end_us;
        }
        part->errors += (x->flags & EXCHANGE_ERROR) != 0;
        if (part->tag == NULL)
            part->tag = x->tag;
    }
}

/* The transactions that its exchanges stand in; those without any go with the last part. */
static void take_transactions(struct unit *part, const struct unit *u, size_t from, size_t to)
{
    int64_t begin = from > 0 ? u->exchanges[from].start_us : INT64_MIN;
    int64_t end = to < u->n ? u->exchanges[to].start_us : INT64_MAX;
    size_t first = 0;
    while (first < u->n_transactions && u->transactions[first].end_us < begin)
        first++;
    size_t last = first;
    while (last < u->n_transactions && u->transactions[last].end_us < end)
        last++;
    part->transactions = u->transactions + first;
    part->n_transactions = last - first;
}

struct unit unit_part(const struct unit *u, size_t from, size_t to)
{
    struct unit part = {
        .trace = u->trace,
        .marked = u->marked,
        .handed_us = from == 0 ? u->handed_us : 0,
        .client = u->client,
        .application = u->application,
        .http = u->http,
        .confidence = u->confidence,
        .asyncpg = u->asyncpg,
        .exchanges = u->exchanges + from,
        .n = to - from,
    };
    measure(&part);
    if (u->n_transactions > 0)
        take_transactions(&part, u, from, to);
    if (from == 0) {
        part.new_connections = u->new_connections;
        part.chatter = u->chatter;
        if (u->start_us < part.start_us)
            part.start_us = u->start_us;
    }
    if (to == u->n) {
        part.overflow.statements = u->overflow.statements;
        part.overflow.rows = u->overflow.rows;
        part.overflow.bytes = u->overflow.bytes;
        part.overflow.transactions = u->overflow.transactions;
        if (u->end_us > part.end_us)
            part.end_us = u->end_us;
    }
    part.until_us = to == u->n && u->until_us > part.end_us ? u->until_us : part.end_us;
    return part;
}

bool unit_values_known(uint64_t values_hash, unsigned n_values, uint32_t flags)
{
    return values_hash != 0 || (n_values == 0 && (flags & EXCHANGE_VALUES_CUT) == 0);
}

bool unit_exchange_reads(const struct unit_exchange *x)
{
    const struct statement *s = x->statement;
    return (x->flags & (EXCHANGE_ERROR | EXCHANGE_UNKNOWN)) == 0 && s->serial != 0 &&
           statement_verb(s) == SQL_VERB_SELECT && !statement_has(s, FACT_FOR_UPDATE) &&
           !statement_has(s, FACT_SKIP_LOCKED) && !statement_has(s, FACT_NO_FROM) &&
           !statement_has(s, FACT_ONLY_CATALOG);
}

uint64_t unit_statements(const struct unit *u)
{
    return u->n + u->overflow.statements;
}

uint64_t unit_rows(const struct unit *u)
{
    uint64_t rows = u->overflow.rows;
    for (size_t i = 0; i < u->n; i++)
        rows += u->exchanges[i].rows;
    return rows;
}

uint64_t unit_bytes(const struct unit *u)
{
    uint64_t bytes = u->overflow.bytes;
    for (size_t i = 0; i < u->n; i++)
        bytes += u->exchanges[i].bytes;
    return bytes;
}
