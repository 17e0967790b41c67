#include "cmocka_all.h"
#include "proxy/admin_access.h"

#include <stdio.h>

static const char admin[] = "0123456789abcdef";
static const char reader[] = "fedcba9876543210";

static enum admin_role role(const char *token)
{
    struct admin_tokens t;
    admin_tokens_init(&t, admin, reader);
    return admin_role_of(&t, span_of_text(token));
}

static void test_token_alone_decides_the_role(void **state)
{
    (void)state;
    assert_int_equal(role(admin), ADMIN_ADMIN);
    assert_int_equal(role(reader), ADMIN_READ);
    assert_int_equal(role(""), ADMIN_NOBODY);
    assert_int_equal(role("0123456789abcdeF"), ADMIN_NOBODY);
    assert_int_equal(role("0123456789abcde"), ADMIN_NOBODY);
    assert_int_equal(role("0123456789abcdef0"), ADMIN_NOBODY);
}

static void test_token_that_is_not_set_opens_nothing(void **state)
{
    (void)state;
    struct admin_tokens t;
    char zeroes[ADMIN_TOKEN_MAX] = {0};
    admin_tokens_init(&t, admin, "");
    for (size_t n = 0; n <= sizeof(zeroes); n++)
        assert_int_equal(admin_role_of(&t, span_of(zeroes, n)), ADMIN_NOBODY);
    assert_int_equal(admin_role_of(&t, span_of(admin, sizeof(admin))), ADMIN_NOBODY);
}

static void test_token_is_good_when_long_and_plain(void **state)
{
    (void)state;
    char text[ADMIN_TOKEN_MAX + 2];
    for (size_t n = 0; n < sizeof(text); n++) {
        memset(text, 'x', n);
        text[n] = '\0';
        assert_int_equal(admin_token_is_good(text), n >= ADMIN_TOKEN_MIN && n <= ADMIN_TOKEN_MAX);
    }
    assert_true(admin_token_is_good("AZaz09._~-AZaz09"));
    assert_false(admin_token_is_good("0123456789 bcdef"));
    assert_false(admin_token_is_good("0123456789&bcdef"));
    assert_false(admin_token_is_good("0123456789%41cdef"));
}

static void test_bearer_is_what_follows_the_scheme(void **state)
{
    (void)state;
    assert_true(span_is(admin_bearer("Bearer abc"), "abc"));
    assert_true(span_is(admin_bearer("bearer   abc  "), "abc"));
    assert_int_equal(admin_bearer("Bearer").len, 0);
    assert_int_equal(admin_bearer("Bearer ").len, 0);
    assert_int_equal(admin_bearer("Bearerabc").len, 0);
    assert_int_equal(admin_bearer("Basic abc").len, 0);
    assert_int_equal(admin_bearer("").len, 0);
    assert_int_equal(admin_bearer(NULL).len, 0);
}

static void test_query_token_counts_when_there_is_one(void **state)
{
    (void)state;
    assert_true(span_is(admin_query_token("token=abc"), "abc"));
    assert_true(span_is(admin_query_token("x=1&token=abc&y"), "abc"));
    assert_int_equal(admin_query_token("token=abc&token=abc").len, 0);
    assert_int_equal(admin_query_token("mytoken=abc").len, 0);
    assert_int_equal(admin_query_token("token=").len, 0);
    assert_int_equal(admin_query_token("&&&").len, 0);
    assert_int_equal(admin_query_token("").len, 0);
    assert_int_equal(admin_query_token(NULL).len, 0);
}

static void test_host_must_be_a_name_of_ours_and_our_port(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool allowed;
    } cases[] = {
        {"127.0.0.1:6433", true},
        {"localhost:6433", true},
        {"LOCALHOST:6433", true},
        {"[::1]:6433", true},
        {"box.lan:6433", true},
        {"audit.test:9000", true},
        {"other.test", true},
        {"other.test:1234", true},
        {"audit.test:9001", false},
        {"audit.test", false},
        {"localhost", false},
        {"localhost:80", false},
        {"localhost:06433", false},
        {"localhost:6433:6433", false},
        {"localhost:", false},
        {"evil.test:6433", false},
        {"localhost.evil.test:6433", false},
        {"127.0.0.1.evil.test:6433", false},
        {"evil.test#localhost:6433", false},
        {"user@localhost:6433", false},
        {"::1:6433", false},
        {"[::1:6433", false},
        {"[::1]6433", false},
        {"[]:6433", false},
        {":6433", false},
        {"", false},
        {NULL, false},
    };
    struct admin_names names = {
        .listen = "box.lan", .extra = "audit.test:9000,other.test", .port = 6433};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (admin_host_is_allowed(&names, cases[i].host) != cases[i].allowed)
            fail_msg("%s", cases[i].host != NULL ? cases[i].host : "none");
    }
}

