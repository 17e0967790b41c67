#include "detectors/traffic.h"

#define AUTHORS "SELECT id, name FROM authors WHERE id > $1 ORDER BY id LIMIT 50"
#define RECENT  "SELECT id FROM authors ORDER BY seen DESC LIMIT 50"
#define BOOKS   "SELECT title FROM books WHERE author_id = $1 ORDER BY id"
#define PRIZES  "SELECT name FROM prizes WHERE author_id = $1"
#define USER    "SELECT name FROM users WHERE token = $1"

enum { CONNECTIONS = 10, READ_US = 2000, APART_US = 60, WAVE_US = 2500 };

/* How a request spreads its reads. */
struct shape {
    unsigned n;
    bool held;              /* the list's connection, until the last read has ended */
    bool second;            /* PRIZES beside BOOKS */
    const char *read_route; /* tag of the reads; NULL: that of the list */
    const int64_t *ids;     /* of the list; NULL: traffic_ids */
    const unsigned *order;  /* rows in the order of the reads; NULL: as they are */
    uint64_t first_session; /* of the reads; 0: the one after the list's */
    int64_t apart_us;       /* between starts instead of waves; 0: waves */
    int64_t lead_us;        /* more time between list and reads */
    unsigned reads;         /* of the first rows; 0: of all */
};

static void connect_as(struct traffic *t, uint64_t session, const char *application)
{
    struct record_session_start *r = (void *)t->out.bytes;
    t->tx[session] = 'I';
    r->session = session;
    r->time_us = t->now_us;
    r->application_len = (uint16_t)strlen(application);
    size_t at = traffic_tail(t, sizeof(*r), 0, application, strlen(application));
    traffic_send(t, RECORD_SESSION_START, sizeof(*r), at);
}

/* `key` is the column that books are read by. */
static struct traffic *pool_of(const char *key)
{
    struct traffic *t = traffic_new();
    t->think_us = 0;
    for (uint64_t s = 1; s <= 20; s++)
        connect_as(t, s, "shop");
    for (uint64_t s = 21; s <= 40; s++)
        connect_as(t, s, "jobs");
    traffic_columns(t, AUTHORS, "id name", WIRE_OID_INT8);
    traffic_columns(t, RECENT, "id", WIRE_OID_INT8);
    traffic_columns(t, BOOKS, "title", WIRE_OID_TEXT);
    traffic_facts(t, AUTHORS, FACT_LIMIT | FACT_ORDER_BY | FACT_WHERE, "authors", "");
    traffic_facts(t, RECENT, FACT_LIMIT | FACT_ORDER_BY, "authors", "");
    traffic_facts(t, BOOKS, FACT_ORDER_BY | FACT_WHERE, "books", key);
    traffic_facts(t, PRIZES, FACT_WHERE, "prizes", "author_id");
    traffic_facts(t, USER, FACT_WHERE, "users", "token");
    return t;
}

static struct traffic *pool_new(void)
{
    return pool_of("author_id");
}

/* The pool's mark of a return, sent at once. */
static void give_back(struct traffic *t, uint64_t session)
{
    t->session = session;
    t->query_us = 50;
    traffic_plain(t, "DISCARD ALL");
}

static void list_on(struct traffic *t, uint64_t session, const char *sql, const int64_t *ids,
                    unsigned n)
{
    t->session = session;
    t->query_us = 500;
    traffic_page(t, sql, 0, ids, n);
}

static void read_on(struct traffic *t, uint64_t session, const char *sql, int64_t id)
{
    t->session = session;
    t->query_us = READ_US;
    traffic_by_id(t, sql, id, 3);
}

/* One read as a unit of its own. */
static void read_at(struct traffic *t, uint64_t session, int64_t at_us, const char *sql, int64_t id)
{
    t->now_us = at_us;
    read_on(t, session, sql, id);
    give_back(t, session);
}

static int64_t start_of(const struct shape *s, unsigned i)
{
    if (s->apart_us != 0)
        return (int64_t)i * s->apart_us;
    return (int64_t)(i / CONNECTIONS) * WAVE_US + (int64_t)(i % CONNECTIONS) * APART_US;
}

