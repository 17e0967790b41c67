#include "detectors/traffic.h"

#define AUTHORS "SELECT id, name FROM authors WHERE id > $1 ORDER BY id LIMIT 50"
#define BOOKS   "SELECT title FROM books WHERE author_id = $1 ORDER BY id"
#define PRIZES  "SELECT name FROM prizes WHERE author_id = $1"

static void know(struct traffic *t)
{
    traffic_statement(t, AUTHORS);
    traffic_statement(t, BOOKS);
    traffic_statement(t, PRIZES);
    traffic_columns(t, AUTHORS, "id name", WIRE_OID_INT8);
    traffic_columns(t, BOOKS, "title", WIRE_OID_TEXT);
    traffic_facts(t, AUTHORS, FACT_LIMIT | FACT_ORDER_BY | FACT_WHERE, "authors", "");
    traffic_facts(t, BOOKS, FACT_ORDER_BY | FACT_WHERE, "books", "author_id");
    traffic_facts(t, PRIZES, FACT_WHERE, "prizes", "author_id");
}

/* A page of authors, then the books of each, in one transaction. */
static void request(struct traffic *t, unsigned n)
{
    const int64_t *ids = traffic_ids(n);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, n);
    for (unsigned i = 0; i < n; i++)
        traffic_by_id(t, BOOKS, ids[i], 3);
    traffic_plain(t, "ROLLBACK");
}

static void test_n_plus_one_in_transaction_is_proven_by_lineage(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    for (int i = 0; i < 25; i++)
        request(t, 30);
    const struct result *r = traffic_result(t);
    const struct finding *f = traffic_finding(r, "n_plus_one");
    assert_non_null(f);
    assert_int_equal(r->n_findings, 1);
    assert_int_equal(r->n_endpoints, 1);
    assert_int_equal(r->units, 25);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    assert_string_equal(f->lineage.from_column, "authors.id");
    assert_int_equal(f->lineage.matched, 750);
    assert_int_equal(f->lineage.of, 750);
    assert_int_equal(f->occurrences.p50, 30);
    assert_int_equal(f->requests_seen, 25);
    assert_int_equal(f->queries_before, 31);
    assert_int_equal(f->queries_after, 2);
    assert_int_equal(f->n_statements, 2);
    assert_string_equal(f->statements[0].role, "parent");
    assert_non_null(f->statements[1].usage);
    assert_int_equal(f->statements[1].usage->calls, 750);
    assert_non_null(strstr(f->optimized_code, "selectinload(Author.books)"));
    assert_non_null(strstr(f->asyncpg, "ANY($1::bigint[])"));
    assert_non_null(strstr(f->asyncpg, "row[\"id\"] for row in authors"));
    assert_non_null(strstr(f->django, "prefetch_related(\"books\")"));
    assert_true(f->wasted_ms_p95 > 5.7 && f->wasted_ms_p95 < 6.3);
    assert_true(f->after_ms < f->before_ms);
    assert_true(f->removable == 725);
    traffic_free(t);
}

static void test_n_plus_one_without_names_needs_order_and_wide_values(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    request(t, 30); /* neither columns nor facts known */
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    assert_string_equal(f->lineage.from_column, "authors.column 1");
    traffic_free(t);
}

static void test_n_plus_one_at_three_rows_is_low_and_at_two_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    request(t, 2);
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    request(t, 3);
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_LOW);
    traffic_free(t);
}

static void test_n_plus_one_of_a_hundred_round_trips_is_critical(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    request(t, 101);
    const struct result *r = traffic_result(t);
    assert_int_equal(traffic_finding(r, "n_plus_one")->severity, SEVERITY_CRITICAL);
    assert_non_null(traffic_finding(r, "n_plus_one")->expected_improvement);
    assert_true(r->needs_optimization);
    traffic_free(t);
}

