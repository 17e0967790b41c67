#include "detectors/advisor/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

struct bench {
    struct advisor_filter filter;
    struct advisor_table table;
    struct advisor_advice advice;
    struct strbuf note;
};

static void setup(struct bench *b, const char *filter)
{
    memset(b, 0, sizeof(*b));
    strbuf_init(&b->note, ADVISOR_NOTE_MAX);
    advisor_filter_read(filter, "t", &b->filter);
    b->table.rows = 100000;
    for (unsigned i = 0; i < b->filter.n_terms; i++) {
        struct advisor_column *c = &b->table.columns[i];
        bool is_number = b->filter.terms[i].column[0] == 'n';
        c->exists = true;
        c->pure_call = true;
        c->n_distinct = 100;
        snprintf(c->type, sizeof(c->type), "%s", is_number ? "int4" : "varchar");
    }
}

static void add_index(struct bench *b, const char *name, const char *column, const char *expression)
{
    struct advisor_index *index = &b->table.indexes[b->table.n_indexes++];
    snprintf(index->name, sizeof(index->name), "%s", name);
    snprintf(index->column, sizeof(index->column), "%s", column);
    snprintf(index->expression, sizeof(index->expression), "%s", expression);
    snprintf(index->method, sizeof(index->method), "btree");
    snprintf(index->opclass, sizeof(index->opclass), "text_ops");
    index->valid = true;
}

static void check(struct bench *b, const char *columns, const char *note)
{
    const struct advisor_advice *a = &b->advice;
    advisor_advice_make(&b->filter, &b->table, &b->advice, &b->note);
    assert_string_equal(a->exists || a->n == 0 ? "" : a->candidates[0].columns, columns);
    if (note[0] == '\0')
        assert_string_equal(strbuf_text(&b->note), "");
    else if (strstr(strbuf_text(&b->note), note) == NULL)
        fail_msg("%s\n  want %s", strbuf_text(&b->note), note);
    strbuf_fini(&b->note);
}

static void test_advice_equality_before_range(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n3 > 5) AND (t.n1 = 5) AND (t.n4 < 7) AND (t.n2 = ANY ('{1}'::int[])))");
    check(&b, "n1, n2, n3", "");
}

static void test_advice_most_distinct_first_and_three_at_most(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1 = 1) AND (t.n2 = 2) AND (t.n3 = 3) AND (t.n4 = 4) AND (t.n5 = 5))");
    b.table.columns[3].n_distinct = 300;
    b.table.columns[1].n_distinct = 200;
    b.table.columns[2].n_distinct = 1;
    strcpy(b.table.columns[0].type, "bool");
    check(&b, "n4, n2, n5", "");
}

static void test_advice_columns_that_are_not_there_are_left_out(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1 = 1) AND (t.n2 = 2))");
    b.table.columns[0].exists = false;
    check(&b, "n2", "");
    setup(&b, "(t.\"n,1\" = 1)");
    check(&b, "", "");
}

static void test_advice_names_are_bare(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "(t.\"userName\" = 'x'::text)");
    check(&b, "userName", "");
}

static void test_advice_call_becomes_expression(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "(lower((t.email)::text) = 'x'::text)");
    check(&b, "lower(email)", "");
    setup(&b, "(lower((t.email)::text) = 'x'::text)");
    add_index(&b, "ix_email", "email", "email");
    check(&b, "lower(email)", "exists but unused: ix_email; email is compared through lower()");
    setup(&b, "(lower((t.email)::text) = 'x'::text)");
    add_index(&b, "ix_lower", "", "lower((email)::text)");
    check(&b, "", "exists but unused: ix_lower");
    setup(&b, "(date(t.created) = 'x'::date)");
    b.table.columns[0].pure_call = false;
    check(&b, "", "created is compared through date(), which is not immutable");
}

static void test_advice_cast_is_a_mismatch(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1)::numeric = 5.0)");
    add_index(&b, "ix_n1", "n1", "n1");
    check(&b, "", "exists but unused: ix_n1; n1 is int4 but compared as numeric");
    setup(&b, "((t.email)::text = 'x'::text)");
    check(&b, "email", "");
}

