#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "wire/sql_lexer.h"
#include "wire/values.h"

#include <stdio.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

enum { TEXT_SIZE = 4096, KINDS_SIZE = 512 };

/* A scan together with what it wrote. */
struct result {
    struct sql_scan scan;
    char text[TEXT_SIZE];
    char kinds[KINDS_SIZE];
};

static const struct sql_dialect standard = {.standard_conforming_strings = true};

static void scan_as(struct result *r, struct span sql, size_t from, struct sql_dialect dialect)
{
    struct sql_masked out = {r->text, sizeof(r->text), r->kinds, sizeof(r->kinds)};
    sql_scan(sql, from, dialect, out, &r->scan);
}

static void scan(struct result *r, const char *sql)
{
    scan_as(r, span_of_text(sql), 0, standard);
}

static struct span masked(const struct result *r)
{
    return span_of(r->text, r->scan.text_len);
}

static const char *display(const struct result *r)
{
    static char out[TEXT_SIZE];
    sql_display(masked(r), out, sizeof(out));
    return out;
}

static const char *parseable(const struct result *r)
{
    static char out[TEXT_SIZE];
    sql_parseable(masked(r), span_of(r->kinds, r->scan.n_holes), out, sizeof(out));
    return out;
}

static void assert_span(struct span span, const char *text)
{
    if (!span_is(span, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)span.len, (const char *)span.data, text);
}

static void assert_same_id(const struct result *a, const struct result *b, const char *sql)
{
    if (!sql_id_equal(a->scan.id, b->scan.id))
        fail_msg("%s: \"%.*s\" is not \"%.*s\"", sql, (int)a->scan.text_len, a->text,
                 (int)b->scan.text_len, b->text);
}

static const struct {
    const char *sql;
    const char *display;
} statements[] = {
#define STATEMENT(sql, display) {sql, display},
#include "sql_statements.def"
#undef STATEMENT
    /* What only other versions accept, and what none does, has its place all the same. */
    {"SELECT 1_000, 0x1F, 0o17, 0b101", "select ?, ?, ?, ?"},
    {"SELECT 1..10", "select ? . ?"},
    {"SELECT 1a", "select ? a"},
    {"SELECT 'abc", "select ?"},
    {"SELECT $$abc", "select ?"},
    {"SELECT E'abc\\", "select ?"},
    {"SELECT \"abc", "select \"abc"},
    {"SELECT \"a\tb\nc\x01\"", "select \"a b c \""},
    {"SELECT 1 /* open", "select ?"},
    {"SELECT \x01 \x02 1", "select ?"},
    {"SELECT $ x", "select $ x"},
    {"SELECT \\d {}", "select \\ d { }"},
    {"SELECT (1, 2", "select (?, ?"},
    {"SELECT (1,", "select (?,"},
    {"SELECT ) 1", "select) ?"},
    {"SELECT 1::", "select ?::"},
    {"SELECT 1::(", "select ?::("},
    {"SELECT - - x", "select - - x"},
    {"SELECT x WHERE a IN ()", "select x where a in ()"},
    {"SELECT U&'a' UESCAPE", "select ? uescape"},
    {"\"quoted\" first", "\"quoted\" first"},
    {"'1'", "?"},
    {"", ""},
    {";", ""},
    {" ; ;; ", ""},
    {"-- only\n/* comments */", ""},
};

static void test_display_of_each_statement_is_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        struct result r;
        scan(&r, statements[i].sql);
        if (strcmp(display(&r), statements[i].display) != 0)
            fail_msg("%s\n gives \"%s\"\n not   \"%s\"", statements[i].sql, display(&r),
                     statements[i].display);
        assert_int_equal(r.scan.next, strlen(statements[i].sql));
        assert_int_equal(r.scan.flags & SQL_SCAN_TRUNCATED, 0);
        assert_int_equal(sql_id_equal(r.scan.id, (struct sql_id){0, 0}), r.scan.text_len == 0);
        assert_int_equal(r.scan.verb == SQL_VERB_EMPTY, r.scan.text_len == 0);
    }
}

