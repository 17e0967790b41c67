#include "cmocka_all.h"

#include "proxy/upstream.h"

#include <string.h>

static struct upstream parsed(const char *url)
{
    struct upstream u;
    char error[300] = "";
    assert_int_equal(upstream_parse(url, &u, error, sizeof(error)), 0);
    return u;
}

static void test_url_gives_host_and_port(void **state)
{
    (void)state;
    struct upstream u = parsed("postgresql://u:p@127.0.0.1:5433/d");
    assert_int_equal(u.n_hosts, 1);
    assert_string_equal(u.hosts[0].name, "127.0.0.1");
    assert_string_equal(u.hosts[0].port, "5433");
    assert_true(u.complete);
    assert_false(upstream_has_names(&u));
    upstream_fini(&u);
    u = parsed("postgresql://");
    assert_string_equal(u.hosts[0].name, "127.0.0.1");
    assert_string_equal(u.hosts[0].port, "5432");
    upstream_fini(&u);
}

static void test_url_gives_several_hosts_in_order(void **state)
{
    (void)state;
    struct upstream u = parsed("postgresql://one:1,two:2/d?target_session_attrs=any");
    assert_int_equal(u.n_hosts, 2);
    assert_string_equal(u.hosts[1].name, "two");
    assert_string_equal(u.hosts[1].port, "2");
    assert_true(upstream_has_names(&u));
    upstream_fini(&u);
    u = parsed("postgresql:///d?host=one,two&port=7");
    assert_string_equal(u.hosts[0].port, "7");
    assert_string_equal(u.hosts[1].port, "7");
    upstream_fini(&u);
}

static void test_url_hostaddr_is_where_to_connect_and_host_is_the_name(void **state)
{
    (void)state;
    struct upstream u = parsed("postgresql://db.example/d?hostaddr=127.0.0.1&port=5432");
    assert_string_equal(u.hosts[0].name, "db.example");
    assert_string_equal(u.hosts[0].address, "127.0.0.1");
    assert_false(upstream_has_names(&u));
    struct addresses a;
    char error[300];
    assert_int_equal(upstream_resolve(&u.hosts[0], &a, error, sizeof(error)), 0);
    assert_string_equal(a.text, "127.0.0.1:5432");
    upstream_fini(&u);
}

static void test_url_sslmode_is_read_and_prefer_without(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum sslmode mode;
    } cases[] = {
        {"postgresql://h/d", SSLMODE_PREFER},
        {"postgresql://h/d?sslmode=disable", SSLMODE_DISABLE},
        {"postgresql://h/d?sslmode=allow", SSLMODE_PREFER},
        {"postgresql://h/d?sslmode=require", SSLMODE_REQUIRE},
        {"postgresql://h/d?sslmode=verify-ca", SSLMODE_VERIFY_CA},
        {"postgresql://h/d?sslmode=verify-full", SSLMODE_VERIFY_FULL},
        {"postgresql://h/d?sslrootcert=system", SSLMODE_VERIFY_FULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct upstream u = parsed(cases[i].url);
        assert_int_equal(u.sslmode, cases[i].mode);
        assert_false(u.direct);
        upstream_fini(&u);
    }
}

static void test_url_files_are_read(void **state)
{
    (void)state;
    struct upstream u = parsed("postgresql://h/d?sslmode=verify-full&sslrootcert=/r&sslcert=/c"
                               "&sslkey=/k&sslsni=0&sslcrl=/l&ssl_min_protocol_version=TLSv1.3");
    assert_string_equal(u.root_cert, "/r");
    assert_string_equal(u.cert, "/c");
    assert_string_equal(u.key, "/k");
    assert_string_equal(u.crl, "/l");
    assert_string_equal(u.min_protocol, "TLSv1.3");
    assert_false(u.sni);
    upstream_fini(&u);
}

/* libpq learnt of it in version 17, and may be older. */
static void test_url_direct_negotiation_is_taken_out_for_libpq(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://h/d?sslnegotiation=direct&sslmode=require",
        "postgresql://h/d?sslmode=require&sslnegotiation=direct",
        "postgresql://h/d?sslmode=require&sslnegotiation=direct&sslsni=1",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct upstream u = parsed(urls[i]);
        assert_true(u.direct);
        assert_int_equal(u.sslmode, SSLMODE_REQUIRE);
        assert_null(strstr(u.dsn, "sslnegotiation"));
        upstream_fini(&u);
    }
    struct upstream u = parsed("postgresql://h/d?sslnegotiation=direct&sslmode=verify-ca");
    assert_string_equal(u.dsn, "postgresql://h/d?sslmode=verify-ca");
    upstream_fini(&u);
}

static void test_url_that_is_wrong_is_refused_and_never_shown(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "postgresql://u:s3cret@[::1:5432/d",
        "postgresql://u:s3cret@h/d?sslmode=sometimes",
        "postgresql://u:s3cret@h/d?sslnegotiation=sometimes",
        "postgresql://u:s3cret@h/d?sslnegotiation=direct",
        "postgresql://u:s3cret@h/d?sslmode=prefer&sslrootcert=system",
        "postgresql://u:s3cret@h/d?gssencmode=require",
        "postgresql://u:s3cret@h1,h2/d?port=1,2,3",
        "postgresql://u:s3cret@h1,h2/d?hostaddr=127.0.0.1",
        "postgresql://u:s3cret@a,b,c,d,e,f,g,h,i/d",
        "postgresql://u:s3cret@h/d?nonsense=1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct upstream u;
        char error[300] = "";
        assert_int_equal(upstream_parse(bad[i], &u, error, sizeof(error)), -1);
        assert_true(error[0] != '\0');
        assert_null(strstr(error, "s3cret"));
        upstream_fini(&u);
    }
}

static void test_url_is_complete_with_user_and_database(void **state)
{
    (void)state;
    assert_true(upstream_url_is_complete("postgresql://u:p@h/d"));
    assert_true(upstream_url_is_complete("postgresql://u@h/d"));
    assert_false(upstream_url_is_complete("postgresql://h/d"));
    assert_false(upstream_url_is_complete("postgresql://u@h"));
    assert_false(upstream_url_is_complete("nonsense://"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_gives_host_and_port),
        cmocka_unit_test(test_url_gives_several_hosts_in_order),
        cmocka_unit_test(test_url_hostaddr_is_where_to_connect_and_host_is_the_name),
        cmocka_unit_test(test_url_sslmode_is_read_and_prefer_without),
        cmocka_unit_test(test_url_files_are_read),
        cmocka_unit_test(test_url_direct_negotiation_is_taken_out_for_libpq),
        cmocka_unit_test(test_url_that_is_wrong_is_refused_and_never_shown),
        cmocka_unit_test(test_url_is_complete_with_user_and_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
