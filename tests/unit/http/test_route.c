#include "cmocka_all.h"

#include <string.h>

#include "guard.h"
#include "http/route.h"

static const char *patterns = "";

static void expect(const char *target, const char *route)
{
    char out[RECORD_ROUTE_MAX];
    struct span copy = guard_copy(span_of_text(target));
    size_t len = http_route(copy, false, patterns, out);
    guard_free(copy);
    assert_int_equal(len, strlen(route));
    assert_memory_equal(out, route, len);
}

static void test_route_words_stay(void **state)
{
    (void)state;
    expect("/", "/");
    expect("/api/v2/order-items/sort_by.json", "/api/v2/order-items/sort_by.json");
    expect("/oauth2/callback/", "/oauth2/callback/");
    expect("/getUserById", "/getUserById");
    expect("//a", "//a");
}

static void test_route_values_are_replaced(void **state)
{
    (void)state;
    expect("/users/4711", "/users/{id}");
    expect("/x/0f8fad5b-d9cb-469f-a165-70867728950E/y", "/x/{uuid}/y");
    expect("/x/d41d8cd98f00b204e9800998ecf8427e", "/x/{hash}");
    expect("/x/deadbeefdeadbeef", "/x/{hash}");
    expect("/x/jane@example.com", "/x/{value}");
    expect("/x/jane%20doe", "/x/{value}");
    expect("/x/order-2024", "/x/{value}");
    expect("/x/a1b2", "/x/{value}");
    expect("/x/aBcDeFgHiJ", "/x/{value}");
    expect("/x/abcdefghijklmnopqrstuvwxyzabcdefg", "/x/{value}");
    expect("/x/-1", "/x/-1"); /* a word with a short number at its end */
}

static void test_route_query_fragment_and_host_are_dropped(void **state)
{
    (void)state;
    expect("/a?token=secret", "/a");
    expect("/a#secret", "/a");
    expect("http://user:secret@host:80/a/7?b", "/a/{id}");
    expect("*", "*");
    expect("secret.host:443", "/");
    expect("", "/");
    expect("?a", "/");
}

static void test_route_long_paths_are_cut_at_a_segment(void **state)
{
    (void)state;
    char target[1000];
    char out[RECORD_ROUTE_MAX];
    for (size_t i = 0; i < sizeof(target); i++)
        target[i] = i % 10 == 0 ? '/' : 'a';
    size_t len = http_route(span_of(target, sizeof(target)), false, "", out);
    assert_true(len <= RECORD_ROUTE_MAX);
    assert_memory_equal(out + len - 7, "/{rest}", 7);
    len = http_route(span_of("/a/secr", 7), true, "", out);
    assert_int_equal(len, 9);
    assert_memory_equal(out, "/a/{rest}", 9);
}

static void test_route_patterns_come_first(void **state)
{
    (void)state;
    patterns = "/users/{name}/posts, /files/*,/v1/4711";
    expect("/users/jane/posts", "/users/{name}/posts");
    expect("/files/a/b/c?d", "/files/*");
    expect("/v1/4711", "/v1/4711");
    /* Near misses. */
    expect("/users/jane/posts/", "/users/jane/posts/");
    expect("/users//posts", "/users//posts");
    expect("/users/jane", "/users/jane");
    expect("/v1/4712", "/v1/{id}");
    patterns = "";
}

static void test_route_patterns_are_checked(void **state)
{
    (void)state;
    assert_true(http_patterns_are_good(""));
    assert_true(http_patterns_are_good("/a/{b}, /c"));
    assert_false(http_patterns_are_good("a"));
    assert_false(http_patterns_are_good("/a,,/b"));
    char text[RECORD_ROUTE_MAX + 2];
    memset(text, '/', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_false(http_patterns_are_good(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_words_stay),
        cmocka_unit_test(test_route_values_are_replaced),
        cmocka_unit_test(test_route_query_fragment_and_host_are_dropped),
        cmocka_unit_test(test_route_long_paths_are_cut_at_a_segment),
        cmocka_unit_test(test_route_patterns_come_first),
        cmocka_unit_test(test_route_patterns_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