/* The reads of a list that ends now. */
static void reads(struct traffic *t, const struct shape *s)
{
    const int64_t *ids = s->ids != NULL ? s->ids : traffic_ids(s->n);
    int64_t begin_us = t->now_us + 300 + s->lead_us;
    uint64_t first = s->first_session != 0 ? s->first_session : 2;
    unsigned n = s->reads != 0 ? s->reads : s->n;
    for (unsigned i = 0; i < n; i++) {
        int64_t id = ids[s->order != NULL ? s->order[i] : i];
        uint64_t session = first + i % CONNECTIONS;
        t->now_us = begin_us + start_of(s, i);
        read_on(t, session, BOOKS, id);
        if (s->second)
            read_on(t, session, PRIZES, id);
        give_back(t, session);
    }
}

/* A list on connection 1, then a read for each of its rows on ten others. */
static void request(struct traffic *t, struct shape s)
{
    uint64_t tag = t->tag;
    list_on(t, 1, AUTHORS, s.ids != NULL ? s.ids : traffic_ids(s.n), s.n);
    if (!s.held)
        give_back(t, 1);
    if (s.read_route != NULL)
        traffic_tag(t, "GET", s.read_route, NULL, NULL);
    reads(t, &s);
    t->tag = tag;
    if (s.held)
        give_back(t, 1);
    traffic_wait(t, 5000);
}

static const struct finding *found_after(struct traffic *t, struct shape s, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        request(t, s);
    return traffic_finding(traffic_result(t), "n_plus_one");
}

/* --- what is found --- */

static void test_reads_over_a_pool_without_a_tie_are_possibly_a_loop(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const struct finding *f = found_after(t, (struct shape){.n = 50}, 4);
    assert_non_null(f);
    assert_string_equal(f->label, "parallel_n_plus_one");
    assert_true(f->confidence < 0.7);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    assert_string_equal(f->lineage.from_column, "authors.id");
    assert_int_equal(f->lineage.matched, 200);
    assert_int_equal(f->occurrences.p50, 50);
    assert_int_equal(f->requests_seen, 4);
    assert_int_equal(f->queries_before, 51);
    assert_int_equal(f->queries_after, 2);
    assert_int_equal(f->n_statements, 2);
    assert_string_equal(f->statements[0].role, "parent");
    assert_string_equal(f->statements[1].role, "repeated");
    assert_non_null(strstr(f->issue, "Possibly a parallel N+1"));
    assert_non_null(strstr(f->impact, "in parallel over 10 connections"));
    assert_non_null(strstr(f->impact, "for 4 rounds over the connections"));
    assert_non_null(strstr(f->impact, "possibly requests of their own"));
    assert_non_null(strstr(f->optimized_code, "selectinload(Author.books)"));
    assert_non_null(strstr(f->asyncpg, "ANY($1::bigint[])"));
    traffic_free(t);
}

static void test_time_wasted_is_that_of_the_union_not_of_the_sum(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const struct finding *f = found_after(t, (struct shape){.n = 50}, 4);
    /* 5 waves of 2.54 ms that touch, less the first read; the sum would be 98 ms. */
    assert_true(f->wasted_ms_p95 > 10 && f->wasted_ms_p95 < 13);
    assert_true(f->before_ms > 12 && f->before_ms < 17);
    assert_true(f->after_ms >= 2 && f->after_ms < 6);
    assert_true(f->time_share > 0.7 && f->time_share < 0.9); /* list and first read are the rest */
    assert_true(f->round_trips_saved == 4);
    traffic_free(t);
}

static void test_list_whose_connection_is_held_meanwhile_is_sure(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const struct finding *f = found_after(t, (struct shape){.n = 200, .held = true}, 4);
    assert_non_null(f);
    assert_true(f->confidence >= 0.8);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_non_null(strstr(f->issue, "Parallel N+1 query in"));
    assert_null(strstr(f->impact, "possibly"));
    traffic_free(t);
}

