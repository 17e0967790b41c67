/* What is a token, where lines and brackets end, and what is refused. */
#include "cmocka_all.h"

#include "guard.h"
#include "report/python_tokens.h"

#include <stdlib.h>

static const char letters[] = "n0sf;|"; /* of enum py_kind; operators are written as they are */

/* The kinds of the tokens, operators by their text; NULL when it was refused. */
static const char *kinds_of(struct span text)
{
    static char got[512];
    struct py_tokens t;
    struct span copy = guard_copy(text);
    size_t at = 0;
    bool ok = py_read(&t, copy);
    for (size_t i = 0; ok && i < t.n && at + 8 < sizeof(got); i++) {
        struct span s = py_text(&t, i);
        assert_true(t.items[i].at <= copy.len && s.len <= copy.len - t.items[i].at);
        if (t.items[i].kind == PY_OP) {
            memcpy(got + at, s.data, s.len);
            at += s.len;
        } else {
            got[at++] = t.items[i].kind == PY_NEWLINE ? '|' : letters[t.items[i].kind];
        }
    }
    got[at] = '\0';
    if (ok)
        py_free(&t);
    guard_free(copy);
    return ok ? got : NULL;
}

static const struct {
    const char *text;
    const char *kinds; /* NULL: refused */
} cases[] = {
    {"a = b\n", "n=n|"},
    {"a = b", "n=n|"},
    {"\n\n# only this\na\n", "n|"},
    {"a\r\nb\r\n", "n|n|"},
    {"\xef\xbb\xbf"
     "a\n",
     "n|"},
    {"f(a,\n  b)\nc\n", "n(n,n)|n|"},
    {"a \\\n + b\n", "n+n|"},
    {"a \\\r\n + b\n", "n+n|"},
    {"'it''s' \"#\" # '\n", "sss|"},
    {"'''a\n'b''\n''' + x\n", "s+n|"},
    {"\"\"\"\\\"\"\"\"\n", "s|"},
    {"'\\'' r'\\' Rb'x'\n", NULL},
    {"r'\\d' b\"x\" u'x' rb'x'\n", "ssss|"},
    {"f'{a} {{ }} {b:{c}}' F\"x\" t'x' rf'x'\n", "ffff|"},
    {"f'{a'\n", NULL},
    {"f\"{a[\"b\"]}\"\n", NULL},
    {"x'1'\n", NULL},
    {"1.5 0x1f 1_000 .5\n", "000.0|"},
    {"a == b != c <= d -> e := f ** g\n", "n==n!=n<=n->n:=n**n|"},
    {"a=={b:[c]}\n", "n=={n:[n]}|"},
    {"caf\xc3\xa9\n", "n|"},
    {"(]\n", NULL},
    {")\n", NULL},
    {"(\n", NULL},
    {"'a\n", NULL},
    {"'''a\n", NULL},
    {"a ? b\n", NULL},
    {"a $ b\n", NULL},
    {"a \\ b\n", NULL},
    {"a \\", NULL},
    {"a\rb\n", NULL},
    {"a\x01\n", NULL},
    {"", NULL},
    {"# nothing\n", NULL},
};

static void test_text_gives_its_tokens_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = kinds_of(span_of_text(cases[i].text));
        if (cases[i].kinds == NULL)
            assert_null(got);
        else
            assert_string_equal(got != NULL ? got : "(refused)", cases[i].kinds);
    }
    assert_null(kinds_of(span_of("a\0b\n", 4)));
}

static void test_tokens_know_their_lines_and_mates(void **state)
{
    (void)state;
    struct py_tokens t;
    assert_true(py_read(&t, span_of_text("a = f(\n  '''x\n''',\n  [b],\n)\nc\n")));
    assert_int_equal(t.items[3].mate, 10);
    assert_int_equal(t.items[10].mate, 3);
    assert_true(py_is_op(&t, 6, "["));
    assert_int_equal(t.items[6].mate, 8);
    assert_int_equal(t.items[5].mate, 5);
    assert_int_equal(t.items[4].line, 2);
    assert_int_equal(t.items[6].line, 4);
    assert_int_equal(t.items[10].logical, 0);
    assert_true(py_is_name(&t, 12, "c"));
    assert_int_equal(t.items[12].line, 6);
    assert_int_equal(t.items[12].logical, 1);
    assert_int_equal(py_text(&t, t.n).len, 0);
    assert_int_equal(py_text(&t, SIZE_MAX).len, 0);
    assert_false(py_is_op(&t, SIZE_MAX, ""));
    py_free(&t);
}

static void test_text_past_a_limit_is_refused(void **state)
{
    (void)state;
    size_t size = PY_MAX_BYTES + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    assert_non_null(kinds_of(span_of(text, size - 1))); /* a line of 2 MiB */
    assert_null(kinds_of(span_of(text, size)));
    memset(text, '+', PY_MAX_TOKENS + 1);
    assert_null(kinds_of(span_of(text, PY_MAX_TOKENS + 1)));
    memset(text, '(', PY_MAX_DEPTH + 1);
    memset(text + PY_MAX_DEPTH + 1, ')', PY_MAX_DEPTH + 1);
    assert_null(kinds_of(span_of(text, 2 * PY_MAX_DEPTH + 2)));
    assert_non_null(kinds_of(span_of(text + 1, 2 * PY_MAX_DEPTH)));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_gives_its_tokens_or_is_refused),
        cmocka_unit_test(test_tokens_know_their_lines_and_mates),
        cmocka_unit_test(test_text_past_a_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