static void test_advice_like_takes_its_operator_class(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.email)::text ~~ 'x%'::text)");
    check(&b, "email text_pattern_ops", "");
    setup(&b, "((t.email)::text ~~ 'x%'::text)");
    b.table.columns[0].c_collation = true;
    check(&b, "email", "");
    setup(&b, "((t.email)::text ~~ 'x%'::text)");
    add_index(&b, "ix_email", "email", "email");
    check(&b, "email text_pattern_ops", "ix_email cannot serve LIKE");
}

static void test_advice_existing_indexes(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "(t.n1 = 1)");
    add_index(&b, "ix_n1", "n1", "n1");
    check(&b, "", "exists but unused: ix_n1");
    setup(&b, "(t.n1 = 1)");
    add_index(&b, "ix_n1", "n1", "n1");
    b.table.indexes[0].partial = true;
    check(&b, "n1", "ix_n1 is partial");
    setup(&b, "(t.n1 = 1)");
    add_index(&b, "ix_n1", "n1", "n1");
    b.table.indexes[0].valid = false;
    check(&b, "n1", "ix_n1 is not valid");
    setup(&b, "(t.n1 > 1)");
    add_index(&b, "ix_n1", "n1", "n1");
    strcpy(b.table.indexes[0].method, "hash");
    check(&b, "n1", "ix_n1 is a hash index");
    setup(&b, "(t.n1 = 1)");
    add_index(&b, "ix_n2", "n2", "n2");
    check(&b, "n1", "");
}

static void test_advice_columns_behind_a_single_row_are_left_out(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1 = 1) AND (t.n2 = 2) AND (t.n3 > 3))");
    b.table.columns[1].n_distinct = -1;
    check(&b, "n2", "");
    setup(&b, "((t.n1 = ANY ('{1,2}'::int[])) AND (t.n2 > 2))");
    b.table.columns[0].n_distinct = -1; /* several values: several rows */
    check(&b, "n1, n2", "");
}

static void setup_order(struct bench *b, const char *filter, const char *const *keys, unsigned n)
{
    setup(b, filter);
    unsigned n_terms = b->filter.n_terms;
    for (unsigned i = 0; i < n; i++)
        assert_true(advisor_filter_add_order(keys[i], "t", &b->filter));
    for (unsigned i = n_terms; i < b->filter.n_terms; i++) {
        b->table.columns[i] = (struct advisor_column){.exists = true, .pure_call = true};
        strcpy(b->table.columns[i].type, "int4");
    }
}

static void test_advice_order_stands_behind_equality(void **state)
{
    (void)state;
    static const char *const keys[] = {"t.at DESC", "t.id DESC"};
    struct bench b;
    setup_order(&b, "(t.n1 = 5)", keys, 2);
    check(&b, "n1, at, id", ""); /* read backwards */
    assert_int_equal(b.advice.candidates[0].n_equal, 1);
    setup_order(&b, "((t.n1 = 5) AND (t.n2 > 7))", keys, 1);
    check(&b, "n1, at", "");
    assert_int_equal(b.advice.n, 3);
    assert_string_equal(b.advice.candidates[1].columns, "n1");
    assert_string_equal(b.advice.candidates[2].columns, "n1, n2");
    setup_order(&b, "(t.at > 7)", keys, 1);
    check(&b, "at", "");
    setup_order(&b, "", keys, 1);
    check(&b, "at", "");
    assert_int_equal(b.advice.candidates[0].n_equal, 0);
}

static void test_advice_order_keeps_its_directions(void **state)
{
    (void)state;
    static const char *const mixed[] = {"t.a", "t.b DESC"};
    static const char *const turned[] = {"t.a DESC NULLS LAST", "t.b NULLS FIRST", "t.c"};
    struct bench b;
    setup_order(&b, "", mixed, 2);
    check(&b, "a, b DESC", "");
    setup_order(&b, "", turned, 3);
    check(&b, "a NULLS FIRST, b DESC NULLS LAST, c DESC", "");
}

static void test_advice_order_of_a_list_is_left_out(void **state)
{
    (void)state;
    static const char *const keys[] = {"t.at"};
    struct bench b;
    setup_order(&b, "(t.n1 = ANY ('{1,2}'::int[]))", keys, 1);
    check(&b, "n1", "");
    setup_order(&b, "(t.at = 5)", keys, 1); /* nothing left to sort by */
    b.table.columns[0].n_distinct = 5;
    check(&b, "at", "");
}