/* A text with more white space and comments around and between its words. */
static void loosen(const char *sql, char *out, size_t size)
{
    bool inside = strpbrk(sql, "'\"$-/;\\") == NULL;
    size_t n = (size_t)snprintf(out, size, " /*a*/\n");
    for (; *sql != '\0' && n + 16 < size; sql++)
        n += (size_t)snprintf(out + n, size - n, *sql == ' ' && inside ? "\t/*'(*/\n" : "%c", *sql);
    snprintf(out + n, size - n, "\n -- b\n/*c*/ ; /*d*/");
}

static bool has_open_parenthesis(const struct result *r)
{
    int depth = 0;
    for (size_t i = 0; i < r->scan.text_len; i++)
        depth += (r->text[i] == '(') - (r->text[i] == ')');
    return depth > 0;
}

static void test_identity_ignores_layout_and_comments(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        char loose[TEXT_SIZE];
        struct result plain;
        struct result other;
        scan(&plain, statements[i].sql);
        if ((plain.scan.flags & SQL_SCAN_UNTERMINATED) != 0 || has_open_parenthesis(&plain))
            continue; /* what is added would be inside */
        loosen(statements[i].sql, loose, sizeof(loose));
        scan(&other, loose);
        assert_same_id(&plain, &other, loose);
    }
}

/* The parseable form is a statement of the same identity, unless a list lost its length. */
static void test_parseable_form_keeps_the_identity(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        struct result plain;
        struct result again;
        scan(&plain, statements[i].sql);
        if ((plain.scan.flags & SQL_SCAN_LIST) != 0)
            continue;
        scan(&again, parseable(&plain));
        assert_same_id(&plain, &again, statements[i].sql);
    }
}

static void test_scan_before_guard_page_reads_nothing_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        struct span sql = span_of_text(statements[i].sql);
        for (size_t len = 0; len <= sql.len; len++) {
            struct span copy = guard_copy(span_head(sql, len));
            struct result r;
            scan_as(&r, copy, 0, standard);
            assert_true(r.scan.next <= len);
            scan_as(&r, copy, 0, (struct sql_dialect){.standard_conforming_strings = false});
            if (len == sql.len) {
                struct result plain;
                scan(&plain, statements[i].sql);
                scan_as(&r, copy, 0, standard);
                assert_same_id(&plain, &r, statements[i].sql);
            }
            guard_free(copy);
        }
    }
}

static const struct {
    const char *a;
    const char *b;
} same[] = {
    {"SELECT a FROM t WHERE id = 1", "select a from t where id=2"},
    {"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = '1'"},
    {"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = $1"},
    {"SELECT a FROM t WHERE id = $1", "SELECT a FROM t WHERE id = $2"},
    {"SELECT a FROM t WHERE id = $1", "SELECT a FROM t WHERE id = $1::INTEGER"},
    {"SELECT a FROM t WHERE id = $1", "SELECT a FROM t WHERE id =  -1"},
    {"SELECT a FROM t WHERE s = 'x'", "SELECT a FROM t WHERE s =  E'a\\\\b'"},
    {"SELECT a FROM t WHERE s = 'x'", "SELECT a FROM t WHERE s = $q$it's$q$"},
    {"SELECT a FROM t WHERE d = '2020-01-01'::date", "SELECT a FROM t WHERE d = $1::DATE"},
    {"SELECT a FROM t WHERE d = '2020-01-01'::timestamp with time zone",
     "SELECT a FROM t WHERE d = $1"},
    {"SELECT a FROM t WHERE id IN (1, 2)", "SELECT a FROM t WHERE id IN (1, 2, 3)"},
    {"SELECT a FROM t WHERE id IN (1, 2)", "SELECT a FROM t WHERE id IN ($1, $2, $3, $4)"},
    {"SELECT a FROM t WHERE id = ANY(ARRAY[1,2])", "SELECT a FROM t WHERE id = ANY(ARRAY[1,2,3])"},
    {"INSERT INTO t (a, b) VALUES (1, 2), (3, 4)",
     "INSERT INTO t (a, b) VALUES (1, 2), (3, 4), (5, 6)"},
    {"INSERT INTO t (a, b) VALUES (1, 2), (3, NULL)", "INSERT INTO t (a, b) VALUES (1, 2), (3, 4)"},
    {"SELECT (a, b) IN ((1, 2), (3, 4))", "SELECT (a, b) IN ((1, 2), (3, 4), (5, 6))"},
    {"SAVEPOINT \"s1_x1\"", "SAVEPOINT sa_savepoint_7"},
    {"RELEASE SAVEPOINT a", "RELEASE SAVEPOINT \"B\""},
    {"DECLARE \"a\" CURSOR FOR SELECT 1", "DECLARE c_1 CURSOR FOR SELECT 2"},
    {"FETCH FORWARD 50 FROM \"a\"", "FETCH FORWARD 100 FROM b"},
    {"CLOSE a", "CLOSE \"all\""},
    {"EXECUTE a(1, 2)", "EXECUTE b (3, 4, 5)"},
    {"SELECT 1", "/*route='/a'*/ SELECT 1"},
    {"SELECT 1", "SELECT /*+ SeqScan(t) */ 1"},
    {"SELECT 1", "SELECT 1 -- x"},
    {"SELECT 1", "SELECT /* a /* nested */ b */ 1;"},
    {"SELECT a-1", "SELECT a - 1"},
    {"SELECT 'a' 'b'", "SELECT 'c' 'd'"},
    {"BEGIN", "begin;"},
    {"SELECT U&'a' UESCAPE '!' || b", "SELECT 'x' || b"},
};