/* Most requests find an empty page: what one with the loop sends is told all the same. */
static void test_counts_are_those_of_requests_with_the_loop(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    traffic_tag(t, "GET", "/authors", "app/orm.py", "42");
    for (int i = 0; i < 30; i++)
        request(t, i % 3 == 0 ? 30 : 0);
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->queries_before, 31);
    assert_int_equal(f->queries_after, 2);
    assert_non_null(strstr(f->issue, "31 statements a request where 2 would do"));
    traffic_free(t);
}

static void test_back_to_back_autocommit_requests_are_told_apart(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    traffic_tag(t, "GET", "/authors", "app/orm.py", "42");
    for (int i = 0; i < 40; i++) {
        const int64_t *ids = traffic_ids(30);
        traffic_page(t, AUTHORS, i % 3, ids, 30);
        for (int k = 0; k < 30; k++)
            traffic_by_id(t, BOOKS, ids[k], 3);
    }
    const struct result *r = traffic_result(t);
    const struct finding *f = traffic_finding(r, "n_plus_one");
    assert_int_equal(r->units, 40);
    assert_non_null(f);
    assert_int_equal(f->occurrences.max, 30);
    assert_string_equal(f->endpoint->name, "GET /authors");
    assert_string_equal(f->tag->value[SQL_TAG_FILE], "app/orm.py");
    traffic_free(t);
}

static void test_clean_two_statement_requests_in_autocommit_give_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *user = "SELECT id, name FROM users WHERE id = $1";
    const char *orders = "SELECT id FROM orders WHERE user_id = $1 LIMIT 20";
    traffic_facts(t, user, FACT_WHERE, "users", "id");
    traffic_facts(t, orders, FACT_WHERE | FACT_LIMIT, "orders", "user_id");
    traffic_columns(t, user, "id name", WIRE_OID_INT8);
    for (int64_t i = 0; i < 50; i++) {
        int64_t id = 100000 + i;
        traffic_page(t, user, id, &id, 1);
        traffic_by_id(t, orders, id, 4);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 0);
    assert_int_equal(r->units, 50);
    traffic_free(t);
}

static void test_requests_with_and_without_second_statement_give_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *user = "SELECT id, name FROM users WHERE id = $1";
    const char *orders = "SELECT id FROM orders WHERE user_id = $1 LIMIT 20";
    traffic_facts(t, user, FACT_WHERE, "users", "id");
    traffic_facts(t, orders, FACT_WHERE | FACT_LIMIT, "orders", "user_id");
    traffic_columns(t, user, "id name", WIRE_OID_INT8);
    for (int64_t i = 0; i < 60; i++) {
        int64_t id = 100000 + i;
        traffic_page(t, user, id, &id, 1);
        for (int64_t k = 0; k < i % 3; k++)
            traffic_by_id(t, orders, id, 4);
    }
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_growth_with_the_rows_is_a_law_that_odd_requests_do_not_bend(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *list = "SELECT id FROM lists WHERE owner = $1";
    const char *item = "SELECT name FROM items WHERE list_id = $1";
    traffic_facts(t, list, FACT_WHERE, "lists", "owner");
    traffic_facts(t, item, FACT_WHERE, "items", "list_id");
    traffic_columns(t, list, "id", WIRE_OID_INT8);
    for (unsigned i = 0; i < 12; i++) {
        unsigned rows = 5 + i * 3;
        traffic_plain(t, "BEGIN");
        traffic_page(t, list, i, traffic_ids(rows), rows);
        for (unsigned k = 0; k < (i == 7 ? 4 : rows); k++)
            traffic_by_id(t, item, traffic_ids(rows)[k], 2);
        traffic_plain(t, "COMMIT");
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_true(f->growth.known);
    assert_true(f->growth.slope > 0.99 && f->growth.slope < 1.01);
    assert_true(f->growth.base > -0.01 && f->growth.base < 0.01);
    assert_non_null(strstr(f->impact, "It grows with the data: 0 + 1 x rows"));
    traffic_free(t);
}

static void test_fifty_equal_requests_in_a_row_give_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/books/{id}", NULL, NULL);
    for (int i = 0; i < 50; i++)
        traffic_by_id(t, "SELECT id, title FROM books WHERE id = $1", i % 2 == 0 ? 7 : 1000 + i, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 0);
    assert_int_equal(r->units, 50);
    traffic_free(t);
}

