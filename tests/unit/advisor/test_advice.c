#include "detectors/advisor/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

struct bench {
    struct advisor_filter filter;
    struct advisor_table table;
    struct strbuf columns;
    struct strbuf note;
};

static void setup(struct bench *b, const char *filter)
{
    memset(b, 0, sizeof(*b));
    strbuf_init(&b->columns, ADVISOR_COLUMNS_MAX);
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
    advisor_advice_make(&b->filter, &b->table, &b->columns, &b->note);
    assert_string_equal(strbuf_text(&b->columns), columns);
    if (note[0] == '\0')
        assert_string_equal(strbuf_text(&b->note), "");
    else if (strstr(strbuf_text(&b->note), note) == NULL)
        fail_msg("%s\n  want %s", strbuf_text(&b->note), note);
    strbuf_fini(&b->columns);
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
    b.table.columns[3].n_distinct = -1;
    b.table.columns[1].n_distinct = 5000;
    strcpy(b.table.columns[0].type, "bool");
    check(&b, "n4, n2, n3", "");
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
        cmocka_unit_test(test_advice_wrapped_column_is_only_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
