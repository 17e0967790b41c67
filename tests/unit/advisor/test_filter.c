#include "detectors/advisor/filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* "EQ user_id, RANGE created, EQ email::text, EQ lower(email::text)" */
static const char *describe(const char *filter, const char *alias)
{
    static char out[4096];
    static const char *const ops[] = {"EQ", "ANY", "RANGE", "LIKE", "WRAPPED"};
    struct advisor_filter f;
    size_t at = 0;
    advisor_filter_read(filter, alias, &f);
    out[0] = '\0';
    for (unsigned i = 0; i < f.n_terms; i++) {
        const struct advisor_term *t = &f.terms[i];
        bool call = t->function[0] != '\0';
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s %s%s%s%s%s%s", i > 0 ? ", " : "",
                               ops[t->op], t->function, call ? "(" : "", t->column,
                               t->cast[0] != '\0' ? "::" : "", t->cast, call ? ")" : "");
    }
    return out;
}

static void test_filter_read_comparisons(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"(u.user_id = 5)", "EQ user_id"},
        {"(5 = u.user_id)", "EQ user_id"},
        {"(5 < u.user_id)", "RANGE user_id"},
        {"((u.email)::text = 'u5@x.org'::text)", "EQ email::text"},
        {"(((u.status)::text = ANY ('{new,paid}'::text[])) AND (u.user_id = 5) AND (u.created > "
         "(now() - '1 day'::interval)))",
         "ANY status::text, EQ user_id, RANGE created"},
        {"(u.active AND (NOT u.active) AND (u.note IS NULL) AND (u.\"userName\" ~~ 'n5%'::text) "
         "AND (u.note <> 'x'::text) AND (lower((u.email)::text) = 'u5@x.org'::text))",
         "LIKE userName, EQ lower(email::text)"},
        {"((((u.status)::text = 'new'::text) OR (u.total = '7'::numeric)) AND "
         "((u.user_id)::numeric = 5.0))",
         "EQ user_id::numeric"},
        {"(CASE WHEN u.active THEN true ELSE false END AND (ROW((u.email)::text, u.note) > "
         "ROW('a'::text, 'b'::text)) AND (((u.email)::text || u.note) = 'x'::text) AND "
         "(date(u.created) = '2020-01-01'::date) AND (EXTRACT(year FROM u.created) = "
         "'2020'::numeric) AND ((u.dob)::text = 'x'::text))",
         "WRAPPED email, EQ date(created), WRAPPED created, EQ dob::text"},
        {"((u.note ~~ '%x'::text) AND (u.note ~~* 'x%'::text) AND (u.note ~ '^x'::text))", ""},
        {"(((u.email)::character varying(5))::text = 'x'::text)", "WRAPPED email"},
        {"(u.user_id = o.id)", "EQ user_id"},
        {"(u.a = u.b)", ""},
        {"(o.user_id = 5)", ""},
        {"(u.k = $0)", "EQ k"},
        {"(hashed SubPlan 1)", ""},
        {"((u.note = 'it''s (AND) u.x = '::text) AND (u.n = 1))", "EQ note, EQ n"},
        {"(u.note = E'a\\\\'::text)", "EQ note"},
        {"((u.a)::text > ALL ('{1}'::text[]))", ""},
        {"u.active", ""},
        {"", ""},
        {"(((", ""},
        {"(u.", ""},
        {"(u.a = 'open", ""},
        {"u.a = 'open", "EQ a"},
        {"(= = =)", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = describe(cases[i][0], "u");
        if (strcmp(got, cases[i][1]) != 0)
            fail_msg("%s\n  %s\n  want %s", cases[i][0], got, cases[i][1]);
    }
}

static void test_filter_read_quoted_alias(void **state)
{
    (void)state;
    assert_string_equal(describe("(\"Order Line\".\"a\"\"b\" = 5)", "Order Line"), "EQ a\"b");
}

static void test_filter_read_expression_has_no_alias(void **state)
{
    (void)state;
    struct advisor_filter f;
    advisor_filter_read("(lower((u.email)::text) = 'x'::text)", "u", &f);
    assert_int_equal(f.n_terms, 1);
    assert_string_equal(f.terms[0].expression, "lower((email)::text)");
}