static void test_pairs_without_a_list_before_them_give_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *user = "SELECT id, name FROM users WHERE id = $1";
    const char *orders = "SELECT id FROM orders WHERE user_id = $1 LIMIT 20";
    traffic_facts(t, user, FACT_WHERE, "users", "id");
    traffic_facts(t, orders, FACT_WHERE | FACT_LIMIT, "orders", "user_id");
    traffic_columns(t, user, "id name", WIRE_OID_INT8);
    traffic_by_id(t, "SELECT v FROM config WHERE k = $1", 1, 1);
    for (int64_t i = 0; i < 10; i++) {
        int64_t id = 100000 + i;
        traffic_page(t, user, id, &id, 1);
        traffic_by_id(t, orders, id, 4);
    }
    assert_int_equal(traffic_result(t)->n_findings, 0);
    traffic_free(t);
}

static void test_values_that_come_later_are_no_lineage(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const int64_t *ids = traffic_ids(20);
    know(t);
    traffic_page(t, AUTHORS, 0, ids, 10);
    for (int i = 10; i < 20; i++)
        traffic_by_id(t, BOOKS, ids[i], 3);
    traffic_by_id(t, PRIZES, 3, 1);
    traffic_page(t, AUTHORS, 10, ids + 10, 10);
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_selectinload_chunks_are_no_n_plus_one(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const int64_t *ids = traffic_ids(1000);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 1000);
    for (int i = 0; i < 8; i++) {
        uint64_t hashes[2] = {traffic_int(ids[i]), traffic_int(ids[i + 1])};
        traffic_exchange(t, "SELECT author_id, title FROM books WHERE author_id IN ($1, $2, $3)",
                         hashes, 2, (struct reply){.rows = 100});
    }
    traffic_plain(t, "ROLLBACK");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_array_chunks_are_no_n_plus_one_once_facts_tell(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *batch = "SELECT author_id FROM books WHERE author_id = ANY($1)";
    traffic_facts(t, batch, FACT_WHERE | FACT_MANY_KEYS, "books", "");
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < 8; i++)
        traffic_by_id(t, batch, 500000 + i, 100);
    traffic_plain(t, "COMMIT");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_nested_loops_are_two_findings(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *one_book = "SELECT id FROM books WHERE author_id = $1 LIMIT 1";
    const char *reviews = "SELECT stars FROM reviews WHERE book_id = $1";
    const int64_t *ids = traffic_ids(12);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 12);
    for (int i = 0; i < 12; i++) {
        int64_t book = 900000 + 3 * i;
        traffic_page(t, one_book, ids[i], &book, 1);
        traffic_by_id(t, reviews, book, 2);
    }
    traffic_plain(t, "ROLLBACK");
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_findings, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(r->findings[i]->basis, BASIS_VALUE_LINEAGE);
        assert_int_equal(r->findings[i]->occurrences.p50, 12);
    }
    traffic_free(t);
}

static void test_two_repeats_of_one_parent_are_one_finding(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    const int64_t *ids = traffic_ids(10);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 10);
    for (int i = 0; i < 10; i++) {
        traffic_by_id(t, BOOKS, ids[i], 3);
        traffic_by_id(t, PRIZES, ids[i], 1);
    }
    traffic_plain(t, "COMMIT");
    const struct result *r = traffic_result(t);
    const struct finding *f = traffic_finding(r, "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->n_statements, 3);
    assert_int_equal(f->occurrences.p50, 20);
    assert_non_null(
        strstr(f->sqlalchemy, "selectinload(Author.books), selectinload(Author.prizes)"));
    assert_int_equal(f->queries_before, 21);
    assert_int_equal(f->queries_after, 3);
    traffic_free(t);
}

