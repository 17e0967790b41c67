/*
 * Lost updates, seen to happen: a request reads a row, another connection changes it, and the first
 * one then writes its own value over that, without a lock and without looking again.
 *
 * Rows are known by table and key value, going by the grammar: a SELECT and an UPDATE that find one
 * row by a single `=`. Nothing is guessed from the shape of code: without two connections that
 * really met there is no finding.
 */
#include "detectors/advice.h"
#include "detectors/advice_template.h"
#include "detectors/ledger.h"
#include "detectors/rules/rules.h"
#include "detectors/rules/tally.h"
#include "detectors/sessions.h"
#include "detectors/text.h"
#include "wire/values.h"

enum { MAX_ROWS_WATCHED = 16384, WRITES_KEPT = 16 };

struct row_write {
    uint64_t session;
    const struct statement *statement;
    int64_t at_us;
};

/* The last writes of one row of a table: requests with a trace id are judged seconds later. */
struct row {
    struct row_write writes[WRITES_KEPT];
    unsigned next; /* to be overwritten */
};

struct rows {
    struct arena *arena;
    struct map64 by_key;
    struct tallies *tallies;
    uint64_t lost; /* writes to rows without room */
};

static void *init(struct arena *arena)
{
    struct rows *r = arena_alloc(arena, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->arena = arena;
    r->tallies = tallies_init(arena);
    map64_init(&r->by_key, MAX_ROWS_WATCHED);
    return r->tallies != NULL ? r : NULL;
}

static void fini(void *state)
{
    struct rows *r = state;
    if (r == NULL)
        return;
    tallies_fini(r->tallies);
    map64_fini(&r->by_key);
}

static uint64_t lost(const void *state)
{
    const struct rows *r = state;
    return r->lost + tallies_lost(r->tallies);
}

/* Whether it finds its row by a single `=` and nothing else. */
static bool has_one_key(const struct statement *s)
{
    struct statement_predicate p;
    unsigned n = 0;
    if (s->serial == 0 || s->facts == NULL || s->facts->status != FACTS_OK ||
        s->facts->n_tables != 1)
        return false;
    for (unsigned i = 0; statement_predicate_at(s, i, &p); i++) {
        if (p.op != PREDICATE_EQ)
            return false;
        n++;
    }
    return n == 1;
}

/* Facts come when the parser has time, often after the first requests: until then it may be. */
static bool may_have_one_key(const struct statement *s)
{
    return s->serial != 0 && (s->facts == NULL || has_one_key(s));
}

static uint64_t row_key(const struct statement *s, uint64_t value)
{
    return wire_hash_combine(wire_value_hash(WIRE_OID_TEXT, 0, ledger_table(s, 0)), value);
}

/* `set stock = ?`, not `set stock = stock - ?`: the value came from the application. */
static bool sets_values(const struct statement *s)
{
    struct span rest = span_skip(s->text, span_find(s->text, " set "));
    struct span behind = span_skip(rest, span_find_byte(rest, '=') + 1);
    return behind.len > 1 && behind.data[0] == ' ' && behind.data[1] == SQL_HOLE;
}

/* --- what all connections write --- */

static void on_exchange(void *state, struct audit *audit, const struct seen_exchange *x)
{
    struct rows *r = state;
    const struct record_exchange *e = x->record;
    const unsigned odd = EXCHANGE_ERROR | EXCHANGE_UNKNOWN | EXCHANGE_VALUES_CUT;
    (void)audit;
    if (e->verb != SQL_VERB_UPDATE || (e->exchange_flags & odd) != 0 || e->n_values == 0 ||
        e->affected != 1 || !may_have_one_key(x->statement))
        return;
    const uint64_t *values = (const void *)record_tail(&e->h, sizeof(*e), 0, 0).data;
    /* The key stands in WHERE, behind what is set. */
    uint64_t key = row_key(x->statement, values[e->n_values - 1]);
    struct row *row = map64_get(&r->by_key, key);
    if (row == NULL) {
        bool full = r->by_key.count >= MAX_ROWS_WATCHED;
        row = full ? NULL : arena_alloc(r->arena, sizeof(*row));
        if (row == NULL || map64_put(&r->by_key, key, row) != MAP64_OK) {
            r->lost++;
            return;
        }
    }
    row->writes[row->next++ % WRITES_KEPT] =
        (struct row_write){.session = e->session, .statement = x->statement, .at_us = e->start_us};
}

/* --- what one request reads and writes back --- */

static bool is_row_read(const struct unit_exchange *x)
{
    return unit_exchange_reads(x) && x->rows == 1 && x->n_values == 1 &&
           may_have_one_key(x->statement);
}

static bool is_row_write(const struct unit_exchange *x)
{
    return x->verb == SQL_VERB_UPDATE && (x->flags & EXCHANGE_ERROR) == 0 && x->affected == 1 &&
           x->n_values >= 2 && may_have_one_key(x->statement);
}

/* The write of another connection between the two, or NULL. What `write` is will be known when it
 * is judged; so will others be whose facts are still to come, but those known by now are preferred.
 */
static const struct row_write *others_write(const struct row *row, const struct unit_exchange *read,
                                            const struct unit_exchange *write)
{
    const struct row_write *found = NULL;
    for (int i = 0; i < WRITES_KEPT; i++) {
        const struct row_write *w = &row->writes[i];
        if (w->at_us <= read->start_us || w->at_us >= write->start_us ||
            w->session == write->session || !may_have_one_key(w->statement))
            continue;
        if (w->statement == write->statement || has_one_key(w->statement))
            return w;
        found = w;
    }
    return found;
}

/* Cases that count on the word of one statement of others, which is not known yet. */
enum { EXTRA_STATEMENT, EXTRA_CASES };

static const struct statement *counted_on(const struct tally *t)
{
    uintptr_t kept = (uintptr_t)t->extra[EXTRA_STATEMENT];
    return (const void *)kept; /* NOLINT(performance-no-int-to-ptr) */
}

/* False when the tally counts on another one already. */
static bool count_on(struct tally *t, const struct statement *s)
{
    if (counted_on(t) != NULL && counted_on(t) != s)
        return false;
    t->extra[EXTRA_STATEMENT] = (uintptr_t)s;
    t->extra[EXTRA_CASES]++;
    return true;
}

/* `read` is the latest read of the row before it. */
static void judge_write(struct rows *r, const struct unit *u, const struct unit_exchange *read,
                        const struct unit_exchange *x, uint64_t key)
{
    const struct row *row = map64_get(&r->by_key, key);
    const struct row_write *w =
        row != NULL && sets_values(x->statement) ? others_write(row, read, x) : NULL;
    if (w == NULL)
        return;
    struct tally *t = tally_get(r->tallies, u->endpoint, x->statement, read->statement, x->tag);
    bool known = w->statement == x->statement || has_one_key(w->statement);
    if (t != NULL && (known || count_on(t, w->statement)))
        tally_add(t, 1, 0);
}

static bool has_row_write(const struct unit *u)
{
    for (size_t i = 1; i < u->n; i++) {
        if (is_row_write(&u->exchanges[i]))
            return true;
    }
    return false;
}

static void on_unit_end(void *state, struct audit *audit, const struct unit *unit)
{
    (void)audit;
    if (!has_row_write(unit))
        return;
    struct map64 reads; /* by row, the latest */
    map64_init(&reads, unit->n);
    for (size_t i = 0; i < unit->n; i++) {
        struct unit_exchange *x = &unit->exchanges[i];
        if (is_row_read(x)) {
            (void)!map64_put(&reads, row_key(x->statement, x->values[0]), x);
        } else if (is_row_write(x)) {
            uint64_t key = row_key(x->statement, x->values[x->n_values - 1]);
            const struct unit_exchange *read = map64_get(&reads, key);
            if (read != NULL)
                judge_write(state, unit, read, x, key);
        }
    }
    map64_fini(&reads);
}

static const struct advice_texts texts = {
    .sqlalchemy =
        "from sqlalchemy import update\n\n"
        "# Let the database compute, so that nothing is read before; n is the column.\n"
        "session.execute(update({Model}).where({Model}.id == key).values(n={Model}.n - 1))\n"
        "# with AsyncSession: await session.execute(...)\n"
        "# or lock what is read: session.get({Model}, key, with_for_update=True)\n"
        "# or a version column: __mapper_args__ = {\"version_id_col\": version}\n",
    .django = "from django.db.models import F\n\n"
              "# Let the database compute, so that nothing is read before; n is the column.\n"
              "{Model}.objects.filter(pk=key).update(n=F(\"n\") - 1)\n"
              "# or lock what is read, inside transaction.atomic():\n"
              "{one} = {Model}.objects.select_for_update().get(pk=key)\n",
    .asyncpg = "# Let the database compute, so that nothing is read before; n is the column.\n"
               "await conn.execute(\"UPDATE {table} SET n = n - 1 WHERE id = $1\", key)\n"
               "# or lock what is read, inside a transaction: SELECT ... FOR UPDATE\n",
};

/* The facts may have come after the requests. */
static bool is_as_it_looked(const struct statement *write, const struct statement *read)
{
    return has_one_key(write) && has_one_key(read) && !statement_has(read, FACT_FOR_UPDATE) &&
           !statement_has(read, FACT_SKIP_LOCKED);
}

static void judge(const struct audit *a, const struct tally *t, struct findings *out)
{
    uint64_t n = t->count.count;
    if (counted_on(t) != NULL && !has_one_key(counted_on(t)))
        n -= t->extra[EXTRA_CASES];
    if (n == 0 || !is_as_it_looked(t->statement, t->other))
        return;
    struct measure m = {
        .what = "updates lost",
        .value = (double)n,
        .levels = audit_settings(a)->lost_update,
        .confidence = 0.9,
        .role = "overwrites",
        .other_role = "read",
    };
    struct finding *f = tally_finding(out, a, &det_lost_update, t, &m);
    if (f == NULL)
        return;
    f->wasted_ms_p95 = -1;
    f->issue = det_text(out->arena, "Updates of others overwritten in %s", t->endpoint->name);
    f->impact =
        det_text(out->arena,
                 "In %llu requests `%s` wrote over a row that another connection had changed "
                 "since this one read it: that change is lost.",
                 (unsigned long long)n, advice_sql(out->arena, t->statement));
    f->recommendation =
        det_text(out->arena, "Lock, or let the database compute, what %s reads and writes back",
                 t->endpoint->name);
    advice_template(out->arena, f, t->statement, &texts);
}

static void on_finish(void *state, const struct audit *audit, struct findings *out)
{
    const struct rows *r = state;
    tallies_judge(r->tallies, audit, out, judge);
}

const struct detector det_lost_update = {
    .name = "lost_update",
    .id = "PA013",
    .title = "Updates of others overwritten",
    .checklist = {7},
    .confirm = CONFIRM_LOAD | CONFIRM_CONFLICTS,
    .init = init,
    .on_exchange = on_exchange,
    .on_unit_end = on_unit_end,
    .on_finish = on_finish,
    .lost = lost,
    .fini = fini,
};
