/* The lines around a place in a Python file, and places that are not there any more. */
#include "cmocka_all.h"

#include "guard.h"
#include "report/source_quote.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const char app[] =
    "import os\n"                                 /* 1 */
    "\n"
    "SQL = '''\n"                                 /* 3 */
    "def not_a_function():\n"
    "'''\n"
    "\n"
    "class Shop:\n"                               /* 7 */
    "    @app.get(\n"
    "        \"/books\",\n"
    "    )\n"
    "    @cached\n"
    "    async def books(\n"                      /* 12 */
    "        self,\n"
    "    ):\n"
    "        rows = await fetch('''\n"            /* 15 */
    "SELECT * FROM books -- def x(): (\n"
    "''')  # (\n"
    "\n"
    "# at the margin\n"
    "        return [r for r in rows]\n"          /* 20 */
    "\n"
    "    def other(self):\n"                      /* 22 */
    "        def inner():\n"
    "            return \"it's # no ( end\"\n"    /* 24 */
    "        return inner\n"
    "print(1)\n";                                 /* 26 */
/* clang-format on */

static const char *quoted(const char *text, unsigned line, const char *function)
{
    static char got[SOURCE_MAX_BYTES];
    struct strbuf out;
    struct source_place place = {
        .file = "app.py", .line = line, .function = span_of_text(function)};
    strbuf_init(&out, sizeof(got) - 1);
    struct span copy = guard_copy(span_of_text(text));
    bool found = source_quote(&out, copy, &place);
    guard_free(copy);
    assert_false(out.failed);
    assert_true(found || strbuf_span(&out).len == 0);
    if (found)
        strcpy(got, strbuf_text(&out)); /* NOLINT: it has room for all */
    strbuf_fini(&out);
    return found ? got : NULL;
}

static void test_quote_is_the_function_with_its_decorators_without_indentation(void **state)
{
    (void)state;
    static const char books[] = "# app.py:15\n"
                                "@app.get(\n"
                                "    \"/books\",\n"
                                ")\n"
                                "@cached\n"
                                "async def books(\n"
                                "    self,\n"
                                "):\n"
                                "    rows = await fetch('''\n"
                                "SELECT * FROM books -- def x(): (\n"
                                "''')  # (\n"
                                "\n"
                                "# at the margin\n"
                                "    return [r for r in rows]\n";
    assert_string_equal(quoted(app, 15, "Shop.books"), books);
    assert_non_null(quoted(app, 16, "books"));
    assert_non_null(quoted(app, 20, "<listcomp>"));
    assert_string_equal(quoted(app, 24, "inner"), "# app.py:24\n"
                                                  "def inner():\n"
                                                  "    return \"it's # no ( end\"\n");
    assert_non_null(strstr(quoted(app, 25, "other"), "def other(self):\n    def inner"));
}

static void test_place_that_is_gone_has_no_quote(void **state)
{
    (void)state;
    assert_null(quoted(app, 0, "books"));
    assert_null(quoted(app, 27, "books"));
    assert_null(quoted(app, 15, "book"));
    assert_null(quoted(app, 4, "not_a_function"));
    assert_null(quoted(app, 26, "books"));
    assert_null(quoted("", 1, ""));
}

static void test_place_outside_of_functions_is_quoted_as_it_is(void **state)
{
    (void)state;
    assert_non_null(strstr(quoted(app, 26, "<module>"), "print(1)\n"));
    assert_non_null(strstr(quoted(app, 3, ""), "SQL = '''\n"));
}

static void test_long_function_is_cut_to_its_head_and_what_is_around_the_line(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, SOURCE_MAX_BYTES);
    strbuf_puts(&text, "@get\ndef long(a):\n");
    for (int i = 0; i < 200; i++)
        strbuf_printf(&text, "    x = %d\n", i);
    const char *got = quoted(strbuf_text(&text), 103, "long");
    assert_non_null(got);
    assert_non_null(strstr(got, "@get\ndef long(a):\n    # ...\n    x = 90\n"));
    assert_non_null(strstr(got, "    x = 100\n"));
    assert_non_null(strstr(got, "    x = 109\n    # ...\n"));
    assert_null(strstr(got, "x = 120"));
    strbuf_puts(&text, "\n\n\n");
    got = quoted(strbuf_text(&text), 205, "long"); /* a blank one behind it */
    assert_non_null(got);
    assert_non_null(strstr(got, "    # ...\n    x = 192\n"));
    strbuf_fini(&text);
}

/* Places of every beginning of the file, and of one in which some byte is another. */
static void test_quote_of_any_text_reads_within_its_bytes(void **state)
{
    (void)state;
    static const char bytes[] = {'\1', '\n', '\t', '\\', '"', '\'', '(', ')', '#', '@'};
    char text[sizeof(app)];
    for (size_t n = 0; n < sizeof(app); n += 3) {
        memcpy(text, app, n);
        text[n] = '\0';
        for (unsigned line = 0; line < 28; line += 3)
            (void)quoted(text, line, "books");
    }
    for (size_t i = 0; i + 1 < sizeof(app); i += 2) {
        memcpy(text, app, sizeof(app));
        text[i] = bytes[i / 2 % sizeof(bytes)];
        (void)quoted(text, 15, "books");
    }
}

static void test_file_that_is_too_large_has_no_quote(void **state)
{
    (void)state;
    size_t size = SOURCE_MAX_BYTES + 2;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '#', size);
    text[size - 1] = '\0';
    assert_null(quoted(text, 1, ""));
    memset(text, '\n', SOURCE_MAX_LINES + 1);
    text[SOURCE_MAX_LINES + 1] = '\0';
    assert_null(quoted(text, 1, ""));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_is_the_function_with_its_decorators_without_indentation),
        cmocka_unit_test(test_place_that_is_gone_has_no_quote),
        cmocka_unit_test(test_place_outside_of_functions_is_quoted_as_it_is),
        cmocka_unit_test(test_long_function_is_cut_to_its_head_and_what_is_around_the_line),
        cmocka_unit_test(test_quote_of_any_text_reads_within_its_bytes),
        cmocka_unit_test(test_file_that_is_too_large_has_no_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
