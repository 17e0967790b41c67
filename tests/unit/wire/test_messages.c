#include "cmocka_all.h"
#include "common/strbuf.h"
#include "guard.h"
#include "wire/messages.h"

#include <stdlib.h>

#define BYTES(s) span_of((s), sizeof(s) - 1)

/* Decode any message by its kind; the iterating ones are walked to their end. */
typedef int decode(const struct wire_message *m);

static int decode_query(const struct wire_message *m)
{
    struct span text;
    return wire_decode_query(m, &text);
}

static int decode_parse(const struct wire_message *m)
{
    struct wire_parse out;
    return wire_decode_parse(m, &out);
}

static int decode_bind(const struct wire_message *m)
{
    struct wire_bind out;
    return wire_decode_bind(m, &out);
}

static int decode_execute(const struct wire_message *m)
{
    struct wire_execute out;
    return wire_decode_execute(m, &out);
}

static int decode_target(const struct wire_message *m)
{
    struct wire_target out;
    return wire_decode_target(m, &out);
}

static int decode_fields(const struct wire_message *m)
{
    struct reader r;
    unsigned n;
    struct wire_field field;
    int result = wire_begin_fields(m, &r, &n);
    while (result == 0 && n-- > 0)
        result = wire_next_field(&r, &field);
    return result;
}

static int decode_columns(const struct wire_message *m)
{
    struct reader r;
    unsigned n;
    struct span value;
    bool null;
    int result = wire_begin_columns(m, &r, &n);
    while (result == 0 && n-- > 0)
        result = wire_next_column(&r, &value, &null);
    return result;
}

static int decode_parameter_description(const struct wire_message *m)
{
    uint32_t types[WIRE_MAX_PARAMS];
    unsigned n;
    return wire_decode_parameter_description(m, types, WIRE_MAX_PARAMS, &n);
}

static int decode_command(const struct wire_message *m)
{
    struct span tag;
    uint64_t count;
    return wire_decode_command_complete(m, &tag, &count);
}

static int decode_error(const struct wire_message *m)
{
    struct wire_error out;
    return wire_decode_error(m, &out);
}

static int decode_parameter(const struct wire_message *m)
{
    struct wire_parameter out;
    return wire_decode_parameter_status(m, &out);
}

static int decode_ready(const struct wire_message *m)
{
    uint8_t status;
    return wire_decode_ready(m, &status);
}

/* One good body each. `strict`: a byte behind the end makes it malformed. */
static const struct {
    decode *decode;
    struct span body;
    bool strict;
} good[] = {
    {decode_query, {(const uint8_t *)"select 1\0", 9}, true},
    {decode_query, {(const uint8_t *)"\0", 1}, true},
    {decode_parse, {(const uint8_t *)"s1\0select $1\0\0\2\0\0\0\x17\0\0\0\x19", 23}, true},
    {decode_parse, {(const uint8_t *)"\0\0\0\0", 4}, true},
    {decode_bind,
     {(const uint8_t *)"p\0s\0\0\1\0\1\0\2\0\0\0\4\0\0\0\7\xff\xff\xff\xff\0\1\0\1", 26},
     true},
    {decode_bind, {(const uint8_t *)"\0\0\0\0\0\0\0\0", 8}, true},
    {decode_execute, {(const uint8_t *)"portal\0\0\0\0\x32", 11}, true},
    {decode_target, {(const uint8_t *)"Sname\0", 6}, true},
    {decode_target, {(const uint8_t *)"P\0", 2}, true},
    {decode_fields,
     {(const uint8_t *)"\0\1id\0\0\0\x40\0\0\1\0\0\0\x17\0\4\xff\xff\xff\xff\0\0", 23},
     false},
    {decode_fields, {(const uint8_t *)"\0\0", 2}, false},
    {decode_columns, {(const uint8_t *)"\0\3\0\0\0\1x\xff\xff\xff\xff\0\0\0\0", 15}, false},
    {decode_columns, {(const uint8_t *)"\0\0", 2}, false},
    {decode_parameter_description, {(const uint8_t *)"\0\2\0\0\0\x17\0\0\0\x19", 10}, false},
    {decode_command, {(const uint8_t *)"INSERT 0 5\0", 11}, false},
    {decode_error, {(const uint8_t *)"SERROR\0C42P01\0Mno\0\0", 19}, false},
    {decode_error, {(const uint8_t *)"\0", 1}, false},
    {decode_parameter, {(const uint8_t *)"a\0b\0", 4}, false},
    {decode_ready, {(const uint8_t *)"T", 1}, true},
};
enum { GOOD = sizeof(good) / sizeof(good[0]) };

