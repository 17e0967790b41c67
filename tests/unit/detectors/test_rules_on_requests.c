/* Rules that look at requests, connections and the whole run. */
#include "detectors/traffic.h"

#define PRICE "SELECT price FROM prices WHERE sku = $1"
#define SET   "UPDATE prices SET price = $1 WHERE sku = $2"

static const struct finding *found(struct traffic *t, const char *rule)
{
    return traffic_finding(traffic_result(t), rule);
}

static void read_price(struct traffic *t, int64_t sku, uint64_t result)
{
    uint64_t hash = traffic_int(sku);
    traffic_exchange(t, PRICE, &hash, 1, (struct reply){.rows = 1, .result = result});
}

/* Requests over three minutes; a write to the table, seen or not, every so often. */
static struct traffic *prices(int write_every, int change_every)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/price", NULL, NULL);
    traffic_facts(t, PRICE, FACT_WHERE | FACT_LIMIT, "prices", "sku");
    traffic_facts(t, SET, FACT_WHERE, "prices", "sku");
    t->query_us = 20000;
    for (int i = 0; i < 1800; i++) {
        int version = change_every > 0 ? i / change_every : 0;
        read_price(t, i % 5, 100 + (uint64_t)version);
        traffic_wait(t, 80);
        if (write_every > 0 && i % write_every == 0)
            traffic_by_id(t, SET, 1, 1);
    }
    return t;
}

static void test_read_that_never_changes_is_cacheable(void **state)
{
    (void)state;
    struct traffic *t = prices(0, 0);
    const struct finding *f = found(t, "cacheable_read");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->impact, "60 s: 9"));
    assert_non_null(strstr(f->recommendation, "hit ratio 9"));
    assert_non_null(strstr(f->django, "cache.get_or_set"));
    traffic_free(t);
}

static void test_read_whose_table_is_written_all_the_time_is_not(void **state)
{
    (void)state;
    struct traffic *t = prices(3, 0);
    assert_null(found(t, "cacheable_read"));
    traffic_free(t);
}

static void test_read_that_somebody_else_changes_is_not(void **state)
{
    (void)state;
    struct traffic *t = prices(0, 10);
    assert_null(found(t, "cacheable_read"));
    traffic_free(t);
}

typedef void end_connection(struct traffic *t, uint64_t session);

static void connections(struct traffic *t, int n, int units, end_connection *end)
{
    for (int i = 0; i < n; i++) {
        uint64_t session = 1 + (uint64_t)i % 60;
        traffic_connect(t, session);
        for (int u = 0; u < units; u++) {
            read_price(t, i, 1);
            traffic_wait(t, 300);
        }
        end(t, session);
    }
}

static void test_connection_for_each_request_is_churn(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/price", NULL, NULL);
    connections(t, 30, 1, traffic_disconnect);
    const struct finding *f = found(t, "connection_churn");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_non_null(strstr(f->django, "CONN_MAX_AGE"));
    traffic_free(t);
}

static void test_connections_that_serve_several_or_are_few_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/price", NULL, NULL);
    connections(t, 30, 3, traffic_disconnect);
    assert_null(found(t, "connection_churn"));
    traffic_free(t);
    t = traffic_new();
    traffic_tag(t, "GET", "/price", NULL, NULL);
    connections(t, 8, 1, traffic_disconnect);
    assert_null(found(t, "connection_churn"));
    traffic_free(t);
    t = traffic_new();
    traffic_tag(t, "GET", "/price", NULL, NULL);
    connections(t, 30, 1, traffic_stop); /* a large pool, and little to do */
    assert_null(found(t, "connection_churn"));
    traffic_free(t);
}

static void test_errors_of_contention_are_told_and_others_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        int n;
        int severity;
    } cases[] = {{"40P01", 1, SEVERITY_LOW}, {"40001", 6, SEVERITY_MEDIUM}, {"23505", 60, -1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic *t = traffic_new();
        traffic_tag(t, "POST", "/pay", NULL, NULL);
        for (int n = 0; n < cases[i].n; n++) {
            traffic_exchange(t, SET, NULL, 0, (struct reply){.sqlstate = cases[i].sqlstate});
            traffic_wait(t, 500);
        }
        const struct finding *f = found(t, "sql_errors");
        assert_int_equal(f != NULL ? (int)f->severity : -1, cases[i].severity);
        if (f != NULL)
            assert_non_null(strstr(f->impact, cases[i].sqlstate));
        traffic_free(t);
    }
}

