/* Requests in flight together, told apart by the statements that their routes were seen to send. */
#include "http_traffic.h"

#define BOOKS   "SELECT title FROM books WHERE id = $1"
#define AUTHORS "SELECT name FROM authors WHERE id = $1"
#define USER    "SELECT name FROM users WHERE id = $1"

static const struct http books = {.route = "/books", .flags = HTTP_ALONE};
static const struct http authors = {.route = "/authors", .flags = HTTP_ALONE};
static const struct http health = {.route = "/health", .flags = HTTP_ALONE};

static void send(struct traffic *t, uint64_t session, const char *sql)
{
    t->session = session;
    if (sql != NULL)
        traffic_by_id(t, sql, 1, 1);
}

/* Requests that are alone: `first`, then `second`, on session 1. */
static void alone(struct traffic *t, int n, const struct http *about, const char *first,
                  const char *second)
{
    for (int i = 0; i < n; i++) {
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, about);
        traffic_wait(t, 1);
        send(t, 1, first);
        send(t, 1, second);
        traffic_wait(t, 1);
        http_end_request(t, id, start_us, about);
        traffic_wait(t, 2000);
    }
}

/* Two requests in flight: session 1 sends USER and `sql` meanwhile. */
static void together(struct traffic *t, struct http a, struct http b, const char *sql)
{
    int64_t start_us = t->now_us;
    a.flags = b.flags = 0;
    uint64_t first = http_begin_request(t, &a);
    uint64_t second = http_begin_request(t, &b);
    traffic_wait(t, 1);
    send(t, 1, USER);
    send(t, 1, sql);
    traffic_wait(t, 1);
    http_end_request(t, first, start_us, &a);
    http_end_request(t, second, start_us, &b);
    traffic_wait(t, 2000);
}

static const struct endpoint *named(struct traffic *t, const char *name)
{
    const struct result *r = traffic_result(t);
    for (size_t i = 0; i < r->n_endpoints; i++) {
        if (strcmp(r->endpoints[i].endpoint->name, name) == 0)
            return r->endpoints[i].endpoint;
    }
    fail_msg("no endpoint %s", name);
    return NULL;
}

static struct traffic *taught(void)
{
    struct traffic *t = traffic_new();
    alone(t, 3, &books, USER, BOOKS);
    alone(t, 3, &authors, USER, AUTHORS);
    return t;
}

static void test_statement_of_one_route_in_flight_names_its_request(void **state)
{
    (void)state;
    struct traffic *t = taught();
    together(t, books, authors, AUTHORS);
    together(t, authors, books, BOOKS);
    const struct endpoint *e = named(t, "GET /books");
    assert_int_equal(e->units, 4);
    assert_int_equal(e->learnt_units, 1);
    assert_int_equal(e->split.units, 3); /* exact ones */
    assert_int_equal(named(t, "GET /authors")->learnt_units, 1);
    assert_int_equal(traffic_result(t)->learnt_units, 2);
    traffic_free(t);
}

static void test_statement_of_both_routes_names_nothing(void **state)
{
    (void)state;
    struct traffic *t = taught();
    together(t, books, authors, NULL);
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    assert_int_equal(named(t, "GET /books")->units, 3);
    traffic_free(t);
}

static void test_statement_that_no_route_sent_names_nothing(void **state)
{
    (void)state;
    struct traffic *t = taught();
    together(t, books, authors, "SELECT 1 FROM elsewhere WHERE id = $1");
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    traffic_free(t);
}

static void test_route_that_is_not_in_flight_is_not_named(void **state)
{
    (void)state;
    struct traffic *t = taught();
    together(t, books, books, AUTHORS);
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    traffic_free(t);
}

static void test_two_requests_of_one_route_are_named(void **state)
{
    (void)state;
    struct traffic *t = taught();
    together(t, books, books, BOOKS);
    assert_int_equal(named(t, "GET /books")->learnt_units, 1);
    traffic_free(t);
}

static void test_route_that_was_seldom_alone_spoils_the_name(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    alone(t, 3, &books, USER, BOOKS);
    alone(t, 2, &authors, USER, AUTHORS);
    together(t, books, authors, BOOKS); /* what authors sends is not sure */
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    together(t, books, (struct http){.route = "/new"}, BOOKS);
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    traffic_free(t);
}

static void test_route_without_statements_spoils_nothing(void **state)
{
    (void)state;
    struct traffic *t = taught();
    alone(t, 3, &health, NULL, NULL);
    together(t, books, health, BOOKS);
    assert_int_equal(named(t, "GET /books")->learnt_units, 1);
    traffic_free(t);
}

static void test_long_request_in_flight_counts(void **state)
{
    (void)state;
    struct traffic *t = taught();
    struct http slow = authors;
    slow.flags = 0;
    int64_t start_us = t->now_us;
    uint64_t id = http_begin_request(t, &slow);
    traffic_wait(t, 30000); /* longer than all that ended */
    together(t, books, books, NULL);
    together(t, books, books, BOOKS);
    http_end_request(t, id, start_us, &slow);
    traffic_wait(t, 2000);
    assert_int_equal(traffic_result(t)->learnt_units, 1); /* USER could be of both */
    traffic_free(t);
}

