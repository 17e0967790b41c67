#include "proxy/command_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MAX_ENTRIES = 8 };

static const struct command_target one_host = {
    .hosts = "127.0.0.1:7000",
    .upstream = "postgresql://u:p@db:5432/shop",
    .variables = "DATABASE_URL,OTHER_URL",
    .clear = true,
};

struct entries {
    char text[MAX_ENTRIES][128];
    char *list[MAX_ENTRIES + 1];
};

static void fill(struct entries *e, const char *const *words)
{
    size_t n = 0;
    for (; words[n] != NULL; n++) {
        strncpy(e->text[n], words[n], sizeof(e->text[n]) - 1);
        e->list[n] = e->text[n];
    }
    e->list[n] = NULL;
}

static const char *assert_made(const struct command_target *target, const char *const *from,
                               const char *const *expected)
{
    static char name[128];
    struct entries e = {0};
    const char *foreign = NULL;
    fill(&e, from);
    char **made = command_env(e.list, target, &foreign);
    assert_non_null(made);
    for (size_t i = 0; expected[i] != NULL; i++)
        assert_string_equal(made[i], expected[i]);
    size_t n = 0;
    while (expected[n] != NULL)
        n++;
    assert_null(made[n]);
    name[0] = '\0';
    if (foreign != NULL)
        strncpy(name, foreign, sizeof(name) - 1);
    command_env_free(made);
    return name;
}

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void test_urls_and_places_of_postgresql_are_pointed_here(void **state)
{
    (void)state;
    const char *foreign = assert_made(
        &one_host,
        LIST("A=b", "DATABASE_URL=postgres://x:y@h/d?sslmode=require", "PGHOST=h", "PGPORT=1",
             "PGHOSTADDR=10.0.0.1", "PGUSER=x", "OTHER_URL=postgresql+asyncpg://h/e",
             "PGSSLMODE=require"),
        LIST("A=b", "DATABASE_URL=postgres://x:y@127.0.0.1:7000/d?sslmode=disable", "PGUSER=x",
             "OTHER_URL=postgresql+asyncpg://127.0.0.1:7000/e", "PGHOST=127.0.0.1", "PGPORT=7000"));
    assert_string_equal(foreign, "");
}

static void test_url_that_is_not_there_is_the_upstreams(void **state)
{
    (void)state;
    assert_made(&one_host, LIST("A=b"),
                LIST("A=b", "PGHOST=127.0.0.1", "PGPORT=7000",
                     "DATABASE_URL=postgresql://u:p@127.0.0.1:7000/shop"));
}

static void test_url_of_another_database_is_left_and_named(void **state)
{
    (void)state;
    const char *foreign = assert_made(
        &one_host, LIST("DATABASE_URL=sqlite:///x", "OTHER_URL="),
        LIST("DATABASE_URL=sqlite:///x", "OTHER_URL=", "PGHOST=127.0.0.1", "PGPORT=7000"));
    assert_string_equal(foreign, "DATABASE_URL=sqlite:///x");
}

static void test_several_hosts_and_tls_of_its_own(void **state)
{
    (void)state;
    struct command_target t = one_host;
    t.hosts = "127.0.0.1:7000,[::1]:7001";
    t.clear = false;
    assert_made(&t, LIST("DATABASE_URL=postgresql://a,b/d?sslmode=require", "PGSSLMODE=require"),
                LIST("DATABASE_URL=postgresql://127.0.0.1:7000,[::1]:7001/d?sslmode=require",
                     "PGSSLMODE=require", "PGHOST=127.0.0.1,::1", "PGPORT=7000,7001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_and_places_of_postgresql_are_pointed_here),
        cmocka_unit_test(test_url_that_is_not_there_is_the_upstreams),
        cmocka_unit_test(test_url_of_another_database_is_left_and_named),
        cmocka_unit_test(test_several_hosts_and_tls_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
