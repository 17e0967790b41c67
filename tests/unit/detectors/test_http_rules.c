/* What HTTP alone shows, and what it must not take for a fault. */
#include "http_traffic.h"

#include "detectors/routes.h"

enum { KIB = 1024 };

static const struct finding *found(struct traffic *t, const char *rule)
{
    return traffic_finding(traffic_result(t), rule);
}

static enum verdict verdict(struct traffic *t, int item)
{
    return traffic_result(t)->checklist[item - 1].verdict;
}

static struct traffic *requests(int n, const struct http *about)
{
    struct traffic *t = traffic_new();
    for (int i = 0; i < n; i++)
        http_request(t, about);
    return t;
}

/* --- compression --- */

static const struct http plain = {
    .route = "/list",
    .facts = HTTP_TAKES_CODING | HTTP_TEXT,
    .bytes = 40 * KIB,
    .sampled = 16 * KIB,
    .compressed = 4 * KIB,
};

static void test_large_body_that_is_not_compressed_is_told_with_its_saving(void **state)
{
    (void)state;
    struct traffic *t = requests(30, &plain);
    const struct finding *f = found(t, "http_compression");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_string_equal(f->endpoint->name, "GET /list");
    assert_non_null(strstr(f->impact, "75 % smaller"));
    assert_non_null(strstr(f->expected_improvement, "40 KiB -> 10 KiB"));
    assert_non_null(strstr(f->optimized_code, "GZipMiddleware"));
    assert_non_null(strstr(f->optimized_code, "Assumes FastAPI"));
    assert_int_equal(verdict(t, 11), VERDICT_FAIL);
    traffic_free(t);
}

static void expect_no_compression(struct http about, enum verdict expected)
{
    struct traffic *t = requests(30, &about);
    assert_null(found(t, "http_compression"));
    assert_int_equal(verdict(t, 11), expected);
    traffic_free(t);
}

static void test_body_that_gains_nothing_by_compression_is_none(void **state)
{
    (void)state;
    struct http about = plain;
    about.facts |= HTTP_CODED;
    expect_no_compression(about, VERDICT_PASS);
    about = plain;
    about.facts &= ~(uint32_t)HTTP_TAKES_CODING; /* nobody asked */
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.facts &= ~(uint32_t)HTTP_TEXT; /* an image */
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.facts |= HTTP_STREAM;
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.bytes = 1200;
    about.sampled = 1200;
    about.compressed = 300; /* less than a packet */
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.compressed = about.sampled - 100; /* noise */
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.sampled = about.compressed = 0; /* nothing was measured */
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
    about = plain;
    about.status = 500;
    expect_no_compression(about, VERDICT_NOT_OBSERVED);
}

/* --- caching --- */

static const struct http unchanged = {.route = "/menu", .target = 7, .body = 9, .bytes = 5 * KIB};

static void test_answers_that_repeat_without_headers_are_told(void **state)
{
    (void)state;
    struct traffic *t = requests(30, &unchanged);
    const struct finding *f = found(t, "http_caching");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM); /* 29 of 30 */
    assert_non_null(strstr(f->impact, "29 of 30 answers"));
    assert_non_null(strstr(f->django, "condition"));
    assert_int_equal(verdict(t, 12), VERDICT_FAIL);
    traffic_free(t);
}

static void expect_no_caching(struct http about)
{
    struct traffic *t = requests(30, &about);
    assert_null(found(t, "http_caching"));
    traffic_free(t);
}

static void test_answers_that_may_be_kept_or_must_not_are_none(void **state)
{
    (void)state;
    struct http about = unchanged;
    about.facts = HTTP_VALIDATOR;
    expect_no_caching(about);
    about.facts = HTTP_POLICY | HTTP_LASTS;
    expect_no_caching(about);
    about.facts = HTTP_POLICY | HTTP_NO_STORE;
    expect_no_caching(about);
    about = unchanged;
    about.method = "POST";
    expect_no_caching(about);
    about = unchanged;
    about.target = 0; /* too long to tell */
    expect_no_caching(about);
    about = unchanged;
    about.status = 404;
    expect_no_caching(about);
}

static void test_answers_that_change_or_are_for_other_addresses_are_none(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (uint64_t i = 0; i < 60; i++) {
        struct http about = unchanged;
        about.target = i % 2 == 0 ? 7 : 100 + i; /* changes each time; comes once */
        about.body = 1000 + i;
        http_request(t, &about);
    }
    assert_null(found(t, "http_caching"));
    traffic_free(t);
}

