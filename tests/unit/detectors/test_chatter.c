#include "detectors/traffic.h"

#include "detectors/chatter.h"

static const struct chatter *find(const char *sql)
{
    struct traffic_scan s = traffic_scan(sql);
    return chatter_find(s.scan.verb, span_of(s.text, s.scan.text_len));
}

struct row {
    const char *sql;
    enum chatter_class class;
    enum chatter_boundary boundary;
};

static void test_what_drivers_send_is_chatter(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", CHATTER_PING, CHATTER_BEGINS},
        {"SELECT 1", CHATTER_PING, CHATTER_BEGINS},
        {"SELECT pg_advisory_unlock_all()", CHATTER_RESET, CHATTER_ENDS},
        {"CLOSE ALL", CHATTER_RESET, CHATTER_ENDS},
        {"UNLISTEN *", CHATTER_RESET, CHATTER_ENDS},
        {"RESET ALL", CHATTER_RESET, CHATTER_ENDS},
        {"DISCARD ALL", CHATTER_RESET, CHATTER_ENDS},
        {"BEGIN", CHATTER_TX, CHATTER_NO_BOUNDARY},
        {"BEGIN ISOLATION LEVEL SERIALIZABLE", CHATTER_TX, CHATTER_NO_BOUNDARY},
        {"ROLLBACK", CHATTER_TX, CHATTER_NO_BOUNDARY},
        {"SAVEPOINT \"s1402_x1\"", CHATTER_TX, CHATTER_NO_BOUNDARY},
        {"SET TIME ZONE 'UTC'", CHATTER_SETTING, CHATTER_NO_BOUNDARY},
        {"SELECT set_config('TimeZone', 'UTC', false)", CHATTER_SETTING, CHATTER_NO_BOUNDARY},
        {"select pg_catalog.version()", CHATTER_INTROSPECTION, CHATTER_NO_BOUNDARY},
        {"show standard_conforming_strings", CHATTER_SETTING, CHATTER_NO_BOUNDARY},
        {"DEALLOCATE _pg3_1", CHATTER_HOUSEKEEPING, CHATTER_NO_BOUNDARY},
        {"CLOSE _django_curs_1", CHATTER_HOUSEKEEPING, CHATTER_NO_BOUNDARY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct chatter *c = find(rows[i].sql);
        assert_non_null(c);
        assert_int_equal(c->class, rows[i].class);
        assert_int_equal(c->boundary, rows[i].boundary);
    }
}

static void test_what_applications_send_is_not_chatter(void **state)
{
    (void)state;
    static const char *const sqls[] = {
        "SELECT 1 FROM users WHERE id = 4",
        "SELECT id FROM users",
        "INSERT INTO a VALUES (1)",
        "SELECT 1, 2",
        "NOTIFY jobs",
        "FETCH 100 FROM c",
        "DECLARE c CURSOR FOR SELECT 1",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT set_config",
    };
    for (size_t i = 0; i < sizeof(sqls) / sizeof(sqls[0]); i++)
        assert_null(find(sqls[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_drivers_send_is_chatter),
        cmocka_unit_test(test_what_applications_send_is_not_chatter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
