#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "wire/sql_route.h"

#include <stdio.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *route;
    const char *readable;
} routes[] = {
    {"", ""},
    {"/", "/"},
    {"/books", "/books"},
    {"/books/{id}", "/books/{id}"},
    {"/files/{path:path}", "/files/{path:path}"},
    {"*", "*"},
    {"GET /books", "GET /books"},
    {"https://example.org/x", "https://example.org/x"},
    {"/a+b.c(d)[e]?f", "/a+b.c(d)[e]?f"},
    /* converters of Django and Flask */
    {"books/", "/books/"},
    {"books/<int:pk>/", "/books/{pk}/"},
    {"<slug>/", "/{slug}/"},
    {"/<int:year>/<int:month>", "/{year}/{month}"},
    {"/books/<int(min=1):id>", "/books/{id}"},
    {"/books/<any(about, help):page>", "/books/{page}"},
    {"/books/<regex(\"[a-z]{2}\"):language>", "/books/{language}"},
    {"/a<b", "/a<b"},
    {"/a<>b", "/a<>b"},
    {"/a<int:>b", "/a<int:>b"},
    {"/a<b c>d", "/a<b c>d"},
    {"/a>b", "/a>b"},
    /* regular expressions */
    {"^$", "/"},
    {"^", "/"},
    {"^books/$", "/books/"},
    {"^/books/$", "/books/"},
    {"^\\/books/$", "/books/"},
    {"api/^books/$", "/api/books/"},
    {"^api/^books/$", "/api/books/"},
    {"^books/(?P<id>[0-9]+)/$", "/books/{id}/"},
    {"^books/(?P<id>\\d+)/?$", "/books/{id}/"},
    {"^books/(?P<id>\\d{1,6})\\Z", "/books/{id}"},
    {"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})/$", "/{year}-{month}/"},
    {"^(?P<slug>[^/()]+)/(?P<x>(a|b)(c))/$", "/{slug}/{x}/"},
    {"^books/(?P<pk>[^/.]+)\\.(?P<format>[a-z0-9]+)/?$", "/books/{pk}.{format}/"},
    {"^books(?:\\.(?P<format>json|xml))?/$", "/books.{format}/"},
    {"(?P<locale>[a-z]{2})/books", "/{locale}/books"},
    {"^(?i)books/(\\d+)/$", "/books/{value}/"},
    {"^books/([0-9]+)$", "/books/{value}"},
    {"^books/[0-9]+/[a-z]{2,3}/$", "/books/{value}/{value}/"},
    {"^books/[a-z]+[0-9]+/$", "/books/{value}/"},
    {"^books/\\w+-\\d+/$", "/books/{value}-{value}/"},
    {"^files/.*$", "/files/{value}"},
    {"^v1.0/$", "/v1.0/"},
    {"^colou?r/$", "/colour/"},
    {"^a\\-b\\.c/\\bd$", "/a-b.c/d"},
    {"^a/(?=b)(?!c)(?<!d)b/$", "/a/b/"},
    {"^a/(?P=b)/$", "/a/{value}/"},
    {"^[]a]/[^]a]/[\\]a]/$", "/{value}/{value}/{value}/"},
    /* what is not closed */
    {"^books/(?P<id>[0-9", "/books/{id}"},
    {"^books/(?P<id", "/books/{id}"},
    {"^books/(?P<i d>x)/$", "/books/{value}/"},
    {"^books/[", "/books/{value}"},
    {"^books/(", "/books/{value}"},
    {"^books/)", "/books/"},
    {"^books/\\", "/books/"},
    {"^books/a{", "/books/a{"},
    {"^books/a{1,2", "/books/a{1,2"},
    {"^books/{id}/$", "/books/{id}/"},
};

static void test_routes_become_readable(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(routes); i++) {
        uint8_t out[256];
        struct span copy = guard_copy(span_of_text(routes[i].route));
        size_t n = sql_route_readable(copy, out, sizeof(out));
        guard_free(copy);
        if (!span_is(span_of(out, n), routes[i].readable))
            fail_msg("%s\n gives \"%.*s\"\n not   \"%s\"", routes[i].route, (int)n,
                     (const char *)out, routes[i].readable);
    }
}

static void test_readable_routes_stay_as_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(routes); i++) {
        uint8_t out[256];
        size_t n = sql_route_readable(span_of_text(routes[i].readable), out, sizeof(out));
        assert_true(span_is(span_of(out, n), routes[i].readable));
    }
}

static void test_every_prefix_into_every_size_is_in_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(routes); i++) {
        struct span route = span_of_text(routes[i].route);
        for (size_t len = 0; len <= route.len; len++) {
            struct span copy = guard_copy(span_head(route, len));
            uint8_t whole[256];
            size_t all = sql_route_readable(copy, whole, sizeof(whole));
            for (size_t size = 0; size <= all; size++) {
                uint8_t part[256];
                memset(part, '!', sizeof(part));
                assert_int_equal(sql_route_readable(copy, part, size), size);
                assert_memory_equal(part, whole, size);
                assert_int_equal(part[size], '!');
            }
            guard_free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes_become_readable),
        cmocka_unit_test(test_readable_routes_stay_as_they_are),
        cmocka_unit_test(test_every_prefix_into_every_size_is_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