static void test_personal_answers_for_all_are_a_leak(void **state)
{
    (void)state;
    struct http about = {.route = "/me", .facts = HTTP_POLICY | HTTP_PUBLIC | HTTP_SETS_COOKIE};
    struct traffic *t = requests(3, &about);
    const struct finding *f = found(t, "http_caching");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_HIGH);
    assert_non_null(strstr(f->issue, "marked public"));
    assert_non_null(strstr(f->optimized_code, "private"));
    traffic_free(t);
    about.facts = HTTP_POLICY | HTTP_PUBLIC;
    t = requests(3, &about);
    assert_null(found(t, "http_caching"));
    traffic_free(t);
}

/* --- connections --- */

static void test_connection_for_each_request_is_told_once_with_who_closes(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 30; i++) {
        http_request(t, &(struct http){.route = "/a", .flags = HTTP_FIRST | HTTP_LAST});
        http_request(t, &(struct http){.route = "/b", .flags = HTTP_FIRST | HTTP_LAST});
    }
    const struct result *r = traffic_result(t);
    unsigned n = 0;
    for (size_t i = 0; i < r->n_findings; i++)
        n += strcmp(r->findings[i]->detector->name, "http_keep_alive") == 0;
    assert_int_equal(n, 1);
    const struct finding *f = traffic_finding(r, "http_keep_alive");
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->issue, "application closes"));
    assert_non_null(strstr(f->optimized_code, "--timeout-keep-alive"));
    traffic_free(t);
}

static void test_client_that_closes_is_the_clients_and_low(void **state)
{
    (void)state;
    struct http about = {
        .route = "/a", .flags = HTTP_FIRST | HTTP_LAST, .facts = HTTP_CLIENT_CLOSES};
    struct traffic *t = requests(30, &about);
    const struct finding *f = found(t, "http_keep_alive");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_LOW);
    assert_non_null(strstr(f->impact, "The client asks for that"));
    traffic_free(t);
}

static void test_connections_that_are_used_again_or_few_requests_are_none(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (int i = 0; i < 60; i++)
        http_request(t, &(struct http){.route = "/a", .flags = i % 2 == 0 ? HTTP_FIRST : 0});
    assert_null(found(t, "http_keep_alive"));
    assert_int_equal(verdict(t, 16), VERDICT_PASS);
    traffic_free(t);
    t = requests(10, &(struct http){.route = "/a", .flags = HTTP_FIRST});
    assert_null(found(t, "http_keep_alive"));
    assert_int_equal(verdict(t, 16), VERDICT_NOT_OBSERVED);
    traffic_free(t);
}

/* --- work after the last statement --- */

/* Requests with a statement, then `after_ms` before the response and `body_ms` of it. */
static struct traffic *handled(int n, int64_t after_ms, int64_t body_ms)
{
    struct traffic *t = traffic_new();
    t->session = 1;
    for (int i = 0; i < n; i++) {
        struct http about = {.route = "/order", .method = "POST", .flags = HTTP_ALONE};
        int64_t start_us = t->now_us;
        uint64_t id = http_begin_request(t, &about);
        traffic_wait(t, 1);
        traffic_by_id(t, "INSERT INTO orders (id) VALUES ($1)", i, 0);
        traffic_wait(t, after_ms);
        about.first_us = (uint32_t)(t->now_us - start_us);
        traffic_wait(t, body_ms);
        http_end_request(t, id, start_us, &about);
        traffic_wait(t, 2000);
    }
    return t;
}

static void test_work_after_the_last_statement_is_told(void **state)
{
    (void)state;
    struct traffic *t = handled(25, 1500, 1);
    const struct finding *f = found(t, "background_work");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->impact, "Whether the response needs that work does not show"));
    assert_non_null(strstr(f->sqlalchemy, "BackgroundTasks"));
    assert_int_equal(verdict(t, 10), VERDICT_FAIL);
    traffic_free(t);
}

static void test_short_work_or_a_long_transfer_is_none(void **state)
{
    (void)state;
    struct traffic *t = handled(25, 100, 1);
    assert_null(found(t, "background_work"));
    assert_int_equal(verdict(t, 10), VERDICT_PASS);
    traffic_free(t);
    t = handled(25, 10, 3000); /* the client waits for bytes, not for work */
    assert_null(found(t, "background_work"));
    traffic_free(t);
    t = handled(25, 400, 3000); /* and where that is most of it */
    assert_null(found(t, "background_work"));
    traffic_free(t);
}

