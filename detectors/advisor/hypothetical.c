#include "detectors/advisor/hypothetical.h"

#include <stdio.h>
#include <stdlib.h>

/* An index has to halve the cost. One with more keys has to take another fifth away, and that be
 * more than the few pages that a lookup of some rows costs anyway. */
#define WORTH_IT        0.5
#define WORTH_MORE_KEYS 0.8
#define WORTH_MORE_COST 50

enum { SQL_MAX = ADVISOR_COLUMNS_MAX + 4 * ADVISOR_NAME_SIZE + 100 };

enum advisor_link_status advisor_hypothetical_find(struct advisor_link *link,
                                                   char schema[ADVISOR_SCHEMA_SIZE])
{
    static const char sql[] =
        "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e "
        "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'";
    PGresult *r;
    schema[0] = '\0';
    enum advisor_link_status status = advisor_link_query(link, sql, NULL, &r);
    if (status == LINK_OK && PQntuples(r) == 1 && strlen(PQgetvalue(r, 0, 0)) < ADVISOR_SCHEMA_SIZE)
        snprintf(schema, ADVISOR_SCHEMA_SIZE, "%s", PQgetvalue(r, 0, 0));
    if (status == LINK_OK)
        PQclear(r);
    return status;
}

static void put_quoted(struct strbuf *out, const char *name)
{
    strbuf_putc(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"')
            strbuf_putc(out, '"');
        strbuf_putc(out, *name);
    }
    strbuf_putc(out, '"');
}

/* Make the index; `name` is how its name begins in a plan. */
static enum advisor_link_status make(struct advisor_link *link, const char *schema,
                                     const struct advisor_scan *scan,
                                     const struct advisor_candidate *candidate, char *name,
                                     size_t name_size)
{
    char call[ADVISOR_SCHEMA_SIZE + 64];
    struct strbuf ddl;
    PGresult *r;
    snprintf(call, sizeof(call), "SELECT indexrelid FROM %s.hypopg_create_index($1)", schema);
    strbuf_init(&ddl, SQL_MAX);
    strbuf_puts(&ddl, "CREATE INDEX ON ");
    put_quoted(&ddl, scan->schema);
    strbuf_putc(&ddl, '.');
    put_quoted(&ddl, scan->table);
    strbuf_printf(&ddl, " (%s)", candidate->sql);
    const char *const values[] = {strbuf_text(&ddl)};
    enum advisor_link_status status =
        ddl.failed ? LINK_REFUSED : advisor_link_query_text(link, call, 1, values, &r);
    if (status == LINK_OK) {
        snprintf(name, name_size, "<%.12s>", PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "");
        PQclear(r);
    }
    strbuf_fini(&ddl);
    return status;
}

/* Of this connection all of them. */
static enum advisor_link_status forget(struct advisor_link *link, const char *schema)
{
    char call[ADVISOR_SCHEMA_SIZE + 64];
    snprintf(call, sizeof(call), "SELECT %s.hypopg_reset()", schema);
    return advisor_link_query(link, call, NULL, NULL);
}

static bool is_better(const struct advisor_trial *best, double before, double cost)
{
    bool saves_more = cost <= WORTH_MORE_KEYS * best->cost && cost <= best->cost - WORTH_MORE_COST;
    return cost <= WORTH_IT * before && (best->candidate < 0 || saves_more);
}

static enum advisor_link_status try_one(struct advisor_link *link, const struct advisor_job *job,
                                        const char *schema, const struct advisor_plan *before,
                                        const struct advisor_advice *advice, unsigned i,
                                        struct advisor_trial *best)
{
    char name[16];
    struct advisor_plan plan;
    enum advisor_link_status status =
        make(link, schema, &before->scan, &advice->candidates[i], name, sizeof(name));
    if (status != LINK_OK)
        return status;
    status = advisor_ask(link, job, &plan);
    const char *node = status == LINK_OK ? advisor_plan_index_node(&plan, name) : NULL;
    if (node != NULL && is_better(best, before->total_cost, plan.total_cost)) {
        best->candidate = (int)i;
        best->cost = plan.total_cost;
        snprintf(best->node, sizeof(best->node), "%s", node);
    }
    advisor_plan_fini(&plan);
    return status == LINK_OK ? forget(link, schema) : status;
}

enum advisor_link_status advisor_hypothetical_try(struct advisor_link *link,
                                                  const struct advisor_job *job, const char *schema,
                                                  const struct advisor_plan *before,
                                                  const struct advisor_advice *advice,
                                                  struct advisor_trial *out)
{
    enum advisor_link_status status = LINK_OK;
    *out = (struct advisor_trial){.candidate = -1};
    for (unsigned n_keys = 1; n_keys <= ADVISOR_MAX_TERMS; n_keys++) {
        for (unsigned i = 0; i < advice->n && status == LINK_OK; i++) {
            if (advice->candidates[i].n_keys == n_keys)
                status = try_one(link, job, schema, before, advice, i, out);
        }
    }
    out->tried = status == LINK_OK;
    return status;
}

enum advisor_link_status advisor_without_seqscan(struct advisor_link *link,
                                                 const struct advisor_job *job,
                                                 const struct advisor_scan *scan, bool *still)
{
    struct advisor_plan plan;
    enum advisor_link_status status = advisor_link_query(
        link, "SELECT pg_catalog.set_config('enable_seqscan', 'off', true)", NULL, NULL);
    if (status != LINK_OK)
        return status;
    status = advisor_ask(link, job, &plan);
    *still = status == LINK_OK && advisor_plan_reads_whole(&plan, scan->table, scan->alias);
    advisor_plan_fini(&plan);
    return status;
}
