#include "config_testing.h"

#include "config/dsn.h"

static void assert_normalised(const char *url, const char *expected)
{
    char *out = cfg_url_normalise(url);
    assert_string_equal(out, expected);
    free(out);
}

static void test_normalise_known_schemes_become_postgresql(void **state)
{
    (void)state;
    assert_normalised("postgres://h/d", "postgresql://h/d");
    assert_normalised("postgresql://h/d", "postgresql://h/d");
    assert_normalised("postgresql+psycopg://h/d", "postgresql://h/d");
    assert_normalised("postgresql+psycopg2://h/d", "postgresql://h/d");
    assert_normalised("postgresql+asyncpg://u:p@h/d?a=b", "postgresql://u:p@h/d?a=b");
    assert_normalised("postgresql+psycopg_async://h/d", "postgresql://h/d");
    assert_normalised("POSTGRES://h", "postgresql://h");
    assert_normalised("psql://h", "postgresql://h");
    assert_normalised("pgsql://h", "postgresql://h");
    assert_normalised("postgis://h", "postgresql://h");
    assert_normalised("timescalegis://h", "postgresql://h");
}

static void test_normalise_other_texts_stay(void **state)
{
    (void)state;
    assert_normalised("", "");
    assert_normalised("mysql://h/d", "mysql://h/d");
    assert_normalised("postgres", "postgres");
    assert_normalised("postgres:/h", "postgres:/h");
    assert_normalised("postgresqlx://h", "postgresqlx://h");
    assert_normalised("host=h dbname=d", "host=h dbname=d");
}

static void assert_masked(const char *url, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 1024);
    cfg_mask_url(url, &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_fini(&out);
}

static void test_mask_url_without_password_is_shown(void **state)
{
    (void)state;
    assert_masked("", "");
    assert_masked("postgresql://h:5432/d", "postgresql://h:5432/d");
    assert_masked("postgresql://u@h:5432/d", "postgresql://u@h:5432/d");
    assert_masked("postgresql://u@h/d?sslmode=require&host=/run",
                  "postgresql://u@h/d?sslmode=require&host=/run");
    assert_masked("host=h port=5 user=u", "host=h port=5 user=u");
}

static void test_mask_password_in_the_authority_is_hidden(void **state)
{
    (void)state;
    assert_masked("postgresql://u:secret@h:5432/d", "postgresql://u:***@h:5432/d");
    assert_masked("postgres://u:secret@h", "postgres://u:***@h");
    assert_masked("postgresql+asyncpg://u:secret@h/d", "postgresql+asyncpg://u:***@h/d");
    assert_masked("postgresql://:secret@h", "postgresql://:***@h");
    assert_masked("postgresql://u:se@cr/et:x@h/d", "postgresql://u:***@h/d");
}

static void test_mask_ambiguous_url_is_hidden_whole(void **state)
{
    (void)state;
    assert_masked("postgresql://u:se?cret@h/d", "postgresql://***");
    assert_masked("postgresql://u@h/d?password=a@b", "postgresql://***");
    assert_masked("mysql://u:secret@h/d", "***");
    assert_masked("u:secret@h/d", "***");
    assert_masked("u:secret@h/d?x=y", "***");
    assert_masked("secret", "***");
}

static void test_mask_query_shows_only_harmless_parameters(void **state)
{
    (void)state;
    assert_masked("postgresql://h/d?password=secret&sslmode=prefer&sslpassword=x",
                  "postgresql://h/d?password=***&sslmode=prefer&sslpassword=***");
    assert_masked("postgresql://h/d?p%61ssword=secret", "postgresql://h/d?p%61ssword=***");
    assert_masked("postgresql://h/d?pasword=secret&", "postgresql://h/d?pasword=***&");
    assert_masked("postgresql://h/d?", "postgresql://h/d?");
}

static void test_mask_conninfo_shows_only_harmless_parameters(void **state)
{
    (void)state;
    assert_masked("host=h password=secret dbname=d", "host=h password=*** dbname=d");
    assert_masked("password = 'se cret' host=h", "password=*** host=h");
    assert_masked("password='a\\' b' host=h", "password=*** host=h");
    assert_masked("password=a\\ b host=h", "password=*** host=h");
    assert_masked("host='a b' password='secret", "host='a b' password=***");
    assert_masked("host=h password secret", "host=h ***");
    assert_masked("host=h password=", "host=h password=***");
    assert_masked("password=a@b host=h", "password=*** host=h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise_known_schemes_become_postgresql),
        cmocka_unit_test(test_normalise_other_texts_stay),
        cmocka_unit_test(test_mask_url_without_password_is_shown),
        cmocka_unit_test(test_mask_password_in_the_authority_is_hidden),
        cmocka_unit_test(test_mask_ambiguous_url_is_hidden_whole),
        cmocka_unit_test(test_mask_query_shows_only_harmless_parameters),
        cmocka_unit_test(test_mask_conninfo_shows_only_harmless_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
