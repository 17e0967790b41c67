#include "common/clock.h"
#include "common/strbuf.h"
#include "detectors/advisor/advisor.h"

#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* Tests that need a server take it from PGSLEUTH_TEST_DSN and are skipped without it. They make and
 * drop one schema of their own. */
static const char *test_dsn(void)
{
    const char *dsn = getenv("PGSLEUTH_TEST_DSN"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (dsn == NULL)
        skip();
    return dsn;
}

static const char make_schema[] =
    "DROP SCHEMA IF EXISTS pgsleuth_advisor CASCADE; CREATE SCHEMA pgsleuth_advisor;"
    "CREATE TABLE pgsleuth_advisor.t AS SELECT g AS id, g % 5000 AS user_id, 'u' || g AS email, "
    "CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END::varchar(20) AS kind, 'k' || (g % 900) AS part "
    "FROM generate_series(1, 20000) g;"
    "CREATE INDEX t_part_a ON pgsleuth_advisor.t (part) WHERE kind = 'a';"
    "CREATE INDEX t_id ON pgsleuth_advisor.t (id);"
    "ANALYZE pgsleuth_advisor.t;";

static void run_sql(const char *sql)
{
    PGconn *conn = PQconnectdb(test_dsn());
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    PGresult *r = PQexec(conn, "SET client_min_messages = error");
    PQclear(r);
    r = PQexec(conn, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(r);
    PQfinish(conn);
}

struct bench {
    struct ring *ring;
    int wake_fd;
    struct advisor *advisor;
    _Alignas(8) uint8_t answer[16384];
};

static struct bench *open_bench(const char *dsn)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->ring = ring_new(65536);
    b->wake_fd = eventfd(0, EFD_CLOEXEC);
    struct advisor_options options = {
        .dsn = dsn,
        .interval_ms = 10,
        .statement_timeout_ms = 3000,
        .lock_timeout_ms = 300,
        .connect_timeout_ms = 3000,
        .epoch_us = clock_monotonic_us(),
    };
    b->advisor = advisor_start(&options, b->ring, b->wake_fd);
    assert_non_null(b->advisor);
    return b;
}

static void close_bench(struct bench *b)
{
    advisor_stop(b->advisor);
    ring_free(b->ring);
    close(b->wake_fd);
    free(b);
}

static const struct record_plan *wait_plan(struct bench *b)
{
    struct pollfd fd = {.fd = b->wake_fd, .events = POLLIN};
    const void *entry;
    while ((entry = ring_peek(b->ring)) == NULL) {
        eventfd_t count;
        assert_int_equal(poll(&fd, 1, 8000), 1);
        eventfd_read(b->wake_fd, &count);
    }
    const struct record_header *h = entry;
    memcpy(b->answer, entry, h->len);
    ring_release(b->ring);
    assert_true(record_check(span_of(b->answer, sizeof(b->answer))));
    const struct record_plan *p = (const struct record_plan *)(const void *)b->answer;
    assert_int_equal(p->h.type, RECORD_PLAN);
    return p;
}

static const struct record_plan *explain(struct bench *b, const char *sql, unsigned n_params,
                                         struct span params)
{
    static uint64_t number;
    struct sql_id id = {3, ++number};
    assert_true(advisor_submit(b->advisor, id, span_of_text(sql), n_params, params));
    const struct record_plan *p = wait_plan(b);
    assert_true(sql_id_equal(p->id, id));
    return p;
}

static const struct record_plan *explain_text(struct bench *b, const char *sql)
{
    return explain(b, sql, 0, span_of(NULL, 0));
}

/* "schema|table|filter|columns|note" */
static const char *describe(const struct record_plan *p)
{
    static char out[16384];
    const uint16_t lens[] = {p->schema_len, p->table_len, p->filter_len, p->columns_len,
                             p->index_note_len};
    const char *at = (const char *)(p + 1);
    size_t used = 0;
    for (size_t i = 0; i < 5; i++) {
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%.*s", i > 0 ? "|" : "",
                                 (int)lens[i], at);
        at += lens[i];
    }
    return out;
}

static void check_plan(struct bench *b, const char *sql, const char *want)
{
    const struct record_plan *p = explain_text(b, sql);
    assert_int_equal(p->status, PLAN_OK);
    if (strcmp(describe(p), want) != 0)
        fail_msg("%s\n  %s\n  want %s", sql, describe(p), want);
}

