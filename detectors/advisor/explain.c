#include "detectors/advisor/explain.h"

#include "detectors/advisor/hypothetical.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* Below, the planner reads a table whole whatever indexes there are: structure is judged. */
    SMALL_TABLE_ROWS = 10000,
    PATH_SIZE = 1024,
    MAX_GENERIC_PARAMS = 100,
};

/* What one job carries through its steps. */
struct task {
    struct advisor_link *link;
    struct advisor_catalog *catalog;
    const struct advisor_job *job;
    struct advisor_answer *answer;
    char path[PATH_SIZE];    /* the role's search_path, in which the statement's names are found */
    char schemas[PATH_SIZE]; /* those of it that exist, as an array */
    char hypopg[ADVISOR_SCHEMA_SIZE];
    bool leaves_something; /* on the connection, beyond the transaction */
};

static struct strbuf *text_at(struct advisor_answer *answer, size_t i)
{
    struct strbuf *const all[RECORD_PLAN_TEXTS] = {
        &answer->schema, &answer->table, &answer->filter,     &answer->columns,
        &answer->note,   &answer->node,  &answer->after_node, &answer->parent};
    return all[i];
}

void advisor_answer_init(struct advisor_answer *answer)
{
    static const size_t sizes[RECORD_PLAN_TEXTS] = {
        ADVISOR_NAME_SIZE, ADVISOR_NAME_SIZE, ADVISOR_FILTER_MAX, ADVISOR_COLUMNS_MAX,
        ADVISOR_NOTE_MAX,  ADVISOR_NAME_SIZE, ADVISOR_NAME_SIZE,  2 * ADVISOR_NAME_SIZE};
    *answer = (struct advisor_answer){.status = PLAN_OK};
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++)
        strbuf_init(text_at(answer, i), sizes[i]);
}

void advisor_answer_fini(struct advisor_answer *answer)
{
    for (size_t i = 0; i < RECORD_PLAN_TEXTS; i++)
        strbuf_fini(text_at(answer, i));
}

/* --- transaction --- */

static void keep(char out[PATH_SIZE], const char *text)
{
    snprintf(out, PATH_SIZE, "%s", strlen(text) < PATH_SIZE ? text : "");
}

static enum advisor_link_status begin(struct task *t)
{
    static const char settings[] =
        "SELECT pg_catalog.set_config('statement_timeout', $1, true), "
        "pg_catalog.set_config('lock_timeout', $2, true), "
        "pg_catalog.current_setting('search_path'), pg_catalog.current_schemas(true)";
    const struct advisor_options *options = t->link->options;
    char statement_ms[24];
    char lock_ms[24];
    PGresult *r;
    snprintf(statement_ms, sizeof(statement_ms), "%lld", (long long)options->statement_timeout_ms);
    snprintf(lock_ms, sizeof(lock_ms), "%lld", (long long)options->lock_timeout_ms);
    const char *const values[] = {statement_ms, lock_ms};
    enum advisor_link_status status = advisor_link_query(t->link, "BEGIN READ ONLY", NULL, NULL);
    if (status == LINK_OK)
        status = advisor_link_query_text(t->link, settings, 2, values, &r);
    if (status != LINK_OK)
        return status;
    if (PQntuples(r) == 1) {
        keep(t->path, PQgetvalue(r, 0, 2));
        keep(t->schemas, PQgetvalue(r, 0, 3));
    }
    PQclear(r);
    return LINK_OK;
}

/* A connection that was idle may be dead without anybody having noticed: one more try on a new one.
 */
static enum advisor_link_status open_and_begin(struct task *t)
{
    bool was_open = t->link->conn != NULL;
    enum advisor_link_status status = advisor_link_open(t->link);
    if (status == LINK_OK)
        status = begin(t);
    if (status == LINK_DOWN && was_open) {
        status = advisor_link_open(t->link);
        if (status == LINK_OK)
            status = begin(t);
    }
    return status;
}

static enum advisor_link_status set_path(struct task *t, const char *path)
{
    const char *const values[] = {path};
    return advisor_link_query_text(t->link, "SELECT pg_catalog.set_config('search_path', $1, true)",
                                   1, values, NULL);
}

/* --- proposals --- */

static void propose(struct task *t, const struct advisor_candidate *c)
{
    strbuf_puts(&t->answer->columns, c->columns);
    t->answer->n_equal = c->n_equal;
    t->answer->flags |= c->on_foreign_key ? PLAN_ON_FOREIGN_KEY : 0;
}

/* In a table of a few rows an index changes no plan; whether one would serve is seen without the
 * planner's way out. */
static enum advisor_link_status probe_small(struct task *t, const struct advisor_scan *scan,
                                            const struct advisor_advice *advice)
{
    bool still;
    enum advisor_link_status status = advisor_without_seqscan(t->link, t->job, scan, &still);
    if (status == LINK_OK && still) {
        propose(t, &advice->candidates[0]);
        t->answer->flags |= PLAN_NO_INDEX;
    }
    return status;
}

