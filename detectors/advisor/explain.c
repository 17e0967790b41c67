#include "detectors/advisor/explain.h"

#include "detectors/advisor/advice.h"
#include "detectors/advisor/catalog.h"
#include "detectors/advisor/filter.h"
#include "detectors/advisor/plan.h"

#include <stdio.h>
#include <stdlib.h>

static const char explain_head[] = "EXPLAIN (VERBOSE, FORMAT JSON) ";

void advisor_answer_init(struct advisor_answer *answer)
{
    *answer = (struct advisor_answer){.status = PLAN_OK};
    strbuf_init(&answer->schema, ADVISOR_NAME_SIZE);
    strbuf_init(&answer->table, ADVISOR_NAME_SIZE);
    strbuf_init(&answer->filter, ADVISOR_FILTER_MAX);
    strbuf_init(&answer->columns, ADVISOR_COLUMNS_MAX);
    strbuf_init(&answer->note, ADVISOR_NOTE_MAX);
}

void advisor_answer_fini(struct advisor_answer *answer)
{
    strbuf_fini(&answer->schema);
    strbuf_fini(&answer->table);
    strbuf_fini(&answer->filter);
    strbuf_fini(&answer->columns);
    strbuf_fini(&answer->note);
}

/* --- parameters --- */

/* Observed parameters as libpq takes them. `bytes` holds the values with a NUL behind each, which
 * libpq wants behind those in text format; it is wiped. */
struct bound {
    unsigned n;
    Oid *types;
    const char **values;
    int *lengths;
    int *formats;
    char *bytes;
    size_t size;
};

static void bound_fini(struct bound *b)
{
    if (b->bytes != NULL)
        explicit_bzero(b->bytes, b->size);
    free(b->bytes);
    free(b->types);
    free(b->values);
    free(b->lengths);
    free(b->formats);
}

/* One parameter at the head of `tail`: {u32 type, u16 format, u16 0, i32 length, bytes, padding to
 * 4}, in the machine's order. The rest of the tail, or false when it is cut short. */
static bool bind_one(struct bound *b, unsigned i, struct span *tail, size_t *used)
{
    uint32_t type;
    uint16_t format;
    int32_t length;
    if (tail->len < 12)
        return false;
    memcpy(&type, tail->data, sizeof(type));
    memcpy(&format, tail->data + 4, sizeof(format));
    memcpy(&length, tail->data + 8, sizeof(length));
    *tail = span_skip(*tail, 12);
    size_t len = length > 0 ? (size_t)length : 0;
    if (len > tail->len || len + 1 > b->size - *used)
        return false;
    b->types[i] = type;
    b->formats[i] = format;
    b->lengths[i] = (int)len;
    b->values[i] = length < 0 ? NULL : b->bytes + *used;
    if (len > 0)
        memcpy(b->bytes + *used, tail->data, len);
    b->bytes[*used + len] = '\0';
    *used += len + 1;
    *tail = span_skip(*tail, (len + 3) & ~(size_t)3);
    return true;
}

static bool bound_init(struct bound *b, const struct advisor_job *job)
{
    unsigned n = job->n_params;
    *b = (struct bound){.n = n, .size = job->params_len + n + 1};
    b->types = calloc(n + 1, sizeof(*b->types));
    b->values = calloc(n + 1, sizeof(*b->values));
    b->lengths = calloc(n + 1, sizeof(*b->lengths));
    b->formats = calloc(n + 1, sizeof(*b->formats));
    b->bytes = malloc(b->size);
    if (b->types == NULL || b->values == NULL || b->lengths == NULL || b->formats == NULL ||
        b->bytes == NULL)
        return false;
    struct span tail = span_of(job->params, job->params_len);
    size_t used = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!bind_one(b, i, &tail, &used))
            return false;
    }
    return true;
}

/* --- steps --- */

static enum advisor_link_status begin(struct advisor_link *link)
{
    static const char settings[] = "SELECT pg_catalog.set_config('statement_timeout', $1, true), "
                                   "pg_catalog.set_config('lock_timeout', $2, true)";
    char statement_ms[24];
    char lock_ms[24];
    snprintf(statement_ms, sizeof(statement_ms), "%lld",
             (long long)link->options->statement_timeout_ms);
    snprintf(lock_ms, sizeof(lock_ms), "%lld", (long long)link->options->lock_timeout_ms);
    const char *const values[] = {statement_ms, lock_ms};
    enum advisor_link_status status = advisor_link_query(link, "BEGIN READ ONLY", NULL, NULL);
    return status == LINK_OK ? advisor_link_query_text(link, settings, 2, values, NULL) : status;
}

