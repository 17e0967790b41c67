#include "http/http_play.h"

/* Each test plays its connection whole, byte by byte, and in pieces of three. */
static const size_t pieces[] = {0, 1, 3};
#define EACH_CUT(i) (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)

static void test_conversation_request_and_response_become_a_record(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, "POST /users/4711/posts?token=x HTTP/1.1\r\nHost: a\r\n"
                            "Content-Length: 5\r\n\r\nhello");
            play_server(&p, "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nyes");
            assert_int_equal(p.begun, 1);
            assert_int_equal(p.n, 1);
            assert_string_equal(p.records[0].text, "POST /users/{id}/posts");
            const struct record_http *r = &p.records[0].http;
            assert_int_equal(r->status, 201);
            assert_int_equal(r->request_bytes, 5);
            assert_int_equal(r->response_bytes, 3);
            assert_int_equal(r->http_flags, HTTP_ALONE | HTTP_FIRST);
            assert_int_equal(r->first_us, 1000);
            assert_int_equal(r->total_us, 1000);
            assert_int_equal(r->trace, 0);
            play_fini(&p);
        }
}

static void test_conversation_keep_alive_pairs_one_after_the_other(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            for (int n = 0; n < 20; n++) {
                play_client(&p, "GET /a HTTP/1.1\r\n\r\n");
                play_server(&p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n\r\n");
            }
            assert_int_equal(p.n, 20);
            assert_int_equal(p.records[19].http.response_bytes, 6);
            assert_int_equal(p.records[19].http.http_flags, HTTP_ALONE);
            play_fini(&p);
        }
}

static void test_conversation_pipeline_pairs_in_order_and_none_is_alone(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(
                &p, "GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nDELETE /c HTTP/1.1\r\n\r\n");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
                            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
                            "HTTP/1.1 204 No Content\r\n\r\n");
            assert_int_equal(p.n, 3);
            assert_string_equal(p.records[1].text, "HEAD /b");
            assert_string_equal(p.records[2].text, "DELETE /c");
            assert_int_equal(p.records[2].http.status, 204);
            assert_int_equal(p.records[0].http.http_flags & HTTP_ALONE, 0);
            assert_int_equal(p.records[1].http.http_flags & HTTP_ALONE, 0);
            play_fini(&p);
        }
}

static void test_conversation_full_queue_reads_no_more(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 0);
    for (int n = 0; n < HTTP_MAX_PIPELINED + 3; n++)
        play_client(&p, "GET /a HTTP/1.1\r\n\r\n");
    assert_false(http_has_room(&p.http));
    assert_int_equal(http_outstanding(&p.http), HTTP_MAX_PIPELINED);
    play_server(&p, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_true(http_has_room(&p.http));
    play_fini(&p);
    assert_int_equal(p.n, HTTP_MAX_PIPELINED);
    assert_int_equal(p.records[1].http.http_flags & HTTP_CUT, HTTP_CUT);
}

static void test_conversation_interim_response_is_not_the_answer(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p,
                        "POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
            assert_int_equal(p.last, HTTP_STEP_BODY);
            play_server(&p, "HTTP/1.1 100 Continue\r\n\r\n");
            assert_int_equal(p.n, 0);
            play_client(&p, "ok");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            assert_int_equal(p.n, 1);
            assert_int_equal(p.records[0].http.status, 200);
            assert_int_equal(p.records[0].http.first_us, 3000);
            play_fini(&p);
        }
}

static void test_conversation_response_until_the_end_ends_with_it(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 1);
    play_client(&p, "GET /a HTTP/1.0\r\n\r\n");
    play_server(&p, "HTTP/1.0 200 OK\r\n\r\nall of it");
    assert_int_equal(p.n, 0);
    http_server_ended(&p.http, p.now_us);
    play_drain(&p);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.records[0].http.response_bytes, 9);
    assert_int_equal(p.records[0].http.http_flags, HTTP_ALONE | HTTP_FIRST | HTTP_LAST);
    play_fini(&p);
}

static void test_conversation_switched_protocol_is_a_tunnel_and_never_alone(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(
                &p, "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81xx");
            assert_int_equal(p.last, HTTP_STEP_SWITCH);
            assert_false(http_has_room(&p.http));
            play_server(&p, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                            "Upgrade: websocket\r\n\r\n\x81yy");
            assert_true(p.http.tunnel);
            assert_int_equal(p.n, 1);
            assert_int_equal(p.records[0].http.http_flags, HTTP_TUNNEL | HTTP_FIRST);
            assert_int_equal(atomic_load(&p.traffic.open), 1);
            play_fini(&p);
        }
}