static void add_param(struct strbuf *b, uint32_t type, uint16_t format, const void *bytes,
                      int32_t len)
{
    uint16_t zero = 0;
    strbuf_add(b, &type, sizeof(type));
    strbuf_add(b, &format, sizeof(format));
    strbuf_add(b, &zero, sizeof(zero));
    strbuf_add(b, &len, sizeof(len));
    for (int32_t i = 0; len > 0 && i < ((len + 3) & ~3); i++)
        strbuf_putc(b, i < len ? ((const char *)bytes)[i] : '\0');
}

static void test_advisor_scan_gets_columns(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    const struct record_plan *p =
        explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE user_id = 4711");
    assert_int_equal(p->status, PLAN_OK);
    assert_string_equal(describe(p), "pgsleuth_advisor|t|(t.user_id = ?)|user_id|");
    assert_true(p->table_rows > 19000 && p->table_rows < 21000);
    assert_true(p->kept_rows >= 1 && p->kept_rows < 20);
    assert_true(p->table_bytes > 100000 && p->scan_cost > 0 && p->total_cost >= p->scan_cost);
    assert_true(p->server_major >= 12 && p->time_us > 0);
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t WHERE lower(email) = 'u1';",
               "pgsleuth_advisor|t|(lower(t.email) = ?)|lower(email)|");
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t x WHERE user_id > 1 AND kind = 'b'",
               "pgsleuth_advisor|t|((x.user_id > ?) and ((x.kind)::text = ?))|kind, user_id|");
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t WHERE part = 'k5'",
               "pgsleuth_advisor|t|(t.part = ?)|part|t_part_a is partial and this filter does "
               "not imply its condition");
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t WHERE id > 5",
               "pgsleuth_advisor|t|(t.id > ?)||exists but unused: t_id; the planner expects a scan "
               "to be cheaper");
    assert_int_equal(explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE id > 6")->flags,
                     PLAN_NOT_WORTH_IT);
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t WHERE id = 5.0",
               "pgsleuth_advisor|t|((t.id)::numeric = ?)||exists but unused: t_id; id is int4 but "
               "compared as numeric: send a value of its own type");
    check_plan(b, "SELECT * FROM pgsleuth_advisor.t WHERE id = 5", "||||");
    run_sql("CREATE TABLE pgsleuth_advisor.fresh WITH (autovacuum_enabled = off) AS SELECT g AS id "
            "FROM generate_series(1, 20000) g");
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.fresh WHERE id = 7");
    assert_string_equal(describe(p), "pgsleuth_advisor|fresh|(fresh.id = ?)|id|");
    assert_true(p->table_rows > 10000 && p->table_bytes > 100000); /* never analysed: a guess */
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_parameters_make_a_custom_plan(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    uint32_t binary_5 = htonl(5);
    struct strbuf params;
    strbuf_init(&params, 1000);
    add_param(&params, 23, 1, &binary_5, 4);
    add_param(&params, 0, 0, "secret", 6);
    add_param(&params, 25, 0, NULL, -1);
    const struct record_plan *p =
        explain(b,
                "SELECT * FROM pgsleuth_advisor.t WHERE user_id = $1 AND email <> $2 AND "
                "coalesce($3, 'x') = 'x'",
                3, strbuf_span(&params));
    assert_int_equal(p->status, PLAN_OK);
    assert_string_equal(describe(p),
                        "pgsleuth_advisor|t|((t.email <> ?) and (t.user_id = ?))|user_id|");
    /* Cut short: refused here, not at the server. */
    p = explain(b, "SELECT $1::int, $2::int", 2, span_head(strbuf_span(&params), 18));
    assert_int_not_equal(p->status, PLAN_OK);
    p = explain_text(b, "SELECT 1");
    assert_int_equal(p->status, PLAN_OK);
    strbuf_fini(&params);
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

/* One value of the server's answer. */
static const char *ask_sql(const char *sql)
{
    static char out[200];
    PGconn *conn = PQconnectdb(test_dsn());
    PGresult *r = PQexec(conn, sql);
    snprintf(out, sizeof(out), "%s", PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(conn);
    return out;
}

static void test_advisor_orders_and_what_they_cost(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    const struct record_plan *p = explain_text(
        b, "SELECT id FROM pgsleuth_advisor.t WHERE kind = 'a' ORDER BY user_id DESC LIMIT 5");
    assert_string_equal(describe(p), "pgsleuth_advisor|t|((t.kind)::text = ?)|kind, user_id|");
    assert_int_equal(p->reason, PLAN_SORT);
    assert_int_equal(p->n_equal, 1);
    assert_int_equal((int)p->kept_rows, 5);
    assert_true(p->queries >= 6 && p->busy_us > 0);
    uint32_t first = p->queries;
    p = explain_text(b, "SELECT id FROM pgsleuth_advisor.t WHERE kind = 'b' ORDER BY user_id DESC "
                        "LIMIT 5");
    assert_true(p->queries < first); /* the table is known by now */
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_generic_plan_knows_no_values(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    struct strbuf params;
    strbuf_init(&params, 1000);
    add_param(&params, 0, 0, "4711", 4);
    const struct record_plan *p =
        explain(b, "SELECT * FROM pgsleuth_advisor.t WHERE user_id = $1", 1, strbuf_span(&params));
    assert_true((p->flags & PLAN_GENERIC) != 0 && p->generic_cost > 0);
    /* A parameter of no type that can be guessed: refused, and nothing else is lost. */
    p = explain(b, "SELECT * FROM pgsleuth_advisor.t WHERE user_id = $1 AND $2 IS NULL", 1,
                strbuf_span(&params));
    assert_int_equal(p->status, PLAN_ERROR);
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE user_id = 4711");
    assert_int_equal(p->flags & PLAN_GENERIC, 0);
    strbuf_fini(&params);
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_small_table_is_probed(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    run_sql(
        "CREATE TABLE pgsleuth_advisor.parent (id int PRIMARY KEY);"
        "CREATE TABLE pgsleuth_advisor.few AS SELECT g AS id, g AS other, NULL::int AS parent_id "
        "FROM generate_series(1, 50) g; CREATE INDEX ON pgsleuth_advisor.few (id);"
        "ALTER TABLE pgsleuth_advisor.few ADD FOREIGN KEY (parent_id) REFERENCES "
        "pgsleuth_advisor.parent; ANALYZE pgsleuth_advisor.few");
    const struct record_plan *p =
        explain_text(b, "SELECT * FROM pgsleuth_advisor.few WHERE other = 5");
    assert_string_equal(describe(p), "pgsleuth_advisor|few|(few.other = ?)|other|");
    assert_int_equal(p->flags, PLAN_NO_INDEX);
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.few WHERE parent_id = 5");
    assert_int_equal(p->flags, PLAN_NO_INDEX | PLAN_ON_FOREIGN_KEY);
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.few WHERE id = 5");
    assert_int_equal(p->columns_len, 0); /* its index serves it, were there more rows */
    assert_int_equal(p->flags & PLAN_NO_INDEX, 0);
    p = explain_text(b, "DELETE FROM pgsleuth_advisor.parent WHERE id = 5");
    assert_int_equal(p->reason, PLAN_FOREIGN_KEY);
    assert_string_equal(describe(p), "pgsleuth_advisor|few||parent_id|");
    run_sql("CREATE INDEX ON pgsleuth_advisor.few (parent_id)");
    p = explain_text(b, "DELETE FROM pgsleuth_advisor.parent WHERE id = 5");
    assert_int_equal(p->reason, PLAN_NOTHING);
    assert_string_equal(ask_sql("SELECT count(*) FROM pgsleuth_advisor.few"), "50");
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_tries_indexes_where_hypopg_is(void **state)
{
    (void)state;
    if (strcmp(ask_sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'hypopg'"),
               "1") != 0)
        skip();
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    run_sql("CREATE SCHEMA \"hypo\"\"; x\"; CREATE EXTENSION hypopg SCHEMA \"hypo\"\"; x\"");
    const struct record_plan *p =
        explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE kind = 'b' AND user_id = 4711");
    assert_int_equal(p->source, PLAN_SOURCE_HYPOPG);
    assert_string_equal(describe(p),
                        "pgsleuth_advisor|t|(((t.kind)::text = ?) and (t.user_id = ?))|user_id|");
    assert_true(p->after_cost > 0 && p->after_cost < p->total_cost / 2);
    assert_true(p->after_node_len > 0);
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE kind = 'b' AND user_id > 5");
    assert_int_equal(p->flags & PLAN_NOT_WORTH_IT, PLAN_NOT_WORTH_IT);
    assert_int_equal(p->columns_len, 0);
    /* Nothing is left of the trials. */
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE kind = 'b' AND user_id = 4711");
    assert_string_equal(ask_sql("SELECT count(*) FROM pg_indexes WHERE schemaname = "
                                "'pgsleuth_advisor'"),
                        "2");
    assert_true(p->total_cost > 100);
    run_sql("DROP EXTENSION hypopg; DROP SCHEMA \"hypo\"\"; x\"");
    p = explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE kind = 'b' AND user_id = 4711");
    assert_int_equal(p->source, PLAN_SOURCE_STRUCTURE);
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

/* What somebody put in front of pg_catalog is not what the advisor's own queries meet; names of the
 * statement are found as a new connection of the role finds them. */
static void test_advisor_own_queries_have_an_empty_search_path(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    run_sql("CREATE FUNCTION pgsleuth_advisor.trap(name, name) RETURNS bool LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''trapped''; END';"
            "CREATE OPERATOR pgsleuth_advisor.= (LEFTARG = name, RIGHTARG = name, FUNCTION = "
            "pgsleuth_advisor.trap);"
            "CREATE FUNCTION pgsleuth_advisor.fold(text) RETURNS text LANGUAGE sql IMMUTABLE AS "
            "'SELECT lower($1)';"
            "CREATE INDEX t_fold ON pgsleuth_advisor.t (pgsleuth_advisor.fold(kind));");
    run_sql("DO $$ BEGIN EXECUTE format('ALTER ROLE %I SET search_path = pgsleuth_advisor, "
            "pg_catalog', current_user); END $$");
    const struct record_plan *p = explain_text(b, "SELECT * FROM t WHERE user_id = 4711");
    assert_int_equal(p->status, PLAN_OK);
    assert_string_equal(describe(p), "pgsleuth_advisor|t|(t.user_id = ?)|user_id|");
    run_sql("DO $$ BEGIN EXECUTE format('ALTER ROLE %I RESET search_path', current_user); END $$");
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_errors_tell_their_sqlstate(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    const struct record_plan *p = explain_text(b, "SELECT * FROM no_such_table_here");
    assert_int_equal(p->status, PLAN_ERROR);
    assert_memory_equal(p->sqlstate, "42P01", 5);
    p = explain_text(b, "SELECT 1; DROP TABLE x");
    assert_int_equal(p->status, PLAN_ERROR);
    assert_memory_equal(p->sqlstate, "42601", 5);
    p = explain_text(b, "ANALYZE SELECT 1");
    assert_int_equal(p->status, PLAN_ERROR);
    close_bench(b);
}

static void test_advisor_locked_table_times_out(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql(make_schema);
    PGconn *conn = PQconnectdb(test_dsn());
    PQclear(PQexec(conn, "BEGIN; LOCK TABLE pgsleuth_advisor.t"));
    const struct record_plan *p =
        explain_text(b, "SELECT * FROM pgsleuth_advisor.t WHERE user_id = 1");
    assert_int_equal(p->status, PLAN_TIMEOUT);
    assert_memory_equal(p->sqlstate, "55P03", 5);
    PQfinish(conn);
    run_sql("DROP SCHEMA pgsleuth_advisor CASCADE");
    close_bench(b);
}

static void test_advisor_terminated_connection_is_made_again(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    assert_int_equal(explain_text(b, "SELECT 1")->status, PLAN_OK);
    run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
            "'pgsleuth advisor'");
    assert_int_equal(explain_text(b, "SELECT 1")->status, PLAN_OK);
    close_bench(b);
}

static void test_advisor_stop_while_running_is_quick(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql("CREATE OR REPLACE FUNCTION pg_temp.nothing() RETURNS int LANGUAGE sql AS 'SELECT 1';"
            "DROP FUNCTION IF EXISTS pgsleuth_slow(); CREATE FUNCTION pgsleuth_slow() RETURNS int "
            "LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'");
    struct sql_id id = {1, 1};
    assert_true(advisor_submit(b->advisor, id, span_of_text("SELECT pgsleuth_slow()"), 0,
                               span_of(NULL, 0)));
    usleep(300000);
    int64_t before = clock_monotonic_us();
    close_bench(b);
    assert_true(clock_monotonic_us() - before < 2500000);
    run_sql("DROP FUNCTION pgsleuth_slow()");
}

static void test_advisor_statement_timeout_is_kept(void **state)
{
    (void)state;
    struct bench *b = open_bench(test_dsn());
    run_sql("DROP FUNCTION IF EXISTS pgsleuth_slow(); CREATE FUNCTION pgsleuth_slow() RETURNS int "
            "LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'");
    const struct record_plan *p = explain_text(b, "SELECT pgsleuth_slow()");
    assert_int_equal(p->status, PLAN_TIMEOUT);
    assert_memory_equal(p->sqlstate, "57014", 5);
    assert_int_equal(explain_text(b, "SELECT 1")->status, PLAN_OK);
    run_sql("DROP FUNCTION pgsleuth_slow()");
    close_bench(b);
}

static void test_advisor_no_server_answers_every_job(void **state)
{
    (void)state;
    static const char *const dsns[] = {
        "postgresql+asyncpg://u:pw@127.0.0.1:1/x",
        "postgresql://u:%zz@127.0.0.1/x",
        "",
        "not a connection string",
    };
    for (size_t i = 0; i < sizeof(dsns) / sizeof(dsns[0]); i++) {
        struct bench *b = open_bench(dsns[i][0] == '\0' ? "host=/nonexistent" : dsns[i]);
        for (int turn = 0; turn < 3; turn++)
            assert_int_equal(explain_text(b, "SELECT 1")->status, PLAN_NO_CONNECTION);
        close_bench(b);
    }
}

static void test_advisor_stop_while_connecting_is_quick(void **state)
{
    (void)state;
    /* It accepts connections and never says a word. */
    int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(mute, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(mute, 5), 0);
    assert_int_equal(getsockname(mute, (struct sockaddr *)&address, &len), 0);
    char dsn[100];
    snprintf(dsn, sizeof(dsn), "postgresql://u@127.0.0.1:%d/x", ntohs(address.sin_port));
    struct bench *b = open_bench(dsn);
    struct sql_id id = {1, 1};
    assert_true(advisor_submit(b->advisor, id, span_of_text("SELECT 1"), 0, span_of(NULL, 0)));
    usleep(200000);
    int64_t before = clock_monotonic_us();
    close_bench(b);
    assert_true(clock_monotonic_us() - before < 2500000);
    close(mute);
}

static void test_advisor_full_queue_refuses(void **state)
{
    (void)state;
    struct bench *b = open_bench("host=/nonexistent");
    bool refused = false;
    for (int i = 0; i < 200 && !refused; i++)
        refused = !advisor_submit(b->advisor, (struct sql_id){1, 1}, span_of_text("SELECT 1"), 0,
                                  span_of(NULL, 0));
    assert_true(refused);
    close_bench(b);
    advisor_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advisor_scan_gets_columns),
        cmocka_unit_test(test_advisor_parameters_make_a_custom_plan),
        cmocka_unit_test(test_advisor_orders_and_what_they_cost),
        cmocka_unit_test(test_advisor_generic_plan_knows_no_values),
        cmocka_unit_test(test_advisor_small_table_is_probed),
        cmocka_unit_test(test_advisor_tries_indexes_where_hypopg_is),
        cmocka_unit_test(test_advisor_own_queries_have_an_empty_search_path),
        cmocka_unit_test(test_advisor_errors_tell_their_sqlstate),
        cmocka_unit_test(test_advisor_locked_table_times_out),
        cmocka_unit_test(test_advisor_terminated_connection_is_made_again),
        cmocka_unit_test(test_advisor_stop_while_running_is_quick),
        cmocka_unit_test(test_advisor_statement_timeout_is_kept),
        cmocka_unit_test(test_advisor_no_server_answers_every_job),
        cmocka_unit_test(test_advisor_stop_while_connecting_is_quick),
        cmocka_unit_test(test_advisor_full_queue_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
