#include "detectors/advisor/ask.h"

#include "common/strbuf.h"

#include <stdio.h>
#include <stdlib.h>

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

static enum advisor_link_status read_plan(struct advisor_link *link,
                                          enum advisor_link_status status, PGresult *result,
                                          struct advisor_plan *out)
{
    const char *json = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    if (status == LINK_OK && advisor_plan_read(span_of_text(json), out) != 0) {
        /* Whatever answered is not PostgreSQL's EXPLAIN. */
        snprintf(link->sqlstate, sizeof(link->sqlstate), "XX000");
        status = LINK_REFUSED;
    }
    PQclear(result);
    return status;
}

/* The statement behind some words of ours, as a text that holds values. */
static char *prefix_text(const char *words, const struct advisor_job *job, size_t *size)
{
    *size = strlen(words) + job->text_len + 1;
    char *sql = malloc(*size);
    if (sql != NULL)
        snprintf(sql, *size, "%s%s", words, job->text);
    return sql;
}

static void free_text(char *sql, size_t size)
{
    if (sql != NULL)
        explicit_bzero(sql, size);
    free(sql);
}

enum advisor_link_status advisor_ask(struct advisor_link *link, const struct advisor_job *job,
                                     struct advisor_plan *out)
{
    struct bound b;
    PGresult *result = NULL;
    enum advisor_link_status status = LINK_DOWN;
    size_t size;
    *out = (struct advisor_plan){.root = NULL};
    char *sql = prefix_text("EXPLAIN (VERBOSE, FORMAT JSON) ", job, &size);
    if (bound_init(&b, job) && sql != NULL) {
        struct advisor_link_params params = {.n = (int)b.n,
                                             .types = b.types,
                                             .values = b.values,
                                             .lengths = b.lengths,
                                             .formats = b.formats};
        status = advisor_link_query(link, sql, &params, &result);
    }
    free_text(sql, size);
    bound_fini(&b);
    return read_plan(link, status, result, out);
}

/* EXPLAIN's own GENERIC_PLAN folds the parameters that the extended protocol makes it take, and is
 * known from PostgreSQL 16 on only: so it is a prepared statement that is explained. */
enum advisor_link_status advisor_ask_generic(struct advisor_link *link,
                                             const struct advisor_job *job,
                                             struct advisor_plan *out)
{
    static const char setting[] =
        "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)";
    struct strbuf execute;
    PGresult *result = NULL;
    size_t size;
    *out = (struct advisor_plan){.root = NULL};
    strbuf_init(&execute, (size_t)job->n_params * 6 + 100);
    strbuf_puts(&execute, "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE pgsleuth_generic");
    for (unsigned i = 0; i < job->n_params; i++)
        strbuf_puts(&execute, i == 0 ? " (NULL" : ", NULL");
    strbuf_puts(&execute, job->n_params > 0 ? ")" : "");
    char *sql = prefix_text("PREPARE pgsleuth_generic AS ", job, &size);
    enum advisor_link_status status =
        sql != NULL && !execute.failed ? advisor_link_query(link, sql, NULL, NULL) : LINK_DOWN;
    free_text(sql, size);
    if (status == LINK_OK)
        status = advisor_link_query(link, setting, NULL, NULL);
    if (status == LINK_OK)
        status = advisor_link_query(link, strbuf_text(&execute), NULL, &result);
    strbuf_fini(&execute);
    status = read_plan(link, status, result, out);
    if (status == LINK_OK)
        status = advisor_link_query(link, "DEALLOCATE pgsleuth_generic", NULL, NULL);
    return status;
}