static void test_values_from_nowhere_in_transaction_are_a_repetition(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < 12; i++)
        traffic_by_id(t, BOOKS, 500000 + 11 * i, 3);
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_REPETITION);
    assert_true(f->confidence < 0.7);
    assert_null(f->lineage.from_column);
    traffic_free(t);
}

/* Django leaves OFFSET out of the first page: then the others look like children of it. */
static void test_pages_of_a_whole_table_are_no_repetition(void **state)
{
    (void)state;
    static const char first[] = "SELECT title FROM books ORDER BY id LIMIT $1";
    static const char page[] = "SELECT title FROM books ORDER BY id LIMIT 20 OFFSET $1";
    struct traffic *t = traffic_new();
    traffic_facts(t, first, FACT_LIMIT | FACT_ORDER_BY, "books", "");
    traffic_facts(t, page, FACT_LIMIT | FACT_ORDER_BY, "books", "");
    traffic_plain(t, "BEGIN");
    traffic_by_id(t, first, 20, 20);
    for (int i = 1; i < 12; i++)
        traffic_by_id(t, page, 20 * i, 20);
    traffic_plain(t, "ROLLBACK");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_values_from_nowhere_by_gap_are_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_by_id(t, "SELECT 1 FROM accounts WHERE key = $1", 1, 1);
    for (int i = 0; i < 12; i++)
        traffic_by_id(t, BOOKS, 500000 + 11 * i, 3);
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_as_many_repeats_as_rows_without_lineage_is_a_row_match(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, "SELECT name FROM tokens", NULL, 0, (struct reply){.rows = 12});
    for (int i = 0; i < 12; i++)
        traffic_by_id(t, BOOKS, 500000 + 11 * i, 3);
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_ROW_MATCH);
    traffic_free(t);
}

