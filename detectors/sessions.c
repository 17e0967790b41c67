#include "detectors/sessions.h"

#include "detectors/audit.h"
#include "detectors/chatter.h"
#include "wire/values.h"

#include <stdlib.h>

enum { KEEP_UNITS = 64 };

struct det_session {
    uint64_t id;
    struct unit *unit; /* NULL when none is open */
    uint64_t trace;    /* of the last traced exchange; 0 */
    bool fresh;        /* its start was seen and no unit of it was closed yet */
    int64_t free_us;   /* end of its last exchange, but for a BEGIN: that is the next one's */
    bool in_tx;
    struct unit_transaction tx; /* the open one */
    struct session_summary about;
    struct pool_place place;
    const char *application; /* as in struct unit */
    bool marked;             /* its pool marks where a use ends */
    bool asyncpg;            /* that pool is asyncpg's own */
    bool waits;              /* in the list of the silent ones */
    struct det_session *before;
    struct det_session *after;
};

void sessions_init(struct sessions *s, int64_t gap_us, sessions_cut *cut, sessions_close *close,
                   sessions_ended *end, void *arg)
{
    *s = (struct sessions){
        .gap_us = gap_us, .cut = cut, .close = close, .end = end, .close_arg = arg};
    s->room.max = AUDIT_UNIT_BYTES;
    map64_init(&s->by_id, AUDIT_MAX_SESSIONS);
    pool_order_init(&s->pools);
    map64_init(&s->traces, SESSIONS_MAX_TRACES);
}

void sessions_fini(struct sessions *s)
{
    size_t at = 0;
    struct det_session *session;
    while ((session = map64_next(&s->by_id, &at, NULL)) != NULL) {
        unit_free(session->unit);
        free(session);
    }
    for (struct unit *u = s->oldest_trace, *next; u != NULL; u = next) {
        next = u->newer;
        unit_free(u);
    }
    for (struct unit *u = s->free_units, *next; u != NULL; u = next) {
        next = u->next_free;
        unit_free(u);
    }
    map64_fini(&s->by_id);
    pool_order_fini(&s->pools);
    map64_fini(&s->traces);
}

/* --- units --- */

static struct unit *take_unit(struct sessions *s)
{
    struct unit *u = s->free_units;
    if (u == NULL)
        return unit_new(&s->room);
    s->free_units = u->next_free;
    s->n_free--;
    u->next_free = NULL;
    return u;
}

static void give_unit(struct sessions *s, struct unit *u)
{
    if (s->n_free >= KEEP_UNITS) {
        unit_free(u);
        return;
    }
    unit_reset(u);
    u->next_free = s->free_units;
    s->free_units = u;
    s->n_free++;
}

/* Hand out the parts of a unit, and give the endpoint of the last; a border that was only inferred,
 * or one that should have been found and was not, makes them units by gap. */
static struct endpoint *hand_out(struct sessions *s, struct unit *u, size_t *cuts, size_t n_cuts)
{
    struct endpoint *endpoint = NULL;
    if (n_cuts > 0 || (u->anchor_again && !u->whole))
        u->confidence = UNIT_BY_GAP;
    size_t from = 0;
    for (size_t i = 0; i <= n_cuts; i++) {
        size_t to = i < n_cuts ? cuts[i] : u->n;
        struct unit part = unit_part(u, from, to);
        s->close(s->close_arg, &part);
        if (part.endpoint != NULL)
            endpoint = part.endpoint;
        from = to;
    }
    free(cuts);
    return endpoint;
}

static struct endpoint *finish_unit(struct sessions *s, struct unit *u,
                                    enum unit_confidence confidence)
{
    struct endpoint *endpoint = NULL;
    u->confidence = confidence;
    if (u->n > 0) {
        size_t n_cuts = 0;
        size_t *cuts = u->whole ? NULL : s->cut(s->close_arg, u, &n_cuts);
        endpoint = hand_out(s, u, cuts, n_cuts);
    }
    give_unit(s, u);
    return endpoint;
}

/* --- silent sessions --- */

static void stop_waiting(struct sessions *s, struct det_session *x)
{
    if (!x->waits)
        return;
    *(x->before != NULL ? &x->before->after : &s->idle_first) = x->after;
    *(x->after != NULL ? &x->after->before : &s->idle_last) = x->before;
    x->before = NULL;
    x->after = NULL;
    x->waits = false;
}

