#include "detectors/rules/proposals.h"

#include "detectors/ledger.h"
#include "detectors/names.h"
#include "detectors/rules/writes.h"

#include <stdlib.h>

enum {
    MAX_MERGED = 1000, /* of the first so many, each is held against each */
    MAX_TABLES = WRITES_MAX_TABLES,
    MAX_PARTS = 4,
    /* A table with fewer rows is one page or two, and may be so for good. */
    FEW_ROWS = 100,
};

/* --- judging --- */

static bool is_large(const struct det_settings *set, const struct record_plan *p)
{
    return p->table_rows >= (double)set->missing_index_min_rows && p->table_rows > 0;
}

static bool keeps_little(const struct det_settings *set, const struct record_plan *p)
{
    return p->table_rows > 0 && p->kept_rows / p->table_rows <= set->missing_index_max_selectivity;
}

static bool is_waste(const struct det_settings *set, const struct record_plan *p)
{
    if (p->table_len == 0 || (p->flags & PLAN_NOT_WORTH_IT) != 0)
        return false;
    if (p->reason == PLAN_FOREIGN_KEY)
        return is_large(set, p);
    return (p->columns_len > 0 || p->index_note_len > 0) && is_large(set, p) &&
           keeps_little(set, p) && p->total_cost >= set->missing_index_min_cost;
}

/* A foreign key is followed sooner or later; another column has to pick few rows out of some. */
static bool is_structure(const struct det_settings *set, const struct record_plan *p)
{
    if (p->columns_len == 0 || (p->flags & PLAN_NO_INDEX) == 0 || is_large(set, p))
        return false;
    return (p->flags & PLAN_ON_FOREIGN_KEY) != 0 ||
           (p->table_rows >= FEW_ROWS && keeps_little(set, p));
}

static bool judge_plan(const struct det_settings *set, const struct record_plan *p,
                       enum proposal_kind *kind)
{
    if (is_waste(set, p))
        *kind = p->columns_len > 0 ? PROPOSAL_WASTE : PROPOSAL_UNUSABLE;
    else if (is_structure(set, p))
        *kind = PROPOSAL_STRUCTURE;
    else
        return false;
    return true;
}

/* All parts of a list of columns, of which the first MAX_PARTS are given. */
static unsigned split(struct span list, struct span out[MAX_PARTS])
{
    unsigned n = 0;
    struct span one;
    for (; name_next_part(&list, &one); n++) {
        if (n < MAX_PARTS)
            out[n] = one;
    }
    return n;
}

static void read_texts(struct proposal *p)
{
    struct span texts[RECORD_PLAN_TEXTS];
    struct span parts[MAX_PARTS];
    record_plan_texts(p->plan, texts);
    p->schema = texts[PLAN_SCHEMA];
    p->table = texts[PLAN_TABLE];
    p->columns = texts[PLAN_COLUMNS];
    p->note = texts[PLAN_NOTE];
    p->node = texts[PLAN_NODE];
    p->after_node = texts[PLAN_AFTER_NODE];
    p->parent = texts[PLAN_PARENT];
    p->n_equal = p->plan->n_equal;
    p->n_columns = split(p->columns, parts);
}

/* The newest plan that asks for an index counts, when at least every second one does: an index that
 * serves the odd value only is not worth its writes. */
static bool judge_usage(const struct det_settings *set, const struct usage *u, struct proposal *out)
{
    *out = (struct proposal){.usage = u};
    for (size_t i = 0; i < STATEMENT_PLANS; i++) {
        enum proposal_kind kind;
        const struct record_plan *plan = u->statement->plans[i];
        out->sets += plan != NULL;
        if (plan == NULL || !judge_plan(set, plan, &kind))
            continue;
        out->for_it++;
        if (out->plan == NULL) {
            out->plan = plan;
            out->kind = kind;
        }
    }
    if (out->plan == NULL || 2 * out->for_it < out->sets)
        return false;
    read_texts(out);
    return true;
}

/* --- merging --- */

static bool is_among(struct span part, const struct span *parts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (span_equal(part, parts[i]))
            return true;
    }
    return false;
}

