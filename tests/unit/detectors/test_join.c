/* Statements and HTTP requests: which belong together, and which must not be said to. */
#include "detectors/traffic.h"

#include "detectors/join.h"

#define ASK "SELECT a FROM b WHERE c = $1"

static void begin(struct traffic *t, uint64_t request)
{
    struct record_http_begin *r = (void *)t->out.bytes;
    r->request = request;
    r->time_us = t->now_us;
    traffic_send(t, RECORD_HTTP_BEGIN, sizeof(*r), 0);
}

struct request {
    uint64_t id;
    int64_t start_us;
    const char *route;
    uint16_t flags;
    uint16_t status;
    uint64_t trace;
};

static void end(struct traffic *t, const struct request *about)
{
    struct record_http *r = (void *)t->out.bytes;
    r->request = about->id;
    r->start_us = about->start_us;
    r->total_us = (uint32_t)(t->now_us - about->start_us);
    r->first_us = r->total_us / 2;
    r->trace = about->trace;
    r->status = about->status != 0 ? about->status : 200;
    r->http_flags = about->flags;
    r->method_len = 3;
    r->route_len = (uint16_t)strlen(about->route);
    size_t tail = traffic_tail(t, sizeof(*r), 0, "GET", 3);
    tail = traffic_tail(t, sizeof(*r), tail, about->route, r->route_len);
    traffic_send(t, RECORD_HTTP, sizeof(*r), tail);
}

/* A request that asks a few times. */
static void ask(struct traffic *t, uint64_t id, const char *route, int times, uint16_t flags)
{
    struct request r = {.id = id, .start_us = t->now_us, .route = route, .flags = flags};
    begin(t, id);
    traffic_wait(t, 1);
    for (int i = 0; i < times; i++)
        traffic_by_id(t, ASK, i + 1, 1);
    traffic_wait(t, 1);
    end(t, &r);
    traffic_wait(t, 5);
}

static const struct endpoint *endpoint(const struct result *r, const char *name)
{
    for (size_t i = 0; i < r->n_endpoints; i++) {
        if (strcmp(r->endpoints[i].endpoint->name, name) == 0)
            return r->endpoints[i].endpoint;
    }
    return NULL;
}

static void test_join_request_alone_names_its_statements(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    for (uint64_t i = 0; i < 5; i++) {
        ask(t, 2 * i + 1, "/one", 1, HTTP_ALONE);
        ask(t, 2 * i + 2, "/three", 3, HTTP_ALONE);
    }
    const struct result *r = traffic_result(t);
    assert_true(r->http);
    assert_int_equal(r->n_endpoints, 2);
    const struct endpoint *three = endpoint(r, "GET /three");
    assert_int_equal(three->units, 5);
    assert_int_equal(three->statements, 15);
    assert_int_equal(three->attribution, ATTRIBUTION_HTTP);
    assert_int_equal(three->confidence, UNIT_EXACT);
    assert_int_equal(three->http->requests, 5);
    assert_int_equal(endpoint(r, "GET /one")->statements, 5);
    const struct latency_split *s = &three->split;
    assert_int_equal(s->pool_wait_us, 0); /* nobody else was there */
    assert_int_equal(s->total_us, s->database_us + s->idle_in_transaction_us + s->transfer_us +
                                      s->application_us);
    traffic_free(t);
}

/* The ring of the statements was emptied before that of the first requests. */
static void test_join_first_request_of_a_run_may_be_told_behind_its_statements(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct record_run_start *start = (void *)t->out.bytes;
    start->http = 1;
    traffic_send(t, RECORD_RUN_START, sizeof(*start), 0);
    t->session = 1;
    struct request r = {.id = 1, .start_us = t->now_us, .route = "/one", .flags = HTTP_ALONE};
    int64_t began_us = t->now_us;
    traffic_wait(t, 1);
    traffic_by_id(t, ASK, 1, 1);
    traffic_wait(t, 1);
    int64_t ended_us = t->now_us;
    t->now_us = began_us;
    begin(t, 1);
    t->now_us = ended_us;
    end(t, &r);
    const struct result *result = traffic_result(t);
    assert_int_equal(endpoint(result, "GET /one")->statements, 1);
    assert_int_equal(result->joined_statements, 1);
    traffic_free(t);
}

