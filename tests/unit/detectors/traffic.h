/*
 * Traffic for tests of the detectors: records made one call each, with a clock that only the test
 * moves, fed to an audit. SQL is scanned by the real lexer, values are hashed by the real hash.
 */
#ifndef PGSLEUTH_TESTS_DETECTORS_TRAFFIC_H
#define PGSLEUTH_TESTS_DETECTORS_TRAFFIC_H

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detectors/audit.h"
#include "detectors/result.h"
#include "detectors/sessions.h"
#include "wire/values.h"

enum { TRAFFIC_MAX_SESSIONS = 256, TRAFFIC_BYTES = 128 * 1024, TRAFFIC_MAX_KEYS = 4096 };

struct traffic {
    struct audit *audit;
    struct result *result;
    int64_t now_us;
    uint64_t session;
    uint64_t tag;
    uint64_t trace;
    uint32_t portal;
    uint32_t round_trip[TRAFFIC_MAX_SESSIONS];
    uint8_t tx[TRAFFIC_MAX_SESSIONS];
    bool pipelined; /* the next exchanges share a round trip */
    uint32_t query_us;
    uint32_t think_us; /* client time before each statement */
    union {
        struct record_header header;
        uint64_t align;
        uint8_t bytes[TRAFFIC_BYTES];
    } out;
};

static inline struct det_settings traffic_settings(void)
{
    return (struct det_settings){
        .unit_gap_ms = 100,
        .assumed_rtt_ms = 1,
        .n_plus_one_min_count = 5,
        .n_plus_one_min_distinct = 3,
        .n_plus_one_min_distinct_ratio = 0.6,
        .select_star_min_columns = 20,
        .select_star_min_bytes = 64 * 1024,
        .unbounded_min_rows = 500,
        .unbounded_medium_rows = 2000,
        .unbounded_high_rows = 10000,
        .unbounded_critical_rows = 100000,
        .missing_index_min_rows = 10000,
        .missing_index_max_selectivity = 0.10,
        .missing_index_min_cost = 100,
        .explain_min_total_ms = 250,
        .explain_min_mean_ms = 5,
        .explain_recheck_s = 3600,
        .duplicate_query = {2, 3, 10, 50},
        .write_loop = {5, 10, 50, 500},
        .consecutive_ms = {100, 500, 2000, 10000},
        .chatty = {50, 100, 300, 1000},
        .idle_transaction_ms = {100, 500, 2000, 30000},
        .long_transaction_ms = {1000, 5000, 30000, 300000},
        .aborted_transaction_ms = {250, 1000, 30000, 300000},
        .transaction_overhead = {4, 20, 100, 1000},
        .lost_update = {1, 2, 1000, 1000000},
        .sql_errors = {1, 5, 50, 500},
        .connection_churn = {0.05, 0.1, 0.5, 2},
        .pool_size = {10, 20, 50, 100},
        .statement_cache = {20, 100, 1000, 100000},
        .cacheable_read_ms = {100, 1000, 10000, 60000},
        .wide_columns_bytes = {262144, 1048576, 10485760, 104857600},
        .deep_offset = {1000, 10000, 100000, 1000000},
        .count_query_ms = {20, 50, 500, 5000},
        .missing_pagination = {200, 200, 2000, 100000},
        .whole_result_bytes = {10485760, 52428800, 104857600, 524288000},
        .join_blow_up_bytes = {65536, 1048576, 10485760, 104857600},
        .slow_statement_ms = {100, 500, 2000, 10000},
        .http_compression_bytes = {1400, 10240, 102400, 1048576},
        .http_caching = {0.5, 0.8, 2, 3},
        .http_keep_alive = {0.83, 0.9, 2, 3},
        .background_work_ms = {300, 1000, 3000, 30000},
        .loop_stall_ms = {100, 100, 200, 5000},
        .thread_pool_ms = {100, 100, 200, 10000},
    };
}

/* A test's traffic on session 1, without a transaction; free with traffic_free. */
static inline struct traffic *traffic_new(void)
{
    struct traffic *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    struct det_settings settings = traffic_settings();
    t->audit = audit_new(&settings);
    assert_non_null(t->audit);
    t->session = 1;
    t->query_us = 200;
    t->think_us = 100;
    for (int i = 0; i < TRAFFIC_MAX_SESSIONS; i++)
        t->tx[i] = 'I';
    return t;
}