static const struct {
    const char *a;
    const char *b;
} different[] = {
    {"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id IN (1)"},
    {"SELECT a FROM t WHERE id IN (1)", "SELECT a FROM t WHERE id IN (1, 2)"},
    {"SELECT a FROM t WHERE id IN (1, 2)", "SELECT a FROM t WHERE id = ANY(ARRAY[1, 2])"},
    {"SELECT a FROM t WHERE id = ANY($1)", "SELECT a FROM t WHERE id IN ($1)"},
    {"SELECT a FROM t WHERE b IS NULL", "SELECT a FROM t WHERE b IS NOT NULL"},
    {"SELECT a FROM t WHERE b = true", "SELECT a FROM t WHERE b = false"},
    {"SELECT \"Id\" FROM t", "SELECT \"id\" FROM t"},
    {"SELECT \"id\" FROM t", "SELECT id FROM t"},
    {"SELECT a FROM t", "SELECT a FROM u"},
    {"SELECT a FROM events_2024", "SELECT a FROM events_2025"},
    {"SELECT a, b FROM t", "SELECT b, a FROM t"},
    {"SELECT a b FROM t", "SELECT a.b FROM t"},
    {"SELECT a FROM t LIMIT 1", "SELECT a FROM t OFFSET 1"},
    {"INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1), (2)"},
    {"INSERT INTO t (a, b) VALUES (1, now()), (2, b)",
     "INSERT INTO t (a, b) VALUES (1, now()), (2, now())"},
    {"CLOSE ALL", "CLOSE a"},
    {"DEALLOCATE ALL", "DEALLOCATE a"},
    {"ROLLBACK", "ROLLBACK TO a"},
    {"LISTEN a", "LISTEN b"},
    {"SELECT a - 1", "SELECT a, -1"},
    {"SELECT a::int", "SELECT a::text"},
    {"SELECT DATE '2020-01-01'", "SELECT '2020-01-01'"},
    {"SELECT j ? 'a'", "SELECT j ?| 'a'"},
    {"SELECT j -> 'a'", "SELECT j ->> 'a'"},
    {"SELECT a, 1, 2", "SELECT a, 1"},
    {"SELECT f(1, 2)", "SELECT f(1)"},
    {"SELECT 'a' FROM t", "SELECT 'a', FROM t"},
};

static void test_pairs_of_one_identity_are_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(same); i++) {
        struct result a;
        struct result b;
        scan(&a, same[i].a);
        scan(&b, same[i].b);
        assert_same_id(&a, &b, same[i].b);
    }
}

static void test_pairs_of_two_identities_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(different); i++) {
        struct result a;
        struct result b;
        scan(&a, different[i].a);
        scan(&b, different[i].b);
        if (sql_id_equal(a.scan.id, b.scan.id))
            fail_msg("%s\n%s\nare both \"%s\"", different[i].a, different[i].b, display(&a));
    }
}