static void different(struct traffic *t, int n)
{
    char sql[64];
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < n; i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT id FROM table_%c%c", 'a' + i / 26, 'a' + i % 26);
        traffic_plain(t, sql);
    }
    traffic_plain(t, "COMMIT");
}

static void test_request_of_many_different_statements_is_chatty(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/report", NULL, NULL);
    different(t, 120);
    const struct finding *f = found(t, "chatty");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    traffic_free(t);
    t = traffic_new();
    traffic_tag(t, "GET", "/report", NULL, NULL);
    different(t, 40);
    for (int i = 0; i < 200; i++)
        read_price(t, i, 1);
    assert_null(found(t, "chatty"));
    traffic_free(t);
}

static void three(struct traffic *t, bool dependent)
{
    static const char *const sql[] = {"SELECT id FROM users WHERE id = $1",
                                      "SELECT id FROM carts WHERE user_id = $1",
                                      "SELECT id FROM offers WHERE region = $1"};
    static const int64_t ids[] = {900001, 900002, 900003};
    traffic_plain(t, "BEGIN");
    t->query_us = 80000;
    for (int i = 0; i < 3; i++) {
        uint64_t value = traffic_int(dependent && i > 0 ? ids[i - 1] : 5 + i);
        traffic_facts(t, sql[i], FACT_WHERE, "t", "id");
        traffic_exchange(t, sql[i], &value, 1, (struct reply){.rows = 1, .keys = &ids[i]});
    }
    t->query_us = 200;
    traffic_plain(t, "COMMIT");
}

static void test_independent_statements_in_a_row_could_run_at_once(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/home", NULL, NULL);
    three(t, false);
    const struct finding *f = found(t, "consecutive");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM); /* two thirds of 240 ms, and no more sure */
    assert_non_null(strstr(f->severity_by, "of the time of requests"));
    assert_non_null(strstr(f->asyncpg, "asyncio.gather"));
    traffic_free(t);
}

/* A dashboard: nothing asked for, and nothing key-like in the answers. */
static void test_statements_without_values_could_run_at_once(void **state)
{
    (void)state;
    static const char *const sql[] = {"SELECT avg(a) FROM users", "SELECT avg(b) FROM carts",
                                      "SELECT avg(c) FROM offers"};
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/home", NULL, NULL);
    traffic_plain(t, "BEGIN");
    t->query_us = 80000;
    for (int i = 0; i < 3; i++) {
        traffic_facts(t, sql[i], 0, "t", "");
        traffic_exchange(t, sql[i], NULL, 0, (struct reply){.rows = 1});
    }
    traffic_plain(t, "COMMIT");
    assert_non_null(found(t, "consecutive"));
    traffic_free(t);
}

static void test_statements_that_need_each_others_rows_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/home", NULL, NULL);
    three(t, true);
    assert_null(found(t, "consecutive"));
    traffic_free(t);
}

#define STOCK "SELECT n FROM stock WHERE id = $1"
#define STORE "UPDATE stock SET n = $1 WHERE id = $2"
#define TAKE  "UPDATE stock SET n = n - $1 WHERE id = $2"
#define CLEAR "UPDATE stock SET n = 0 WHERE place = $1 AND id = $2" /* no row by one key */

static void store(struct traffic *t, uint64_t session, const char *sql, int64_t id)
{
    uint64_t values[] = {traffic_int(5), traffic_int(id)};
    t->session = session;
    traffic_exchange(t, sql, values, 2, (struct reply){.rows = 1});
}

static void look(struct traffic *t, uint64_t session, const char *sql, int64_t id)
{
    t->session = session;
    traffic_by_id(t, sql, id, 1);
}

static void tell_facts(struct traffic *t)
{
    traffic_facts(t, STOCK, FACT_WHERE, "stock", "id");
    traffic_facts(t, STOCK " FOR UPDATE", FACT_WHERE | FACT_FOR_UPDATE, "stock", "id");
    traffic_facts(t, STORE, FACT_WHERE, "stock", "id");
    traffic_facts(t, TAKE, FACT_WHERE, "stock", "id");
    traffic_facts(t, CLEAR, FACT_WHERE, "stock", "place id");
}

/* Two connections: one reads, the other writes, the first writes back. The parser may have been
 * busy all that time, and answers behind it. */