/* A connection that was idle may be dead without anybody having noticed: one more try on a new one.
 */
static enum advisor_link_status open_and_begin(struct advisor_link *link)
{
    bool was_open = link->conn != NULL;
    enum advisor_link_status status = advisor_link_open(link);
    if (status == LINK_OK)
        status = begin(link);
    if (status == LINK_DOWN && was_open) {
        status = advisor_link_open(link);
        if (status == LINK_OK)
            status = begin(link);
    }
    return status;
}

static enum advisor_link_status ask_plan(struct advisor_link *link, const struct advisor_job *job,
                                         PGresult **result)
{
    struct bound b;
    enum advisor_link_status status = LINK_DOWN;
    size_t size = sizeof(explain_head) + job->text_len;
    char *sql = malloc(size);
    *result = NULL;
    if (bound_init(&b, job) && sql != NULL) {
        snprintf(sql, size, "%s%s", explain_head, job->text);
        struct advisor_link_params params = {.n = (int)b.n,
                                             .types = b.types,
                                             .values = b.values,
                                             .lengths = b.lengths,
                                             .formats = b.formats};
        status = advisor_link_query(link, sql, &params, result);
    }
    if (sql != NULL)
        explicit_bzero(sql, size);
    free(sql);
    bound_fini(&b);
    return status;
}

static enum advisor_link_status judge_scan(struct advisor_link *link,
                                           const struct advisor_scan *scan,
                                           struct advisor_answer *answer)
{
    struct advisor_filter filter;
    struct advisor_table *table = calloc(1, sizeof(*table));
    char *masked = malloc(ADVISOR_FILTER_MAX);
    enum advisor_link_status status = LINK_DOWN;
    if (table == NULL || masked == NULL)
        goto out;
    advisor_filter_read(scan->filter, scan->alias, &filter);
    status = advisor_catalog_read(link, scan, &filter, table);
    if (status != LINK_OK)
        goto out;
    answer->scan_cost = scan->cost;
    answer->kept_rows = scan->kept_rows;
    answer->table_rows = table->rows;
    answer->table_bytes = table->bytes;
    strbuf_puts(&answer->schema, scan->schema);
    strbuf_puts(&answer->table, scan->table);
    strbuf_add(&answer->filter, masked,
               advisor_filter_mask(scan->filter, masked, ADVISOR_FILTER_MAX));
    advisor_advice_make(&filter, table, &answer->columns, &answer->note);
out:
    free(masked);
    free(table);
    return status;
}

static enum advisor_link_status read_plan(struct advisor_link *link, const PGresult *result,
                                          struct advisor_answer *answer)
{
    struct advisor_plan plan;
    enum advisor_link_status status = LINK_OK;
    const char *json = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    if (advisor_plan_read(span_of_text(json), &plan) == 0) {
        answer->total_cost = plan.total_cost;
        if (plan.has_scan)
            status = judge_scan(link, &plan.scan, answer);
    } else {
        /* Whatever answered is not PostgreSQL's EXPLAIN. */
        snprintf(link->sqlstate, sizeof(link->sqlstate), "XX000");
        status = LINK_REFUSED;
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

bool advisor_explain(struct advisor_link *link, const struct advisor_job *job,
                     struct advisor_answer *answer)
{
    PGresult *result = NULL;
    link->sqlstate[0] = '\0';
    enum advisor_link_status status = open_and_begin(link);
    if (link->conn != NULL)
        answer->server_major = (uint8_t)(PQserverVersion(link->conn) / 10000);
    if (status == LINK_OK)
        status = ask_plan(link, job, &result);
    if (status == LINK_OK)
        status = read_plan(link, result, answer);
    PQclear(result);
    answer->status = plan_status(status);
    memcpy(answer->sqlstate, link->sqlstate, sizeof(answer->sqlstate));
    /* A transaction that cannot be ended must not meet the next statement. */
    if (link->conn != NULL && advisor_link_query(link, "ROLLBACK", NULL, NULL) != LINK_OK)
        advisor_link_close(link);
    return status != LINK_STOPPED;
}
