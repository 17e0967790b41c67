/* Datagrams of the tag helper: whom they name, and what is none. */
#include "cmocka_all.h"

#include "guard.h"
#include "wire/request_mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_text(struct wire_request_mark *out, const char *text)
{
    return wire_request_mark_read(out, span_of_text(text));
}

static uint64_t peer_of(const char *client)
{
    struct wire_request_mark mark;
    char text[128];
    snprintf(text, sizeof(text), "client='%s'", client);
    return read_text(&mark, text) ? mark.peer : 0;
}

static uint64_t request_of(const char *text)
{
    struct wire_request_mark mark;
    assert_true(read_text(&mark, text));
    return mark.request;
}

static void test_request_mark_names_connection_request_and_route(void **state)
{
    (void)state;
    struct wire_request_mark mark;
    assert_true(read_text(&mark, "client='127.0.0.1%3A54321',method='GET',request='3f2-17',"
                                 "route='/users/{id}'"));
    assert_int_equal(mark.peer, wire_peer_hash(span_of_text("127.0.0.1"), 54321));
    assert_int_not_equal(mark.request, 0);
    assert_int_equal(mark.tag.trace, 0);
    assert_true(span_is(sql_tag_value(&mark.tag, SQL_TAG_METHOD), "GET"));
    assert_true(span_is(sql_tag_value(&mark.tag, SQL_TAG_ROUTE), "/users/{id}"));
    assert_int_not_equal(sql_tag_id(&mark.tag), 0);
}

static void test_request_mark_without_request_belongs_to_none(void **state)
{
    (void)state;
    struct wire_request_mark mark;
    assert_true(read_text(&mark, "client='127.0.0.1:1'"));
    assert_int_equal(mark.request, 0);
    assert_int_equal(sql_tag_id(&mark.tag), 0);
}

static void test_request_mark_reads_the_trace(void **state)
{
    (void)state;
    struct wire_request_mark mark;
    const char *trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    char text[256];
    snprintf(text, sizeof(text), "client='[::1]:9',request='1',traceparent='%s'", trace);
    assert_true(read_text(&mark, text));
    assert_int_equal(mark.tag.trace, sql_trace_hash(span_of_text(trace)));
}

static void test_peer_is_its_address_however_it_is_written(void **state)
{
    (void)state;
    assert_int_equal(peer_of("[::1]:5432"), wire_peer_hash(span_of_text("::1"), 5432));
    assert_int_equal(peer_of("[::ffff:10.0.0.7]:80"), wire_peer_hash(span_of_text("10.0.0.7"), 80));
    assert_int_equal(peer_of("10.0.0.7:80"), wire_peer_hash(span_of_text("::ffff:10.0.0.7"), 80));
    assert_int_not_equal(peer_of("10.0.0.7:80"), peer_of("10.0.0.7:81"));
    assert_int_not_equal(peer_of("10.0.0.7:80"), peer_of("10.0.0.8:80"));
}

static void test_same_request_id_on_another_host_is_another_request(void **state)
{
    (void)state;
    uint64_t one = request_of("client='10.0.0.7:80',request='1-1'");
    assert_int_equal(one, request_of("client='10.0.0.7:81',request='1-1'"));
    assert_int_not_equal(one, request_of("client='10.0.0.8:80',request='1-1'"));
    assert_int_not_equal(one, request_of("client='10.0.0.7:80',request='1-2'"));
}

static void test_what_names_no_connection_is_no_mark(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        "hello",
        "request='1',route='/'",
        "client=''",
        "client='127.0.0.1'",
        "client=':80'",
        "client='[]:80'",
        "client='127.0.0.1:'",
        "client='127.0.0.1:0'",
        "client='127.0.0.1:65536'",
        "client='127.0.0.1:99999999999999999999'",
        "client='127.0.0.1:8x'",
        "client='127.0.0.1:80',request='1",
        "client='127.0.0.1:80' request='1'",
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct wire_request_mark mark;
        if (read_text(&mark, none[i]))
            fail_msg("taken as a mark: %s", none[i]);
    }
}

static void test_request_mark_of_any_length_is_read_within_its_bytes(void **state)
{
    (void)state;
    static const char text[] = "client='127.0.0.1%3A54321',request='3f2-17',route='/a%2'";
    for (size_t n = 0; n < sizeof(text); n++) {
        struct span copy = guard_copy(span_of((const uint8_t *)text, n));
        struct wire_request_mark mark;
        (void)wire_request_mark_read(&mark, copy);
        guard_free(copy);
    }
}

static void test_too_long_a_datagram_is_no_mark(void **state)
{
    (void)state;
    enum { LEN = REQUEST_MARK_MAX + 1 };
    char *text = malloc(LEN + 1);
    assert_non_null(text);
    memset(text, ' ', LEN);
    text[LEN] = '\0';
    memcpy(text, "client='127.0.0.1:80'", 21);
    struct wire_request_mark mark;
    assert_false(read_text(&mark, text));
    text[LEN - 1] = '\0';
    assert_true(read_text(&mark, text));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_mark_names_connection_request_and_route),
        cmocka_unit_test(test_request_mark_without_request_belongs_to_none),
        cmocka_unit_test(test_request_mark_reads_the_trace),
        cmocka_unit_test(test_peer_is_its_address_however_it_is_written),
        cmocka_unit_test(test_same_request_id_on_another_host_is_another_request),
        cmocka_unit_test(test_what_names_no_connection_is_no_mark),
        cmocka_unit_test(test_request_mark_of_any_length_is_read_within_its_bytes),
        cmocka_unit_test(test_too_long_a_datagram_is_no_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
