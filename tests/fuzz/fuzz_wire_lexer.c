/* Any bytes as SQL. The first byte chooses the buffer sizes and the dialect. Beyond memory safety:
 * - the masked text has no control byte but the two marks, and a kind for each hole;
 * - every scan moves on, so that a text has an end;
 * - the parseable form is a statement of the same identity, unless a list lost its length or the
 * scan was cut: so spacing never merges two tokens. */
#include "wire/sql_lexer.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BIG = 1 << 16, FORM = 6 * BIG };

static char text[BIG];
static char kinds[BIG];
static char form[FORM];
static char again_text[FORM];
static char again_kinds[FORM];

static void check_masked(const struct sql_scan *scan)
{
    size_t holes = 0;
    for (size_t i = 0; i < scan->text_len; i++) {
        unsigned char c = (unsigned char)text[i];
        assert(c >= ' ' || c == SQL_HOLE || c == SQL_MORE);
        assert(c != 0x7f);
        holes += c == SQL_HOLE;
    }
    assert((scan->flags & SQL_SCAN_TRUNCATED) != 0 || holes == scan->n_holes);
}

static void check_form(const struct sql_scan *scan, struct sql_dialect dialect)
{
    size_t len = sql_parseable(span_of(text, scan->text_len), span_of(kinds, scan->n_holes), form,
                               sizeof(form));
    struct sql_masked out = {again_text, sizeof(again_text), again_kinds, sizeof(again_kinds)};
    struct sql_scan again;
    sql_scan(span_of(form, len), 0, dialect, out, &again);
    assert(sql_id_equal(scan->id, again.id));
    assert(scan->verb == again.verb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > BIG / 8)
        return 0;
    bool small = (data[0] & 1) != 0;
    struct sql_dialect dialect = {.standard_conforming_strings = (data[0] & 2) == 0};
    struct sql_masked out = {text, small ? data[0] : BIG, kinds, small ? data[0] / 8U : BIG};
    struct span sql = span_of(data + 1, size - 1);
    for (size_t at = 0; at < sql.len;) {
        struct sql_scan scan;
        sql_scan(sql, at, dialect, out, &scan);
        assert(scan.next > at && scan.next <= sql.len);
        assert(scan.text_len <= out.text_size && scan.n_holes <= out.kinds_size);
        check_masked(&scan);
        if ((scan.flags & (SQL_SCAN_TRUNCATED | SQL_SCAN_LIST)) == 0)
            check_form(&scan, dialect);
        at = scan.next;
    }
    return 0;
}
