/* The rules that judge a statement by its numbers: each fires on its fault, and not on what is
 * nearly one. */
#include "detectors/traffic.h"

#define PAGE  "SELECT id, title FROM books ORDER BY id LIMIT $1 OFFSET $2"
#define COUNT "SELECT count(*) FROM books"
#define LIST  "SELECT id, title, body FROM articles WHERE section = $1"
#define JOIN  "SELECT a.id, a.name, b.id FROM authors a JOIN books b ON b.author_id = a.id"

static const struct finding *found(struct traffic *t, const char *rule)
{
    return traffic_finding(traffic_result(t), rule);
}

static struct traffic *request(void)
{
    struct traffic *t = traffic_new();
    traffic_tag(t, "GET", "/list", NULL, NULL);
    return t;
}

static void reply(struct traffic *t, const char *sql, int64_t value, struct reply reply)
{
    uint64_t hash = traffic_int(value);
    traffic_exchange(t, sql, &hash, 1, reply);
}

static void test_deep_offset_is_judged_by_its_depth(void **state)
{
    (void)state;
    static const struct {
        uint64_t offset;
        int severity; /* -1: nothing */
    } cases[] = {{0, -1},
                 {999, -1},
                 {1000, SEVERITY_LOW},
                 {20000, SEVERITY_MEDIUM},
                 {100000, SEVERITY_HIGH},
                 {2000000, SEVERITY_CRITICAL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic *t = request();
        traffic_facts(t, PAGE, FACT_LIMIT | FACT_OFFSET | FACT_ORDER_BY, "books", "");
        reply(t, PAGE, 1, (struct reply){.rows = 20, .limit = 20, .offset = cases[i].offset});
        const struct finding *f = found(t, "deep_offset");
        assert_int_equal(f != NULL ? (int)f->severity : -1, cases[i].severity);
        if (f != NULL)
            assert_non_null(strstr(f->optimized_code, "Book.id > after"));
        traffic_free(t);
    }
}

static void count_and_page(struct traffic *t, uint32_t count_us)
{
    traffic_facts(t, COUNT, FACT_COUNT | FACT_ONLY_AGGREGATES, "books", "");
    traffic_facts(t, PAGE, FACT_LIMIT | FACT_OFFSET, "books", "");
    t->query_us = count_us;
    traffic_exchange(t, COUNT, NULL, 0, (struct reply){.rows = 1});
    t->query_us = 200;
}

static void test_count_with_a_page_is_found_when_it_takes_time(void **state)
{
    (void)state;
    struct traffic *t = request();
    count_and_page(t, 60000);
    reply(t, PAGE, 1, (struct reply){.rows = 20, .limit = 20});
    const struct finding *f = found(t, "count_query");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_int_equal(f->n_statements, 2);
    traffic_free(t);
}

static void test_count_that_is_quick_or_alone_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    count_and_page(t, 5000);
    reply(t, PAGE, 1, (struct reply){.rows = 20, .limit = 20});
    traffic_wait(t, 1000);
    count_and_page(t, 900000);
    assert_null(found(t, "count_query"));
    traffic_free(t);
}

static void lists(struct traffic *t, unsigned flags, int n, uint64_t rows, uint64_t step)
{
    traffic_facts(t, LIST, FACT_WHERE | flags, "articles", "section");
    for (int i = 0; i < n; i++) {
        reply(t, LIST, i, (struct reply){.rows = rows + (uint64_t)i * step});
        traffic_wait(t, 500);
    }
}

static void test_list_that_varies_without_limit_wants_pages(void **state)
{
    (void)state;
    struct traffic *t = request();
    lists(t, 0, 5, 250, 10);
    const struct finding *f = found(t, "missing_pagination");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    traffic_free(t);
}