static void test_one_value_many_times_is_no_n_plus_one(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const int64_t *ids = traffic_ids(10);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 10);
    for (int i = 0; i < 10; i++)
        traffic_by_id(t, BOOKS, ids[0], 3);
    traffic_plain(t, "ROLLBACK");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_retry_after_serialization_failure_is_folded(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    const int64_t *ids = traffic_ids(2);
    traffic_tag(t, "GET", "/retry", NULL, NULL);
    traffic_page(t, AUTHORS, 0, ids, 2);
    traffic_plain(t, "BEGIN");
    for (int attempt = 0; attempt < 3; attempt++) {
        traffic_by_id(t, BOOKS, ids[0], 3);
        traffic_by_id(t, BOOKS, ids[1], 3);
        uint64_t value = traffic_int(5);
        traffic_exchange(t, "UPDATE stock SET n = n - 1 WHERE book_id = $1", &value, 1,
                         (struct reply){.sqlstate = "40001"});
        traffic_plain(t, "ROLLBACK TO SAVEPOINT s1");
    }
    traffic_plain(t, "COMMIT");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_dense_small_ids_without_a_name_are_no_lineage(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    int64_t small[20];
    for (int i = 0; i < 20; i++)
        small[i] = i + 1;
    const char *weekdays = "SELECT label FROM slots WHERE weekday = $1";
    traffic_page(t, AUTHORS, 0, small, 20);
    traffic_columns(t, AUTHORS, "id name", WIRE_OID_INT8);
    traffic_facts(t, weekdays, FACT_WHERE, "slots", "weekday");
    for (int i = 0; i < 12; i++)
        traffic_by_id(t, weekdays, i + 1, 2);
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_dense_small_ids_with_a_name_are_lineage(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    int64_t small[20];
    for (int i = 0; i < 20; i++)
        small[i] = i + 1;
    traffic_page(t, AUTHORS, 0, small, 20);
    for (int i = 0; i < 20; i++)
        traffic_by_id(t, BOOKS, small[i], 2);
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    traffic_free(t);
}

static void test_reference_to_one_is_joined(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *books = "SELECT id, author_id FROM books ORDER BY id LIMIT 20";
    const char *author = "SELECT id, name FROM authors WHERE id = $1";
    traffic_statement(t, books);
    traffic_columns(t, books, "id author_id", WIRE_OID_INT8);
    traffic_facts(t, books, FACT_LIMIT, "books", "");
    traffic_facts(t, author, FACT_WHERE, "authors", "id");
    int64_t ids[20];
    int64_t authors[20];
    for (int i = 0; i < 20; i++) {
        ids[i] = 700000 + i;
        authors[i] = 800000 + (i * 7) % 20;
    }
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, books, NULL, 0, (struct reply){.rows = 20, .keys = ids, .keys2 = authors});
    for (int i = 0; i < 20; i++)
        traffic_by_id(t, author, authors[i], 1);
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_string_equal(f->lineage.from_column, "books.author_id");
    assert_non_null(strstr(f->sqlalchemy, "joinedload(Book.author)"));
    assert_non_null(strstr(f->django, "select_related(\"author\")"));
    assert_int_equal(f->queries_after, 1); /* joined */
    traffic_free(t);
}

static void test_text_keys_have_a_lineage_too(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    static const char *const codes[] = {"berlin", "paris", "rome", "oslo", "wien", "bern"};
    traffic_plain(t, "BEGIN");
    traffic_exchange(t, "SELECT code FROM cities LIMIT 6", NULL, 0,
                     (struct reply){.rows = 6, .texts = codes});
    for (int i = 0; i < 6; i++) {
        uint64_t hash = wire_value_hash_text(span_of_text(codes[i]));
        traffic_exchange(t, "SELECT n FROM people WHERE city = $1", &hash, 1,
                         (struct reply){.rows = 1});
    }
    traffic_plain(t, "COMMIT");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    traffic_free(t);
}

static void test_aggregate_a_row_is_grouped(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    const char *count = "SELECT count(*) FROM reviews WHERE author_id = $1";
    traffic_facts(t, count, FACT_WHERE | FACT_COUNT | FACT_ONLY_AGGREGATES, "reviews", "author_id");
    const int64_t *ids = traffic_ids(10);
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 10);
    for (int i = 0; i < 10; i++)
        traffic_by_id(t, count, ids[i], 1);
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_non_null(strstr(f->sqlalchemy, ".group_by(Review.author_id)"));
    assert_non_null(strstr(f->asyncpg, "GROUP BY author_id"));
    traffic_free(t);
}

static void test_pipelined_repeats_drop_one_severity(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    know(t);
    const int64_t *ids = traffic_ids(30);
    t->query_us = 8000;
    traffic_plain(t, "BEGIN");
    traffic_page(t, AUTHORS, 0, ids, 30);
    for (int i = 0; i < 30; i++) {
        t->pipelined = i > 0;
        traffic_by_id(t, BOOKS, ids[i], 3);
    }
    t->pipelined = false;
    traffic_plain(t, "ROLLBACK");
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_true(f->round_trips_saved < 1);
    traffic_free(t);
}

static void test_writes_in_a_loop_are_not_this_rule(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < 20; i++)
        traffic_by_id(t, "UPDATE books SET seen = true WHERE id = $1", 600000 + i, 1);
    traffic_plain(t, "COMMIT");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_queue_polling_is_not_this_rule(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const char *take = "SELECT id FROM jobs WHERE queue = $1 FOR UPDATE SKIP LOCKED";
    traffic_facts(t, take, FACT_WHERE | FACT_FOR_UPDATE | FACT_SKIP_LOCKED, "jobs", "queue");
    traffic_plain(t, "BEGIN");
    for (int i = 0; i < 20; i++)
        traffic_by_id(t, take, 600000 + i, 1);
    traffic_plain(t, "COMMIT");
    assert_null(traffic_finding(traffic_result(t), "n_plus_one"));
    traffic_free(t);
}

