/*
 * Golden files: tests/data/report/<name>.golden. PGSLEUTH_UPDATE_GOLDEN=1 writes them anew; read
 * the difference before you commit it.
 */
#ifndef PGSLEUTH_TESTS_REPORT_GOLDEN_H
#define PGSLEUTH_TESTS_REPORT_GOLDEN_H

#include "cmocka_all.h"
#include "common/span.h"

#include <stdio.h>
#include <stdlib.h>

static inline void golden_write(const char *path, struct span got)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(got.data, 1, got.len, file), got.len);
    assert_int_equal(fclose(file), 0);
}

static inline void golden_check(const char *name, struct span got)
{
    enum { MOST = 1024 * 1024 };
    static char want[MOST];
    char path[512];
    snprintf(path, sizeof path, "%s/report/%s.golden", PGSLEUTH_TEST_DATA, name);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    if (getenv("PGSLEUTH_UPDATE_GOLDEN") != NULL)
        golden_write(path, got);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(want, 1, sizeof want - 1, file);
    fclose(file);
    want[len] = '\0';
    if (!span_equal(got, span_of(want, len)))
        fprintf(stderr, "differs from %s:\n%.*s\n", path, (int)got.len, (const char *)got.data);
    assert_true(span_equal(got, span_of(want, len)));
}

#endif
