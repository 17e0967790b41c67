#include "cmocka_all.h"
#include "common/random.h"
#include "guard.h"
#include "wire/framer.h"

#include <stdlib.h>

struct row {
    enum wire_direction direction;
    uint8_t type;
    uint32_t min;
    uint32_t max;
    uint32_t keep;
};

static const struct row rows[] = {
#define FRONTEND(type, name, min, max, keep) {WIRE_FROM_CLIENT, type, min, max, keep},
#define BACKEND(type, name, min, max, keep)  {WIRE_FROM_SERVER, type, min, max, keep},
#include "wire/messages.def"
#undef FRONTEND
#undef BACKEND
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void put_header(uint8_t *at, uint8_t type, uint32_t len)
{
    at[0] = type;
    at[1] = (uint8_t)(len >> 24);
    at[2] = (uint8_t)(len >> 16);
    at[3] = (uint8_t)(len >> 8);
    at[4] = (uint8_t)len;
}

/* A message with a body whose bytes tell their offset. That of a Query ends in a NUL; that of a
 * Parse has a NUL behind a name of one byte and one at its end. */
static uint8_t *make(uint8_t type, uint32_t body_len)
{
    uint8_t *bytes = malloc((size_t)body_len + 5);
    assert_non_null(bytes);
    put_header(bytes, type, body_len + 4);
    for (uint32_t i = 0; i < body_len; i++)
        bytes[5 + i] = (uint8_t)(1 + (i * 31 + (i >> 8)) % 255);
    if ((type == 'Q' || type == 'P') && body_len > 0)
        bytes[5 + body_len - 1] = 0;
    if (type == 'P' && body_len > 1)
        bytes[5 + 1] = 0;
    return bytes;
}

/* A copy of what was delivered, to compare deliveries. */
struct delivered {
    bool any;
    uint8_t type;
    uint32_t body_len;
    bool cut;
    size_t body;
    size_t tail;
    uint8_t bytes[WIRE_KEEP_SQL + WIRE_TAIL];
};

static void keep(struct delivered *d, const struct wire_message *m)
{
    d->any = true;
    d->type = m->type;
    d->body_len = m->body_len;
    d->cut = m->cut;
    d->body = m->body.len;
    d->tail = m->tail.len;
    assert_true(m->body.len + m->tail.len <= sizeof(d->bytes));
    if (m->body.len > 0)
        memcpy(d->bytes, m->body.data, m->body.len);
    if (m->tail.len > 0)
        memcpy(d->bytes + m->body.len, m->tail.data, m->tail.len);
}

static bool same(const struct delivered *a, const struct delivered *b)
{
    return a->any && b->any && a->type == b->type && a->body_len == b->body_len &&
           a->cut == b->cut && a->body == b->body && a->tail == b->tail &&
           memcmp(a->bytes, b->bytes, a->body + a->tail) == 0;
}

/* Show bytes in pieces of the given size; pieces end at a guard page. */
static void deliver_in(enum wire_direction direction, struct span bytes, size_t first,
                       size_t others, struct delivered *out)
{
    struct wire_framer f;
    struct wire_message m;
    wire_framer_init(&f, direction);
    out->any = false;
    for (size_t size = first; bytes.len > 0; size = others) {
        struct span copy = guard_copy(span_head(bytes, size));
        struct span piece = copy;
        bytes = span_skip(bytes, copy.len);
        enum wire_outcome r = wire_framer_next(&f, &piece, &m);
        assert_int_equal(r, bytes.len == 0 ? WIRE_MESSAGE : WIRE_NEED_MORE);
        assert_int_equal(piece.len, 0);
        if (r == WIRE_MESSAGE)
            keep(out, &m);
        guard_free(copy);
    }
    wire_framer_fini(&f);
}

/* The last bytes of a SQL text whose end is not in what is kept of its body. */
static struct span expected_tail(const struct row *row, struct span body, uint32_t kept)
{
    if (row->direction != WIRE_FROM_CLIENT || (row->type != 'Q' && row->type != 'P'))
        return span_of(NULL, 0);
    struct span text = span_skip(body, row->type == 'P' ? strlen((const char *)body.data) + 1 : 0);
    size_t len = strnlen((const char *)text.data, text.len);
    if (kept == body.len || (size_t)(text.data - body.data) + len < kept)
        return span_of(NULL, 0);
    size_t tail = len < WIRE_TAIL ? len : WIRE_TAIL;
    return span_of(text.data + len - tail, tail);
}

/* What must be given for a message, from messages.def alone. */
static void expect(const struct row *row, const uint8_t *bytes, uint32_t body_len,
                   const struct delivered *d)
{
    uint32_t kept = body_len < row->keep ? body_len : row->keep;
    struct span tail = expected_tail(row, span_of(bytes + 5, body_len), kept);
    assert_true(d->any);
    assert_int_equal(d->type, row->type);
    assert_int_equal(d->body_len, body_len);
    assert_int_equal(d->cut, kept < body_len);
    assert_int_equal(d->body, kept);
    assert_int_equal(d->tail, tail.len);
    assert_memory_equal(d->bytes, bytes + 5, kept);
    if (tail.len > 0)
        assert_memory_equal(d->bytes + kept, tail.data, tail.len);
}

static struct delivered whole;
static struct delivered pieces;

static void test_framer_every_type_whole_or_in_pieces_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        const uint32_t lens[] = {row->min,      row->min + 1,   row->keep,
                                 row->keep + 1, row->keep + 70, row->keep + WIRE_TAIL + 9};
        for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
            if (lens[k] < row->min || lens[k] > row->max)
                continue;
            uint8_t *bytes = make(row->type, lens[k]);
            struct span all = span_of(bytes, (size_t)lens[k] + 5);
            deliver_in(row->direction, all, all.len, 1, &whole);
            expect(row, bytes, lens[k], &whole);
            deliver_in(row->direction, all, 7, 997, &pieces);
            assert_true(same(&whole, &pieces));
            if (lens[k] < 80) {
                deliver_in(row->direction, all, 1, 1, &pieces);
                assert_true(same(&whole, &pieces));
            }
            free(bytes);
        }
    }
}

