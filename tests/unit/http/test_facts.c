#include "cmocka_all.h"
#include "guard.h"
#include "http/facts.h"
#include "wire/record.h"

struct header {
    const char *name;
    const char *value;
    uint32_t facts;
};

typedef uint32_t read_header(struct span name, struct span value);

static void check(const struct header *all, size_t n, read_header *read)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t facts = read(span_of_text(all[i].name), span_of_text(all[i].value));
        if (facts != all[i].facts)
            fail_msg("%s: %s gave %#x, not %#x", all[i].name, all[i].value, (unsigned)facts,
                     (unsigned)all[i].facts);
    }
}

static void test_what_a_request_says(void **state)
{
    (void)state;
    static const struct header all[] = {
        {"Accept-Encoding", "gzip, deflate, br, zstd", HTTP_TAKES_CODING},
        {"accept-encoding", "GZIP", HTTP_TAKES_CODING},
        {"accept-encoding", "identity;q=1, *;q=0.5", HTTP_TAKES_CODING},
        {"accept-encoding", "br;q=1.0, gzip;q=0", HTTP_TAKES_CODING},
        {"accept-encoding", "gzip;q=0", 0},
        {"accept-encoding", "gzip; q=0.000 , identity", 0},
        {"accept-encoding", "gzip ;q=0.001", HTTP_TAKES_CODING},
        {"accept-encoding", "xgzip, gzipped", 0},
        {"accept-encoding", "", 0},
        {"accept-encoding", ",,;,", 0},
        {"Authorization", "Bearer x", HTTP_AUTHORIZED},
        {"Cookie", "a=b", 0},
        {"If-None-Match", "\"x\"", HTTP_CONDITIONAL},
        {"If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", HTTP_CONDITIONAL},
        {"If-Match", "\"x\"", 0},
        {"X-Cookie", "a=b", 0},
        {"", "gzip", 0},
    };
    check(all, sizeof(all) / sizeof(all[0]), http_request_facts);
}

static void test_what_a_response_says(void **state)
{
    (void)state;
    static const struct header all[] = {
        {"Content-Encoding", "gzip", HTTP_CODED},
        {"content-encoding", "identity", 0},
        {"Content-Type", "application/json", HTTP_TEXT},
        {"content-type", "Application/Problem+JSON; charset=utf-8", HTTP_TEXT},
        {"content-type", "text/html;charset=utf-8", HTTP_TEXT},
        {"content-type", "image/svg+xml", HTTP_TEXT},
        {"content-type", "text/event-stream", HTTP_STREAM},
        {"content-type", "image/png", 0},
        {"content-type", "application/octet-stream", 0},
        {"Cache-Control", "no-store", HTTP_POLICY | HTTP_NO_STORE},
        {"cache-control", "private, max-age=60", HTTP_POLICY | HTTP_LASTS},
        {"cache-control", "private, max-age=0", HTTP_POLICY},
        {"cache-control", "public, max-age=31536000, immutable",
         HTTP_POLICY | HTTP_PUBLIC | HTTP_LASTS},
        {"cache-control", "s-maxage=10", HTTP_POLICY | HTTP_PUBLIC | HTTP_LASTS},
        {"cache-control", "not-public", HTTP_POLICY},
        {"Expires", "0", HTTP_POLICY},
        {"ETag", "W/\"x\"", HTTP_VALIDATOR},
        {"Last-Modified", "x", HTTP_VALIDATOR},
        {"Set-Cookie", "a=b", HTTP_SETS_COOKIE},
        {"RateLimit-Policy", "10;w=1", HTTP_LIMITS_RATE},
        {"X-RateLimit-Remaining", "3", HTTP_LIMITS_RATE},
        {"Retry-After", "3", 0},
        {"Vary", "Accept-Encoding", 0},
    };
    check(all, sizeof(all) / sizeof(all[0]), http_response_facts);
}

static void test_nothing_is_read_behind_the_end(void **state)
{
    (void)state;
    static const char name[] = "accept-encoding", value[] = "gzip, br";
    for (size_t n = 0; n <= sizeof(name); n++) {
        for (size_t v = 0; v <= sizeof(value); v++) {
            struct span a = guard_copy(span_of(name, n));
            struct span b = guard_copy(span_of(value, v));
            (void)http_request_facts(a, b);
            (void)http_response_facts(a, b);
            guard_free(a);
            guard_free(b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_request_says),
        cmocka_unit_test(test_what_a_response_says),
        cmocka_unit_test(test_nothing_is_read_behind_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