static void test_reads_with_the_tag_of_the_list_are_found_at_its_endpoint(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    traffic_tag(t, "GET", "/authors", "app/views.py", "12");
    const struct finding *f = found_after(t, (struct shape){.n = 20}, 3);
    assert_non_null(f);
    assert_true(f->confidence >= 0.9);
    assert_string_equal(f->endpoint->name, "GET /authors");
    assert_string_equal(f->tag->value[SQL_TAG_FILE], "app/views.py");
    assert_int_equal(f->queries_before, 21);
    assert_true(f->time_share > 0.5 && f->time_share < 0.9); /* what overlaps counts once */
    traffic_free(t);
}

static void test_five_reads_at_once_are_found(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const struct finding *f = found_after(t, (struct shape){.n = 5}, 3);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_LOW);
    assert_null(strstr(f->impact, "rounds over the connections")); /* there is but one */
    traffic_free(t);
}

static void test_two_statements_a_row_are_one_finding(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const struct finding *f = found_after(t, (struct shape){.n = 20, .second = true}, 3);
    assert_non_null(f);
    assert_int_equal(f->n_statements, 3);
    assert_int_equal(f->queries_before, 41);
    assert_int_equal(f->queries_after, 3);
    traffic_free(t);
}

static void test_reads_that_the_lists_connection_shares_are_one_finding(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(40);
    for (int k = 0; k < 3; k++) {
        t->session = 1;
        t->query_us = 50;
        traffic_plain(t, "BEGIN");
        list_on(t, 1, AUTHORS, ids, 40);
        int64_t begin_us = t->now_us + 300;
        for (unsigned i = 0; i < 40; i++) {
            t->now_us = begin_us + (i / 2) * WAVE_US + (i % 2) * APART_US;
            read_on(t, 1 + i % 2, BOOKS, ids[i]);
            if (i % 2 == 1)
                give_back(t, 2);
        }
        t->session = 1;
        traffic_plain(t, "ROLLBACK");
        traffic_wait(t, 5000);
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_string_equal(f->label, "parallel_n_plus_one");
    assert_int_equal(f->occurrences.p50, 40);
    traffic_free(t);
}

static void test_concurrent_requests_for_one_page_share_its_reads(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 3; k++) {
        for (uint64_t s = 1; s <= 2; s++) {
            list_on(t, s, AUTHORS, traffic_ids(40), 40);
            give_back(t, s);
        }
        int64_t begin_us = t->now_us;
        for (uint64_t s = 0; s < 2; s++) {
            t->now_us = begin_us + (int64_t)s * 900;
            reads(t, &(struct shape){.n = 40, .first_session = 2 + s * 2});
        }
        traffic_wait(t, 5000);
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->requests_seen, 6);
    assert_int_equal(f->lineage.of, 240);
    traffic_free(t);
}

static void test_small_ids_are_found_by_the_names_of_columns(void **state)
{
    (void)state;
    static const int64_t small[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct traffic *t = pool_new();
    assert_non_null(found_after(t, (struct shape){.n = 12, .ids = small}, 3));
    traffic_free(t);
    t = pool_of("shelf");
    assert_null(found_after(t, (struct shape){.n = 12, .ids = small}, 3));
    traffic_free(t);
}

static void test_nearest_of_two_lists_is_the_parent(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 4; k++) {
        list_on(t, 20, RECENT, traffic_ids(20), 20);
        give_back(t, 20);
        request(t, (struct shape){.n = 20});
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_true(sql_id_equal(f->statements[0].statement->id, traffic_id(AUTHORS)));
    traffic_free(t);
}

static void test_time_that_passes_in_silence_brings_it_to_light(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 3; k++) {
        if (k > 0)
            traffic_wait(t, 5000);
        list_on(t, 1, AUTHORS, traffic_ids(20), 20);
        give_back(t, 1);
        reads(t, &(struct shape){.n = 20});
    }
    struct result *early = result_new(t->audit);
    assert_null(traffic_finding(early, "n_plus_one"));
    result_free(early);
    struct record_mark *mark = (void *)t->out.bytes;
    mark->time_us = t->now_us + 4000000;
    traffic_send(t, RECORD_MARK, sizeof(*mark), 0);
    struct result *late = result_new(t->audit);
    assert_non_null(traffic_finding(late, "n_plus_one"));
    result_free(late);
    traffic_free(t);
}