static void test_each_verb_is_known_by_its_first_word(void **state)
{
    (void)state;
    for (unsigned v = SQL_VERB_EMPTY + 1; v < SQL_VERB_OTHER; v++) {
        struct result r;
        scan(&r, sql_verb_name((enum sql_verb)v));
        assert_int_equal(r.scan.verb, v);
    }
    struct result r;
    scan(&r, "(SELECT 1)");
    assert_int_equal(r.scan.verb, SQL_VERB_SELECT);
    scan(&r, "/*x*/ wIth a AS (SELECT 1) SELECT 2");
    assert_int_equal(r.scan.verb, SQL_VERB_WITH);
    scan(&r, "REINDEX TABLE t");
    assert_int_equal(r.scan.verb, SQL_VERB_OTHER);
    scan(&r, "'x'");
    assert_int_equal(r.scan.verb, SQL_VERB_OTHER);
    assert_string_equal(sql_verb_name(SQL_VERB_EMPTY), "");
    assert_string_equal(sql_verb_name(SQL_VERB_OTHER), "OTHER");
    assert_string_equal(sql_verb_name((enum sql_verb)999), "OTHER");
    assert_int_equal(sql_verb_class(SQL_VERB_SELECT), SQL_CLASS_DATA);
    assert_int_equal(sql_verb_class(SQL_VERB_ROLLBACK), SQL_CLASS_TX);
    assert_int_equal(sql_verb_class(SQL_VERB_CREATE), SQL_CLASS_DDL);
    assert_int_equal(sql_verb_class(SQL_VERB_OTHER), SQL_CLASS_UTIL);
}

static const struct {
    const char *sql;
    const char *kinds;
    const char *parseable;
} kinds[] = {
    {"SELECT 'a', 1, $7, B'1', X'f'", "snpbb", "select '', 0, $1, B'0', B'0'"},
    {"SELECT $5, $5, -1.5", "ppn", "select $1, $2, 0"},
    {"SELECT a FROM t WHERE b IN (1, 'x', $1) AND c = 'z'", "ns",
     "select a from t where b in (0) and c = ''"},
    {"SELECT a FROM t WHERE b IN (1, 'x', c)", "ns", "select a from t where b in (0, '', c)"},
    {"INSERT INTO t VALUES ('a', 1), ('b', 2) RETURNING $1", "sp",
     "insert into t values ('') returning $1"},
    {"FETCH FORWARD 10 FROM c", "ni", "fetch forward 0 from n"},
    {"EXECUTE a ('x')", "is", "execute n ('')"},
    {"ROLLBACK TO SAVEPOINT \"x\"", "i", "rollback to savepoint n"},
};

static void test_kinds_make_the_parseable_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(kinds); i++) {
        struct result r;
        scan(&r, kinds[i].sql);
        assert_span(span_of(r.kinds, r.scan.n_holes), kinds[i].kinds);
        assert_string_equal(parseable(&r), kinds[i].parseable);
    }
}