static struct wire_message message(struct span body, bool cut)
{
    return (struct wire_message){
        .body_len = (uint32_t)body.len + (cut ? 1000 : 0), .body = body, .cut = cut};
}

static int decode_guarded(decode *run, struct span body, bool cut)
{
    struct span copy = guard_copy(body);
    struct wire_message m = message(copy, cut);
    int r = run(&m);
    guard_free(copy);
    return r;
}

static void test_messages_good_bodies_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD; i++)
        assert_int_equal(decode_guarded(good[i].decode, good[i].body, false), 0);
}

static void test_messages_every_truncation_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        for (size_t n = 0; n < good[i].body.len; n++)
            assert_int_equal(decode_guarded(good[i].decode, span_head(good[i].body, n), false),
                             WIRE_MALFORMED);
    }
}

static void test_messages_cut_bodies_never_read_past_what_was_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        for (size_t n = 0; n <= good[i].body.len; n++)
            decode_guarded(good[i].decode, span_head(good[i].body, n), true);
    }
}

static void test_messages_trailing_byte_is_malformed_where_the_server_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD; i++) {
        uint8_t longer[64] = {0};
        assert_true(good[i].body.len < sizeof(longer));
        memcpy(longer, good[i].body.data, good[i].body.len);
        longer[good[i].body.len] = 'x';
        int r = decode_guarded(good[i].decode, span_of(longer, good[i].body.len + 1), false);
        assert_int_equal(r, good[i].strict ? WIRE_MALFORMED : 0);
    }
}

/* Each field, at each place, of each good body, set to every hostile value: nothing may be read out
 * of bounds. */
static void test_messages_hostile_words_anywhere_stay_in_bounds(void **state)
{
    (void)state;
    static const uint32_t words[] = {0,          1,          0x7fff,     0x8000,    0xffff,
                                     0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < GOOD; i++) {
        for (size_t at = 0; at < good[i].body.len; at++) {
            for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
                uint8_t body[64];
                memcpy(body, good[i].body.data, good[i].body.len);
                for (size_t b = 0; b < 4 && at + b < good[i].body.len; b++)
                    body[at + b] = (uint8_t)(words[w] >> (24 - 8 * b));
                decode_guarded(good[i].decode, span_of(body, good[i].body.len), false);
                decode_guarded(good[i].decode, span_of(body, good[i].body.len), true);
            }
        }
    }
}

static void test_query_cut_gives_what_was_kept(void **state)
{
    (void)state;
    struct wire_message m = message(BYTES("select * from t"), true);
    struct span text;
    assert_int_equal(wire_decode_query(&m, &text), 0);
    assert_true(span_is(text, "select * from t"));
}

static void test_parse_gives_name_text_and_types(void **state)
{
    (void)state;
    struct wire_message m = message(good[2].body, false);
    struct wire_parse p;
    assert_int_equal(wire_decode_parse(&m, &p), 0);
    assert_true(span_is(p.name, "s1"));
    assert_true(span_is(p.text, "select $1"));
    assert_int_equal(p.n_types, 2);
    assert_int_equal(p.types[0], 23);
    assert_int_equal(p.types[1], 25);
    assert_false(p.cut);
}

static void test_parse_cut_in_its_text_has_no_types(void **state)
{
    (void)state;
    struct wire_message m = message(BYTES("s1\0select"), true);
    struct wire_parse p;
    assert_int_equal(wire_decode_parse(&m, &p), 0);
    assert_true(span_is(p.text, "select"));
    assert_int_equal(p.n_types, 0);
    assert_true(p.cut);
}

static void test_parse_with_65535_types_keeps_the_first(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 1 << 20);
    strbuf_add(&b, "\0\0\xff\xff", 4);
    for (unsigned i = 0; i < 65535; i++)
        strbuf_add(&b, "\0\0\0\x17", 4);
    struct wire_message m = message(strbuf_span(&b), false);
    struct wire_parse p;
    assert_int_equal(wire_decode_parse(&m, &p), 0);
    assert_int_equal(p.n_types, WIRE_MAX_PARAMS);
    strbuf_fini(&b);
}

