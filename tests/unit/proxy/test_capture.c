#include "cmocka_all.h"

#include "proxy/capture.h"
#include "proxy/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/pgsleuth-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    files_remove_others(folder, "", NULL, 0);
    return rmdir(folder);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static struct record_session_opaque opaque_record(uint64_t session)
{
    return (struct record_session_opaque){
        .h = {.len = sizeof(struct record_session_opaque), .type = RECORD_SESSION_OPAQUE},
        .session = session};
}

static void write_capture(uint64_t n)
{
    char error[300];
    struct capture_writer *c = capture_create(path_of("c"), error, sizeof(error));
    assert_non_null(c);
    for (uint64_t i = 1; i <= n; i++) {
        struct record_session_opaque r = opaque_record(i);
        capture_write(c, &r.h);
    }
    assert_int_equal(capture_close(c), 0);
}

struct seen {
    uint64_t count;
    uint64_t last;
};

static void count_record(void *context, const struct record_header *record)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = ((const struct record_session_opaque *)record)->session;
}

static int read_back(struct seen *seen, bool *cut, char *error)
{
    *seen = (struct seen){.count = 0};
    return capture_read(path_of("c"), count_record, seen, cut, error, 300);
}

static void test_capture_written_is_read_back(void **state)
{
    (void)state;
    struct seen seen;
    bool cut;
    char error[300];
    write_capture(1000);
    assert_int_equal(read_back(&seen, &cut, error), 0);
    assert_int_equal(seen.count, 1000);
    assert_int_equal(seen.last, 1000);
    assert_false(cut);
}

static void test_capture_never_holds_samples(void **state)
{
    (void)state;
    char error[300];
    struct capture_writer *c = capture_create(path_of("c"), error, sizeof(error));
    struct record_sample sample = {.h = {.len = sizeof(sample), .type = RECORD_SAMPLE}};
    capture_write(c, &sample.h);
    assert_int_equal(capture_close(c), 0);
    struct stat st;
    assert_int_equal(stat(path_of("c"), &st), 0);
    assert_int_equal(st.st_size, 16);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_capture_cut_anywhere_gives_whole_records(void **state)
{
    (void)state;
    size_t record = sizeof(struct record_session_opaque);
    for (size_t size = 16; size <= 16 + 2 * record; size++) {
        struct seen seen;
        bool cut;
        char error[300];
        write_capture(2);
        assert_int_equal(truncate(path_of("c"), (off_t)size), 0);
        assert_int_equal(read_back(&seen, &cut, error), 0);
        assert_int_equal(seen.count, (size - 16) / record);
        assert_int_equal(cut, (size - 16) % record != 0);
    }
}

static void overwrite(off_t at, const void *bytes, size_t len)
{
    int fd = open(path_of("c"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
    close(fd);
}

static void test_capture_that_is_none_is_refused_in_one_line(void **state)
{
    (void)state;
    struct seen seen;
    bool cut;
    char error[300] = "";
    write_capture(2);
    overwrite(0, "X", 1);
    assert_int_equal(read_back(&seen, &cut, error), -1);
    assert_non_null(strstr(error, "not a pgsleuth capture"));
    write_capture(2);
    overwrite(8, "\x09", 1);
    assert_int_equal(read_back(&seen, &cut, error), -1);
    assert_non_null(strstr(error, "another kind of machine or version"));
    write_capture(2);
    overwrite(16, "\xff\xff\xff\xff", 4);
    assert_int_equal(read_back(&seen, &cut, error), -1);
    assert_non_null(strstr(error, "damaged"));
    unlink(path_of("c"));
    assert_int_equal(read_back(&seen, &cut, error), -1);
    assert_non_null(strstr(error, "No such file"));
}

static void test_capture_in_unwritable_place_is_refused(void **state)
{
    (void)state;
    char error[300] = "";
    assert_null(capture_create("/nonexistent/c", error, sizeof(error)));
    assert_non_null(strstr(error, "/nonexistent/c"));
}

static void test_capture_on_full_disk_stops_and_says_so(void **state)
{
    (void)state;
    char error[300];
    struct capture_writer *c = capture_create("/dev/full", error, sizeof(error));
    if (c != NULL) { /* the header was taken into the buffer and refused later */
        struct record_session_opaque r = opaque_record(1);
        capture_write(c, &r.h);
        capture_flush(c);
        assert_int_equal(capture_close(c), -1);
    } else {
        assert_non_null(strstr(error, "No space left"));
    }
}

static void test_files_write_replaces_whole_or_not_at_all(void **state)
{
    (void)state;
    char error[300];
    assert_int_equal(files_write(folder, "r", span_of_text("one"), error, sizeof(error)), 0);
    assert_int_equal(files_write(folder, "r", span_of_text("two!"), error, sizeof(error)), 0);
    struct stat st;
    assert_int_equal(stat(path_of("r"), &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(access(path_of(".r.tmp"), F_OK), -1);
    assert_int_equal(files_write("/nonexistent", "r", span_of_text("x"), error, sizeof(error)), -1);
    assert_non_null(strstr(error, "/nonexistent/r"));
}

static void test_files_remove_others_keeps_names_and_endings(void **state)
{
    (void)state;
    char error[300];
    const char *keep[] = {"a.yaml"};
    static const char *const names[] = {"a.yaml", "b.yaml", "b.txt"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(files_write(folder, names[i], span_of_text("x"), error, sizeof(error)), 0);
    files_remove_others(folder, ".yaml", keep, 1);
    assert_int_equal(access(path_of("a.yaml"), F_OK), 0);
    assert_int_equal(access(path_of("b.yaml"), F_OK), -1);
    assert_int_equal(access(path_of("b.txt"), F_OK), 0);
}

static void test_files_prepare_folder_makes_and_proves_it(void **state)
{
    (void)state;
    char error[300];
    char deep[128];
    snprintf(deep, sizeof(deep), "%s/x/y", folder);
    assert_int_equal(files_prepare_folder(deep, error, sizeof(error)), 0);
    assert_int_equal(rmdir(deep), 0);
    snprintf(deep, sizeof(deep), "%s/x", folder);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(files_write(folder, "file", span_of_text("x"), error, sizeof(error)), 0);
    assert_int_equal(files_prepare_folder(path_of("file"), error, sizeof(error)), -1);
    assert_int_equal(files_prepare_folder("", error, sizeof(error)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_capture_written_is_read_back, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_capture_never_holds_samples, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_capture_cut_anywhere_gives_whole_records, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_capture_that_is_none_is_refused_in_one_line,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_capture_in_unwritable_place_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_capture_on_full_disk_stops_and_says_so, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_files_write_replaces_whole_or_not_at_all, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_files_remove_others_keeps_names_and_endings,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_files_prepare_folder_makes_and_proves_it, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