static void test_advice_order_wants_an_index_that_has_it(void **state)
{
    (void)state;
    static const char *const keys[] = {"t.at"};
    struct bench b;
    setup_order(&b, "(t.n1 = 5)", keys, 1);
    add_index(&b, "ix_n1", "n1", "n1");
    check(&b, "n1, at", ""); /* the one on n1 leaves the sort */
    setup_order(&b, "(t.n1 = 5)", keys, 1);
    add_index(&b, "ix_n1_at", "n1", "n1");
    strcpy(b.table.indexes[0].more[0], "at");
    check(&b, "", "exists but unused: ix_n1_at");
    assert_int_equal(b.advice.n, 0);
}

static void test_advice_wider_index_than_the_one_there_has_to_be_tried(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1 = 1) AND (t.n2 = 2))");
    add_index(&b, "ix_n1", "n1", "n1");
    check(&b, "", "exists but unused: ix_n1");
    assert_int_equal(b.advice.n, 1);
    assert_string_equal(b.advice.candidates[0].columns, "n1, n2");
    setup(&b, "((t.n1 = 1) AND (t.n2 = 2))");
    add_index(&b, "ix_n2_n1", "n2", "n2");
    strcpy(b.table.indexes[0].more[0], "n1");
    check(&b, "", "exists but unused: ix_n2_n1"); /* in either order */
}

static void test_advice_expression_of_a_qualified_function_exists(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "(fold(t.email) = 'x'::text)");
    add_index(&b, "ix_fold", "", "app.fold(email)");
    check(&b, "", "exists but unused: ix_fold");
    setup(&b, "(fold(t.email) = 'x'::text)");
    add_index(&b, "ix_scaffold", "", "scaffold(email)");
    check(&b, "fold(email)", "");
}

static void test_advice_sql_is_quoted(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "(t.\"a\"\"b; x\" = 'x'::text)");
    check(&b, "a\"b; x", "");
    assert_string_equal(b.advice.candidates[0].sql, "\"a\"\"b; x\"");
}

static void test_advice_names_that_a_list_cannot_hold(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "a,b",          "f(x)",          "two\nlines",
        "sorts DESC", "x NULLS LAST", "x NULLS FIRST", "c_pattern_ops"};
    static const char *const good[] = {"a", "DESC", "a DESC b", "n\"q", "<b>"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(advisor_advice_is_name(bad[i]));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(advisor_advice_is_name(good[i]));
}

static void test_advice_wrapped_column_is_only_noted(void **state)
{
    (void)state;
    struct bench b;
    setup(&b, "((t.n1 + 1) = 5)");
    check(&b, "", "n1 is compared inside an expression");
    setup(&b, "(((t.n1 + 1) = 5) AND (t.n2 = 6))");
    check(&b, "n2", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advice_equality_before_range),
        cmocka_unit_test(test_advice_most_distinct_first_and_three_at_most),
        cmocka_unit_test(test_advice_columns_that_are_not_there_are_left_out),
        cmocka_unit_test(test_advice_names_are_bare),
        cmocka_unit_test(test_advice_call_becomes_expression),
        cmocka_unit_test(test_advice_cast_is_a_mismatch),
        cmocka_unit_test(test_advice_like_takes_its_operator_class),
        cmocka_unit_test(test_advice_existing_indexes),
        cmocka_unit_test(test_advice_columns_behind_a_single_row_are_left_out),
        cmocka_unit_test(test_advice_order_stands_behind_equality),
        cmocka_unit_test(test_advice_order_keeps_its_directions),
        cmocka_unit_test(test_advice_order_of_a_list_is_left_out),
        cmocka_unit_test(test_advice_order_wants_an_index_that_has_it),
        cmocka_unit_test(test_advice_wider_index_than_the_one_there_has_to_be_tried),
        cmocka_unit_test(test_advice_expression_of_a_qualified_function_exists),
        cmocka_unit_test(test_advice_sql_is_quoted),
        cmocka_unit_test(test_advice_names_that_a_list_cannot_hold),
        cmocka_unit_test(test_advice_wrapped_column_is_only_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