static const struct {
    const char *sql;
    const char *first;
    const char *last;
} comments[] = {
    {"SELECT 1", "", ""},
    {"SELECT 1 /*a='b'*/", "", "a='b'"},
    {"SELECT 1 /*a='b'*/;", "", "a='b'"},
    {"SELECT 1; /*a='b'*/", "", "a='b'"},
    {"SELECT 1;\n/*a='b'*/ ;", "", "a='b'"},
    {"/*a='b'*/ SELECT 1", "a='b'", "a='b'"},
    {"/*a*/ SELECT /*b*/ 1 /*c*/", "a", "c"},
    {"SELECT /*b*/ 1", "", "b"},
    {"SELECT 1 /* x /* y */ z */", "", " x /* y */ z "},
    {"SELECT 1 /*a:b*/ /*foo*/", "", "a:b*/ /*foo"},
    {"/*a*//*b*/ SELECT 1 /*c*/", "a*//*b", "c"},
    {"/*+ SeqScan(t) */ SELECT 1", "", ""},
    {"/*a*/ /*+ hint */ SELECT 1", "a", "a"},
    {"SELECT 1 /*a*/ /*+ hint */", "", "a"},
    {"SELECT 1 -- note", "", ""},
    {"SELECT 1 -- note /*a='b'*/", "", "a='b'"},
    {"SELECT 1 -- note /*a='b'*/;  ", "", "a='b'"},
    {"SELECT 1 /*t='1'*/ -- note", "", "t='1'"},
    {"SELECT 1 -- note /*a='b'*/ more", "", ""},
    {"SELECT 1 /* open", "", ""},
    {"SELECT 1 /**/", "", ""},
    {"SELECT 'x /*a*/'", "", ""},
    {"SELECT \"x /*a*/\"", "", ""},
    {"SELECT $$ /*a*/ $$", "", ""},
    {"SELECT '1'/*a*/::/*b*/int", "", "a*/::/*b"},
    {"SELECT a /*a*/ + /*b*/ b", "", "b"},
    {" /*app_name='app',controller='view'*/", "app_name='app',controller='view'",
     "app_name='app',controller='view'"},
    {"; /*a*/", "a", "a"},
};

static void test_comments_are_handed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(comments); i++) {
        struct result r;
        scan(&r, comments[i].sql);
        assert_span(r.scan.first_comment, comments[i].first);
        assert_span(r.scan.last_comment, comments[i].last);
        assert_int_equal(r.scan.next, strlen(comments[i].sql));
    }
}

/* Scans all statements of a text; returns their displays joined by '|'. */
static const char *split(const char *sql)
{
    static char out[TEXT_SIZE];
    size_t n = 0;
    struct span text = span_of_text(sql);
    out[0] = '\0';
    for (size_t at = 0; at < text.len;) {
        struct result r;
        scan_as(&r, text, at, standard);
        assert_true(r.scan.next > at);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s", at > 0 ? "|" : "", display(&r));
        at = r.scan.next;
    }
    return out;
}

static void test_statements_split_at_semicolons(void **state)
{
    (void)state;
    assert_string_equal(
        split("SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"),
        "select pg_advisory_unlock_all()|close all|unlisten *|reset all");
    assert_string_equal(split("INSERT INTO t VALUES (1);INSERT INTO t VALUES (2)"),
                        "insert into t values (?)|insert into t values (?)");
    assert_string_equal(split("SELECT ';', \";\", $$;$$ /*;*/; SELECT 2 -- ;"),
                        "select ?, \";\", ?|select ?");
    assert_string_equal(split("BEGIN;;COMMIT; ;"), "begin|commit");
    assert_string_equal(split(";"), "");
}

static void test_comment_between_statements_belongs_to_the_second(void **state)
{
    (void)state;
    struct result r;
    struct span text = span_of_text("SELECT 1 /*a*/; /*b*/ SELECT 2 /*c*/; /*d*/");
    scan_as(&r, text, 0, standard);
    assert_span(r.scan.last_comment, "a");
    scan_as(&r, text, r.scan.next, standard);
    assert_span(r.scan.first_comment, "b");
    assert_span(r.scan.last_comment, "c*/; /*d");
    assert_int_equal(r.scan.next, text.len);
}

static uint64_t text_hash(const char *text)
{
    return wire_value_hash(0, 0, span_of_text(text));
}

static const struct {
    const char *sql;
    const char *value; /* the last one */
    unsigned n;
} values[] = {
    {"SELECT 42", "42", 1},
    {"SELECT -42", "-42", 1},
    {"SELECT - /*x*/ 42", "-42", 1},
    {"SELECT - - 42", "42", 1},
    {"SELECT +42", "42", 1},
    {"SELECT '42'", "42", 1},
    {"SELECT 042", "42", 1},
    {"SELECT 4.20e1", "42", 1},
    {"SELECT 0x2A", "42", 1},
    {"SELECT 4_2", "42", 1},
    {"SELECT 'a', 'b'", "b", 2},
    {"SELECT 'it''s'", "it's", 1},
    {"SELECT E'it\\'s'", "it's", 1},
    {"SELECT E'a\\nb\\t\\\\\\x41\\101'", "a\nb\t\\AA", 1},
    {"SELECT 'a\\nb'", "a\\nb", 1},
    {"SELECT 'a'\n'b'", "ab", 1},
    {"SELECT $$it's$$", "it's", 1},
    {"SELECT $1, 'x', $2", "x", 1},
    {"SELECT a FROM t LIMIT 10 OFFSET 20", "20", 2},
    {"SELECT a FROM t WHERE id IN (1, 2, 3)", "3", 3},
    {"INSERT INTO t VALUES (1, 2), (3, 4)", "4", 4},
    {"SELECT '5B0CCC5C-6B1E-4B1B-8F0C-2A1B3C4D5E6F'::uuid", "5b0ccc5c-6b1e-4b1b-8f0c-2a1b3c4d5e6f",
     1},
};