static enum advisor_link_status try_candidates(struct task *t, const struct advisor_plan *plan,
                                               const struct advisor_advice *advice)
{
    struct advisor_trial trial;
    enum advisor_link_status status =
        advisor_hypothetical_try(t->link, t->job, t->hypopg, plan, advice, &trial);
    t->leaves_something = status != LINK_OK;
    if (!trial.tried) {
        if (!advice->exists)
            propose(t, &advice->candidates[0]);
        return status;
    }
    t->answer->source = PLAN_SOURCE_HYPOPG;
    if (trial.candidate < 0) {
        t->answer->flags |= PLAN_NOT_WORTH_IT;
        return LINK_OK;
    }
    t->answer->flags &= ~(unsigned)PLAN_NOT_WORTH_IT;
    propose(t, &advice->candidates[trial.candidate]);
    t->answer->after_cost = trial.cost;
    strbuf_puts(&t->answer->after_node, trial.node);
    return LINK_OK;
}

static enum advisor_link_status choose(struct task *t, const struct advisor_plan *plan,
                                       const struct advisor_table *table,
                                       const struct advisor_advice *advice)
{
    if (advice->exists)
        t->answer->flags |= PLAN_NOT_WORTH_IT; /* until a trial shows otherwise */
    if (advice->n == 0)
        return LINK_OK;
    enum advisor_link_status status = set_path(t, t->path);
    if (status != LINK_OK)
        return status;
    if (table->rows < SMALL_TABLE_ROWS)
        return probe_small(t, &plan->scan, advice);
    if (t->hypopg[0] != '\0')
        return try_candidates(t, plan, advice);
    if (!advice->exists)
        propose(t, &advice->candidates[0]);
    return LINK_OK;
}

static void put_masked(struct strbuf *out, const char *filter)
{
    char *masked = malloc(ADVISOR_FILTER_MAX);
    if (masked == NULL || filter[0] == '\0') {
        free(masked);
        return;
    }
    if (out->len > 0)
        strbuf_puts(out, " and ");
    strbuf_add(out, masked, advisor_filter_mask(filter, masked, ADVISOR_FILTER_MAX - out->len));
    free(masked);
}

static void describe(struct task *t, const struct advisor_scan *scan,
                     const struct advisor_table *table)
{
    struct advisor_answer *answer = t->answer;
    answer->reason = scan->sort_keys != NULL ? PLAN_SORT : PLAN_SCAN;
    answer->scan_cost = scan->cost;
    answer->kept_rows = scan->kept_rows;
    answer->table_rows = table->rows;
    answer->table_bytes = table->bytes;
    strbuf_puts(&answer->node, scan->node);
    strbuf_puts(&answer->schema, scan->schema);
    strbuf_puts(&answer->table, scan->table);
    put_masked(&answer->filter, scan->condition);
    put_masked(&answer->filter, scan->filter);
}

/* All of the order or nothing of it. */
static void read_filter(const struct advisor_scan *scan, struct advisor_filter *out)
{
    advisor_filter_read(scan->condition, scan->alias, out);
    advisor_filter_add(scan->filter, scan->alias, out);
    unsigned n_terms = out->n_terms;
    size_t i;
    json_t *key;
    json_array_foreach(scan->sort_keys, i, key)
    {
        const char *text = json_string_value(key);
        if (text == NULL || !advisor_filter_add_order(text, scan->alias, out)) {
            out->n_terms = n_terms;
            return;
        }
    }
}

static enum advisor_link_status judge_scan(struct task *t, const struct advisor_plan *plan)
{
    struct advisor_filter filter;
    struct advisor_table *table = calloc(1, sizeof(*table));
    struct advisor_advice *advice = calloc(1, sizeof(*advice));
    enum advisor_link_status status = LINK_DOWN;
    if (table == NULL || advice == NULL)
        goto out;
    read_filter(&plan->scan, &filter);
    status = advisor_catalog_read(t->catalog, t->link, &plan->scan, &filter, t->schemas, table);
    if (status == LINK_OK)
        status = advisor_hypothetical_find(t->link, t->hypopg);
    if (status != LINK_OK)
        goto out;
    describe(t, &plan->scan, table);
    advisor_advice_make(&filter, table, advice, &t->answer->note);
    status = choose(t, plan, table, advice);
out:
    free(advice);
    free(table);
    return status;
}

