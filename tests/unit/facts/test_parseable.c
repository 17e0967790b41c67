/* The lexer promises a form of each statement that the grammar takes where it took the original.
 * The grammar is only linked here, in the layer of the facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/sql_lexer.h"

#include <pg_query.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

enum { TEXT_SIZE = 4096, KINDS_SIZE = 512 };

static const char *const statements[] = {
#define STATEMENT(sql, display) sql,
#include "sql_statements.def"
#undef STATEMENT
};

static void assert_parses(const char *sql, const char *origin)
{
    PgQueryParseResult result = pg_query_parse(sql);
    if (result.error != NULL)
        fail_msg("%s: %s\n(from %s)", result.error->message, sql, origin);
    pg_query_free_parse_result(result);
}

static void test_statements_of_the_table_parse_as_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++)
        assert_parses(statements[i], statements[i]);
}

static void test_parseable_form_of_each_statement_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        char text[TEXT_SIZE];
        char kinds[KINDS_SIZE];
        char form[TEXT_SIZE];
        struct sql_masked out = {text, sizeof(text), kinds, sizeof(kinds)};
        struct sql_scan scan;
        sql_scan(span_of_text(statements[i]), 0, (struct sql_dialect){true}, out, &scan);
        sql_parseable(span_of(text, scan.text_len), span_of(kinds, scan.n_holes), form,
                      sizeof(form));
        assert_parses(form, statements[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements_of_the_table_parse_as_they_are),
        cmocka_unit_test(test_parseable_form_of_each_statement_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