static inline void traffic_free(struct traffic *t)
{
    result_free(t->result);
    audit_free(t->audit);
    free(t);
}

/* --- raw records --- */

static inline void traffic_send(struct traffic *t, enum record_type type, size_t fixed, size_t tail)
{
    t->out.header.type = (uint16_t)type;
    t->out.header.len = (uint32_t)record_size(fixed, tail);
    assert_true(record_check(span_of(t->out.bytes, t->out.header.len)));
    audit_record(t->audit, &t->out.header);
    memset(t->out.bytes, 0, t->out.header.len);
}

/* Bytes behind a fixed part; returns the new length of the tail. */
static inline size_t traffic_tail(struct traffic *t, size_t fixed, size_t at, const void *data,
                                  size_t len)
{
    assert_true(fixed + at + len <= TRAFFIC_BYTES);
    if (len > 0)
        memcpy(t->out.bytes + fixed + at, data, len);
    return at + len;
}

static inline void traffic_wait(struct traffic *t, int64_t ms)
{
    t->now_us += ms * 1000;
}

static inline void traffic_connect_as(struct traffic *t, uint64_t session, const char *application)
{
    struct record_session_start *r = (void *)t->out.bytes;
    size_t len = strlen(application);
    t->session = session;
    t->tx[session] = 'I';
    t->round_trip[session] = 0;
    r->session = session;
    r->time_us = t->now_us;
    r->application_len = (uint16_t)len;
    traffic_send(t, RECORD_SESSION_START, sizeof(*r),
                 traffic_tail(t, sizeof(*r), 0, application, len));
}

static inline void traffic_connect(struct traffic *t, uint64_t session)
{
    traffic_connect_as(t, session, "");
}

static inline void traffic_disconnect(struct traffic *t, uint64_t session)
{
    struct record_session_end *r = (void *)t->out.bytes;
    r->session = session;
    r->time_us = t->now_us;
    r->terminate = 1;
    traffic_send(t, RECORD_SESSION_END, sizeof(*r), 0);
}

/* pgsleuth itself stopped while this connection was open. */
static inline void traffic_stop(struct traffic *t, uint64_t session)
{
    struct record_session_end *r = (void *)t->out.bytes;
    r->session = session;
    r->time_us = t->now_us;
    r->stopped = 1;
    traffic_send(t, RECORD_SESSION_END, sizeof(*r), 0);
}

/* A tag for what follows; NULL values are absent. */
static inline void traffic_tag_values(struct traffic *t, const char *const values[SQL_TAG_COUNT])
{
    struct record_tag *r = (void *)t->out.bytes;
    uint64_t id = 1;
    size_t at = 0;
    for (int k = 0; k < SQL_TAG_COUNT; k++) {
        struct span v = span_of_text(values[k]);
        r->len[k] = (uint16_t)v.len;
        at = traffic_tail(t, sizeof(*r), at, v.data, v.len);
        id = wire_hash_combine(id, v.len > 0 ? wire_value_hash_text(v) : 0);
    }
    r->id = id;
    t->tag = id;
    traffic_send(t, RECORD_TAG, sizeof(*r), at);
}

/* The usual ones; a NULL route ends tagging. */
static inline void traffic_tag(struct traffic *t, const char *method, const char *route,
                               const char *file, const char *line)
{
    const char *const values[SQL_TAG_COUNT] = {
        [SQL_TAG_METHOD] = method,
        [SQL_TAG_ROUTE] = route,
        [SQL_TAG_FILE] = file,
        [SQL_TAG_LINE] = line,
    };
    t->tag = 0;
    if (route != NULL)
        traffic_tag_values(t, values);
}

/* --- statements --- */

struct traffic_scan {
    struct sql_scan scan;
    char text[4096];
    char kinds[512];
};

static inline struct traffic_scan traffic_scan(const char *sql)
{
    struct traffic_scan s;
    struct sql_dialect dialect = {.standard_conforming_strings = true};
    struct sql_masked out = {s.text, sizeof(s.text), s.kinds, sizeof(s.kinds)};
    sql_scan(span_of_text(sql), 0, dialect, out, &s.scan);
    return s;
}

static inline struct sql_id traffic_id(const char *sql)
{
    return traffic_scan(sql).scan.id;
}

