#include "report/slug.h"

#include "cmocka_all.h"

enum { MOST = 8 };

/* The names of endpoints called so, key i+1 in the upper half. */
static struct rpt_slugs *slugs_of(const char *const *names, size_t n)
{
    static struct endpoint endpoints[MOST];
    static struct endpoint_result results[MOST];
    struct result r = {.endpoints = results, .n_endpoints = n};
    for (size_t i = 0; i < n; i++) {
        endpoints[i] = (struct endpoint){.name = names[i], .key = (uint64_t)(i + 1) << 32 | 0xFF};
        results[i] = (struct endpoint_result){.endpoint = &endpoints[i]};
    }
    struct rpt_slugs *s = rpt_slugs_new(&r);
    assert_non_null(s);
    return s;
}

static void expect_slug(const char *name, const char *want)
{
    struct rpt_slugs *s = slugs_of(&name, 1);
    assert_string_equal(rpt_slug(s, 0), want);
    rpt_slugs_free(s);
}

static void test_rpt_slug_common_routes_are_readable(void **state)
{
    (void)state;
    expect_slug("GET /orm/authors/{author_id}", "get-orm-authors-author_id");
    expect_slug("POST /a/<int:pk>/", "post-a-int-pk");
    expect_slug("users#index", "users-index");
    expect_slug("GET /", "get");
}

static void test_rpt_slug_hostile_names_are_made_safe(void **state)
{
    (void)state;
    expect_slug("../../etc/passwd", "etc-passwd-00000001");
    expect_slug("a\\b\x01\xff.", "a-b-00000001");
    expect_slug("", "endpoint-00000001");
    expect_slug(NULL, "endpoint-00000001");
    expect_slug("///", "endpoint");
}

static void test_rpt_slug_long_name_is_cut_with_suffix(void **state)
{
    (void)state;
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *names[] = {name};
    struct rpt_slugs *s = slugs_of(names, 1);
    assert_int_equal(strlen(rpt_slug(s, 0)), RPT_SLUG_MAX);
    assert_string_equal(rpt_slug(s, 0) + RPT_SLUG_MAX - 9, "-00000001");
    rpt_slugs_free(s);
}

static void test_rpt_slug_equal_names_all_get_suffixes(void **state)
{
    (void)state;
    const char *names[] = {"GET /a/b", "GET /c", "GET /A-b", "get /a/{b}"};
    struct rpt_slugs *s = slugs_of(names, 4);
    assert_string_equal(rpt_slug(s, 0), "get-a-b-00000001");
    assert_string_equal(rpt_slug(s, 1), "get-c");
    assert_string_equal(rpt_slug(s, 2), "get-a-b-00000003");
    assert_string_equal(rpt_slug(s, 3), "get-a-b-00000004");
    rpt_slugs_free(s);
}

static void test_rpt_slug_no_endpoints_is_fine(void **state)
{
    (void)state;
    rpt_slugs_free(slugs_of(NULL, 0));
    rpt_slugs_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rpt_slug_common_routes_are_readable),
        cmocka_unit_test(test_rpt_slug_hostile_names_are_made_safe),
        cmocka_unit_test(test_rpt_slug_long_name_is_cut_with_suffix),
        cmocka_unit_test(test_rpt_slug_equal_names_all_get_suffixes),
        cmocka_unit_test(test_rpt_slug_no_endpoints_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