/* Each row that is deleted makes the server look for rows that refer to it. */
static enum advisor_link_status judge_delete(struct task *t, const struct advisor_plan *plan)
{
    struct advisor_child child;
    struct advisor_answer *answer = t->answer;
    unsigned n;
    enum advisor_link_status status = advisor_catalog_children(t->link, &plan->deleted, &child, &n);
    if (status != LINK_OK || n == 0)
        return status;
    answer->reason = PLAN_FOREIGN_KEY;
    answer->flags |= PLAN_ON_FOREIGN_KEY | PLAN_NO_INDEX;
    answer->table_rows = child.rows;
    answer->table_bytes = child.bytes;
    strbuf_puts(&answer->schema, child.schema);
    strbuf_puts(&answer->table, child.table);
    strbuf_puts(&answer->columns, child.columns);
    strbuf_puts(&answer->node, "Delete");
    strbuf_printf(&answer->parent, "%s.%s", plan->deleted.schema, plan->deleted.table);
    if (n > 1)
        strbuf_printf(&answer->note, "%u more foreign keys refer to it without an index", n - 1);
    return LINK_OK;
}

static enum advisor_link_status judge(struct task *t, const struct advisor_plan *plan)
{
    enum advisor_link_status status = LINK_OK;
    t->answer->total_cost = plan->total_cost;
    if (plan->deleted.table[0] == '\0' && !plan->has_scan)
        return LINK_OK;
    status = set_path(t, "");
    if (status == LINK_OK && plan->deleted.table[0] != '\0')
        status = judge_delete(t, plan);
    if (status == LINK_OK && plan->has_scan && t->answer->reason == PLAN_NOTHING)
        status = judge_scan(t, plan);
    return status;
}

/* A prepared statement comes to use a plan that knows no values. Not asked where the probe without
 * sequential scans still holds: its costs say nothing. The last question: an error here
 * ends the transaction, and changes nothing of what is known. */
static enum advisor_link_status ask_generic(struct task *t)
{
    struct advisor_plan plan;
    if (t->answer->columns.len == 0 || t->answer->reason == PLAN_FOREIGN_KEY ||
        (t->answer->flags & PLAN_NO_INDEX) != 0 || t->job->n_params == 0 ||
        t->job->n_params > MAX_GENERIC_PARAMS)
        return LINK_OK;
    enum advisor_link_status status = advisor_ask_generic(t->link, t->job, &plan);
    t->leaves_something = status != LINK_OK;
    if (status == LINK_OK) {
        t->answer->generic_cost = plan.total_cost;
        t->answer->flags |= PLAN_GENERIC;
    }
    advisor_plan_fini(&plan);
    return status;
}

static enum record_plan_status plan_status(enum advisor_link_status status)
{
    switch (status) {
    case LINK_OK:
        return PLAN_OK;
    case LINK_REFUSED:
        return PLAN_ERROR;
    case LINK_TIMEOUT:
        return PLAN_TIMEOUT;
    case LINK_DOWN:
    case LINK_STOPPED:
        break;
    }
    return PLAN_NO_CONNECTION;
}

/* Nothing may meet the next statement: neither a transaction that cannot be ended, nor what a trial
 * that failed left outside of it. (Behind a pooler, cleaning up after the transaction might meet a
 * connection of the application's.) */
static void clean_up(struct task *t)
{
    if (t->link->conn == NULL)
        return;
    bool ended = advisor_link_query(t->link, "ROLLBACK", NULL, NULL) == LINK_OK;
    if (!ended || t->leaves_something)
        advisor_link_close(t->link);
}

static enum advisor_link_status ask_all(struct task *t)
{
    struct advisor_plan plan;
    enum advisor_link_status status = advisor_ask(t->link, t->job, &plan);
    if (status == LINK_OK)
        status = judge(t, &plan);
    if (status == LINK_OK)
        status = ask_generic(t);
    advisor_plan_fini(&plan);
    /* With the plan in hand a question that was refused is no failure. */
    if (status == LINK_REFUSED && t->answer->reason != PLAN_NOTHING) {
        t->link->sqlstate[0] = '\0';
        status = LINK_OK;
    }
    return status;
}

bool advisor_explain(struct advisor_link *link, struct advisor_catalog *catalog,
                     const struct advisor_job *job, struct advisor_answer *answer)
{
    struct task t = {.link = link, .catalog = catalog, .job = job, .answer = answer};
    link->sqlstate[0] = '\0';
    link->queries = 0;
    link->busy_us = 0;
    enum advisor_link_status status = open_and_begin(&t);
    if (link->conn != NULL)
        answer->server_major = (uint8_t)(PQserverVersion(link->conn) / 10000);
    if (status == LINK_OK)
        status = ask_all(&t);
    answer->status = plan_status(status);
    memcpy(answer->sqlstate, link->sqlstate, sizeof(answer->sqlstate));
    clean_up(&t);
    answer->queries = link->queries;
    answer->busy_us = (uint32_t)(link->busy_us < UINT32_MAX ? link->busy_us : UINT32_MAX);
    return status != LINK_STOPPED;
}
