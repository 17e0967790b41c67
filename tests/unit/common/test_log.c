#include "cmocka_all.h"
#include "common/clock.h"
#include "common/log.h"

#include <string.h>
#include <unistd.h>

static char printed[4096];

/* What one call writes to standard error. */
#define PRINTED_BY(call)                                                                           \
    do {                                                                                           \
        int ends[2];                                                                               \
        int kept = dup(STDERR_FILENO);                                                             \
        assert_int_equal(pipe(ends), 0);                                                           \
        dup2(ends[1], STDERR_FILENO);                                                              \
        call;                                                                                      \
        dup2(kept, STDERR_FILENO);                                                                 \
        close(kept);                                                                               \
        close(ends[1]);                                                                            \
        ssize_t n = read(ends[0], printed, sizeof(printed) - 1);                                   \
        printed[n > 0 ? n : 0] = '\0';                                                             \
        close(ends[0]);                                                                            \
    } while (0)

static void test_log_line_has_level_and_newline(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    PRINTED_BY(log_error("broken: %d", 7));
    assert_string_equal(printed, "pgsleuth: error: broken: 7\n");
    PRINTED_BY(log_debug("x"));
    assert_string_equal(printed, "pgsleuth: debug: x\n");
    log_set_level(LOG_LEVEL_INFO);
}

static void test_log_above_level_writes_nothing(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_WARNING);
    PRINTED_BY(log_info("quiet"));
    assert_string_equal(printed, "");
    PRINTED_BY(log_warning("loud"));
    assert_string_equal(printed, "pgsleuth: warning: loud\n");
    log_set_level(LOG_LEVEL_INFO);
}

static void test_log_control_bytes_cannot_forge_a_line(void **state)
{
    (void)state;
    PRINTED_BY(log_info("a\nb\rc\x1b[31md\x7f%s", "\te"));
    assert_string_equal(printed, "pgsleuth: info: a?b?c?[31md??e\n");
}

static void test_log_too_long_is_cut_to_one_line(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    PRINTED_BY(log_info("%s", text));
    size_t len = strlen(printed);
    assert_true(len > 900 && len <= 1024);
    assert_ptr_equal(strchr(printed, '\n'), printed + len - 1);
}

static void test_clock_moves_forward(void **state)
{
    (void)state;
    int64_t a = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= a);
    assert_true(clock_wall_us() > INT64_C(1600000000) * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_line_has_level_and_newline),
        cmocka_unit_test(test_log_above_level_writes_nothing),
        cmocka_unit_test(test_log_control_bytes_cannot_forge_a_line),
        cmocka_unit_test(test_log_too_long_is_cut_to_one_line),
        cmocka_unit_test(test_clock_moves_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