/* The auditor reads one worker's records while those of another have piled up. */
static void test_lists_whose_records_come_late_wait_for_their_reads(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 4; k++) {
        int64_t now_us = t->now_us;
        read_at(t, 20, now_us + 4500000, USER, 5);
        t->now_us = now_us;
        request(t, (struct shape){.n = 20});
        traffic_wait(t, 10000);
    }
    assert_non_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_clean_route_with_the_same_list_takes_no_reads_away(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 4; k++) {
        traffic_tag(t, "GET", "/clean", NULL, NULL);
        list_on(t, 20, AUTHORS, traffic_ids(20), 20);
        give_back(t, 20);
        traffic_tag(t, "GET", "/dashboard", NULL, NULL);
        request(t, (struct shape){.n = 20});
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_string_equal(f->endpoint->name, "GET /dashboard");
    assert_int_equal(f->requests_seen, 4);
    traffic_free(t);
}

/* --- what only looks like one --- */

static void assert_nothing(struct shape s, unsigned times)
{
    struct traffic *t = pool_new();
    assert_null(found_after(t, s, times));
    traffic_free(t);
}

static void test_two_occurrences_may_be_chance(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 50, .held = true}, 2);
}

static void test_four_reads_are_too_few(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 4, .held = true}, 6);
    assert_nothing((struct shape){.n = 5, .reads = 4, .held = true}, 6);
}

static void test_reads_of_half_the_rows_are_somebodys_choice(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 50, .reads = 25, .held = true}, 6);
}

/* All at once, so that no order shows, and each row by two. */
static void test_reads_among_others_of_the_same_rows_are_not_a_loop(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    traffic_tag(t, "GET", "/authors", NULL, NULL);
    const int64_t *ids = traffic_ids(5);
    for (int k = 0; k < 6; k++) {
        list_on(t, 1, AUTHORS, ids, 5);
        give_back(t, 1);
        int64_t begin_us = t->now_us + 300;
        for (unsigned i = 0; i < 10; i++)
            read_at(t, 2 + i, begin_us + i * APART_US, BOOKS, ids[i * 3 % 5]);
        traffic_wait(t, 5000);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

/* They overlap as well, but one connection is no pool. */
static void test_reads_in_a_pipeline_are_not_parallel(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(20);
    for (int k = 0; k < 4; k++) {
        list_on(t, 1, AUTHORS, ids, 20);
        give_back(t, 1);
        int64_t begin_us = t->now_us + 300;
        t->pipelined = true;
        for (unsigned i = 0; i < 20; i++) {
            t->now_us = begin_us + i * APART_US;
            read_on(t, 2, BOOKS, ids[i]);
        }
        t->pipelined = false;
        give_back(t, 2);
        traffic_wait(t, 5000);
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_null(f->label);
    traffic_free(t);
}

static void test_reads_of_another_route_are_requests_of_their_own(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    traffic_tag(t, "GET", "/authors", NULL, NULL);
    assert_null(found_after(t, (struct shape){.n = 20, .read_route = "/authors/{id}"}, 6));
    traffic_free(t);
}

static void test_reads_of_another_client_are_not_the_lists(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 20, .first_session = 21}, 6);
}

static void test_reads_one_after_the_other_are_not_parallel(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 20, .apart_us = 3 * READ_US}, 6);
}

static void test_reads_long_after_the_list_are_not_its(void **state)
{
    (void)state;
    assert_nothing((struct shape){.n = 20, .lead_us = 400 * 1000}, 6);
}

