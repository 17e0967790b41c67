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

static void test_listeners_are_cut_at_commas(void **state)
{
    (void)state;
    struct addresses a[3];
    size_t n = 0;
    char error[300] = "";
    assert_int_equal(
        address_of_listeners("127.0.0.1:1,[::1]:2,/tmp/x", a, 3, &n, error, sizeof(error)), 0);
    assert_int_equal(n, 3);
    assert_int_equal(port_of(&a[0].items[0]), 1);
    assert_string_equal(a[2].text, "/tmp/x");
    assert_int_equal(
        address_of_listeners("127.0.0.1:1,127.0.0.1:2", a, 1, &n, error, sizeof(error)), -1);
    static const char *const bad[] = {"", ",", "127.0.0.1:1,", ",127.0.0.1:1",
                                      "127.0.0.1:1,,/tmp/x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = '\0';
        assert_int_equal(address_of_listeners(bad[i], a, 3, &n, error, sizeof(error)), -1);
        assert_true(error[0] != '\0');
    }
}

static void test_host_and_port_resolves(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_host("127.0.0.1", "5433", &a, error, sizeof(error)), 0);
    assert_int_equal(port_of(&a.items[0]), 5433);
    assert_string_equal(a.text, "127.0.0.1:5433");
    assert_int_equal(address_of_host("127.0.0.1", "65536", &a, error, sizeof(error)), -1);
}

static void test_host_that_is_a_folder_is_unix_socket(void **state)
{
    (void)state;
    struct addresses a;
    char error[300];
    assert_int_equal(address_of_host("/run/pg", "5433", &a, error, sizeof(error)), 0);
    assert_true(address_is_unix(&a.items[0]));
    assert_string_equal(a.text, "/run/pg/.s.PGSQL.5433");
    assert_int_equal(address_of_host("@pg", "5433", &a, error, sizeof(error)), 0);
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a.items[0].storage;
    assert_int_equal(un->sun_path[0], 0);
    assert_string_equal(un->sun_path + 1, "pg/.s.PGSQL.5433");
    assert_int_equal(a.items[0].len, offsetof(struct sockaddr_un, sun_path) + 17);
}

static void test_only_a_name_may_change_its_address(void **state)
{
    (void)state;
    assert_true(address_is_name("db"));
    assert_true(address_is_name("localhost"));
    assert_false(address_is_name("127.0.0.1"));
    assert_false(address_is_name("::1"));
    assert_false(address_is_name("/run/pg"));
}

static bool loops(const char *listener, const char *host, const char *port)
{
    struct addresses a;
    struct addresses b;
    char error[300];
    assert_int_equal(address_of_listener(listener, &a, error, sizeof(error)), 0);
    assert_int_equal(address_of_host(host, port, &b, error, sizeof(error)), 0);
    return address_is_loop(&a, &b);
}

static void test_loop_is_found(void **state)
{
    (void)state;
    assert_true(loops("127.0.0.1:6432", "127.0.0.1", "6432"));
    assert_true(loops("0.0.0.0:6432", "127.0.0.1", "6432"));
    assert_true(loops("[::]:6432", "::1", "6432"));
    assert_true(loops("127.0.0.1:6432", "0.0.0.0", "6432"));
    assert_true(loops("[::1]:6432", "::", "6432"));
    assert_true(loops("127.0.0.1:6432", "::ffff:127.0.0.1", "6432"));
    assert_true(loops("0.0.0.0:6432", "0.0.0.0", "6432"));
    assert_true(loops("/tmp/.s.PGSQL.6432", "/tmp", "6432"));
    assert_true(loops("@pg/.s.PGSQL.6432", "@pg", "6432"));
    assert_false(loops("127.0.0.1:6432", "127.0.0.1", "5432"));
    assert_false(loops("127.0.0.1:6432", "127.0.0.2", "6432"));
    assert_false(loops("127.0.0.2:6432", "::ffff:127.0.0.1", "6432"));
    assert_false(loops("0.0.0.0:6432", "192.0.2.1", "6432"));
    assert_false(loops("@pg/.s.PGSQL.6432", "@pg2", "6432"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener_host_and_port_resolves),
        cmocka_unit_test(test_listener_v6_in_brackets_resolves),
        cmocka_unit_test(test_listener_path_is_unix_socket),
        cmocka_unit_test(test_listener_without_valid_port_is_refused),
        cmocka_unit_test(test_listeners_are_cut_at_commas),
        cmocka_unit_test(test_host_and_port_resolves),
        cmocka_unit_test(test_host_that_is_a_folder_is_unix_socket),
        cmocka_unit_test(test_only_a_name_may_change_its_address),
        cmocka_unit_test(test_loop_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