static void start_waiting(struct sessions *s, struct det_session *x)
{
    stop_waiting(s, x);
    x->before = s->idle_last;
    *(s->idle_last != NULL ? &s->idle_last->after : &s->idle_first) = x;
    s->idle_last = x;
    x->waits = true;
}

static void close_session_unit(struct sessions *s, struct det_session *x,
                               enum unit_confidence confidence)
{
    struct unit *u = x->unit;
    stop_waiting(s, x);
    x->unit = NULL;
    if (u == NULL)
        return;
    u->client = x->about.client;
    if (u->n > 0 && x->fresh) {
        u->new_connections = 1;
        x->fresh = false;
    }
    u->asyncpg = x->asyncpg;
    bool counts = u->n > 0;
    struct endpoint *endpoint = finish_unit(s, u, confidence);
    x->about.units += counts;
    if (endpoint != NULL)
        x->about.endpoint = endpoint;
}

/* --- traces --- */

static void unlink_trace(struct sessions *s, struct unit *u)
{
    *(u->older != NULL ? &u->older->newer : &s->oldest_trace) = u->newer;
    *(u->newer != NULL ? &u->newer->older : &s->newest_trace) = u->older;
    u->older = NULL;
    u->newer = NULL;
}

static void link_newest(struct sessions *s, struct unit *u)
{
    u->older = s->newest_trace;
    *(s->newest_trace != NULL ? &s->newest_trace->newer : &s->oldest_trace) = u;
    s->newest_trace = u;
}

static void close_trace(struct sessions *s, struct unit *u)
{
    unlink_trace(s, u);
    (void)map64_remove(&s->traces, u->trace);
    (void)finish_unit(s, u, UNIT_EXACT);
}

static struct unit *trace_unit(struct sessions *s, uint64_t trace)
{
    struct unit *u = map64_get(&s->traces, trace);
    if (u != NULL) {
        unlink_trace(s, u);
        link_newest(s, u);
        return u;
    }
    if (s->traces.count >= SESSIONS_MAX_TRACES) {
        s->cut_traces++;
        close_trace(s, s->oldest_trace);
    }
    u = take_unit(s);
    if (u == NULL)
        return NULL;
    u->trace = trace;
    u->whole = true;
    if (map64_put(&s->traces, trace, u) != MAP64_OK) {
        give_unit(s, u);
        return NULL;
    }
    link_newest(s, u);
    return u;
}

/* --- time --- */

static int64_t patience(const struct sessions *s, const struct det_session *x)
{
    return x->marked ? SESSIONS_MARKED_IDLE_US : s->gap_us;
}

/* Close what has been silent for so long that no record of it can still be on its way. The list is
 * by order of arrival; one head that must wait longer only delays the others. */
static void sweep(struct sessions *s)
{
    while (s->idle_first != NULL) {
        struct det_session *x = s->idle_first;
        if (s->now_us - x->unit->last_us < patience(s, x) + SESSIONS_SLACK_US)
            break;
        close_session_unit(s, x, UNIT_BY_GAP);
    }
    while (s->oldest_trace != NULL &&
           s->now_us - s->oldest_trace->last_us >= SESSIONS_TRACE_IDLE_US)
        close_trace(s, s->oldest_trace);
}

void sessions_advance(struct sessions *s, int64_t time_us)
{
    if (time_us <= s->now_us)
        return;
    s->now_us = time_us;
    sweep(s);
}

/* --- transactions --- */

/* Where what this session does now is counted; NULL when nothing is open. */
static struct unit *unit_of(const struct sessions *s, const struct det_session *x)
{
    return x->trace != 0 ? map64_get(&s->traces, x->trace) : x->unit;
}

/* Before an exchange is taken in: the time since the last reply, and a transaction that begins. */
static void enter_transaction(struct sessions *s, struct det_session *x,
                              const struct record_exchange *r)
{
    bool opens = r->verb == SQL_VERB_BEGIN || r->verb == SQL_VERB_START;
    if (x->tx.begin_us == 0) {
        if (!opens && r->tx_before != 'T' && r->tx_before != 'E')
            return;
        x->tx = (struct unit_transaction){
            .session = x->id, .begin_us = r->start_us, .end_us = r->start_us};
    }
    struct unit *u = unit_of(s, x);
    if (u != NULL && x->tx.number == 0)
        x->tx.number = unit_begin_transaction(u);
    if (r->start_us > x->tx.end_us) {
        uint64_t idle = (uint64_t)(r->start_us - x->tx.end_us);
        x->tx.idle_us += idle;
        x->tx.failed_us += r->tx_before == 'E' ? idle : 0;
        if (idle > x->tx.longest_idle_us)
            x->tx.longest_idle_us = idle;
    }
}

