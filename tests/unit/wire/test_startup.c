#include "cmocka_all.h"

#include "guard.h"
#include "wire/startup.h"

#define PACKET(text) span_of(text, sizeof(text) - 1)

static void test_read_startup_names_everyone(void **state)
{
    (void)state;
    struct span packet =
        PACKET("\0\0\0\x41\0\3\0\0user\0ann\0database\0shop\0application_name\0web\0x\0y\0\0");
    struct wire_startup info = wire_startup_read(packet);
    assert_int_equal(info.version, 0x00030000);
    assert_true(span_is(info.user, "ann"));
    assert_true(span_is(info.database, "shop"));
    assert_true(span_is(info.application, "web"));
}

static void test_read_startup_of_later_version_is_read_too(void **state)
{
    (void)state;
    struct wire_startup info = wire_startup_read(PACKET("\0\0\0\x12\0\3\0\2user\0ann\0\0"));
    assert_int_equal(info.version, 0x00030002);
    assert_true(span_is(info.user, "ann"));
    assert_int_equal(info.database.len, 0);
}

static void test_read_startup_cut_anywhere_stays_inside(void **state)
{
    (void)state;
    struct span packet =
        PACKET("\0\0\0\x41\0\3\0\0user\0ann\0database\0shop\0application_name\0web\0\0");
    for (size_t n = 0; n <= packet.len; n++) {
        struct span copy = guard_copy(span_head(packet, n));
        struct wire_startup info = wire_startup_read(copy);
        assert_true(info.user.len <= 3);
        assert_true(info.database.len <= 4);
        guard_free(copy);
    }
}

static void test_read_startup_with_name_without_value_is_ignored(void **state)
{
    (void)state;
    struct wire_startup info = wire_startup_read(PACKET("\0\0\0\x10\0\3\0\0user\0an"));
    assert_int_equal(info.user.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_startup_names_everyone),
        cmocka_unit_test(test_read_startup_of_later_version_is_read_too),
        cmocka_unit_test(test_read_startup_cut_anywhere_stays_inside),
        cmocka_unit_test(test_read_startup_with_name_without_value_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