static void test_growth_with_rows_proves_dense_ids(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    int64_t small[20];
    for (int i = 0; i < 20; i++)
        small[i] = i + 1;
    for (unsigned n = 3; n < 10; n++) {
        traffic_plain(t, "BEGIN");
        traffic_page(t, AUTHORS, 0, small, n);
        for (unsigned i = 0; i < n; i++)
            traffic_by_id(t, BOOKS, small[i], 2);
        traffic_plain(t, "ROLLBACK");
    }
    const struct finding *f = traffic_finding(traffic_result(t), "n_plus_one");
    assert_non_null(f);
    assert_int_equal(f->basis, BASIS_VALUE_LINEAGE);
    traffic_free(t);
}

static void test_children_of_a_trace_on_other_connections_are_found(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    const int64_t *ids = traffic_ids(9);
    t->trace = 77;
    traffic_page(t, AUTHORS, 0, ids, 9);
    for (int i = 0; i < 9; i++) {
        t->session = 2 + (uint64_t)i % 3;
        traffic_by_id(t, BOOKS, ids[i], 3);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->units, 1);
    assert_non_null(traffic_finding(r, "n_plus_one"));
    assert_int_equal(r->endpoints[0].endpoint->confidence, UNIT_EXACT);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_n_plus_one_in_transaction_is_proven_by_lineage),
        cmocka_unit_test(test_n_plus_one_without_names_needs_order_and_wide_values),
        cmocka_unit_test(test_n_plus_one_at_three_rows_is_low_and_at_two_nothing),
        cmocka_unit_test(test_n_plus_one_of_a_hundred_round_trips_is_critical),
        cmocka_unit_test(test_counts_are_those_of_requests_with_the_loop),
        cmocka_unit_test(test_back_to_back_autocommit_requests_are_told_apart),
        cmocka_unit_test(test_clean_two_statement_requests_in_autocommit_give_nothing),
        cmocka_unit_test(test_requests_with_and_without_second_statement_give_nothing),
        cmocka_unit_test(test_growth_with_the_rows_is_a_law_that_odd_requests_do_not_bend),
        cmocka_unit_test(test_fifty_equal_requests_in_a_row_give_nothing),
        cmocka_unit_test(test_pairs_without_a_list_before_them_give_nothing),
        cmocka_unit_test(test_values_that_come_later_are_no_lineage),
        cmocka_unit_test(test_selectinload_chunks_are_no_n_plus_one),
        cmocka_unit_test(test_array_chunks_are_no_n_plus_one_once_facts_tell),
        cmocka_unit_test(test_nested_loops_are_two_findings),
        cmocka_unit_test(test_two_repeats_of_one_parent_are_one_finding),
        cmocka_unit_test(test_values_from_nowhere_in_transaction_are_a_repetition),
        cmocka_unit_test(test_pages_of_a_whole_table_are_no_repetition),
        cmocka_unit_test(test_values_from_nowhere_by_gap_are_nothing),
        cmocka_unit_test(test_as_many_repeats_as_rows_without_lineage_is_a_row_match),
        cmocka_unit_test(test_one_value_many_times_is_no_n_plus_one),
        cmocka_unit_test(test_retry_after_serialization_failure_is_folded),
        cmocka_unit_test(test_dense_small_ids_without_a_name_are_no_lineage),
        cmocka_unit_test(test_dense_small_ids_with_a_name_are_lineage),
        cmocka_unit_test(test_reference_to_one_is_joined),
        cmocka_unit_test(test_text_keys_have_a_lineage_too),
        cmocka_unit_test(test_aggregate_a_row_is_grouped),
        cmocka_unit_test(test_pipelined_repeats_drop_one_severity),
        cmocka_unit_test(test_writes_in_a_loop_are_not_this_rule),
        cmocka_unit_test(test_queue_polling_is_not_this_rule),
        cmocka_unit_test(test_growth_with_rows_proves_dense_ids),
        cmocka_unit_test(test_children_of_a_trace_on_other_connections_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
