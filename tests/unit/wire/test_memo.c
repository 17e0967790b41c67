#include "script_play.h"

/* Texts that come again to the byte need no lexer; what they give is the same. */

struct fixture {
    struct wire_context ctx;
    struct ring *ring;
    struct sql_scan scan;
    uint64_t trace;
};

static struct fixture *fixture_new(bool want_samples)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->ring = ring_new(1 << 20);
    assert_non_null(f->ring);
    wire_context_init(&f->ctx, f->ring, want_samples);
    return f;
}

static void fixture_free(struct fixture *f)
{
    wire_context_fini(&f->ctx);
    ring_free(f->ring);
    free(f);
}

static struct wire_statement *intern_at(struct fixture *f, const char *text, bool conforming,
                                        int64_t now_us)
{
    struct wire_sql sql = {.text = span_of_text(text),
                           .dialect = {.standard_conforming_strings = conforming},
                           .now_us = now_us};
    struct wire_statement *s = wire_statement_intern(&f->ctx, &sql, 0, &f->scan, &f->trace);
    assert_non_null(s);
    wire_statement_unref(s); /* the context holds another */
    return s;
}

static bool is_known(struct fixture *f, const char *text)
{
    struct sql_dialect dialect = {.standard_conforming_strings = true};
    return wire_memo_find(&f->ctx.memo, span_of_text(text), dialect) != NULL;
}

static void test_memo_gives_at_each_sight_what_the_lexer_gave_at_the_first(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "BEGIN",
        "SELECT a FROM t WHERE b = $1 LIMIT $2 OFFSET 30",
        "SELECT a FROM t WHERE b IN (1, 2, 3) AND c = 'x'",
        "INSERT INTO t VALUES (1), (2) /*route='/a'*/",
        "FETCH 10 FROM c1;",
        "",
        ";",
    };
    struct fixture *f = fixture_new(false);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct wire_statement *first = intern_at(f, texts[i], true, 0);
        struct sql_scan seen = f->scan;
        seen.first_comment = seen.last_comment = span_of(NULL, 0);
        for (int again = 0; again < 3; again++) {
            assert_ptr_equal(intern_at(f, texts[i], true, 0), first);
            f->scan.first_comment = f->scan.last_comment = span_of(NULL, 0);
            assert_memory_equal(&f->scan, &seen, sizeof(seen));
            assert_int_equal(f->trace, 0);
        }
        assert_int_equal(is_known(f, texts[i]), texts[i][0] != '\0');
    }
    fixture_free(f);
}

static void test_memo_keeps_a_text_at_its_second_sight(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(false);
    intern_at(f, "SELECT 1", true, 0);
    assert_false(is_known(f, "SELECT 1"));
    intern_at(f, "SELECT 1", true, 0);
    assert_true(is_known(f, "SELECT 1"));
    assert_false(is_known(f, "SELECT 2"));
    assert_false(is_known(f, "select 1"));
    fixture_free(f);
}

static void test_memo_texts_that_need_a_look_each_time_are_left_out(void **state)
{
    (void)state;
    static char long_text[WIRE_MEMO_TEXT_MAX + 2];
    memset(long_text, 'x', sizeof(long_text) - 1);
    const char *const texts[] = {
        "SELECT 1; SELECT 2",
        "SELECT 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
        long_text,
    };
    struct fixture *f = fixture_new(false);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (int again = 0; again < 3; again++)
            intern_at(f, texts[i], true, 0);
        assert_false(is_known(f, texts[i]));
    }
    assert_true(f->trace == 0);
    fixture_free(f);
}

static void test_memo_other_dialect_is_another_text(void **state)
{
    (void)state;
    static const char text[] = "SELECT 'a\\' AS b, 'c' /* d' */";
    struct fixture *f = fixture_new(false);
    intern_at(f, text, true, 0);
    struct wire_statement *conforming = intern_at(f, text, true, 0);
    struct wire_statement *escaping = intern_at(f, text, false, 0);
    assert_ptr_not_equal(conforming, escaping);
    assert_ptr_equal(intern_at(f, text, true, 0), conforming);
    fixture_free(f);
}

static void test_memo_samples_still_come_after_the_interval(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    size_t samples = 0;
    for (int i = 0; i < 30; i++)
        intern_at(f, "SELECT a FROM t WHERE id = 7", true, (int64_t)i * WIRE_SAMPLE_EVERY_US / 10);
    const struct record_header *h;
    while ((h = ring_peek(f->ring)) != NULL) {
        samples += h->type == RECORD_SAMPLE;
        ring_release(f->ring);
    }
    assert_int_equal(samples, 5); /* the first three follow each other closely */
    fixture_free(f);
}

static void test_memo_forgets_with_the_statements(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(false);
    char text[64];
    intern_at(f, "SELECT kept FROM t", true, 0);
    intern_at(f, "SELECT kept FROM t", true, 0);
    for (unsigned i = 0; i <= WIRE_MAX_CACHED_STATEMENTS; i++) {
        snprintf(text, sizeof(text), "SELECT column_%u FROM t", i);
        intern_at(f, text, true, 0);
        while (ring_peek(f->ring) != NULL)
            ring_release(f->ring);
    }
    assert_false(is_known(f, "SELECT kept FROM t"));
    fixture_free(f);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_memo_gives_at_each_sight_what_the_lexer_gave_at_the_first),
        T(test_memo_keeps_a_text_at_its_second_sight),
        T(test_memo_texts_that_need_a_look_each_time_are_left_out),
        T(test_memo_other_dialect_is_another_text),
        T(test_memo_samples_still_come_after_the_interval),
        T(test_memo_forgets_with_the_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