static inline struct sql_id traffic_statement(struct traffic *t, const char *sql)
{
    struct traffic_scan s = traffic_scan(sql);
    struct record_statement *r = (void *)t->out.bytes;
    if (s.scan.id.hi == 0 && s.scan.id.lo == 0)
        return s.scan.id;
    r->id = s.scan.id;
    r->verb = (uint16_t)s.scan.verb;
    r->scan_flags = (uint16_t)s.scan.flags;
    r->text_len = (uint16_t)s.scan.text_len;
    r->kinds_len = (uint16_t)s.scan.n_holes;
    size_t at = traffic_tail(t, sizeof(*r), 0, s.text, s.scan.text_len);
    at = traffic_tail(t, sizeof(*r), at, s.kinds, s.scan.n_holes);
    traffic_send(t, RECORD_STATEMENT, sizeof(*r), at);
    return s.scan.id;
}

/* What the grammar says: `tables` space separated, `equal` the columns compared by =, space
 * separated. */
static inline void traffic_facts(struct traffic *t, const char *sql, unsigned flags,
                                 const char *tables, const char *equal)
{
    struct traffic_scan s = traffic_scan(sql);
    struct record_facts *r = (void *)t->out.bytes;
    r->id = s.scan.id;
    r->status = FACTS_OK;
    r->verb = (uint8_t)s.scan.verb;
    r->fact_flags = flags;
    size_t at = 0;
    for (int part = 0; part < 2; part++) {
        const char *word = part == 0 ? tables : equal;
        while (word != NULL && *word != '\0') {
            uint8_t len = (uint8_t)strcspn(word, " ");
            uint8_t op[2] = {PREDICATE_EQ, 0};
            if (part == 1)
                at = traffic_tail(t, sizeof(*r), at, op, sizeof(op));
            at = traffic_tail(t, sizeof(*r), at, &len, 1);
            at = traffic_tail(t, sizeof(*r), at, word, len);
            r->n_tables = (uint8_t)(r->n_tables + (part == 0));
            r->n_predicates = (uint8_t)(r->n_predicates + (part == 1));
            word += len + (word[len] == ' ');
        }
    }
    r->tail_len = (uint32_t)at;
    traffic_send(t, RECORD_FACTS, sizeof(*r), at);
}

/* The columns of its result, space separated, all of one type. */
static inline void traffic_columns(struct traffic *t, const char *sql, const char *names,
                                   uint32_t type_oid)
{
    struct record_columns *r = (void *)t->out.bytes;
    r->id = traffic_id(sql);
    unsigned n = 0;
    for (const char *c = names; *c != '\0'; n++)
        c += strcspn(c, " ") + (c[strcspn(c, " ")] == ' ');
    r->n_columns = (uint16_t)n;
    r->total = (uint16_t)n;
    size_t at = 0;
    for (const char *c = names; *c != '\0';) {
        size_t len = strcspn(c, " ");
        struct record_column column = {
            .table_oid = 1, .type_oid = type_oid, .attnum = 1, .name_len = (uint16_t)len};
        at = traffic_tail(t, sizeof(*r), at, &column, sizeof(column));
        c += len + (c[len] == ' ');
    }
    size_t before = at;
    for (const char *c = names; *c != '\0';) {
        size_t len = strcspn(c, " ");
        at = traffic_tail(t, sizeof(*r), at, c, len);
        c += len + (c[len] == ' ');
    }
    r->names_len = (uint32_t)(at - before);
    traffic_send(t, RECORD_COLUMNS, sizeof(*r), at);
}

static inline void traffic_sample(struct traffic *t, const char *sql)
{
    struct record_sample *r = (void *)t->out.bytes;
    r->id = traffic_id(sql);
    r->len = (uint32_t)strlen(sql);
    size_t at = traffic_tail(t, sizeof(*r), 0, sql, strlen(sql));
    traffic_send(t, RECORD_SAMPLE, sizeof(*r), at);
}

