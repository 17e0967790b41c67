/* The cases of tests/data/edits: a file, and the edited function or "template". */
#include "cmocka_all.h"

#include "detectors/detector.h"
#include "guard.h"
#include "report/source_edit.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_LEAST = 100, AT_LEAST_EDITED = 35 };

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .data = (const uint8_t *)(s), .len = sizeof(s) - 1                                         \
    }

/* --- findings --- */

static const struct {
    struct record_columns r;
    struct record_column columns[3];
    char names[10];
} author_columns = {
    .r = {.h = {.len = sizeof(author_columns)}, .n_columns = 3, .total = 3, .names_len = 10},
    .columns = {{.name_len = 2}, {.name_len = 4}, {.name_len = 4}},
    .names = {'i', 'd', 'n', 'a', 'm', 'e', 'b', 'o', 'r', 'n'},
};

static const struct statement of_authors = {.text = TEXT("select * from authors"),
                                            .columns = &author_columns.r};
static const struct statement of_shop = {.text = TEXT("select * from \"shop_author\"")};

struct kind {
    const char *name;
    enum detector_index rule;
    struct finding f;
};

#define AUTHORS .parent_table = TEXT("authors"), .n_relations = 1
#define BOOKS   .parent_table = TEXT("books"), .n_relations = 1
#define OF(s)   .statements = {{.statement = &(s)}}, .n_statements = 1

static const struct kind kinds[] = {
    {"sqlalchemy-many",
     DETECTOR_n_plus_one,
     {AUTHORS, .relations = {{.table = TEXT("books"), .key = TEXT("id")}}}},
    {"sqlalchemy-one",
     DETECTOR_n_plus_one,
     {BOOKS, .relations = {{.table = TEXT("authors"), .key = TEXT("author_id"), .to_one = true}}}},
    {"sqlalchemy-two",
     DETECTOR_n_plus_one,
     {.parent_table = TEXT("books"),
      .n_relations = 2,
      .relations = {{.table = TEXT("authors"), .key = TEXT("author_id"), .to_one = true},
                    {.table = TEXT("reviews"), .key = TEXT("id")}}}},
    {"django-many",
     DETECTOR_n_plus_one,
     {.stack = STACK_DJANGO,
      .parent_table = TEXT("shop_author"),
      .n_relations = 1,
      .relations = {{.table = TEXT("shop_book"), .key = TEXT("id")}}}},
    {"django-one",
     DETECTOR_n_plus_one,
     {.stack = STACK_DJANGO,
      .parent_table = TEXT("shop_book"),
      .n_relations = 1,
      .relations = {{.table = TEXT("shop_author"), .key = TEXT("author_id"), .to_one = true}}}},
    {"star", DETECTOR_select_star, {.stack = STACK_ASYNCPG, OF(of_authors)}},
    {"star-django", DETECTOR_select_star, {.stack = STACK_DJANGO, OF(of_authors)}},
    {"limit", DETECTOR_unbounded_result, {OF(of_authors)}},
    {"limit-django", DETECTOR_missing_pagination, {.stack = STACK_DJANGO, OF(of_shop)}},
    {"count", DETECTOR_count_query, {.stack = STACK_DJANGO, OF(of_shop)}},
};

static struct finding finding_of(struct span name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (span_is(name, kinds[i].name)) {
            struct finding f = kinds[i].f;
            f.detector = det_detectors[kinds[i].rule];
            return f;
        }
    }
    fail_msg("no kind %.*s", (int)name.len, (const char *)name.data);
    return (struct finding){.detector = NULL};
}

/* --- cases --- */

struct test_case {
    struct span kind;
    struct span name;
    struct span code;
    struct span after;
};

static char *read_cases(size_t *len)
{
    FILE *file = fopen(PGSLEUTH_TEST_DATA "/edits/cases.txt", "rb");
    assert_non_null(file);
    static char text[256 * 1024];
    *len = fread(text, 1, sizeof(text) - 1, file);
    assert_true(feof(file) && *len > 0);
    (void)fclose(file);
    return text;
}