static void test_list_of_one_length_or_with_limit_or_long_is_not_this_rules(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        uint64_t rows, step;
    } cases[] = {
        {0, 250, 0}, {FACT_LIMIT, 250, 10}, {0, 20, 10}, {0, 900, 10}, {FACT_MANY_KEYS, 250, 10}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic *t = request();
        lists(t, cases[i].flags, 5, cases[i].rows, cases[i].step);
        assert_null(found(t, "missing_pagination"));
        traffic_free(t);
    }
}

/* Sums of one large result. */
static void widths(struct traffic *t, const char *sql, unsigned n,
                   const struct record_width *columns)
{
    struct record_widths *r = (void *)t->out.bytes;
    r->id = traffic_id(sql);
    r->rows = 100;
    r->n = (uint16_t)n;
    size_t at = traffic_tail(t, sizeof(*r), 0, columns, n * sizeof(*columns));
    traffic_send(t, RECORD_WIDTHS, sizeof(*r), at);
}

static void test_long_column_in_a_list_is_named(void **state)
{
    (void)state;
    static const struct record_width columns[] = {{400, 0}, {2000, 0}, {97600, 0}};
    struct traffic *t = request();
    traffic_columns(t, LIST, "id title body", WIRE_OID_TEXT);
    traffic_facts(t, LIST, FACT_WHERE | FACT_LIMIT, "articles", "section");
    reply(t, LIST, 1, (struct reply){.rows = 164, .bytes = 2000000});
    widths(t, LIST, 3, columns);
    const struct finding *f = found(t, "wide_columns");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->issue, "body"));
    traffic_free(t);
}

static void test_columns_of_even_width_or_short_results_are_nothing(void **state)
{
    (void)state;
    static const struct record_width even[] = {{1000, 0}, {1000, 0}, {1100, 0}};
    static const struct record_width wide[] = {{400, 0}, {2000, 0}, {97600, 0}};
    struct traffic *t = request();
    traffic_columns(t, LIST, "id title body", WIRE_OID_TEXT);
    traffic_facts(t, LIST, FACT_WHERE | FACT_LIMIT, "articles", "section");
    reply(t, LIST, 1, (struct reply){.rows = 164, .bytes = 2000000});
    widths(t, LIST, 3, even);
    assert_null(found(t, "wide_columns"));
    traffic_free(t);
    t = request();
    traffic_columns(t, LIST, "id title body", WIRE_OID_TEXT);
    traffic_facts(t, LIST, FACT_WHERE | FACT_LIMIT, "articles", "section");
    reply(t, LIST, 1, (struct reply){.rows = 164, .bytes = 100000});
    widths(t, LIST, 3, wide);
    assert_null(found(t, "wide_columns"));
    traffic_free(t);
}

static const struct finding *join(struct traffic *t, unsigned facts, const struct record_width *w)
{
    traffic_facts(t, JOIN, facts, "authors books", "");
    traffic_exchange(t, JOIN, NULL, 0, (struct reply){.rows = 5000, .bytes = 3000000});
    widths(t, JOIN, 3, w);
    return found(t, "join_blow_up");
}

static void test_join_that_repeats_its_parent_is_found(void **state)
{
    (void)state;
    static const struct record_width repeats[] = {{800, 700}, {90000, 89000}, {800, 0}};
    static const struct record_width differs[] = {{800, 700}, {9000, 8900}, {90000, 0}};
    struct traffic *t = request();
    const struct finding *f = join(t, FACT_JOIN | FACT_LIMIT, repeats);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->sqlalchemy, "selectinload(Author.children)"));
    traffic_free(t);
    t = request();
    assert_null(join(t, FACT_JOIN | FACT_LIMIT, differs));
    traffic_free(t);
    t = request();
    assert_null(join(t, FACT_LIMIT, repeats));
    traffic_free(t);
}