static void test_conversation_connect_is_a_tunnel_when_it_is_granted(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 1);
    play_client(&p, "CONNECT host:443 HTTP/1.1\r\n\r\n");
    play_server(&p, "HTTP/1.1 200 OK\r\n\r\n\x16\x03");
    assert_true(p.http.tunnel);
    assert_string_equal(p.records[0].text, "CONNECT /");
    play_fini(&p);
}

static void test_conversation_declined_switch_stays_http(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, "GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            assert_true(http_has_room(&p.http));
            play_client(&p, "GET /b HTTP/1.1\r\n\r\n");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            assert_int_equal(p.n, 2);
            assert_string_equal(p.records[1].text, "GET /b");
            play_fini(&p);
        }
}

static void test_conversation_bytes_after_the_last_request_are_for_nobody(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
            assert_int_equal(p.last, HTTP_STEP_AFTER);
            assert_int_equal(p.begun + http_outstanding(&p.http), 1);
            play_fini(&p);
        }
}

static const char *const hostile[] = {
    "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef",
    "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde",
    "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nA\x01: b\r\n\r\n",
    "GET / HTTP/7.1\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01 GET / HTTP/1.1\r\n\r\n",
};

static void test_conversation_hostile_head_is_bad_before_a_byte_may_go(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
                struct play p;
                play_init(&p, pieces[i]);
                play_client(&p, hostile[k]);
                assert_int_equal(p.last, HTTP_STEP_BAD);
                assert_int_equal(p.forwarded, 0);
                assert_int_equal(p.begun, 0);
                play_fini(&p);
                assert_int_equal(p.n, 0);
            }
        }
}

static void test_conversation_bad_chunk_is_bad_and_not_forwarded(void **state)
{
    (void)state;
    static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, head);
            assert_int_equal(p.forwarded, sizeof(head) - 1);
            play_client(&p, "zz\r\n");
            assert_int_equal(p.last, HTTP_STEP_BAD);
            assert_int_equal(p.forwarded, sizeof(head) - 1);
            play_fini(&p);
            assert_int_equal(p.records[0].http.http_flags & HTTP_CUT, HTTP_CUT);
        }
}

static void test_conversation_unreadable_response_goes_on_without_records(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, "GET /a HTTP/1.1\r\n\r\n");
            play_server(&p, "nonsense\r\n\r\n");
            assert_true(p.http.blind);
            assert_int_equal(p.n, 1);
            assert_int_equal(p.records[0].http.http_flags & HTTP_CUT, HTTP_CUT);
            for (int n = 0; n < 3 * HTTP_MAX_PIPELINED; n++)
                play_client(&p, "POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
            assert_true(http_has_room(&p.http));
            assert_int_equal(p.held, 0);
            play_fini(&p);
            assert_int_equal(p.n, 1);
        }
}

static void test_conversation_response_nobody_asked_for_is_unreadable(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 0);
    play_server(&p, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    assert_true(p.http.blind);
    play_fini(&p);
}

static void test_conversation_answer_before_the_end_of_the_request(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
            play_server(&p, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
            assert_int_equal(p.n, 1);
            assert_int_equal(p.records[0].http.request_bytes, 2);
            play_client(&p, "cdGET /b HTTP/1.1\r\n\r\n");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            assert_int_equal(p.n, 2);
            assert_string_equal(p.records[1].text, "GET /b");
            play_fini(&p);
        }
}

static void test_conversation_headers_become_facts_and_a_body_is_sampled(void **state)
{
    (void)state;
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p,
                        "GET /a?page=1 HTTP/1.1\r\nAccept-Encoding: gzip, br\r\n"
                        "Authorization: secret\r\nX-Very-Long-Header-Name-Of-Nobody: 1\r\n\r\n");
            play_server(&p, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: a=b\r\n\r\n"
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "ETag: \"1\"\r\nContent-Length: 30\r\n\r\n"
                            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1");
            play_client(&p, "GET /a?page=1 HTTP/1.1\r\nConnection: close\r\n\r\n");
            play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\nConnection: close\r\n\r\n"
                            "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1");
            assert_int_equal(p.n, 2);
            const struct record_http *a = &p.records[0].http, *b = &p.records[1].http;
            assert_int_equal(a->facts,
                             HTTP_TAKES_CODING | HTTP_AUTHORIZED | HTTP_TEXT | HTTP_VALIDATOR);
            assert_int_equal(a->http_flags, HTTP_ALONE | HTTP_FIRST);
            assert_int_equal(a->sampled, 30);
            assert_in_range(a->compressed, 8, 29);
            assert_int_equal(b->facts, HTTP_CLIENT_CLOSES);
            assert_int_equal(b->http_flags, HTTP_ALONE | HTTP_LAST);
            assert_int_equal(b->sampled, 0);
            assert_true(a->target != 0 && a->target == b->target);
            assert_true(a->body != 0 && a->body == b->body);
            play_fini(&p);
        }
}