/* It is known by HTTP alone. */
static bool has_no_statement(const struct endpoint *e)
{
    return e != NULL && e->units == 0 && e->statements == 0 && endpoint_requests(e) > 0;
}

static void test_join_request_beside_another_names_nothing(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    for (uint64_t i = 1; i <= 5; i++)
        ask(t, i, "/one", 1, 0);
    const struct result *r = traffic_result(t);
    assert_true(has_no_statement(endpoint(r, "GET /one")));
    assert_int_equal(r->joined_statements, 0);
    assert_int_equal(r->unjoined_statements, 5);
    assert_int_equal(r->statements, 5);
    traffic_free(t);
}

static void test_join_statement_after_the_request_is_nobodys(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    ask(t, 1, "/one", 1, HTTP_ALONE);
    traffic_wait(t, 50);
    traffic_by_id(t, ASK, 9, 1);
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /one")->statements, 1);
    assert_int_equal(r->unjoined_statements, 1);
    traffic_free(t);
}

static void test_join_trace_tells_requests_in_flight_together_apart(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct request a = {.id = 1, .start_us = t->now_us, .route = "/a", .trace = 77};
    struct request b = {.id = 2, .start_us = t->now_us, .route = "/b", .trace = 88};
    begin(t, 1);
    begin(t, 2);
    traffic_wait(t, 1);
    for (int i = 0; i < 4; i++) {
        t->session = 1;
        t->trace = i % 2 == 0 ? 77 : 88;
        traffic_by_id(t, ASK, i, 1);
    }
    t->trace = 77;
    traffic_by_id(t, ASK, 9, 1);
    end(t, &a);
    end(t, &b);
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /a")->statements, 3);
    assert_int_equal(endpoint(r, "GET /b")->statements, 2);
    traffic_free(t);
}

static void test_join_trace_of_two_requests_names_neither(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    struct request a = {.id = 1, .start_us = t->now_us, .route = "/a", .trace = 77};
    struct request b = {.id = 2, .start_us = t->now_us, .route = "/b", .trace = 77};
    begin(t, 1);
    begin(t, 2);
    traffic_wait(t, 1);
    t->session = 1;
    t->trace = 77;
    traffic_by_id(t, ASK, 1, 1);
    end(t, &a);
    end(t, &b);
    const struct result *r = traffic_result(t);
    assert_true(has_no_statement(endpoint(r, "GET /a")));
    assert_true(has_no_statement(endpoint(r, "GET /b")));
    traffic_free(t);
}

static void test_join_records_of_other_workers_may_come_late(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    ask(t, 1, "/one", 1, HTTP_ALONE);
    struct request two = {.id = 2, .start_us = t->now_us, .route = "/two", .flags = HTTP_ALONE};
    traffic_wait(t, 1);
    traffic_by_id(t, ASK, 1, 1); /* its begin comes after it */
    int64_t now_us = t->now_us;
    t->now_us = two.start_us;
    begin(t, 2);
    t->now_us = now_us + 1000;
    end(t, &two);
    const struct result *r = traffic_result(t);
    assert_int_equal(endpoint(r, "GET /two")->statements, 1);
    traffic_free(t);
}

static void test_join_transaction_older_than_the_request_is_not_its(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    ask(t, 1, "/one", 1, HTTP_ALONE);
    t->session = 2;
    traffic_plain(t, "BEGIN");
    traffic_by_id(t, ASK, 1, 1);
    traffic_wait(t, 10);
    struct request two = {.id = 2, .start_us = t->now_us, .route = "/two", .flags = HTTP_ALONE};
    begin(t, 2);
    traffic_wait(t, 1);
    traffic_by_id(t, ASK, 2, 1);
    traffic_plain(t, "COMMIT");
    traffic_wait(t, 1);
    end(t, &two);
    assert_true(has_no_statement(endpoint(traffic_result(t), "GET /two")));
    traffic_free(t);
}