static struct span cut_until(struct span *rest, const char *mark)
{
    size_t n = span_find(*rest, mark);
    struct span out = span_head(*rest, n);
    *rest = span_skip(*rest, n + strlen(mark));
    return out;
}

/* "=== kind: name", the code, "---", what comes out. */
static bool next_case(struct span *rest, struct test_case *out)
{
    if (!span_starts(*rest, "=== "))
        return false;
    *rest = span_skip(*rest, 4);
    out->kind = cut_until(rest, ": ");
    out->name = cut_until(rest, "\n");
    out->code = cut_until(rest, "---\n");
    size_t n = span_find(*rest, "\n=== ");
    out->after = span_head(*rest, n < rest->len ? n + 1 : n);
    *rest = span_skip(*rest, out->after.len);
    return true;
}

static unsigned marked_line(struct span code)
{
    unsigned line = 1;
    size_t mark = span_find(code, "# <-");
    if (mark == code.len) { /* a tab in front of it, or no mark: the last line */
        mark = code.len - 1;
    }
    for (size_t i = 0; i < mark; i++)
        line += code.data[i] == '\n';
    return line;
}

static bool edited(struct strbuf *out, struct span code, unsigned line, const struct finding *f)
{
    struct source_place place = {.file = "app.py", .line = line};
    struct span copy = guard_copy(code);
    strbuf_init(out, SOURCE_MAX_BYTES);
    bool found = source_edit(out, copy, &place, f);
    guard_free(copy);
    assert_true(found || out->len == 0);
    return found;
}

/* What may be SQLAlchemy and what is known to be are edited alike. */
static void expect_same_of_sqlalchemy(const struct test_case *c, struct finding f, bool found)
{
    struct strbuf out;
    if (f.stack != STACK_UNKNOWN)
        return;
    f.stack = STACK_SQLALCHEMY;
    assert_int_equal(edited(&out, c->code, marked_line(c->code), &f), found);
    assert_true(!found || span_equal(strbuf_span(&out), c->after));
    strbuf_fini(&out);
}

