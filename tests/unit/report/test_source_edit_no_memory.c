/* One allocation after the other fails: there is the whole edit, or none. */
#include "cmocka_all.h"

#include "detectors/detector.h"
#include "failing_memory.h"
#include "report/source_edit.h"

#include <stdlib.h>

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .data = (const uint8_t *)(s), .len = sizeof(s) - 1                                         \
    }

static const char code[] = "from sqlalchemy import select\n"
                           "def f(s):\n"
                           "    return [a.books for a in s.scalars(select(Author))]\n";

static bool edit(struct strbuf *out)
{
    struct finding f = {
        .detector = det_detectors[DETECTOR_n_plus_one],
        .parent_table = TEXT("authors"),
        .relations = {{.table = TEXT("books"), .key = TEXT("id")}},
        .n_relations = 1,
    };
    struct source_place place = {.file = "app.py", .line = 3};
    strbuf_init(out, SOURCE_MAX_BYTES);
    return source_edit(out, span_of_text(code), &place, &f);
}

static void test_edit_without_memory_is_whole_or_absent(void **state)
{
    (void)state;
    struct strbuf whole;
    assert_true(edit(&whole));
    unsigned absent = 0;
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        struct strbuf out;
        memory_fail_at(n);
        bool found = edit(&out);
        failed = memory_well();
        absent += !found;
        assert_true(found || failed);
        if (found)
            assert_string_equal(strbuf_text(&out), strbuf_text(&whole));
        strbuf_fini(&out);
    }
    assert_true(absent > 5);
    strbuf_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_without_memory_is_whole_or_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