static void test_join_request_with_long_silence_is_one_unit(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    struct request one = {.id = 1, .start_us = t->now_us, .route = "/one", .flags = HTTP_ALONE};
    begin(t, 1);
    traffic_by_id(t, ASK, 1, 1);
    traffic_wait(t, 20000);
    traffic_by_id(t, ASK, 2, 1);
    end(t, &one);
    traffic_wait(t, 30000);
    ask(t, 2, "/two", 1, HTTP_ALONE);
    const struct endpoint *e = endpoint(traffic_result(t), "GET /one");
    assert_int_equal(e->units, 1);
    assert_int_equal(e->statements, 2);
    traffic_free(t);
}

static void test_join_request_whose_end_was_lost_holds_nothing_for_ever(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    begin(t, 1);
    traffic_by_id(t, ASK, 1, 1);
    traffic_wait(t, 2 * JOIN_WAIT_US / 1000);
    ask(t, 2, "/two", 1, HTTP_ALONE);
    struct result *r = result_new(t->audit);
    assert_int_equal(r->unjoined_statements, 1);
    result_free(r);
    assert_int_equal(endpoint(traffic_result(t), "GET /two")->statements, 1);
    traffic_free(t);
}

static void test_join_tag_names_better_than_http(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    begin(t, 1);
    struct request one = {.id = 1, .start_us = t->now_us, .route = "/x", .flags = HTTP_ALONE};
    traffic_wait(t, 1);
    traffic_tag(t, "GET", "/users/{name}", NULL, NULL);
    traffic_by_id(t, ASK, 1, 1);
    end(t, &one);
    const struct endpoint *e = endpoint(traffic_result(t), "GET /users/{name}");
    assert_non_null(e);
    assert_int_equal(e->attribution, ATTRIBUTION_TAG);
    assert_string_equal(e->http->route, "/x");
    traffic_free(t);
}

static void test_join_many_names_at_one_place_are_taken_together(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    for (uint64_t i = 0; i < ROUTES_MAX_CHILDREN + 40; i++) {
        char route[32];
        snprintf(route, sizeof(route), "/users/n%c%c", (char)('a' + i / 26), (char)('a' + i % 26));
        ask(t, i + 1, route, 1, HTTP_ALONE);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, ROUTES_MAX_CHILDREN + 1);
    assert_int_equal(endpoint(r, "GET /users/{name}")->units, 40);
    traffic_free(t);
}

static void test_join_unknown_paths_make_one_route(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    for (uint64_t i = 0; i < 30; i++) {
        char route[32];
        snprintf(route, sizeof(route), "/scan/x%c", (char)('a' + i));
        struct request r = {
            .id = i + 1, .start_us = t->now_us, .route = route, .flags = HTTP_ALONE, .status = 404};
        begin(t, r.id);
        traffic_by_id(t, ASK, 1, 1);
        traffic_wait(t, 1);
        end(t, &r);
    }
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, 1);
    assert_non_null(endpoint(r, "GET {not found}"));
    traffic_free(t);
}

static void test_join_without_http_holds_nothing_back(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    t->session = 1;
    traffic_by_id(t, ASK, 1, 1);
    traffic_wait(t, 5000);
    struct record_mark *mark = (void *)t->out.bytes;
    mark->time_us = t->now_us;
    traffic_send(t, RECORD_MARK, sizeof(*mark), 0);
    struct result *r = result_new(t->audit);
    assert_int_equal(r->units, 1);
    assert_false(r->http);
    result_free(r);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_request_alone_names_its_statements),
        cmocka_unit_test(test_join_request_beside_another_names_nothing),
        cmocka_unit_test(test_join_statement_after_the_request_is_nobodys),
        cmocka_unit_test(test_join_trace_tells_requests_in_flight_together_apart),
        cmocka_unit_test(test_join_trace_of_two_requests_names_neither),
        cmocka_unit_test(test_join_records_of_other_workers_may_come_late),
        cmocka_unit_test(test_join_first_request_of_a_run_may_be_told_behind_its_statements),
        cmocka_unit_test(test_join_transaction_older_than_the_request_is_not_its),
        cmocka_unit_test(test_join_request_with_long_silence_is_one_unit),
        cmocka_unit_test(test_join_request_whose_end_was_lost_holds_nothing_for_ever),
        cmocka_unit_test(test_join_tag_names_better_than_http),
        cmocka_unit_test(test_join_many_names_at_one_place_are_taken_together),
        cmocka_unit_test(test_join_unknown_paths_make_one_route),
        cmocka_unit_test(test_join_without_http_holds_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