static void test_case_gives_the_edit_or_the_template(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_cases(&len);
    struct span rest = span_of(text, len);
    struct test_case c;
    unsigned n = 0;
    unsigned n_edited = 0;
    unsigned wrong = 0;
    for (; next_case(&rest, &c); n++) {
        struct finding f = finding_of(c.kind);
        struct strbuf out;
        bool found = edited(&out, c.code, marked_line(c.code), &f);
        bool good = found ? span_equal(strbuf_span(&out), c.after) : span_is(c.after, "template\n");
        if (!good)
            print_error("%.*s: %.*s\n%s---\n", (int)c.kind.len, (const char *)c.kind.data,
                        (int)c.name.len, (const char *)c.name.data,
                        found ? strbuf_text(&out) : "template\n");
        n_edited += found;
        wrong += !good;
        if (good)
            expect_same_of_sqlalchemy(&c, f, found);
        strbuf_fini(&out);
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(wrong, 0);
    assert_true(n >= AT_LEAST && n_edited >= AT_LEAST_EDITED);
}

/* --- any text --- */

/* Beginnings of every file, and files in which one byte is another. */
static void test_edit_of_any_text_reads_within_its_bytes(void **state)
{
    (void)state;
    static const char bytes[] = {'\0', '\n', '\r', '\\', '"', '\'',
                                 '(',  ')',  '#',  '{',  '.', '\xff'};
    static char changed[4096];
    size_t len = 0;
    char *text = read_cases(&len);
    struct span rest = span_of(text, len);
    struct test_case c;
    struct strbuf out;
    while (next_case(&rest, &c)) {
        struct finding f = finding_of(c.kind);
        unsigned line = marked_line(c.code);
        for (size_t i = 0; i < c.code.len; i += 3) {
            (void)edited(&out, span_head(c.code, i), line, &f);
            strbuf_fini(&out);
            memcpy(changed, c.code.data, c.code.len);
            changed[i] = bytes[i / 3 % sizeof(bytes)];
            (void)edited(&out, span_of(changed, c.code.len), line, &f);
            strbuf_fini(&out);
        }
    }
}

static void test_function_that_is_too_long_is_not_edited(void **state)
{
    (void)state;
    struct finding f = finding_of(span_of_text("sqlalchemy-many"));
    for (size_t times = 0; times < SOURCE_EDIT_BYTES; times += SOURCE_EDIT_BYTES / 12) {
        struct strbuf code;
        struct strbuf out;
        strbuf_init(&code, SOURCE_MAX_BYTES);
        strbuf_puts(&code, "from sqlalchemy import select\ndef f(s):\n"
                           "    return [a.books for a in s.scalars(select(Author))]\n");
        for (size_t i = 0; i < times; i++)
            strbuf_puts(&code, "    x()\n");
        bool fits = code.len < SOURCE_EDIT_BYTES;
        assert_int_equal(edited(&out, strbuf_span(&code), 3, &f), fits);
        strbuf_fini(&out);
        strbuf_fini(&code);
    }
}

static void test_finding_of_another_rule_or_without_relations_is_not_edited(void **state)
{
    (void)state;
    static const char code[] = "from sqlalchemy import select\ndef f(s):\n"
                               "    return [a.books for a in s.scalars(select(Author))]\n";
    struct finding f = finding_of(span_of_text("sqlalchemy-many"));
    struct strbuf out;
    assert_true(edited(&out, span_of_text(code), 3, &f));
    strbuf_fini(&out);
    f.n_relations = 0;
    assert_false(edited(&out, span_of_text(code), 3, &f));
    strbuf_fini(&out);
    f = finding_of(span_of_text("sqlalchemy-many"));
    f.detector = det_detectors[DETECTOR_chatty];
    assert_false(edited(&out, span_of_text(code), 3, &f));
    strbuf_fini(&out);
    f = finding_of(span_of_text("sqlalchemy-many"));
    f.stack = STACK_ASYNCPG;
    assert_false(edited(&out, span_of_text(code), 3, &f));
    strbuf_fini(&out);
}

/* A star stays when names are missing, unsafe, or there twice. */
static void test_star_of_columns_that_are_not_all_known_stays(void **state)
{
    (void)state;
    static const char code[] = "def f(c):\n    return c.fetch(\"SELECT * FROM authors\")\n";
    struct finding f = finding_of(span_of_text("star"));
    struct {
        struct record_columns r;
        struct record_column columns[3];
        char names[10];
    } own;
    memcpy(&own, &author_columns, sizeof(own));
    struct statement s = of_authors;
    s.columns = &own.r;
    f.statements[0].statement = &s;
    struct strbuf out;
    assert_true(edited(&out, span_of_text(code), 2, &f));
    strbuf_fini(&out);
    own.r.total = 4;
    assert_false(edited(&out, span_of_text(code), 2, &f));
    strbuf_fini(&out);
    own.r.total = 3;
    memcpy(own.names, "idnamename", 10);
    assert_false(edited(&out, span_of_text(code), 2, &f));
    strbuf_fini(&out);
    memcpy(own.names, "idna\"ebo\nn", 10);
    assert_false(edited(&out, span_of_text(code), 2, &f));
    strbuf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_case_gives_the_edit_or_the_template),
        cmocka_unit_test(test_edit_of_any_text_reads_within_its_bytes),
        cmocka_unit_test(test_function_that_is_too_long_is_not_edited),
        cmocka_unit_test(test_finding_of_another_rule_or_without_relations_is_not_edited),
        cmocka_unit_test(test_star_of_columns_that_are_not_all_known_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
