#include "config_testing.h"

static void assert_redirected(const char *url, bool clear, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    assert_true(cfg_redirect_url(url, "127.0.0.1:6432", clear, &out));
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_fini(&out);
}

static void test_redirect_keeps_scheme_login_database_and_parameters(void **state)
{
    (void)state;
    assert_redirected("postgresql://u:p@db:5432/shop?application_name=a&options=-c%20x%3D1", true,
                      "postgresql://u:p@127.0.0.1:6432/shop?application_name=a&options=-c%20x%3D1");
    assert_redirected("postgresql+asyncpg://u:p@db/shop", true,
                      "postgresql+asyncpg://u:p@127.0.0.1:6432/shop");
    assert_redirected("postgres://db", true, "postgres://127.0.0.1:6432");
    assert_redirected("postgis://u@db/shop#x", true, "postgis://u@127.0.0.1:6432/shop#x");
    assert_redirected("psql://u@db?a=b", true, "psql://u@127.0.0.1:6432?a=b");
    assert_redirected("POSTGRESQL://db/", true, "POSTGRESQL://127.0.0.1:6432/");
}

static void test_redirect_replaces_every_way_to_name_a_host(void **state)
{
    (void)state;
    assert_redirected("postgresql://u@a:1,b:2/d?target_session_attrs=any", true,
                      "postgresql://u@127.0.0.1:6432/d?target_session_attrs=any");
    assert_redirected("postgresql://u@[::1]:5432/d", true, "postgresql://u@127.0.0.1:6432/d");
    assert_redirected("postgresql://u@%2Frun%2Fpg/d", true, "postgresql://u@127.0.0.1:6432/d");
    assert_redirected("postgresql:///d?host=/run/pg&port=5433", true,
                      "postgresql://127.0.0.1:6432/d");
    assert_redirected("postgresql://u@/d?hostaddr=10.0.0.1&user=x", true,
                      "postgresql://u@127.0.0.1:6432/d?user=x");
}

static void test_redirect_takes_passwords_as_the_packages_do(void **state)
{
    (void)state;
    assert_redirected("postgresql://u:p@ss@db/d", true, "postgresql://u:p@ss@127.0.0.1:6432/d");
    assert_redirected("postgresql://u:pa/ss@db/d", true, "postgresql://u:pa/ss@127.0.0.1:6432/d");
    assert_redirected("postgresql://db:5432/d@x", true, "postgresql://127.0.0.1:6432/d@x");
    assert_redirected("postgresql://u:@db/d", true, "postgresql://u:@127.0.0.1:6432/d");
}

static void test_redirect_to_the_clear_asks_for_no_tls(void **state)
{
    (void)state;
    assert_redirected(
        "postgresql://db/d?sslmode=require&sslrootcert=system&channel_binding=require", true,
        "postgresql://127.0.0.1:6432/d?sslmode=disable");
    assert_redirected("postgresql://db/d?sslmode=prefer&ssl=verify-full", true,
                      "postgresql://127.0.0.1:6432/d?sslmode=prefer&ssl=disable");
    assert_redirected("postgresql://db/d?ssl=true&sslnegotiation=direct", true,
                      "postgresql://127.0.0.1:6432/d?ssl=false");
    assert_redirected("postgresql://db/d?sslmode=require", false,
                      "postgresql://127.0.0.1:6432/d?sslmode=require");
}

static void test_redirect_leaves_other_urls_alone(void **state)
{
    (void)state;
    static const char *const others[] = {"", "sqlite:///x", "mysql://h/d", "host=h dbname=d",
                                         "postgresqlx://h"};
    struct strbuf out;
    strbuf_init(&out, 64);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(cfg_redirect_url(others[i], "h:1", true, &out));
        assert_false(cfg_url_is_postgresql(others[i]));
        assert_int_equal(out.len, 0);
    }
    strbuf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redirect_keeps_scheme_login_database_and_parameters),
        cmocka_unit_test(test_redirect_replaces_every_way_to_name_a_host),
        cmocka_unit_test(test_redirect_takes_passwords_as_the_packages_do),
        cmocka_unit_test(test_redirect_to_the_clear_asks_for_no_tls),
        cmocka_unit_test(test_redirect_leaves_other_urls_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