static void count_in_transaction(struct det_session *x, const struct record_exchange *r,
                                 const struct statement *st, const struct chatter *c)
{
    int64_t end = r->start_us + (int64_t)r->total_us;
    if (end > x->tx.end_us)
        x->tx.end_us = end;
    x->tx.statements += c == NULL;
    x->tx.writes += c == NULL && statement_changes_rows(st, (enum sql_verb)r->verb);
    x->tx.locks += statement_has(st, FACT_FOR_UPDATE);
    x->tx.errors += (r->exchange_flags & EXCHANGE_ERROR) != 0;
}

static void end_transaction(struct sessions *s, struct det_session *x,
                            enum unit_transaction_end end)
{
    if (x->tx.begin_us == 0)
        return;
    x->tx.end = end;
    struct unit *u = unit_of(s, x);
    if (u != NULL)
        unit_add_transaction(u, &x->tx);
    x->tx = (struct unit_transaction){.begin_us = 0};
}

/* --- sessions --- */

/* One exchange asks for its session several times over. */
static struct det_session *find_session(struct sessions *s, uint64_t id)
{
    if (s->last == NULL || s->last->id != id)
        s->last = map64_get(&s->by_id, id);
    return s->last;
}

static struct det_session *session_of(struct sessions *s, uint64_t id)
{
    struct det_session *x = find_session(s, id);
    if (x != NULL)
        return x;
    x = s->by_id.count < s->by_id.max ? calloc(1, sizeof(*x)) : NULL;
    if (x == NULL)
        return NULL;
    x->id = id;
    if (map64_put(&s->by_id, id, x) != MAP64_OK) {
        free(x);
        return NULL;
    }
    s->started++;
    s->last = x;
    return x;
}

/* Who the client is: sessions of one process of the application, going by what it says of itself.
 */
static uint64_t client_of(const struct record_session_start *r)
{
    size_t len = (size_t)r->user_len + r->database_len + r->application_len + r->client_len;
    struct span names = record_tail(&r->h, sizeof(*r), 0, len);
    uint64_t lengths =
        (uint64_t)r->user_len << 32 | (uint64_t)r->database_len << 16 | r->application_len;
    return wire_hash_combine(wire_value_hash(WIRE_OID_TEXT, 0, names), lengths);
}

static struct span application_of(const struct record_session_start *r)
{
    return record_tail(&r->h, sizeof(*r), (size_t)r->user_len + r->database_len,
                       r->application_len);
}

void sessions_start(struct sessions *s, const struct record_session_start *r)
{
    struct det_session *x = session_of(s, r->session);
    bool older = (r->h.flags & SESSION_OLDER) != 0;
    if (x != NULL) {
        x->fresh = !older; /* no request of this run opened it */
        x->about.start_seen = !older;
        x->about.client = client_of(r);
        x->application = applications_get(&s->applications, application_of(r));
        x->about.start_us = r->time_us;
        pool_order_enter(&s->pools, &x->place, x->about.client, r->time_us);
    }
    sessions_advance(s, r->time_us);
}

void sessions_end(struct sessions *s, const struct record_session_end *r)
{
    struct det_session *x = map64_remove(&s->by_id, r->session);
    s->last = NULL;
    if (x != NULL) {
        end_transaction(s, x, TRANSACTION_OPEN);
        close_session_unit(s, x, UNIT_BY_CONNECTION);
        pool_order_leave(&s->pools, &x->place);
        x->about.session = r->session;
        x->about.end_us = r->time_us;
        x->about.startup_us = r->startup_us;
        if (s->end != NULL && !r->stopped)
            s->end(s->close_arg, &x->about);
    }
    free(x);
    sessions_advance(s, r->time_us);
}

/* --- borders --- */

/* What this exchange says is over before it. */
static void close_before(struct sessions *s, struct det_session *x, const struct record_exchange *r,
                         const struct chatter *c, const struct tag *tag)
{
    struct unit *u = x->unit;
    if (u == NULL)
        return;
    if (!x->in_tx && r->start_us - u->last_us >= patience(s, x))
        close_session_unit(s, x, UNIT_BY_GAP);
    else if (tag != NULL && u->tag != NULL && !tag_same_endpoint(tag, u->tag))
        close_session_unit(s, x, UNIT_EXACT);
    else if (c != NULL && c->boundary == CHATTER_BEGINS && !x->in_tx)
        close_session_unit(s, x, UNIT_BY_MARKER);
}