/* Whether the index that b asks for begins with what a asks for. Columns compared for equality may
 * come in any order. */
static bool is_served(const struct proposal *a, const struct proposal *b)
{
    struct span mine[MAX_PARTS];
    struct span theirs[MAX_PARTS];
    if (!span_equal(a->table, b->table) || !span_equal(a->schema, b->schema))
        return false;
    unsigned n = split(a->columns, mine);
    unsigned m = split(b->columns, theirs);
    if (n == 0 || n > m || m > MAX_PARTS)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (i < a->n_equal ? !is_among(mine[i], theirs, n) : !span_equal(mine[i], theirs[i]))
            return false;
    }
    return true;
}

/* Each is served by the widest index that serves it; of equals, by the first. */
static void merge(struct proposals *p)
{
    size_t n = p->n < MAX_MERGED ? p->n : MAX_MERGED;
    for (size_t i = 0; i < p->n; i++) {
        struct proposal *mine = &p->list[i];
        mine->served_by = i;
        for (size_t k = 0; i < n && k < n; k++) {
            const struct proposal *best = &p->list[mine->served_by];
            unsigned columns = p->list[k].n_columns;
            bool wider =
                columns > best->n_columns || (columns == best->n_columns && k < mine->served_by);
            if (wider && is_served(mine, &p->list[k]))
                mine->served_by = k;
        }
    }
}

/* --- activity --- */

static struct activity *activity_of(struct proposals *p, struct span table)
{
    uint64_t key = writes_table_key(table);
    struct activity *a = map64_get(&p->by_table, key);
    if (a != NULL || p->n_activity == MAX_TABLES)
        return a;
    a = &p->activity[p->n_activity];
    if (map64_put(&p->by_table, key, a) != MAP64_OK)
        return NULL;
    p->n_activity++;
    return a;
}

/* A write's first table is the one it writes to; all others are read. */
static void count_usage(struct proposals *p, const struct usage *u)
{
    const struct statement *s = u->statement;
    unsigned n_tables = s->facts != NULL && s->facts->status == FACTS_OK ? s->facts->n_tables : 0;
    for (unsigned i = 0; i < n_tables; i++) {
        struct activity *a = activity_of(p, ledger_table(s, i));
        if (a == NULL)
            continue;
        if (i == 0 && statement_changes_rows(s, statement_verb(s)))
            a->writes += u->calls;
        else
            a->reads += u->calls;
    }
}

struct activity proposals_activity(const struct proposals *p, struct span table)
{
    const struct activity *a = map64_get(&p->by_table, writes_table_key(table));
    return a != NULL ? *a : (struct activity){0, 0};
}

/* --- all --- */

static bool is_judged(const struct usage *u)
{
    const struct statement *s = u->statement;
    return s->chatter == NULL && s->plans[0] != NULL && s->facts != NULL &&
           s->facts->status == FACTS_OK;
}

bool proposals_make(struct proposals *p, const struct audit *audit)
{
    size_t most = 0;
    *p = (struct proposals){.n = 0};
    map64_init(&p->by_table, MAX_TABLES);
    for (const struct endpoint *e = audit_endpoints(audit); e != NULL; e = e->next) {
        for (const struct usage *u = e->usages; u != NULL; u = u->next)
            most += is_judged(u);
    }
    p->list = calloc(most + 1, sizeof(*p->list));
    p->activity = calloc(MAX_TABLES, sizeof(*p->activity));
    if (p->list == NULL || p->activity == NULL)
        return false;
    for (const struct endpoint *e = audit_endpoints(audit); e != NULL; e = e->next) {
        for (const struct usage *u = e->usages; u != NULL; u = u->next) {
            count_usage(p, u);
            if (is_judged(u) && judge_usage(audit_settings(audit), u, &p->list[p->n]))
                p->n++;
        }
    }
    merge(p);
    return true;
}

void proposals_free(struct proposals *p)
{
    map64_fini(&p->by_table);
    free(p->activity);
    free(p->list);
}