static void test_conversation_other_query_and_other_body_have_other_hashes(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 0);
    play_client(&p, "GET /a?page=1 HTTP/1.1\r\n\r\n");
    play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    play_client(&p, "GET /a?page=2 HTTP/1.1\r\n\r\n");
    play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    play_client(&p, "GET /a?page=1 HTTP/1.1\r\n\r\n");
    play_server(&p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1");
    play_fini(&p); /* in the middle of a body */
    assert_int_equal(p.n, 3);
    assert_true(p.records[0].http.target != p.records[1].http.target);
    assert_true(p.records[0].http.body != p.records[1].http.body);
    assert_int_equal(p.records[2].http.body, 0);
}

static void test_conversation_trace_is_that_of_the_sql_comment(void **state)
{
    (void)state;
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for
        EACH_CUT(i)
        {
            struct play p;
            play_init(&p, pieces[i]);
            play_client(&p,
                        "GET /a HTTP/1.1\r\nX: y\r\nTraceParent: "
                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nZ: z\r\n\r\n");
            assert_false(http_lacks_trace(&p.http));
            play_server(&p, "HTTP/1.1 204 No Content\r\n\r\n");
            play_client(&p, "GET /a HTTP/1.1\r\ntraceparent: 00-zz\r\n\r\n");
            assert_true(http_lacks_trace(&p.http));
            play_server(&p, "HTTP/1.1 204 No Content\r\n\r\n");
            assert_int_equal(p.records[0].http.trace, sql_trace_hash(span_of_text(trace)));
            assert_int_not_equal(p.records[0].http.trace, 0);
            assert_int_equal(p.records[1].http.trace, 0);
            play_fini(&p);
        }
}

static void test_conversation_two_connections_at_once_are_not_alone(void **state)
{
    (void)state;
    struct play p;
    play_init(&p, 0);
    struct http_conversation other;
    size_t taken;
    const struct span get = span_of_text("GET /b HTTP/1.1\r\n\r\n");
    http_begin(&other, &p.ctx, 8);
    play_client(&p, "GET /a HTTP/1.1\r\n\r\n");
    assert_int_equal(http_from_client(&other, get, p.now_us, &taken), HTTP_STEP_WHOLE);
    http_admit(&other, p.now_us);
    play_server(&p, "HTTP/1.1 204 No Content\r\n\r\n");
    http_end(&other, p.now_us);
    play_drain(&p);
    assert_int_equal(p.n, 2);
    assert_int_equal(p.records[0].http.http_flags & HTTP_ALONE, 0);
    assert_int_equal(p.records[1].http.http_flags & HTTP_ALONE, 0);
    play_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation_request_and_response_become_a_record),
        cmocka_unit_test(test_conversation_keep_alive_pairs_one_after_the_other),
        cmocka_unit_test(test_conversation_pipeline_pairs_in_order_and_none_is_alone),
        cmocka_unit_test(test_conversation_full_queue_reads_no_more),
        cmocka_unit_test(test_conversation_interim_response_is_not_the_answer),
        cmocka_unit_test(test_conversation_response_until_the_end_ends_with_it),
        cmocka_unit_test(test_conversation_switched_protocol_is_a_tunnel_and_never_alone),
        cmocka_unit_test(test_conversation_connect_is_a_tunnel_when_it_is_granted),
        cmocka_unit_test(test_conversation_declined_switch_stays_http),
        cmocka_unit_test(test_conversation_bytes_after_the_last_request_are_for_nobody),
        cmocka_unit_test(test_conversation_hostile_head_is_bad_before_a_byte_may_go),
        cmocka_unit_test(test_conversation_bad_chunk_is_bad_and_not_forwarded),
        cmocka_unit_test(test_conversation_unreadable_response_goes_on_without_records),
        cmocka_unit_test(test_conversation_response_nobody_asked_for_is_unreadable),
        cmocka_unit_test(test_conversation_answer_before_the_end_of_the_request),
        cmocka_unit_test(test_conversation_headers_become_facts_and_a_body_is_sampled),
        cmocka_unit_test(test_conversation_other_query_and_other_body_have_other_hashes),
        cmocka_unit_test(test_conversation_trace_is_that_of_the_sql_comment),
        cmocka_unit_test(test_conversation_two_connections_at_once_are_not_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