/* The transaction as this exchange left it; true when it ended one. */
static bool move_transaction(struct sessions *s, struct det_session *x,
                             const struct record_exchange *r, const struct statement *st,
                             const struct chatter *c)
{
    bool was = x->in_tx || r->tx_before == 'T' || r->tx_before == 'E';
    bool opens = r->verb == SQL_VERB_BEGIN || r->verb == SQL_VERB_START;
    if (r->tx_after == 'I')
        x->in_tx = false;
    else if (r->tx_after == 'T' || r->tx_after == 'E' || opens)
        x->in_tx = true;
    else
        x->in_tx = was; /* inside a pipeline: not known before its end */
    if (x->tx.begin_us != 0)
        count_in_transaction(x, r, st, c);
    bool ended = (was || opens) && !x->in_tx;
    if (ended)
        end_transaction(s, x,
                        r->verb == SQL_VERB_COMMIT || r->verb == SQL_VERB_END
                            ? TRANSACTION_COMMITTED
                            : TRANSACTION_ROLLED_BACK);
    return ended;
}

/* What this exchange, sent at `mark_us`, says is over after it. */
static void close_after(struct sessions *s, struct det_session *x, const struct chatter *c,
                        int64_t mark_us, bool ended_tx)
{
    if (c != NULL && c->boundary == CHATTER_ENDS) {
        x->asyncpg |= c->verb == SQL_VERB_SELECT; /* pg_advisory_unlock_all() */
        if (x->unit != NULL) {
            x->unit->whole = true;
            x->unit->until_us = mark_us;
        }
        close_session_unit(s, x, UNIT_BY_MARKER);
        x->marked = true;
    } else if (ended_tx && !x->marked) {
        close_session_unit(s, x, UNIT_BY_TRANSACTION);
    } else if (x->unit != NULL && !x->in_tx) {
        start_waiting(s, x);
    } else {
        stop_waiting(s, x);
    }
}

/* A busy connection without marks would gather for ever: hand out the requests that are complete
 * now that the first statement comes again. */
static void cut_early(struct sessions *s, struct det_session *x, const struct statement *st)
{
    struct unit *u = x->unit;
    if (u == NULL || x->in_tx || x->marked || u->n < u->recheck || st != u->exchanges[0].statement)
        return;
    u->recheck = u->n * 2;
    u->client = x->about.client;
    size_t n_cuts;
    size_t *cuts = s->cut(s->close_arg, u, &n_cuts);
    if (cuts == NULL)
        return;
    if (x->fresh)
        u->new_connections = 1;
    x->fresh = false;
    x->about.units += n_cuts + 1;
    (void)hand_out(s, u, cuts, n_cuts);
    unit_reset(u);
}

/* The open transaction's number in the unit, which may be younger than the transaction. */
static uint32_t transaction_number(struct unit *u, struct det_session *x)
{
    if (x->tx.begin_us != 0 && x->tx.number == 0)
        x->tx.number = unit_begin_transaction(u);
    return x->tx.begin_us != 0 ? x->tx.number : 0;
}

/* When the connection came free that this request takes now: 0 where another one of its client has
 * lain idle since then, for nobody waits beside an idle connection. One whose statement is still
 * under way looks idle, too: better to miss a wait than to make one up. */
static int64_t handed_over(const struct det_session *x)
{
    return pool_order_idle_since(&x->place) >= x->free_us ? x->free_us : 0;
}

/* The unit of this exchange's trace, which is now the session's. */
static struct unit *traced_unit(struct sessions *s, struct det_session *x)
{
    x->trace = s->trace;
    struct unit *u = trace_unit(s, s->trace);
    if (u != NULL) {
        if (u->n == 0 && u->chatter == 0)
            u->handed_us = handed_over(x);
        u->asyncpg = u->asyncpg || x->asyncpg;
        u->marked |= s->marked;
        if (s->request != NULL) {
            u->http = *s->request;
            if (u->last_us < u->http.end_us)
                u->last_us = u->http.end_us; /* however long it is silent: it is one request */
        }
    }
    return u;
}