static void test_result_of_many_bytes_in_one_piece(void **state)
{
    (void)state;
    const uint64_t mib = 1024 * 1024;
    struct traffic *t = request();
    traffic_facts(t, LIST, FACT_WHERE, "articles", "section");
    reply(t, LIST, 1, (struct reply){.rows = 100, .bytes = 60 * mib});
    const struct finding *f = found(t, "whole_result");
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    traffic_free(t);
    t = request();
    traffic_facts(t, LIST, FACT_WHERE, "articles", "section");
    reply(t, LIST, 1,
          (struct reply){.rows = 100, .bytes = 60 * mib, .max_rows = 50, .suspended = true});
    assert_null(found(t, "whole_result"));
    traffic_free(t);
}

static void test_slow_statement_needs_three_calls_and_no_better_explanation(void **state)
{
    (void)state;
    for (int explained = 0; explained < 2; explained++) {
        for (int calls = 2; calls < 4; calls++) {
            struct traffic *t = request();
            traffic_facts(t, LIST, FACT_WHERE | FACT_LIMIT, "articles", "section");
            t->query_us = 600000;
            for (int i = 0; i < calls; i++) {
                reply(t, LIST, i, (struct reply){.rows = 10});
                traffic_wait(t, 500);
            }
            if (explained)
                traffic_plan(t, LIST, "articles", 50000, 10, "section", "");
            const struct finding *f = found(t, "slow_statement");
            assert_int_equal(f != NULL, calls == 3 && !explained);
            if (f != NULL)
                assert_int_equal(f->severity, SEVERITY_MEDIUM);
            traffic_free(t);
        }
    }
}

static const struct finding *parsed(struct traffic *t, const char *sql, bool bound)
{
    for (int i = 0; i < 150; i++) {
        uint64_t hash = traffic_int(i);
        t->trace = t->trace != 0 ? t->trace + 1 : 0;
        traffic_exchange(t, sql, &hash, bound, (struct reply){.rows = 1, .parsed = true});
        traffic_wait(t, 200);
    }
    return found(t, "statement_cache");
}

static void test_statement_parsed_each_time_is_found_with_its_cause(void **state)
{
    (void)state;
    struct traffic *t = request();
    const struct finding *f = parsed(t, "SELECT id FROM books WHERE id = 7", false);
    assert_non_null(f);
    assert_int_equal(f->severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(f->impact, "holds values"));
    traffic_free(t);
    t = request();
    t->trace = 1000;
    f = parsed(t, "SELECT id FROM books WHERE id = $1", true);
    assert_non_null(f);
    assert_non_null(strstr(f->impact, "trace id"));
    traffic_free(t);
    t = request();
    assert_null(parsed(t, "SELECT id FROM books WHERE id = $1 LIMIT 5", true));
    traffic_free(t);
}

static void test_statement_parsed_by_many_connections_is_nothing(void **state)
{
    (void)state;
    struct traffic *t = request();
    for (int i = 0; i < 180; i++) {
        t->session = 1 + (uint64_t)i % 60;
        reply(t, "SELECT id FROM books WHERE id = $1", i,
              (struct reply){.rows = 1, .parsed = i < 60});
        traffic_wait(t, 200);
    }
    assert_null(found(t, "statement_cache"));
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep_offset_is_judged_by_its_depth),
        cmocka_unit_test(test_count_with_a_page_is_found_when_it_takes_time),
        cmocka_unit_test(test_count_that_is_quick_or_alone_is_nothing),
        cmocka_unit_test(test_list_that_varies_without_limit_wants_pages),
        cmocka_unit_test(test_list_of_one_length_or_with_limit_or_long_is_not_this_rules),
        cmocka_unit_test(test_long_column_in_a_list_is_named),
        cmocka_unit_test(test_columns_of_even_width_or_short_results_are_nothing),
        cmocka_unit_test(test_join_that_repeats_its_parent_is_found),
        cmocka_unit_test(test_result_of_many_bytes_in_one_piece),
        cmocka_unit_test(test_slow_statement_needs_three_calls_and_no_better_explanation),
        cmocka_unit_test(test_statement_parsed_each_time_is_found_with_its_cause),
        cmocka_unit_test(test_statement_parsed_by_many_connections_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
