#include "script_play.h"

#include "failing_memory.h"

/* Of each sort of message that makes the tap keep something. */
static void write_script(struct script *s)
{
    script_init(s);
    server_startup(s);
    client_query(s, "SELECT v FROM t WHERE id = 1 /*route='/a',method='GET'*/");
    server_answers_select(s, "5", 'I');
    for (int i = 0; i < 3; i++) {
        client_run(s, "by_id", i == 0 ? "SELECT v FROM t WHERE id = $1" : NULL);
        client_sync(s);
        server_runs(s, i == 0, "SELECT 1");
        server_ready(s, 'I');
    }
    client_query(s, "BEGIN; SELECT v FROM u; COMMIT /*route='/b'*/");
    server_complete(s, "BEGIN");
    server_id_field(s);
    server_text_row(s, "7");
    server_complete(s, "SELECT 1");
    server_complete(s, "COMMIT");
    server_ready(s, 'I');
    client_run(s, "", "SELECT broken FROM t");
    client_run(s, "", "SELECT skipped FROM t");
    client_sync(s);
    server_error(s, "42703");
    server_ready(s, 'I');
    client_query(s, "COPY t FROM STDIN");
    server_copy_response(s, 'G');
    client_copy_data(s, "1\t2\n");
    client_copy_done(s);
    server_complete(s, "COPY 1");
    server_ready(s, 'I');
    client_close(s, 'S', "by_id");
    client_sync(s);
    server_bare(s, '3');
    server_ready(s, 'I');
    client_terminate(s);
}

struct tally {
    unsigned exchanges;
    unsigned opaque;
    unsigned unread;
};

static struct tally drain(struct ring *ring)
{
    struct tally tally = {0, 0, 0};
    const struct record_header *h;
    while ((h = ring_peek(ring)) != NULL) {
        assert_true(record_check(span_of(h, h->len)));
        tally.exchanges += h->type == RECORD_EXCHANGE;
        tally.opaque += h->type == RECORD_SESSION_OPAQUE;
        tally.unread += h->type == RECORD_UNREAD;
        ring_release(ring);
    }
    return tally;
}

/* One session from its beginning to its end; the ring holds all of it. */
static void play(struct wire_context *ctx, const struct script *s)
{
    struct wire_tap tap;
    struct wire_session_info info = {.user = span_of_text("bob")};
    wire_tap_begin(&tap, ctx, 1, &info, 0);
    for (size_t i = 0; i < s->n_steps; i++) {
        struct span bytes = span_of(s->bytes.data + s->steps[i].at, s->steps[i].len);
        int64_t now_us = (int64_t)(i + 1) * PLAY_STEP_US;
        if (s->steps[i].from == WIRE_FROM_CLIENT)
            wire_tap_from_client(&tap, bytes, now_us);
        else
            wire_tap_from_server(&tap, bytes, now_us);
    }
    struct wire_session_end end = {.now_us = (int64_t)s->n_steps * PLAY_STEP_US};
    wire_tap_end(&tap, &end);
}

/* A session that lost an allocation is whole, or opaque, or has exchanges less; never more, and the
 * next one of the same worker is as if nothing had been. wire_context_fini asserts that all came
 * back. */
static void test_tap_without_memory_tells_less_and_harms_no_other(void **state)
{
    (void)state;
    struct script s;
    write_script(&s);
    struct ring *ring = ring_new(PLAY_RING);
    assert_non_null(ring);
    bool failed = true;
    unsigned whole = 0;
    unsigned poorer = 0;
    for (unsigned long n = 0; failed; n++) {
        struct wire_context *ctx = calloc(1, sizeof(*ctx));
        assert_non_null(ctx);
        wire_context_init(ctx, ring, true);
        memory_fail_at(n);
        play(ctx, &s);
        failed = memory_well();
        struct tally got = drain(ring);
        if (n == 0)
            whole = got.exchanges;
        assert_true(whole > 0 && got.exchanges <= whole);
        poorer += got.exchanges < whole;
        assert_true(got.exchanges == whole || got.opaque == 1 || got.unread > 0);
        play(ctx, &s);
        struct tally next = drain(ring);
        assert_int_equal(next.exchanges, whole);
        assert_int_equal(next.opaque, 0);
        wire_context_fini(ctx);
        free(ctx);
    }
    assert_true(poorer > 3);
    ring_free(ring);
    script_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_without_memory_tells_less_and_harms_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