static void test_filter_add_order_reads_directions(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *column;
        const char *function;
        bool descending;
        bool nulls_first;
    } cases[] = {
        {"t.at", "at", "", false, false},
        {"t.at DESC", "at", "", true, true},
        {"t.at DESC NULLS LAST", "at", "", true, false},
        {"t.at NULLS FIRST", "at", "", false, true},
        {"t.\"a DESC\"", "a DESC", "", false, false},
        {"(lower(t.email)) DESC", "email", "lower", true, true},
    };
    struct advisor_filter f = {.n_terms = 0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(advisor_filter_add_order(cases[i].key, "t", &f));
        const struct advisor_term *term = &f.terms[f.n_terms - 1];
        assert_int_equal(term->op, ADVISOR_ORDER);
        assert_string_equal(term->column, cases[i].column);
        assert_string_equal(term->function, cases[i].function);
        assert_int_equal(term->descending, cases[i].descending);
        assert_int_equal(term->nulls_first, cases[i].nulls_first);
    }
}

static void test_filter_add_order_refuses_what_an_index_does_not_have(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",
        "u.at",
        "t.at COLLATE \"C\"",
        "t.at USING ~<~",
        "(t.a + t.b)",
        "(count(*))",
        "(t.a + 1) DESC",
        "$1",
        "'x'::text",
    };
    struct advisor_filter f = {.n_terms = 0};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_false(advisor_filter_add_order(keys[i], "t", &f));
        assert_int_equal(f.n_terms, 0);
    }
    f.n_terms = ADVISOR_MAX_TERMS;
    assert_false(advisor_filter_add_order("t.at", "t", &f));
}

static void test_filter_add_keeps_what_is_there(void **state)
{
    (void)state;
    struct advisor_filter f;
    advisor_filter_read("(t.a = 1)", "t", &f);
    advisor_filter_add("(t.b = 2)", "t", &f);
    assert_int_equal(f.n_terms, 2);
    assert_string_equal(f.terms[1].column, "b");
    advisor_filter_add("", "t", &f);
    assert_int_equal(f.n_terms, 2);
}

static void test_filter_read_cut_anywhere_stays_in_bounds(void **state)
{
    (void)state;
    static const char filter[] =
        "(((u.status)::text = ANY ('{new,paid}'::text[])) AND (lower((u.\"E m\")::text) = "
        "'u5''@x.org'::text) AND (u.created > (now() - '1 day'::interval)))";
    struct advisor_filter f;
    for (size_t len = 0; len < sizeof(filter); len++) {
        char *cut = strndup(filter, len); /* ends where the allocation ends */
        char masked[64];
        assert_non_null(cut);
        advisor_filter_read(cut, "u", &f);
        advisor_filter_mask(cut, masked, sizeof(masked));
        free(cut);
    }
}

static void test_filter_mask_holds_no_value(void **state)
{
    (void)state;
    char out[400];
    size_t len = advisor_filter_mask("(((u.email)::text = 'secret''x'::text) AND (u.n = 4711) AND "
                                     "(u.s = ANY ('{hidden,1}'::text[])) AND (u.e = E'a\\\\'))",
                                     out, sizeof(out));
    assert_int_equal(len, strlen(out));
    assert_null(strstr(out, "secret"));
    assert_null(strstr(out, "4711"));
    assert_null(strstr(out, "hidden"));
    assert_non_null(strstr(out, "u.email"));
    assert_non_null(strstr(out, "= ?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_read_comparisons),
        cmocka_unit_test(test_filter_read_quoted_alias),
        cmocka_unit_test(test_filter_read_expression_has_no_alias),
        cmocka_unit_test(test_filter_add_order_reads_directions),
        cmocka_unit_test(test_filter_add_order_refuses_what_an_index_does_not_have),
        cmocka_unit_test(test_filter_add_keeps_what_is_there),
        cmocka_unit_test(test_filter_read_cut_anywhere_stays_in_bounds),
        cmocka_unit_test(test_filter_mask_holds_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