/* Requests in flight of which one after the other uses session 1, which nothing marks: the first
 * ends, as far as `told`, before the second sends. */
static struct traffic *one_after_the_other(const char *const first[2], const char *const second[2],
                                           bool told)
{
    struct traffic *t = traffic_new();
    alone(t, 3, &books, first[0], first[1]);
    alone(t, 3, &authors, second[0], second[1]);
    struct http a = books, b = authors;
    a.flags = b.flags = 0;
    int64_t start_us = t->now_us;
    uint64_t one = http_begin_request(t, &a);
    uint64_t other = http_begin_request(t, &b);
    send(t, 1, first[0]);
    send(t, 1, first[1]);
    traffic_wait(t, 7);
    if (told)
        http_end_request(t, one, start_us, &a);
    traffic_wait(t, 7);
    send(t, 1, second[0]);
    send(t, 1, second[1]);
    if (!told)
        traffic_wait(t, 7);
    if (!told)
        http_end_request(t, one, start_us, &a);
    http_end_request(t, other, start_us, &b);
    traffic_wait(t, 2000);
    return t;
}

static void expect_both_named(struct traffic *t)
{
    assert_int_equal(traffic_result(t)->learnt_units, 2);
    const char *const names[] = {"GET /books", "GET /authors"};
    for (int i = 0; i < 2; i++) {
        const struct endpoint *e = named(t, names[i]);
        assert_int_equal(e->learnt_units, 1);
        assert_int_equal(e->statements, 8);
        assert_int_equal(e->statements_each.max, 2);
    }
    traffic_free(t);
}

static void test_requests_without_border_are_cut_where_the_first_ended(void **state)
{
    (void)state;
    const char *const first[] = {BOOKS, USER}, *const second[] = {AUTHORS, USER};
    expect_both_named(one_after_the_other(first, second, true));
}

/* The statement of both is the first of the second's, not the last of the first's. */
static void test_requests_without_border_are_cut_before_a_statement_of_both(void **state)
{
    (void)state;
    const char *const first[] = {BOOKS, USER}, *const second[] = {USER, AUTHORS};
    expect_both_named(one_after_the_other(first, second, true));
}

static void test_requests_without_border_are_not_cut_where_none_ended(void **state)
{
    (void)state;
    const char *const first[] = {BOOKS, USER}, *const second[] = {AUTHORS, USER};
    struct traffic *t = one_after_the_other(first, second, false);
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    assert_int_equal(named(t, "GET /books")->units, 3);
    traffic_free(t);
}

/* Another request of the first's route, which sends one or two statements, ended between them: two
 * places could be meant. */
static void test_requests_without_border_are_not_cut_where_two_places_could_be_meant(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    alone(t, 3, &books, BOOKS, USER);
    alone(t, 1, &books, BOOKS, NULL);
    alone(t, 3, &authors, USER, AUTHORS);
    struct http a = books, b = authors;
    a.flags = b.flags = 0;
    int64_t start_us = t->now_us;
    uint64_t one = http_begin_request(t, &a);
    uint64_t elsewhere = http_begin_request(t, &a);
    uint64_t other = http_begin_request(t, &b);
    send(t, 1, BOOKS);
    traffic_wait(t, 7);
    http_end_request(t, elsewhere, start_us, &a);
    traffic_wait(t, 7);
    send(t, 1, USER);
    traffic_wait(t, 7);
    http_end_request(t, one, start_us, &a);
    traffic_wait(t, 7);
    send(t, 1, USER);
    send(t, 1, AUTHORS);
    http_end_request(t, other, start_us, &b);
    traffic_wait(t, 2000);
    assert_int_equal(traffic_result(t)->learnt_units, 0);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement_of_one_route_in_flight_names_its_request),
        cmocka_unit_test(test_statement_of_both_routes_names_nothing),
        cmocka_unit_test(test_statement_that_no_route_sent_names_nothing),
        cmocka_unit_test(test_route_that_is_not_in_flight_is_not_named),
        cmocka_unit_test(test_two_requests_of_one_route_are_named),
        cmocka_unit_test(test_route_that_was_seldom_alone_spoils_the_name),
        cmocka_unit_test(test_route_without_statements_spoils_nothing),
        cmocka_unit_test(test_long_request_in_flight_counts),
        cmocka_unit_test(test_requests_without_border_are_cut_where_the_first_ended),
        cmocka_unit_test(test_requests_without_border_are_cut_before_a_statement_of_both),
        cmocka_unit_test(test_requests_without_border_are_not_cut_where_none_ended),
        cmocka_unit_test(test_requests_without_border_are_not_cut_where_two_places_could_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
