#include "cmocka_all.h"

#include "proxy/address.h"

#include <netinet/in.h>
#include <sys/un.h>

static int port_of(const struct address *a)
{
    return ntohs(((const struct sockaddr_in *)&a->storage)->sin_port);
}

static void test_listener_host_and_port_resolves(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_listener("127.0.0.1:6432", &a, error, sizeof(error)), 0);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.items[0].storage.ss_family, AF_INET);
    assert_int_equal(port_of(&a.items[0]), 6432);
    assert_string_equal(a.text, "127.0.0.1:6432");
}

static void test_listener_v6_in_brackets_resolves(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_listener("[::1]:6432", &a, error, sizeof(error)), 0);
    assert_int_equal(a.items[0].storage.ss_family, AF_INET6);
}

static void test_listener_path_is_unix_socket(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_listener("/tmp/.s.PGSQL.6432", &a, error, sizeof(error)), 0);
    assert_int_equal(a.items[0].storage.ss_family, AF_UNIX);
    assert_string_equal(((const struct sockaddr_un *)&a.items[0].storage)->sun_path,
                        "/tmp/.s.PGSQL.6432");
}

static void test_listener_without_valid_port_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", ":0", "host:65536",
                                      "host:12x",  "",           ":-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct addresses a;
        char error[300] = "";
        assert_int_equal(address_of_listener(bad[i], &a, error, sizeof(error)), -1);
        assert_true(error[0] != '\0');
    }
}

static void test_url_gives_host_and_port(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_url("postgresql://u:p@127.0.0.1:5433/d", &a, error, sizeof(error)),
                     0);
    assert_int_equal(port_of(&a.items[0]), 5433);
    assert_string_equal(a.text, "127.0.0.1:5433");
    assert_int_equal(address_of_url("postgresql://127.0.0.1", &a, error, sizeof(error)), 0);
    assert_int_equal(port_of(&a.items[0]), 5432);
}

static void test_url_with_folder_is_unix_socket(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(
        address_of_url("postgresql:///d?host=/run/pg&port=5433", &a, error, sizeof(error)), 0);
    assert_int_equal(a.items[0].storage.ss_family, AF_UNIX);
    assert_string_equal(a.text, "/run/pg/.s.PGSQL.5433");
}

static void test_url_that_is_none_never_shows_password(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_url("postgresql://u:s3cret@[::1:5432/d", &a, error, sizeof(error)),
                     -1);
    assert_null(strstr(error, "s3cret"));
}

static void test_url_is_complete_with_user_and_database(void **state)
{
    (void)state;
    assert_true(address_url_is_complete("postgresql://u:p@h/d"));
    assert_true(address_url_is_complete("postgresql://u@h/d"));
    assert_false(address_url_is_complete("postgresql://h/d"));
    assert_false(address_url_is_complete("postgresql://u@h"));
    assert_false(address_url_is_complete("nonsense://"));
}

static bool loops(const char *listener, const char *url)
{
    struct addresses a;
    struct addresses b;
    char error[300];
    assert_int_equal(address_of_listener(listener, &a, error, sizeof(error)), 0);
    assert_int_equal(address_of_url(url, &b, error, sizeof(error)), 0);
    return address_is_loop(&a, &b);
}

static void test_loop_is_found(void **state)
{
    (void)state;
    assert_true(loops("127.0.0.1:6432", "postgresql://127.0.0.1:6432/d"));
    assert_true(loops("0.0.0.0:6432", "postgresql://127.0.0.1:6432/d"));
    assert_true(loops("/tmp/.s.PGSQL.6432", "postgresql:///d?host=/tmp&port=6432"));
    assert_false(loops("127.0.0.1:6432", "postgresql://127.0.0.1:5432/d"));
    assert_false(loops("127.0.0.1:6432", "postgresql://127.0.0.2:6432/d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener_host_and_port_resolves),
        cmocka_unit_test(test_listener_v6_in_brackets_resolves),
        cmocka_unit_test(test_listener_path_is_unix_socket),
        cmocka_unit_test(test_listener_without_valid_port_is_refused),
        cmocka_unit_test(test_url_gives_host_and_port),
        cmocka_unit_test(test_url_with_folder_is_unix_socket),
        cmocka_unit_test(test_url_that_is_none_never_shows_password),
        cmocka_unit_test(test_url_is_complete_with_user_and_database),
        cmocka_unit_test(test_loop_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