/* --- score and checklist --- */

static void test_score_is_covered_whole_and_falls_with_waste(void **state)
{
    (void)state;
    struct http about = plain;
    about.flags = HTTP_ALONE;
    struct traffic *t = requests(60, &about);
    const struct result *r = traffic_result(t);
    assert_true(r->score.coverage > 0.999);
    const struct score_metric *waste = &r->endpoints[0].score.metrics[SCORE_TRANSFER];
    assert_true(waste->observed && waste->value > 0.74 && waste->value < 0.76);
    int wasteful = r->score.value;
    traffic_free(t);
    about.facts |= HTTP_CODED;
    about.sampled = about.compressed = 0;
    t = requests(60, &about);
    assert_true(traffic_result(t)->score.value > wasteful);
    traffic_free(t);
}

/* Statements that came meanwhile may have been theirs. */
static void test_requests_that_were_never_alone_leave_statements_unknown(void **state)
{
    (void)state;
    struct traffic *t = requests(60, &plain);
    const struct result *r = traffic_result(t);
    assert_false(endpoint_statements_known(r->endpoints[0].endpoint));
    assert_true(r->score.coverage > 0.34 && r->score.coverage < 0.36); /* latency and transfer */
    assert_int_equal(r->score.value, -1);
    traffic_free(t);
}

static void test_rate_limit_passes_on_evidence_only(void **state)
{
    (void)state;
    struct traffic *t = requests(30, &(struct http){.route = "/a"});
    assert_int_equal(verdict(t, 15), VERDICT_NOT_OBSERVED);
    http_request(t, &(struct http){.route = "/a", .status = 429});
    assert_int_equal(verdict(t, 15), VERDICT_PASS);
    traffic_free(t);
    t = requests(3, &(struct http){.route = "/a", .facts = HTTP_LIMITS_RATE});
    assert_int_equal(verdict(t, 15), VERDICT_PASS);
    traffic_free(t);
}

static void test_route_without_statements_is_an_endpoint(void **state)
{
    (void)state;
    struct traffic *t = requests(30, &(struct http){.route = "/health"});
    const struct result *r = traffic_result(t);
    assert_int_equal(r->n_endpoints, 1);
    assert_string_equal(r->endpoints[0].endpoint->name, "GET /health");
    assert_int_equal(endpoint_requests(r->endpoints[0].endpoint), 30);
    assert_int_equal(r->endpoints[0].endpoint->statements, 0);
    assert_in_range(histogram_percentile(endpoint_latency(r->endpoints[0].endpoint), 0.5), 9000,
                    11000);
    traffic_free(t);
}

static void test_targets_past_the_cap_are_counted(void **state)
{
    (void)state;
    struct traffic *t = traffic_new();
    for (uint64_t i = 1; i <= ROUTES_MAX_TARGETS + 10; i++) {
        struct http about = unchanged;
        about.target = i;
        http_request(t, &about);
    }
    assert_int_equal(traffic_result(t)->overflow[OVERFLOW_targets], 10);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_body_that_is_not_compressed_is_told_with_its_saving),
        cmocka_unit_test(test_body_that_gains_nothing_by_compression_is_none),
        cmocka_unit_test(test_answers_that_repeat_without_headers_are_told),
        cmocka_unit_test(test_answers_that_may_be_kept_or_must_not_are_none),
        cmocka_unit_test(test_answers_that_change_or_are_for_other_addresses_are_none),
        cmocka_unit_test(test_personal_answers_for_all_are_a_leak),
        cmocka_unit_test(test_connection_for_each_request_is_told_once_with_who_closes),
        cmocka_unit_test(test_client_that_closes_is_the_clients_and_low),
        cmocka_unit_test(test_connections_that_are_used_again_or_few_requests_are_none),
        cmocka_unit_test(test_work_after_the_last_statement_is_told),
        cmocka_unit_test(test_short_work_or_a_long_transfer_is_none),
        cmocka_unit_test(test_score_is_covered_whole_and_falls_with_waste),
        cmocka_unit_test(test_requests_that_were_never_alone_leave_statements_unknown),
        cmocka_unit_test(test_rate_limit_passes_on_evidence_only),
        cmocka_unit_test(test_route_without_statements_is_an_endpoint),
        cmocka_unit_test(test_targets_past_the_cap_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