/* Devices that ask for their own row each second or so, while somebody lists them. */
static void test_heartbeats_of_all_rows_are_not_a_loop(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(50);
    for (int k = 0; k < 6; k++) {
        list_on(t, 1, AUTHORS, ids, 50);
        give_back(t, 1);
        int64_t begin_us = t->now_us;
        for (unsigned i = 0; i < 50; i++) /* two at a time, 80 ms apart */
            read_at(t, 2 + i % 2, begin_us + 100 + (i / 2) * 80000 + (i % 2) * 500, BOOKS, ids[i]);
        traffic_wait(t, 2000);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_reads_in_any_order_are_many_peoples(void **state)
{
    (void)state;
    static unsigned order[50];
    for (unsigned i = 0; i < 50; i++)
        order[i] = i * 17 % 50;
    assert_nothing((struct shape){.n = 50, .order = order, .held = true}, 6);
}

static void test_details_that_users_choose_are_not_a_loop(void **state)
{
    (void)state;
    static unsigned order[16];
    for (unsigned i = 0; i < 16; i++)
        order[i] = i * i % 16 * 5 % 16; /* some twice, some never */
    struct traffic *t = pool_new();
    traffic_tag(t, "GET", "/authors", NULL, NULL);
    assert_null(found_after(t, (struct shape){.n = 16, .order = order}, 6));
    traffic_free(t);
}

/* Sixteen users at once load the list and one row each: all rows once, by sixteen lists. */
static void test_one_read_for_each_of_many_lists_is_not_a_loop(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    traffic_tag(t, "GET", "/authors", NULL, NULL);
    for (int k = 0; k < 6; k++) {
        int64_t begin_us = t->now_us;
        for (unsigned i = 0; i < 16; i++) {
            t->now_us = begin_us + i * 200;
            list_on(t, 1 + i, AUTHORS, traffic_ids(16), 16);
            give_back(t, 1 + i);
        }
        begin_us = t->now_us;
        for (unsigned i = 0; i < 16; i++)
            read_at(t, 1 + i, begin_us + i * 200, BOOKS, traffic_ids(16)[i]);
        traffic_wait(t, 5000);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_list_that_is_mostly_not_followed_by_reads_is_clean(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (int k = 0; k < 12; k++) {
        list_on(t, 1, AUTHORS, traffic_ids(20), 20);
        give_back(t, 1);
        traffic_wait(t, 5000);
    }
    assert_null(found_after(t, (struct shape){.n = 20, .held = true}, 5));
    traffic_free(t);
}

static void test_statement_that_mostly_runs_elsewhere_is_a_page_of_its_own(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (unsigned i = 0; i < 100; i++) {
        read_at(t, 2, t->now_us, BOOKS, 77);
        traffic_wait(t, 50);
    }
    assert_null(found_after(t, (struct shape){.n = 20}, 5));
    traffic_free(t);
}

static void test_reads_behind_a_login_are_requests_of_their_own(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(20);
    for (int k = 0; k < 5; k++) {
        list_on(t, 1, AUTHORS, ids, 20);
        give_back(t, 1);
        int64_t begin_us = t->now_us;
        for (unsigned i = 0; i < 20; i++) {
            t->now_us = begin_us + 300 + (i / CONNECTIONS) * 2 * WAVE_US + i * APART_US;
            read_on(t, 2 + i % CONNECTIONS, USER, 5000000 + i);
            read_on(t, 2 + i % CONNECTIONS, BOOKS, ids[i]);
            give_back(t, 2 + i % CONNECTIONS);
        }
        traffic_wait(t, 5000);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_loops_of_two_requests_on_a_connection_each_are_not_parallel(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(20);
    traffic_tag(t, "GET", "/authors", NULL, NULL);
    for (int k = 0; k < 4; k++) {
        list_on(t, 1, AUTHORS, ids, 20);
        list_on(t, 2, AUTHORS, ids, 20);
        for (unsigned i = 0; i < 20; i++) {
            int64_t at_us = t->now_us;
            read_on(t, 1, BOOKS, ids[i]);
            t->now_us = at_us + 100;
            read_on(t, 2, BOOKS, ids[i]);
        }
        give_back(t, 1);
        give_back(t, 2);
        traffic_wait(t, 5000);
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_null(f->label);
    assert_int_equal(f->occurrences.max, 20);
    traffic_free(t);
}

static void test_writes_over_a_pool_are_not_this_rule(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    const int64_t *ids = traffic_ids(20);
    for (int k = 0; k < 4; k++) {
        list_on(t, 1, AUTHORS, ids, 20);
        give_back(t, 1);
        int64_t begin_us = t->now_us;
        for (unsigned i = 0; i < 20; i++)
            read_at(t, 2 + i % CONNECTIONS, begin_us + i * APART_US,
                    "UPDATE authors SET seen = seen + 1 WHERE id = $1", ids[i]);
        traffic_wait(t, 5000);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

/* --- bounds --- */

static void test_more_reads_than_are_kept_give_nothing_and_harm_nothing(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    list_on(t, 1, AUTHORS, traffic_ids(20), 20);
    give_back(t, 1);
    int64_t begin_us = t->now_us;
    for (unsigned i = 0; i < 20000; i++)
        read_at(t, 2 + i % CONNECTIONS, begin_us + i * 90, PRIZES, i);
    traffic_wait(t, 5000);
    assert_non_null(found_after(t, (struct shape){.n = 50}, 4));
    traffic_free(t);
}

static void test_many_long_lists_at_once_are_dropped_and_the_next_are_found(void **state)
{
    (void)state;
    struct traffic *t = pool_new();
    for (unsigned i = 0; i < 3000; i++) {
        list_on(t, 1, RECENT, traffic_ids(900), 900);
        give_back(t, 1);
    }
    traffic_wait(t, 5000);
    assert_non_null(found_after(t, (struct shape){.n = 50}, 4));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_over_a_pool_without_a_tie_are_possibly_a_loop),
        cmocka_unit_test(test_time_wasted_is_that_of_the_union_not_of_the_sum),
        cmocka_unit_test(test_list_whose_connection_is_held_meanwhile_is_sure),
        cmocka_unit_test(test_reads_with_the_tag_of_the_list_are_found_at_its_endpoint),
        cmocka_unit_test(test_five_reads_at_once_are_found),
        cmocka_unit_test(test_two_statements_a_row_are_one_finding),
        cmocka_unit_test(test_reads_that_the_lists_connection_shares_are_one_finding),
        cmocka_unit_test(test_concurrent_requests_for_one_page_share_its_reads),
        cmocka_unit_test(test_small_ids_are_found_by_the_names_of_columns),
        cmocka_unit_test(test_nearest_of_two_lists_is_the_parent),
        cmocka_unit_test(test_time_that_passes_in_silence_brings_it_to_light),
        cmocka_unit_test(test_lists_whose_records_come_late_wait_for_their_reads),
        cmocka_unit_test(test_clean_route_with_the_same_list_takes_no_reads_away),
        cmocka_unit_test(test_two_occurrences_may_be_chance),
        cmocka_unit_test(test_reads_of_half_the_rows_are_somebodys_choice),
        cmocka_unit_test(test_reads_among_others_of_the_same_rows_are_not_a_loop),
        cmocka_unit_test(test_reads_in_a_pipeline_are_not_parallel),
        cmocka_unit_test(test_four_reads_are_too_few),
        cmocka_unit_test(test_reads_of_another_route_are_requests_of_their_own),
        cmocka_unit_test(test_reads_of_another_client_are_not_the_lists),
        cmocka_unit_test(test_reads_one_after_the_other_are_not_parallel),
        cmocka_unit_test(test_reads_long_after_the_list_are_not_its),
        cmocka_unit_test(test_heartbeats_of_all_rows_are_not_a_loop),
        cmocka_unit_test(test_reads_in_any_order_are_many_peoples),
        cmocka_unit_test(test_details_that_users_choose_are_not_a_loop),
        cmocka_unit_test(test_one_read_for_each_of_many_lists_is_not_a_loop),
        cmocka_unit_test(test_list_that_is_mostly_not_followed_by_reads_is_clean),
        cmocka_unit_test(test_statement_that_mostly_runs_elsewhere_is_a_page_of_its_own),
        cmocka_unit_test(test_reads_behind_a_login_are_requests_of_their_own),
        cmocka_unit_test(test_loops_of_two_requests_on_a_connection_each_are_not_parallel),
        cmocka_unit_test(test_writes_over_a_pool_are_not_this_rule),
        cmocka_unit_test(test_more_reads_than_are_kept_give_nothing_and_harm_nothing),
        cmocka_unit_test(test_many_long_lists_at_once_are_dropped_and_the_next_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