static void test_values_are_hashed_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(values); i++) {
        struct result r;
        scan(&r, values[i].sql);
        assert_int_equal(r.scan.n_values, values[i].n);
        if (r.scan.values[values[i].n - 1] != text_hash(values[i].value))
            fail_msg("%s: the last value is not %s", values[i].sql, values[i].value);
        assert_int_not_equal(r.scan.values_hash, 0);
    }
    struct result a;
    struct result b;
    scan(&a, "SELECT 1, 2");
    scan(&b, "SELECT 2, 1");
    assert_true(a.scan.values_hash != b.scan.values_hash);
    scan(&a, "SELECT a FROM t WHERE b = $1");
    assert_int_equal(a.scan.values_hash, 0);
}

static void test_bounds_of_the_statement_itself_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        struct sql_bound limit;
        struct sql_bound offset;
    } cases[] = {
        {"SELECT a FROM t", {0, 0}, {0, 0}},
        {"SELECT a FROM t LIMIT 21", {21, 0}, {0, 0}},
        {"SELECT a FROM t LIMIT 10 OFFSET 12000;", {10, 0}, {12000, 0}},
        {"select a from t offset 5 limit 7", {7, 0}, {5, 0}},
        {"SELECT a FROM t LIMIT $2 OFFSET $1", {0, 2}, {0, 1}},
        {"SELECT a FROM t LIMIT $2::BIGINT OFFSET $1::INTEGER", {0, 2}, {0, 1}},
        {"SELECT a FROM t OFFSET 30 ROWS FETCH NEXT 3 ROWS ONLY", {3, 0}, {30, 0}},
        {"SELECT a FROM t FETCH FIRST $1 ROWS ONLY", {0, 1}, {0, 0}},
        {"SELECT a FROM (SELECT b FROM u LIMIT 5 OFFSET 6) s WHERE c = 9", {0, 0}, {0, 0}},
        {"SELECT a FROM t LIMIT ALL OFFSET 3", {0, 0}, {3, 0}},
        {"SELECT a FROM t LIMIT NULL OFFSET 1.5", {0, 0}, {0, 0}},
        {"SELECT a FROM t LIMIT 99999999999999999999999999", {0, 0}, {0, 0}},
        {"SELECT a FROM t LIMIT $70000", {0, 0}, {0, 0}},
        {"SELECT \"limit\", x.offset FROM t WHERE a = 4", {0, 0}, {0, 0}},
        {"FETCH FORWARD 2000 FROM c", {0, 0}, {0, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct result r;
        scan(&r, cases[i].sql);
        assert_int_equal(r.scan.limit.value, cases[i].limit.value);
        assert_int_equal(r.scan.limit.param, cases[i].limit.param);
        assert_int_equal(r.scan.offset.value, cases[i].offset.value);
        assert_int_equal(r.scan.offset.param, cases[i].offset.param);
    }
}

static void test_values_past_the_maximum_change_only_the_hash(void **state)
{
    (void)state;
    struct result a;
    struct result b;
    scan(&a, "SELECT x IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)");
    scan(&b, "SELECT x IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,18)");
    assert_int_equal(a.scan.n_values, SQL_MAX_VALUES);
    assert_int_not_equal(a.scan.flags & SQL_SCAN_VALUES_CUT, 0);
    assert_memory_equal(a.scan.values, b.scan.values, sizeof(a.scan.values));
    assert_true(a.scan.values_hash != b.scan.values_hash);
}

static void test_backslashes_escape_when_strings_do_not_conform(void **state)
{
    (void)state;
    struct result r;
    struct sql_dialect old = {.standard_conforming_strings = false};
    scan_as(&r, span_of_text("SELECT 'a\\'b', c"), 0, old);
    assert_string_equal(display(&r), "select ?, c");
    assert_true(r.scan.values[0] == text_hash("a'b"));
    scan(&r, "SELECT 'a\\'b', c");
    assert_int_equal(r.scan.flags, SQL_SCAN_UNTERMINATED);
}

static void test_open_quotes_and_comments_are_flagged(void **state)
{
    (void)state;
    static const char *const open[] = {"SELECT 'a", "SELECT \"a", "SELECT $x$a", "SELECT /*a",
                                       "SELECT E'a\\'"};
    for (size_t i = 0; i < N(open); i++) {
        struct result r;
        scan(&r, open[i]);
        assert_int_equal(r.scan.flags, SQL_SCAN_UNTERMINATED);
    }
    struct result r;
    scan(&r, "SELECT 'a', \"a\", $x$a$x$ /*a*/");
    assert_int_equal(r.scan.flags, 0);
}

static void test_text_over_the_window_is_truncated(void **state)
{
    (void)state;
    char text[64];
    char kind[8];
    struct sql_masked out = {text, sizeof(text), kind, sizeof(kind)};
    struct sql_scan a;
    struct sql_scan b;
    static const char head[] = "SELECT aaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbb, ";
    char long_a[1024];
    char long_b[1024];
    snprintf(long_a, sizeof(long_a), "%sccc FROM t /*route='/x'*/;", head);
    snprintf(long_b, sizeof(long_b), "%sddd FROM t", head);
    sql_scan(span_of_text(long_a), 0, standard, out, &a);
    sql_scan(span_of_text(long_b), 0, standard, out, &b);
    assert_int_equal(a.flags, SQL_SCAN_TRUNCATED);
    assert_int_equal(a.next, strlen(long_a));
    assert_span(a.last_comment, "route='/x'");
    assert_int_equal(a.verb, SQL_VERB_SELECT);
    assert_true(sql_id_equal(a.id, b.id));
    snprintf(long_b, sizeof(long_b), "%s%500s FROM t", head, "d");
    sql_scan(span_of_text(long_b), 0, standard, out, &b);
    assert_false(sql_id_equal(a.id, b.id));
}

static void test_long_lists_fit_any_window(void **state)
{
    (void)state;
    static char sql[200000];
    char text[128];
    char kind[8];
    struct sql_masked out = {text, sizeof(text), kind, sizeof(kind)};
    struct sql_scan s;
    size_t n = (size_t)snprintf(sql, sizeof(sql), "SELECT a FROM t WHERE id IN (1");
    for (int i = 0; i < 10000; i++)
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, ",%d", i);
    snprintf(sql + n, sizeof(sql) - n, ") AND b = 'x'");
    sql_scan(span_of_text(sql), 0, standard, out, &s);
    assert_int_equal(s.flags, SQL_SCAN_LIST | SQL_SCAN_VALUES_CUT);
    assert_int_equal(s.n_holes, 2);
    n = (size_t)snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (1, NULL, 2)");
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, ", (%d, NULL, 2)", i);
    sql_scan(span_of_text(sql), 0, standard, out, &s);
    assert_int_equal(s.flags, SQL_SCAN_LIST | SQL_SCAN_VALUES_CUT);
    assert_int_equal(s.n_holes, 2);
}