static void test_framer_split_in_two_at_every_byte_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t len = rows[i].min + 40 > rows[i].max ? rows[i].max : rows[i].min + 40;
        uint8_t *bytes = make(rows[i].type, len);
        struct span all = span_of(bytes, (size_t)len + 5);
        deliver_in(rows[i].direction, all, all.len, 1, &whole);
        for (size_t at = 1; at < all.len; at++) {
            deliver_in(rows[i].direction, all, at, all.len, &pieces);
            assert_true(same(&whole, &pieces));
        }
        free(bytes);
    }
}

/* The places that matter for the tail: both ends of what is kept and of what is skipped. */
static void test_framer_cut_sql_split_around_every_edge_gives_the_same_tail(void **state)
{
    (void)state;
    static const uint32_t over[] = {1, 2, WIRE_TAIL - 1, WIRE_TAIL, WIRE_TAIL + 1, 3 * WIRE_TAIL};
    for (size_t k = 0; k < sizeof(over) / sizeof(over[0]); k++) {
        uint32_t len = WIRE_KEEP_SQL + over[k];
        uint8_t *bytes = make('Q', len);
        struct span all = span_of(bytes, (size_t)len + 5);
        deliver_in(WIRE_FROM_CLIENT, all, all.len, 1, &whole);
        expect(&rows[0], bytes, len, &whole);
        size_t edges[] = {5, 5 + WIRE_KEEP_SQL, 5 + (size_t)len - WIRE_TAIL, 5 + (size_t)len};
        for (size_t e = 0; e < 4; e++) {
            for (size_t at = edges[e] - 3; at <= edges[e] + 3 && at < all.len; at++) {
                deliver_in(WIRE_FROM_CLIENT, all, at, 701 + at % 13, &pieces);
                assert_true(same(&whole, &pieces));
            }
        }
        free(bytes);
    }
}

/* Parameter types stand behind the text of a Parse: as many as there are, the text's end is given.
 */