/* A plan as `like` has it, whose lengths and identity are set here. */
struct traffic_plan_texts {
    const char *table, *columns, *note, *node, *after_node, *parent;
};
static inline void traffic_plan_like(struct traffic *t, const char *sql, struct record_plan like,
                                     struct traffic_plan_texts texts)
{
    struct record_plan *r = (void *)t->out.bytes;
    *r = like;
    r->id = traffic_id(sql);
    r->time_us = t->now_us;
    r->server_major = 15;
    const char *parts[RECORD_PLAN_TEXTS] = {texts.table[0] != '\0' ? "public" : "",
                                            texts.table,
                                            "(column = ?)",
                                            texts.columns,
                                            texts.note,
                                            texts.node,
                                            texts.after_node,
                                            texts.parent};
    uint16_t *lens[RECORD_PLAN_TEXTS] = {&r->schema_len,     &r->table_len,      &r->filter_len,
                                         &r->columns_len,    &r->index_note_len, &r->node_len,
                                         &r->after_node_len, &r->parent_len};
    size_t at = 0;
    for (int i = 0; i < RECORD_PLAN_TEXTS; i++) {
        const char *part = parts[i] != NULL ? parts[i] : "";
        *lens[i] = (uint16_t)strlen(part);
        at = traffic_tail(t, sizeof(*r), at, part, strlen(part));
    }
    traffic_send(t, RECORD_PLAN, sizeof(*r), at);
}

/* A sequential scan of `table`. */
static inline void traffic_plan(struct traffic *t, const char *sql, const char *table, double rows,
                                double kept, const char *columns, const char *note)
{
    struct record_plan like = {.total_cost = 5000,
                               .scan_cost = 4500,
                               .table_rows = rows,
                               .kept_rows = kept,
                               .reason = PLAN_SCAN};
    struct traffic_plan_texts texts = {
        .table = table, .columns = columns, .note = note, .node = "Seq Scan"};
    traffic_plan_like(t, sql, like, texts);
}

/* --- exchanges --- */

/* What the server answered beside the defaults. */
struct reply {
    uint64_t rows;
    uint64_t bytes;
    const int64_t *keys;      /* values of result column 0, one a row; NULL for none */
    const int64_t *keys2;     /* of result column 1 */
    const char *const *texts; /* instead of keys: texts of column 0 */
    const char *sqlstate;     /* error */
    uint32_t max_rows;
    bool suspended;
    uint64_t offset;
    uint64_t limit;
    bool parsed;     /* anew, for this execution */
    uint64_t result; /* hash of the rows; 0: the same for each execution */
    unsigned flags;  /* of enum record_exchange_flags, besides those that follow from the rest */
};

static inline uint64_t traffic_int(int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return wire_value_hash_text(span_of_text(text));
}

static inline uint8_t traffic_tx_after(uint8_t before, const char *sql, enum sql_verb verb,
                                       bool error)
{
    if (strncmp(sql, "ROLLBACK TO", 11) == 0)
        return 'T';
    if (verb == SQL_VERB_BEGIN || verb == SQL_VERB_START)
        return 'T';
    if (verb == SQL_VERB_COMMIT || verb == SQL_VERB_ROLLBACK)
        return 'I';
    return error && before == 'T' ? 'E' : before;
}

static inline size_t traffic_put_keys(struct traffic *t, struct record_exchange *r, size_t at,
                                      const struct reply *reply)
{
    const int64_t *columns[2] = {reply->keys, reply->keys2};
    unsigned n = reply->keys2 != NULL ? 2 : reply->keys != NULL || reply->texts != NULL ? 1 : 0;
    uint16_t rows = (uint16_t)(reply->rows < 1000 ? reply->rows : 1000);
    if (rows == 0)
        return at;
    for (unsigned k = 0; k < n; k++) {
        struct record_key key = {.table_oid = 1,
                                 .type_oid = reply->texts != NULL ? WIRE_OID_TEXT : WIRE_OID_INT8,
                                 .attnum = (uint16_t)(k + 1),
                                 .column = (uint16_t)k,
                                 .count = rows};
        at = traffic_tail(t, sizeof(*r), at, &key, sizeof(key));
    }
    for (unsigned k = 0; k < n; k++) {
        for (unsigned i = 0; i < rows; i++) {
            uint64_t hash = reply->texts != NULL
                                ? wire_value_hash_text(span_of_text(reply->texts[i]))
                                : traffic_int(columns[k][i]);
            at = traffic_tail(t, sizeof(*r), at, &hash, sizeof(hash));
        }
    }
    r->n_keys = (uint8_t)n;
    r->n_key_hashes = (uint16_t)(n * rows);
    return at;
}