/* Every size of either buffer: nothing is written past it, and kinds match holes. */
static void test_any_buffer_size_is_respected(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(statements); i++) {
        for (size_t size = 0; size < 96; size++) {
            char *text = malloc(size + 1); /* exact, so that ASan sees the byte after */
            char *kind = malloc(size / 8 + 1);
            assert_non_null(text);
            assert_non_null(kind);
            text[size] = '#';
            kind[size / 8] = '#';
            struct sql_masked out = {text, size, kind, size / 8};
            struct sql_scan s;
            sql_scan(span_of_text(statements[i].sql), 0, standard, out, &s);
            assert_true(s.text_len <= size && s.n_holes <= size / 8);
            assert_int_equal(text[size], '#');
            assert_int_equal(kind[size / 8], '#');
            free(text);
            free(kind);
        }
    }
}

static void test_control_bytes_never_reach_the_masked_text(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t sql[] = {'S', 'E',        'L', 'E', 'C',        'T', ' ',
                         'a', (uint8_t)c, '"', 'b', (uint8_t)c, '"'};
        struct result r;
        scan_as(&r, span_of(sql, sizeof(sql)), 0, standard);
        for (size_t i = 0; i < r.scan.text_len; i++) {
            uint8_t out = (uint8_t)r.text[i];
            assert_true(out >= ' ' || (c == '\'' && out == SQL_HOLE));
            assert_true(out != 0x7f);
        }
    }
}