static void test_framer_cut_parse_tail_ends_with_the_text_whatever_is_behind_it(void **state)
{
    (void)state;
    static const uint32_t text_ends[] = {2,
                                         1000,
                                         WIRE_KEEP_SQL - 1,
                                         WIRE_KEEP_SQL,
                                         WIRE_KEEP_SQL + 1,
                                         WIRE_KEEP_SQL + 77,
                                         WIRE_KEEP_SQL + WIRE_TAIL,
                                         WIRE_KEEP_SQL + WIRE_TAIL + 1,
                                         WIRE_KEEP_SQL + 3 * WIRE_TAIL};
    const struct row *row = &rows[1];
    assert_int_equal(row->type, 'P');
    for (size_t k = 0; k < sizeof(text_ends) / sizeof(text_ends[0]); k++) {
        uint32_t len = WIRE_KEEP_SQL + 8 * WIRE_TAIL;
        uint8_t *bytes = make('P', len);
        for (uint32_t at = text_ends[k]; at < len; at += 7) /* 0 0 0 25 and the like */
            bytes[5 + at] = 0;
        struct span all = span_of(bytes, (size_t)len + 5);
        deliver_in(WIRE_FROM_CLIENT, all, all.len, 1, &whole);
        expect(row, bytes, len, &whole);
        if (text_ends[k] == WIRE_KEEP_SQL + WIRE_TAIL) {
            deliver_in(WIRE_FROM_CLIENT, all, 1, 1, &pieces);
            assert_true(same(&whole, &pieces));
        }
        for (size_t first = 5; first < all.len; first += 1009) {
            deliver_in(WIRE_FROM_CLIENT, all, first, 1 + first % (3 * WIRE_TAIL), &pieces);
            assert_true(same(&whole, &pieces));
        }
        free(bytes);
    }
}

/* The outcome for a header alone, given whole and byte by byte. */
static enum wire_outcome outcome_of_header(enum wire_direction direction, uint8_t type,
                                           uint32_t len, bool bytewise,
                                           enum wire_opaque_reason *error)
{
    uint8_t header[5];
    put_header(header, type, len);
    struct wire_framer f;
    struct wire_message m;
    wire_framer_init(&f, direction);
    struct span copy = guard_copy(span_of(header, sizeof(header)));
    enum wire_outcome r = WIRE_NEED_MORE;
    for (size_t at = 0; at < copy.len && r == WIRE_NEED_MORE;) {
        struct span piece = bytewise ? span_of(copy.data + at, 1) : copy;
        at += piece.len;
        r = wire_framer_next(&f, &piece, &m);
    }
    *error = f.error;
    wire_framer_fini(&f);
    guard_free(copy);
    return r;
}

static void check_header(const struct row *row, uint32_t len)
{
    bool good = len >= 4 && len - 4 >= row->min && len - 4 <= row->max;
    enum wire_outcome expected = !good ? WIRE_ERROR : len == 4 ? WIRE_MESSAGE : WIRE_NEED_MORE;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        enum wire_opaque_reason error;
        enum wire_outcome r =
            outcome_of_header(row->direction, row->type, len, bytewise != 0, &error);
        assert_int_equal(r, expected);
        assert_int_equal(error, good ? WIRE_OPAQUE_NONE : WIRE_OPAQUE_BAD_LENGTH);
    }
}

static void test_framer_hostile_length_of_every_type_is_refused(void **state)
{
    (void)state;
    static const uint32_t lens[] = {0,          1,          2,          3,          4,
                                    5,          6,          7,          8,          0x7fffffff,
                                    0x80000000, 0x80000004, 0xfffffffb, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++)
            check_header(&rows[i], lens[k]);
        check_header(&rows[i], rows[i].min + 3);
        check_header(&rows[i], rows[i].min + 4);
        check_header(&rows[i], rows[i].max + 4);
        check_header(&rows[i], rows[i].max + 5);
    }
}

static void test_framer_unknown_type_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (int direction = 0; direction < 2; direction++) {
            bool known = false;
            for (size_t i = 0; i < ROWS; i++)
                known = known || (rows[i].type == type && (int)rows[i].direction == direction);
            enum wire_opaque_reason error;
            enum wire_outcome r = outcome_of_header((enum wire_direction)direction, (uint8_t)type,
                                                    20, type & 1, &error);
            if (!known) {
                assert_int_equal(r, WIRE_ERROR);
                assert_int_equal(error, WIRE_OPAQUE_UNKNOWN_MESSAGE);
            } else {
                assert_int_not_equal(error, WIRE_OPAQUE_UNKNOWN_MESSAGE);
            }
        }
    }
}