/* One statement on the current session. `values` are what is bound to it. */
static inline void traffic_exchange(struct traffic *t, const char *sql, const uint64_t *values,
                                    unsigned n_values, struct reply reply)
{
    struct traffic_scan s = traffic_scan(sql);
    (void)traffic_statement(t, sql);
    struct record_exchange *r = (void *)t->out.bytes;
    t->now_us += t->think_us;
    if (!t->pipelined)
        t->round_trip[t->session]++;
    r->session = t->session;
    r->id = s.scan.id;
    r->tag = t->tag;
    r->trace = t->trace;
    r->start_us = t->now_us;
    r->first_us = t->query_us / 2;
    r->total_us = t->query_us;
    r->rows = reply.rows;
    r->affected = reply.rows;
    r->bytes = reply.bytes != 0 ? reply.bytes : reply.rows * 40;
    r->round_trip = t->round_trip[t->session];
    r->portal = t->portal;
    r->max_rows = reply.max_rows;
    r->batch_count = 1;
    r->exchange_flags = EXCHANGE_EXTENDED | (reply.parsed ? 0 : EXCHANGE_REUSED) |
                        (reply.sqlstate != NULL ? EXCHANGE_ERROR : 0) |
                        (reply.suspended ? EXCHANGE_SUSPENDED : 0) |
                        ((s.scan.flags & SQL_SCAN_LIST) != 0 ? EXCHANGE_LIST : 0);
    r->exchange_flags |= reply.flags;
    r->offset = reply.offset;
    r->limit = reply.limit;
    r->result_hash = reply.result != 0 ? reply.result : reply.rows;
    r->verb = (uint8_t)s.scan.verb;
    r->tx_before = t->tx[t->session];
    r->tx_after = traffic_tx_after(r->tx_before, sql, s.scan.verb, reply.sqlstate != NULL);
    if (reply.sqlstate != NULL)
        memcpy(r->sqlstate, reply.sqlstate, sizeof(r->sqlstate));
    for (unsigned i = 0; i < n_values; i++)
        r->values_hash = wire_hash_combine(r->values_hash, values[i]);
    r->n_values = (uint8_t)n_values;
    t->tx[t->session] = r->tx_after;
    size_t at = traffic_tail(t, sizeof(*r), 0, values, n_values * sizeof(*values));
    at = traffic_put_keys(t, r, at, &reply);
    t->now_us += t->query_us;
    traffic_send(t, RECORD_EXCHANGE, sizeof(*r), at);
}

/* A statement with one integer value. */
static inline void traffic_by_id(struct traffic *t, const char *sql, int64_t id, uint64_t rows)
{
    uint64_t hash = traffic_int(id);
    traffic_exchange(t, sql, &hash, 1, (struct reply){.rows = rows});
}

/* A statement without values. */
static inline void traffic_plain(struct traffic *t, const char *sql)
{
    traffic_exchange(t, sql, NULL, 0, (struct reply){.rows = 0});
}

/* A page of `n` rows whose first column holds the ids, asked for with one value. */
static inline void traffic_page(struct traffic *t, const char *sql, int64_t after,
                                const int64_t *ids, unsigned n)
{
    uint64_t hash = traffic_int(after);
    traffic_exchange(t, sql, &hash, 1, (struct reply){.rows = n, .keys = ids});
}

/* What asyncpg's pool sends when it gets a connection back. */
static inline void traffic_asyncpg_reset(struct traffic *t)
{
    traffic_plain(t, "SELECT pg_advisory_unlock_all()");
    t->pipelined = true;
    traffic_plain(t, "CLOSE ALL");
    traffic_plain(t, "UNLISTEN *");
    traffic_plain(t, "RESET ALL");
    t->pipelined = false;
}

/* --- judging --- */

/* The result so far, with open units closed. */
static inline const struct result *traffic_result(struct traffic *t)
{
    audit_finish(t->audit);
    result_free(t->result);
    t->result = result_new(t->audit);
    assert_non_null(t->result);
    return t->result;
}

/* The only finding of a rule; NULL when there is none. */
static inline const struct finding *traffic_finding(const struct result *r, const char *rule)
{
    const struct finding *found = NULL;
    for (size_t i = 0; i < r->n_findings; i++) {
        if (strcmp(r->findings[i]->detector->name, rule) != 0)
            continue;
        assert_null(found);
        found = r->findings[i];
    }
    return found;
}

/* Ids that no other test value collides with by chance: 100001, 100008, ... */
static inline const int64_t *traffic_ids(unsigned n)
{
    static int64_t ids[TRAFFIC_MAX_KEYS];
    assert_true(n <= TRAFFIC_MAX_KEYS);
    for (unsigned i = 0; i < n; i++)
        ids[i] = 100001 + 7 * (int64_t)i;
    return ids;
}

#endif