/* Shapes that would take quadratic time in a lexer that looks ahead from each token anew. */
static void test_hostile_repetitions_take_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {"- ",    "+/**/", "1::",   "$a",   "'a' ",    "(",
                                        "((1),", "/*",    "U&'' ", "::",   ";",       "/**/",
                                        "1::a(", "[1,",   "--\n",  "\"\"", "VALUES(", "IN ("};
    enum { TIMES = 100000 };
    for (size_t u = 0; u < N(units); u++) {
        size_t len = strlen(units[u]);
        char *sql = malloc(len * TIMES);
        assert_non_null(sql);
        for (size_t i = 0; i < TIMES; i++)
            memcpy(sql + i * len, units[u], len);
        static char text[1 << 20];
        static char kind[1 << 20];
        struct sql_masked out = {text, sizeof(text), kind, sizeof(kind)};
        struct sql_scan s;
        sql_scan(span_of(sql, len * TIMES), 0, standard, out, &s);
        free(sql);
    }
}

static void test_renderings_are_bounded_and_terminated(void **state)
{
    (void)state;
    struct result r;
    scan(&r, "SELECT a FROM t WHERE b IN ($1, $2) AND c = 'x'");
    for (size_t size = 0; size < 64; size++) {
        char *out = malloc(size + 1);
        assert_non_null(out);
        out[size] = '#';
        size_t n = sql_display(masked(&r), out, size);
        assert_true(size == 0 ? n == 0 : n < size && out[n] == '\0');
        n = sql_parseable(masked(&r), span_of(r.kinds, r.scan.n_holes), out, size);
        assert_true(size == 0 ? n == 0 : n < size && out[n] == '\0');
        assert_int_equal(out[size], '#');
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_display_of_each_statement_is_canonical),
        cmocka_unit_test(test_identity_ignores_layout_and_comments),
        cmocka_unit_test(test_parseable_form_keeps_the_identity),
        cmocka_unit_test(test_scan_before_guard_page_reads_nothing_beyond),
        cmocka_unit_test(test_pairs_of_one_identity_are_equal),
        cmocka_unit_test(test_pairs_of_two_identities_differ),
        cmocka_unit_test(test_each_verb_is_known_by_its_first_word),
        cmocka_unit_test(test_kinds_make_the_parseable_form),
        cmocka_unit_test(test_comments_are_handed_over),
        cmocka_unit_test(test_statements_split_at_semicolons),
        cmocka_unit_test(test_comment_between_statements_belongs_to_the_second),
        cmocka_unit_test(test_values_are_hashed_in_order),
        cmocka_unit_test(test_bounds_of_the_statement_itself_are_read),
        cmocka_unit_test(test_values_past_the_maximum_change_only_the_hash),
        cmocka_unit_test(test_backslashes_escape_when_strings_do_not_conform),
        cmocka_unit_test(test_open_quotes_and_comments_are_flagged),
        cmocka_unit_test(test_text_over_the_window_is_truncated),
        cmocka_unit_test(test_long_lists_fit_any_window),
        cmocka_unit_test(test_any_buffer_size_is_respected),
        cmocka_unit_test(test_control_bytes_never_reach_the_masked_text),
        cmocka_unit_test(test_hostile_repetitions_take_linear_time),
        cmocka_unit_test(test_renderings_are_bounded_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