static bool meet_with(const char *read, const char *others, const char *write, bool again,
                      bool late)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "POST", "/buy", NULL, NULL);
    if (!late)
        tell_facts(t);
    look(t, 1, read, 7);
    look(t, 2, STOCK, 7);
    store(t, 2, others, 7);
    if (again)
        look(t, 1, read, 7);
    store(t, 1, write, 7);
    if (late) {
        traffic_wait(t, 20000);
        look(t, 3, STOCK, 8); /* tells the time: the request is over */
        tell_facts(t);
    }
    const struct finding *f = found(t, "lost_update");
    bool lost = f != NULL;
    traffic_free(t);
    return lost;
}

static bool meet(const char *read, const char *write, bool again)
{
    bool lost = meet_with(read, STORE, write, again, false);
    assert_int_equal(meet_with(read, STORE, write, again, true), lost);
    assert_int_equal(meet_with(read, TAKE, write, again, false), lost);
    assert_int_equal(meet_with(read, TAKE, write, again, true), lost);
    return lost;
}

static void test_write_over_another_connections_change_is_a_lost_update(void **state)
{
    (void)state;
    assert_true(meet(STOCK, STORE, false));
}

/* A request with a trace id is judged when it was silent for a while, and others write on. */
static void test_lost_update_of_a_busy_row_is_found_after_more_writes(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "POST", "/buy", NULL, NULL);
    traffic_facts(t, STOCK, FACT_WHERE, "stock", "id");
    traffic_facts(t, STORE, FACT_WHERE, "stock", "id");
    traffic_facts(t, TAKE, FACT_WHERE, "stock", "id");
    t->trace = 7;
    look(t, 1, STOCK, 7);
    store(t, 2, TAKE, 7);
    store(t, 1, STORE, 7);
    t->trace = 0;
    for (int i = 0; i < 10; i++) {
        traffic_wait(t, 20);
        store(t, 2, TAKE, 7);
    }
    assert_non_null(found(t, "lost_update"));
    traffic_free(t);
}

static void test_write_that_computes_locks_or_looks_again_loses_nothing(void **state)
{
    (void)state;
    assert_false(meet(STOCK, TAKE, false));
    assert_false(meet(STOCK " FOR UPDATE", STORE, false));
    assert_false(meet(STOCK, STORE, true));
}

static void test_write_behind_one_that_finds_its_row_otherwise_loses_nothing(void **state)
{
    (void)state;
    assert_false(meet_with(STOCK, CLEAR, STORE, false, false));
    assert_false(meet_with(STOCK, CLEAR, STORE, false, true));
}

static void test_write_of_another_row_or_in_a_later_request_loses_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "POST", "/buy", NULL, NULL);
    traffic_facts(t, STOCK, FACT_WHERE, "stock", "id");
    traffic_facts(t, STORE, FACT_WHERE, "stock", "id");
    look(t, 1, STOCK, 7);
    store(t, 2, STORE, 8);
    store(t, 1, STORE, 7);
    traffic_wait(t, 5000);
    look(t, 1, STOCK, 9);
    traffic_wait(t, 5000);
    store(t, 2, STORE, 9);
    traffic_wait(t, 5000);
    store(t, 1, STORE, 9);
    assert_null(found(t, "lost_update"));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_that_never_changes_is_cacheable),
        cmocka_unit_test(test_read_whose_table_is_written_all_the_time_is_not),
        cmocka_unit_test(test_read_that_somebody_else_changes_is_not),
        cmocka_unit_test(test_connection_for_each_request_is_churn),
        cmocka_unit_test(test_connections_that_serve_several_or_are_few_are_nothing),
        cmocka_unit_test(test_errors_of_contention_are_told_and_others_are_not),
        cmocka_unit_test(test_request_of_many_different_statements_is_chatty),
        cmocka_unit_test(test_independent_statements_in_a_row_could_run_at_once),
        cmocka_unit_test(test_statements_without_values_could_run_at_once),
        cmocka_unit_test(test_statements_that_need_each_others_rows_are_nothing),
        cmocka_unit_test(test_write_over_another_connections_change_is_a_lost_update),
        cmocka_unit_test(test_lost_update_of_a_busy_row_is_found_after_more_writes),
        cmocka_unit_test(test_write_that_computes_locks_or_looks_again_loses_nothing),
        cmocka_unit_test(test_write_behind_one_that_finds_its_row_otherwise_loses_nothing),
        cmocka_unit_test(test_write_of_another_row_or_in_a_later_request_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
