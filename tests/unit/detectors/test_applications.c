#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detectors/applications.h"
#include "guard.h"

#include <stdio.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char *get(struct applications *a, const char *name)
{
    struct span copy = guard_copy(span_of_text(name));
    const char *out = applications_get(a, copy);
    guard_free(copy);
    return out;
}

static void test_names_lose_the_number_of_a_process(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"shop", "shop"},
        {"worker-17", "worker"},
        {"web.1", "web"},
        {"gunicorn: 4711", "gunicorn"},
        {"shop2", "shop2"},
        {"17", "17"},
        {"-17", "-17"},
        {"a-1-2", "a-1"},
        {"celery@host#3", "celery@host"},
    };
    for (size_t i = 0; i < N(names); i++) {
        struct applications a = {.n = 0};
        assert_string_equal(get(&a, names[i][0]), names[i][1]);
    }
}

static void test_equal_names_are_one(void **state)
{
    (void)state;
    struct applications a = {.n = 0};
    const char *first = get(&a, "worker-1");
    assert_ptr_equal(get(&a, "worker-2"), first);
    assert_ptr_not_equal(get(&a, "shop"), first);
    assert_null(get(&a, ""));
    assert_int_equal(a.n, 2);
}

static void test_long_name_is_cut(void **state)
{
    (void)state;
    struct applications a = {.n = 0};
    char name[200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(strlen(get(&a, name)), APPLICATION_NAME_SIZE - 1);
}

static void test_name_past_the_cap_is_none(void **state)
{
    (void)state;
    struct applications a = {.n = 0};
    char name[] = "a";
    for (int i = 0; i < APPLICATIONS_MAX; i++, name[0]++)
        assert_string_equal(get(&a, name), name);
    assert_null(get(&a, name));
    assert_string_equal(get(&a, "a"), "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_lose_the_number_of_a_process),
        cmocka_unit_test(test_equal_names_are_one),
        cmocka_unit_test(test_long_name_is_cut),
        cmocka_unit_test(test_name_past_the_cap_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