static void test_bind_gives_values_formats_and_nulls(void **state)
{
    (void)state;
    struct wire_message m = message(good[4].body, false);
    struct wire_bind b;
    assert_int_equal(wire_decode_bind(&m, &b), 0);
    assert_true(span_is(b.portal, "p"));
    assert_true(span_is(b.statement, "s"));
    assert_int_equal(b.n_params, 2);
    assert_int_equal(b.total_params, 2);
    assert_true(span_equal(b.params[0].value, BYTES("\0\0\0\7")));
    assert_int_equal(b.params[0].format, 1);
    assert_true(b.params[1].null);
    assert_int_equal(b.params[1].value.len, 0);
    assert_true(b.binary_results == UINT64_MAX);
    assert_int_equal(b.rest.len, 0);
}

static void test_bind_empty_value_is_not_null(void **state)
{
    (void)state;
    struct wire_message m = message(BYTES("\0\0\0\0\0\1\0\0\0\0\0\0"), false);
    struct wire_bind b;
    assert_int_equal(wire_decode_bind(&m, &b), 0);
    assert_false(b.params[0].null);
    assert_int_equal(b.params[0].value.len, 0);
    assert_int_equal(b.params[0].format, 0);
}

static void test_bind_formats_one_each_are_told_apart(void **state)
{
    (void)state;
    struct wire_message m = message(
        BYTES("\0\0\0\2\0\0\0\1\0\2\xff\xff\xff\xff\xff\xff\xff\xff\0\3\0\1\0\0\0\1"), false);
    struct wire_bind b;
    assert_int_equal(wire_decode_bind(&m, &b), 0);
    assert_int_equal(b.params[0].format, 0);
    assert_int_equal(b.params[1].format, 1);
    assert_true(b.binary_results == 5);
}

static void test_bind_length_below_minus_one_is_malformed(void **state)
{
    (void)state;
    struct wire_message m = message(BYTES("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"), false);
    struct wire_bind b;
    assert_int_equal(wire_decode_bind(&m, &b), WIRE_MALFORMED);
}

/* 65535 parameters, some NULL; those that are not looked at one by one are still in `rest`. */
static void test_bind_with_65535_params_keeps_the_first_and_spans_the_rest(void **state)
{
    (void)state;
    struct strbuf s;
    strbuf_init(&s, 1 << 20);
    strbuf_add(&s, "\0\0\0\0\xff\xff", 6);
    for (unsigned i = 0; i < 65535; i++)
        strbuf_add(&s, i % 2 == 0 ? "\xff\xff\xff\xff" : "\0\0\0\1x", i % 2 == 0 ? 4 : 5);
    strbuf_add(&s, "\0\0", 2);
    struct span copy = guard_copy(strbuf_span(&s));
    struct wire_message m = message(copy, false);
    struct wire_bind b;
    assert_int_equal(wire_decode_bind(&m, &b), 0);
    assert_int_equal(b.total_params, 65535);
    assert_int_equal(b.n_params, WIRE_MAX_PARAMS);
    assert_true(b.params[0].null);
    assert_true(span_is(b.params[1].value, "x"));
    assert_ptr_equal(b.rest.data, copy.data + 6 + (size_t)8 * (4 + 5));
    assert_ptr_equal(b.rest.data + b.rest.len, copy.data + copy.len - 2);
    struct wire_message cut = message(span_head(copy, 5000), true);
    assert_int_equal(wire_decode_bind(&cut, &b), 0);
    assert_int_equal(b.n_params, WIRE_MAX_PARAMS);
    assert_true(b.rest.data + b.rest.len <= copy.data + 5000);
    guard_free(copy);
    strbuf_fini(&s);
}

static void test_execute_row_limits_below_one_are_all(void **state)
{
    (void)state;
    struct wire_execute e;
    struct wire_message m = message(good[6].body, false);
    assert_int_equal(wire_decode_execute(&m, &e), 0);
    assert_true(span_is(e.portal, "portal"));
    assert_int_equal(e.max_rows, 50);
    m = message(BYTES("\0\x80\0\0\0"), false);
    assert_int_equal(wire_decode_execute(&m, &e), 0);
    assert_int_equal(e.max_rows, 0);
}

static void test_execute_cut_name_is_not_the_unnamed_portal(void **state)
{
    (void)state;
    struct wire_execute e;
    struct wire_message m = message(BYTES("a_very_long_name"), true);
    assert_int_equal(wire_decode_execute(&m, &e), 0);
    assert_true(span_is(e.portal, "a_very_long_name"));
}

static void test_target_of_unknown_kind_is_malformed(void **state)
{
    (void)state;
    struct wire_target t;
    struct wire_message m = message(BYTES("Xname\0"), false);
    assert_int_equal(wire_decode_target(&m, &t), WIRE_MALFORMED);
    m = message(BYTES("Pname\0"), false);
    assert_int_equal(wire_decode_target(&m, &t), 0);
    assert_int_equal(t.kind, 'P');
    assert_true(span_is(t.name, "name"));
}