static void test_host_without_port_means_80(void **state)
{
    (void)state;
    struct admin_names names = {.listen = "", .extra = "", .port = 80};
    assert_true(admin_host_is_allowed(&names, "localhost"));
    assert_true(admin_host_is_allowed(&names, "localhost:80"));
    assert_false(admin_host_is_allowed(&names, ":80"));
}

static void test_hosts_option_is_names_with_commas(void **state)
{
    (void)state;
    assert_true(admin_hosts_are_good(""));
    assert_true(admin_hosts_are_good("a"));
    assert_true(admin_hosts_are_good("a:1,b.test,[::1]:2"));
    assert_false(admin_hosts_are_good(","));
    assert_false(admin_hosts_are_good("a,"));
    assert_false(admin_hosts_are_good("a,,b"));
    assert_false(admin_hosts_are_good("a, b"));
    assert_false(admin_hosts_are_good("http://a"));
    assert_false(admin_hosts_are_good("[::1"));
    assert_false(admin_hosts_are_good("a:"));
    assert_false(admin_hosts_are_good("*"));
}

static void test_origin_is_own_when_it_is_the_host(void **state)
{
    (void)state;
    assert_true(admin_origin_is_own(NULL, "a:1"));
    assert_true(admin_origin_is_own("http://a:1", "a:1"));
    assert_true(admin_origin_is_own("https://A:1", "a:1"));
    assert_false(admin_origin_is_own("http://a:2", "a:1"));
    assert_false(admin_origin_is_own("http://a:1/", "a:1"));
    assert_false(admin_origin_is_own("null", "a:1"));
    assert_false(admin_origin_is_own("", "a:1"));
    assert_false(admin_origin_is_own("http://", ""));
    assert_false(admin_origin_is_own("http://a:1", NULL));
}

static void test_route_is_found_by_its_whole_path(void **state)
{
    (void)state;
    int n = 0;
#define ADMIN_ROUTE(method_, path_, role_, name)                                                   \
    assert_int_equal(admin_route_of(path_)->verb, ADMIN_VERB_##name);                              \
    assert_int_equal(admin_route_of(path_)->method, ADMIN_##method_);                              \
    assert_int_equal(admin_route_of(path_)->role, ADMIN_##role_);                                  \
    n++;
#include "proxy/admin_routes.def"
#undef ADMIN_ROUTE
    assert_int_equal(n, ADMIN_VERBS);
    assert_null(admin_route_of(""));
    assert_non_null(admin_route_of("/"));
    assert_null(admin_route_of("//"));
    assert_null(admin_route_of("/api/v1/status/"));
    assert_null(admin_route_of("/api/v1/STATUS"));
    assert_null(admin_route_of("//api/v1/status"));
}

static void test_route_that_changes_something_is_a_post_of_the_admin(void **state)
{
    (void)state;
#define ADMIN_ROUTE(method_, path_, role_, name)                                                   \
    assert_int_equal(ADMIN_##method_ == ADMIN_POST, ADMIN_##role_ == ADMIN_ADMIN);
#include "proxy/admin_routes.def"
#undef ADMIN_ROUTE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_alone_decides_the_role),
        cmocka_unit_test(test_token_that_is_not_set_opens_nothing),
        cmocka_unit_test(test_token_is_good_when_long_and_plain),
        cmocka_unit_test(test_bearer_is_what_follows_the_scheme),
        cmocka_unit_test(test_query_token_counts_when_there_is_one),
        cmocka_unit_test(test_host_must_be_a_name_of_ours_and_our_port),
        cmocka_unit_test(test_host_without_port_means_80),
        cmocka_unit_test(test_hosts_option_is_names_with_commas),
        cmocka_unit_test(test_origin_is_own_when_it_is_the_host),
        cmocka_unit_test(test_route_is_found_by_its_whole_path),
        cmocka_unit_test(test_route_that_changes_something_is_a_post_of_the_admin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