static void take_data(struct sessions *s, struct det_session *x, const struct record_exchange *r,
                      struct statement *st, const struct tag *tag)
{
    struct unit *u = NULL;
    if (s->trace != x->trace && (s->trace != 0 || x->tx.statements == 0)) {
        x->trace = s->trace;
        x->tx.number = 0; /* its BEGIN came without a tag, as if of the request before */
    }
    if (s->trace != 0) {
        u = traced_unit(s, x);
        if (u != NULL && x->fresh)
            u->new_connections++;
        x->fresh = false;
    } else {
        if (!x->in_tx)
            x->trace = 0;
        cut_early(s, x, st);
        u = x->unit = x->unit != NULL ? x->unit : take_unit(s);
    }
    if (u == NULL) {
        s->lost++;
        return;
    }
    if (u->tag == NULL)
        u->tag = tag;
    if (u->application == NULL)
        u->application = x->application;
    bool idle = !x->in_tx && r->tx_before != 'T' && r->tx_before != 'E';
    (void)unit_add(u, r, st, tag, idle, transaction_number(u, x));
}

/* Transactions take time of the unit; what keeps a pool or a driver going does not. */
static void take_chatter(struct sessions *s, struct det_session *x, const struct record_exchange *r,
                         const struct chatter *c)
{
    s->chatter++;
    if (c->class != CHATTER_TX) {
        if (x->unit != NULL)
            x->unit->chatter++;
        return;
    }
    if (s->trace != 0) {
        struct unit *u = traced_unit(s, x);
        if (u != NULL)
            unit_add_chatter(u, r);
        return;
    }
    struct unit *traced = x->trace != 0 ? map64_get(&s->traces, x->trace) : NULL;
    if (traced != NULL && r->verb != SQL_VERB_BEGIN && r->verb != SQL_VERB_START) {
        unit_add_chatter(traced, r);
        return;
    }
    if (x->unit == NULL)
        x->unit = take_unit(s);
    if (x->unit != NULL)
        unit_add_chatter(x->unit, r);
}

static const struct chatter *chatter_of(const struct statement *st, const struct record_exchange *r)
{
    if (st->chatter != NULL)
        return st->chatter;
    bool by_verb = r->verb == SQL_VERB_EMPTY || st->text.len == 0;
    if (!by_verb || r->verb >= SQL_VERB_COUNT)
        return NULL;
    return chatter_find((enum sql_verb)r->verb, st->text);
}

void sessions_exchange(struct sessions *s, const struct record_exchange *r, struct statement *st,
                       const struct exchange_origin *origin)
{
    struct det_session *x = session_of(s, r->session);
    const struct tag *tag = origin->tag;
    s->trace = origin->trace;
    s->request = origin->request;
    s->marked = origin->marked;
    if (x == NULL) {
        s->lost++;
        return;
    }
    const struct chatter *c = chatter_of(st, r);
    close_before(s, x, r, c, tag);
    enter_transaction(s, x, r);
    x->about.statements += c == NULL;
    if (c != NULL)
        take_chatter(s, x, r, c);
    else
        take_data(s, x, r, st, tag);
    bool ended_tx = move_transaction(s, x, r, st, c);
    close_after(s, x, c, r->start_us, ended_tx);
    if (r->verb != SQL_VERB_BEGIN && r->verb != SQL_VERB_START)
        x->free_us = r->start_us + (int64_t)r->total_us;
    pool_order_use(&x->place, r->start_us + (int64_t)r->total_us);
    sessions_advance(s, r->start_us + (int64_t)r->total_us);
}

static int by_id(const void *a, const void *b)
{
    const struct det_session *x = *(struct det_session *const *)a;
    const struct det_session *y = *(struct det_session *const *)b;
    return x->id < y->id ? -1 : x->id > y->id;
}

void sessions_finish(struct sessions *s)
{
    while (s->oldest_trace != NULL)
        close_trace(s, s->oldest_trace);
    struct det_session **all = calloc(s->by_id.count + 1, sizeof(struct det_session *));
    size_t n = 0;
    size_t at = 0;
    struct det_session *x;
    while (all == NULL && (x = map64_next(&s->by_id, &at, NULL)) != NULL)
        close_session_unit(s, x, UNIT_BY_GAP); /* in no order, but all of them */
    if (all == NULL)
        return;
    while ((x = map64_next(&s->by_id, &at, NULL)) != NULL)
        all[n++] = x;
    qsort(all, n, sizeof(struct det_session *), by_id);
    for (size_t i = 0; i < n; i++)
        close_session_unit(s, all[i], UNIT_BY_GAP);
    free(all);
}

uint64_t sessions_client(struct sessions *s, uint64_t session)
{
    const struct det_session *x = find_session(s, session);
    return x != NULL ? x->about.client : 0;
}

int64_t sessions_transaction_begin(const struct sessions *s, uint64_t session)
{
    const struct det_session *x = map64_get(&s->by_id, session);
    return x != NULL ? x->tx.begin_us : 0;
}