static void test_fields_are_given_one_by_one(void **state)
{
    (void)state;
    struct wire_message m = message(good[9].body, false);
    struct reader r;
    unsigned n;
    struct wire_field f;
    assert_int_equal(wire_begin_fields(&m, &r, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(wire_next_field(&r, &f), 0);
    assert_true(span_is(f.name, "id"));
    assert_int_equal(f.table_oid, 0x4000);
    assert_int_equal(f.attnum, 1);
    assert_int_equal(f.type_oid, 23);
    assert_int_equal(f.format, 0);
    assert_int_equal(wire_next_field(&r, &f), WIRE_MALFORMED);
}

static void test_columns_null_empty_and_value_are_told_apart(void **state)
{
    (void)state;
    struct wire_message m = message(good[11].body, false);
    struct reader r;
    unsigned n;
    struct span value;
    bool null;
    assert_int_equal(wire_begin_columns(&m, &r, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(wire_next_column(&r, &value, &null), 0);
    assert_true(span_is(value, "x") && !null);
    assert_int_equal(wire_next_column(&r, &value, &null), 0);
    assert_true(null);
    assert_int_equal(wire_next_column(&r, &value, &null), 0);
    assert_true(value.len == 0 && !null);
}

static void test_parameter_description_longer_than_asked_is_cut(void **state)
{
    (void)state;
    struct wire_message m = message(BYTES("\0\3\0\0\0\1\0\0\0\2\0\0\0\3"), false);
    uint32_t types[2];
    unsigned n;
    assert_int_equal(wire_decode_parameter_description(&m, types, 2, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(types[1], 2);
}

static void test_command_complete_rows_are_the_last_number(void **state)
{
    (void)state;
    static const struct {
        const char *tag;
        uint64_t rows;
    } tags[] = {
        {"SELECT 3", 3},
        {"INSERT 0 5", 5},
        {"UPDATE 0", 0},
        {"BEGIN", 0},
        {"", 0},
        {"5", 0},
        {"SELECT ", 0},
        {"COPY 9999999999999999999", UINT64_C(9999999999999999999)},
        {"COPY 99999999999999999999", 0},
        {"MERGE 1x", 0},
    };
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        struct wire_message m = message(span_of(tags[i].tag, strlen(tags[i].tag) + 1), false);
        struct span tag;
        uint64_t count;
        assert_int_equal(wire_decode_command_complete(&m, &tag, &count), 0);
        assert_true(span_is(tag, tags[i].tag));
        assert_true(count == tags[i].rows);
    }
}

/* CVE-2026-6666: an ErrorResponse may lack any field, have it twice, or be empty. */
static void test_error_with_fields_dropped_or_doubled_is_decoded(void **state)
{
    (void)state;
    static const struct {
        struct span body;
        const char *sqlstate;
        bool fatal;
    } errors[] = {
        {{(const uint8_t *)"\0", 1}, "", false},
        {{(const uint8_t *)"SERROR\0\0", 8}, "", false},
        {{(const uint8_t *)"SFATAL\0\0", 8}, "", true},
        {{(const uint8_t *)"SFEHLER\0VPANIC\0C57P01\0\0", 23}, "57P01", true},
        {{(const uint8_t *)"C42601\0C23505\0\0", 15}, "23505", false},
        {{(const uint8_t *)"C4260\0\0", 7}, "", false},
        {{(const uint8_t *)"C426011\0\0", 9}, "", false},
        {{(const uint8_t *)"C\0\0", 3}, "", false},
        {{(const uint8_t *)"\xff\xff\0\0", 4}, "", false},
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct wire_message m = message(errors[i].body, false);
        struct wire_error e;
        char sqlstate[6] = "";
        assert_int_equal(wire_decode_error(&m, &e), 0);
        memcpy(sqlstate, e.sqlstate, 5);
        assert_string_equal(sqlstate, errors[i].sqlstate);
        assert_int_equal(e.fatal, errors[i].fatal);
    }
}

static void test_error_without_its_end_is_malformed_unless_cut(void **state)
{
    (void)state;
    struct wire_error e;
    struct wire_message m = message(BYTES("SERROR\0C42P01\0Mlong text"), false);
    assert_int_equal(wire_decode_error(&m, &e), WIRE_MALFORMED);
    m.cut = true;
    assert_int_equal(wire_decode_error(&m, &e), 0);
    assert_memory_equal(e.sqlstate, "42P01", 5);
}

/* CVE-2026-6665: 64 KB without a terminator from a hostile server. */
static void test_messages_long_strings_without_end_are_malformed(void **state)
{
    (void)state;
    static uint8_t body[65536];
    memset(body, 'S', sizeof(body));
    decode *const decoders[] = {decode_command, decode_error,  decode_parameter,
                                decode_query,   decode_target, decode_execute};
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
        assert_int_equal(decode_guarded(decoders[i], span_of(body, sizeof(body)), false),
                         WIRE_MALFORMED);
}

static void test_ready_takes_three_states_only(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t body = (uint8_t)c;
        struct wire_message m = message(span_of(&body, 1), false);
        uint8_t status;
        bool good_state = c == 'I' || c == 'T' || c == 'E';
        assert_int_equal(wire_decode_ready(&m, &status), good_state ? 0 : WIRE_MALFORMED);
    }
}

static void test_encoded_fatal_is_what_the_decoder_reads(void **state)
{
    (void)state;
    static const char text[] = "the server cannot be reached";
    uint8_t out[200];
    size_t len = wire_encode_fatal("57P03", text, "start it", out, sizeof(out));
    assert_true(len > 0);
    struct wire_framer f;
    struct wire_message m;
    struct wire_error e;
    struct span input = span_of(out, len);
    wire_framer_init(&f, WIRE_FROM_SERVER);
    assert_int_equal(wire_framer_next(&f, &input, &m), WIRE_MESSAGE);
    assert_int_equal(input.len, 0);
    assert_int_equal(wire_decode_error(&m, &e), 0);
    assert_memory_equal(e.sqlstate, "57P03", 5);
    assert_true(e.fatal);
    wire_framer_fini(&f);
}

static void fits_exactly_or_not_at_all(const char *hint)
{
    uint8_t out[200];
    size_t len = wire_encode_fatal("57P03", "text", hint, out, sizeof(out));
    for (size_t size = 0; size < sizeof(out); size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        assert_int_equal(wire_encode_fatal("57P03", "text", hint, exact, size),
                         size < len ? 0 : len);
        free(exact);
    }
}

static void test_encoded_fatal_fits_exactly_or_not_at_all(void **state)
{
    (void)state;
    fits_exactly_or_not_at_all(NULL);
    fits_exactly_or_not_at_all("hint");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_good_bodies_are_decoded),
        cmocka_unit_test(test_messages_every_truncation_is_malformed),
        cmocka_unit_test(test_messages_cut_bodies_never_read_past_what_was_kept),
        cmocka_unit_test(test_messages_trailing_byte_is_malformed_where_the_server_says_so),
        cmocka_unit_test(test_messages_hostile_words_anywhere_stay_in_bounds),
        cmocka_unit_test(test_query_cut_gives_what_was_kept),
        cmocka_unit_test(test_parse_gives_name_text_and_types),
        cmocka_unit_test(test_parse_cut_in_its_text_has_no_types),
        cmocka_unit_test(test_parse_with_65535_types_keeps_the_first),
        cmocka_unit_test(test_bind_gives_values_formats_and_nulls),
        cmocka_unit_test(test_bind_empty_value_is_not_null),
        cmocka_unit_test(test_bind_formats_one_each_are_told_apart),
        cmocka_unit_test(test_bind_length_below_minus_one_is_malformed),
        cmocka_unit_test(test_bind_with_65535_params_keeps_the_first_and_spans_the_rest),
        cmocka_unit_test(test_execute_row_limits_below_one_are_all),
        cmocka_unit_test(test_execute_cut_name_is_not_the_unnamed_portal),
        cmocka_unit_test(test_target_of_unknown_kind_is_malformed),
        cmocka_unit_test(test_fields_are_given_one_by_one),
        cmocka_unit_test(test_columns_null_empty_and_value_are_told_apart),
        cmocka_unit_test(test_parameter_description_longer_than_asked_is_cut),
        cmocka_unit_test(test_command_complete_rows_are_the_last_number),
        cmocka_unit_test(test_error_with_fields_dropped_or_doubled_is_decoded),
        cmocka_unit_test(test_error_without_its_end_is_malformed_unless_cut),
        cmocka_unit_test(test_messages_long_strings_without_end_are_malformed),
        cmocka_unit_test(test_ready_takes_three_states_only),
        cmocka_unit_test(test_encoded_fatal_is_what_the_decoder_reads),
        cmocka_unit_test(test_encoded_fatal_fits_exactly_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