/* A gigabyte that is announced and streamed takes no more memory than what is kept. */
static void test_framer_gigabyte_of_copy_data_is_skipped_without_memory(void **state)
{
    (void)state;
    enum { PIECE = 1 << 20 };
    uint8_t *zeros = calloc(1, PIECE);
    assert_non_null(zeros);
    uint8_t header[5];
    put_header(header, 'd', WIRE_LARGE + 4);
    struct wire_framer f;
    struct wire_message m;
    wire_framer_init(&f, WIRE_FROM_SERVER);
    struct span piece = span_of(header, sizeof(header));
    assert_int_equal(wire_framer_next(&f, &piece, &m), WIRE_NEED_MORE);
    for (uint32_t left = WIRE_LARGE; left > 0;) {
        struct span next = span_head(span_of(zeros, PIECE), left);
        left -= (uint32_t)next.len;
        assert_int_equal(wire_framer_next(&f, &next, &m), left > 0 ? WIRE_NEED_MORE : WIRE_MESSAGE);
        assert_null(f.gathered);
    }
    assert_int_equal(m.body_len, WIRE_LARGE);
    assert_int_equal(m.body.len, 0);
    assert_true(m.cut);
    wire_framer_fini(&f);
    free(zeros);
}

static void test_framer_two_messages_in_one_piece_come_in_place(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'S', 0, 0, 0, 4, 'Q', 0, 0, 0, 6, 'a', 0, 'H', 0, 0};
    struct wire_framer f;
    struct wire_message m;
    struct span input = span_of(bytes, sizeof(bytes));
    wire_framer_init(&f, WIRE_FROM_CLIENT);
    assert_int_equal(wire_framer_next(&f, &input, &m), WIRE_MESSAGE);
    assert_int_equal(m.type, 'S');
    assert_int_equal(wire_framer_next(&f, &input, &m), WIRE_MESSAGE);
    assert_int_equal(m.type, 'Q');
    assert_ptr_equal(m.body.data, bytes + 10);
    assert_null(f.gathered);
    assert_int_equal(wire_framer_next(&f, &input, &m), WIRE_NEED_MORE);
    assert_int_equal(input.len, 0);
    assert_int_equal(wire_framer_next(&f, &input, &m), WIRE_NEED_MORE);
    wire_framer_fini(&f);
}

static void test_framer_secrets_are_never_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        if ((rows[i].direction == WIRE_FROM_CLIENT && rows[i].type == 'p') ||
            (rows[i].direction == WIRE_FROM_SERVER && rows[i].type == 'K'))
            assert_int_equal(rows[i].keep, 0);
    }
    uint8_t *bytes = make('p', 60);
    deliver_in(WIRE_FROM_CLIENT, span_of(bytes, 65), 20, 20, &pieces);
    assert_int_equal(pieces.body + pieces.tail, 0);
    free(bytes);
}

static void test_framer_ended_in_the_middle_frees_what_it_gathered(void **state)
{
    (void)state;
    uint8_t *bytes = make('Q', 5000);
    for (size_t n = 0; n < 30; n++) {
        struct wire_framer f;
        struct wire_message m;
        struct span piece = span_of(bytes, n);
        wire_framer_init(&f, WIRE_FROM_CLIENT);
        assert_int_equal(wire_framer_next(&f, &piece, &m), WIRE_NEED_MORE);
        wire_framer_fini(&f);
        wire_framer_fini(&f);
    }
    free(bytes);
}

static void test_opaque_reason_every_one_has_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < WIRE_OPAQUE_REASONS; i++)
        assert_string_not_equal(wire_opaque_reason_text((enum wire_opaque_reason)i),
                                "unknown reason");
    assert_string_equal(wire_opaque_reason_text(WIRE_OPAQUE_REASONS), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framer_every_type_whole_or_in_pieces_gives_the_same),
        cmocka_unit_test(test_framer_split_in_two_at_every_byte_gives_the_same),
        cmocka_unit_test(test_framer_cut_sql_split_around_every_edge_gives_the_same_tail),
        cmocka_unit_test(test_framer_cut_parse_tail_ends_with_the_text_whatever_is_behind_it),
        cmocka_unit_test(test_framer_hostile_length_of_every_type_is_refused),
        cmocka_unit_test(test_framer_unknown_type_is_refused),
        cmocka_unit_test(test_framer_gigabyte_of_copy_data_is_skipped_without_memory),
        cmocka_unit_test(test_framer_two_messages_in_one_piece_come_in_place),
        cmocka_unit_test(test_framer_secrets_are_never_kept),
        cmocka_unit_test(test_framer_ended_in_the_middle_frees_what_it_gathered),
        cmocka_unit_test(test_opaque_reason_every_one_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
