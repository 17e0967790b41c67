#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "wire/values.h"

#include <stdio.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(s) (s), sizeof(s) - 1

enum { TEXT = 0, BINARY = 1, OID_FLOAT8 = 701 };

#define UUID_TEXT_FORM "5b0ccc5c-6b1e-4b1b-8f0c-2a1b3c4d5e6f"
#define UUID_BINARY    "\x5b\x0c\xcc\x5c\x6b\x1e\x4b\x1b\x8f\x0c\x2a\x1b\x3c\x4d\x5e\x6f"
#define LONG_TEXT      "0123456789012345678901234567890123456789012345678901234567890123456789"

/* Rows of one group have one hash, rows of different groups different ones. */
static const struct {
    int group;
    uint32_t oid;
    int format;
    const char *bytes;
    size_t len;
} values[] = {
    {1, 0, TEXT, BYTES("42")},
    {1, 0, TEXT, BYTES("+42")},
    {1, 0, TEXT, BYTES("042")},
    {1, 0, TEXT, BYTES("42.00")},
    {1, 0, TEXT, BYTES("4.2e1")},
    {1, 0, TEXT, BYTES("420E-1")},
    {1, WIRE_OID_TEXT, TEXT, BYTES("42")},
    {1, WIRE_OID_VARCHAR, BINARY, BYTES("42")},
    {1, WIRE_OID_BPCHAR, TEXT, BYTES("42   ")},
    {1, WIRE_OID_INT2, TEXT, BYTES("42")},
    {1, WIRE_OID_INT2, BINARY, BYTES("\0\x2a")},
    {1, WIRE_OID_INT4, BINARY, BYTES("\0\0\0\x2a")},
    {1, WIRE_OID_INT8, BINARY, BYTES("\0\0\0\0\0\0\0\x2a")},
    {1, WIRE_OID_OID, BINARY, BYTES("\0\0\0\x2a")},
    {1, 0, BINARY, BYTES("\0\x2a")},
    {1, 0, BINARY, BYTES("\0\0\0\x2a")},
    {1, 0, BINARY, BYTES("\0\0\0\0\0\0\0\x2a")},
    {1, WIRE_OID_NUMERIC, TEXT, BYTES("42.000")},
    {1, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x01\0\0\0\0\0\0\0\x2a")},
    {1, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x02\0\0\0\0\0\x03\0\x2a\0\0")},
    {2, 0, TEXT, BYTES("-42")},
    {2, WIRE_OID_INT4, BINARY, BYTES("\xff\xff\xff\xd6")},
    {2, WIRE_OID_INT2, BINARY, BYTES("\xff\xd6")},
    {2, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x01\0\0\x40\0\0\0\0\x2a")},
    {3, 0, TEXT, BYTES("0")},
    {3, 0, TEXT, BYTES("-0")},
    {3, 0, TEXT, BYTES("0.000")},
    {3, 0, TEXT, BYTES("0e5")},
    {3, WIRE_OID_NUMERIC, BINARY, BYTES("\0\0\0\0\0\0\0\0")},
    {4, 0, TEXT, BYTES("1.5")},
    {4, 0, TEXT, BYTES("1.50")},
    {4, 0, TEXT, BYTES("15e-1")},
    {4, 0, TEXT, BYTES("+01.5")},
    {4, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x02\0\0\0\0\0\x01\0\x01\x13\x88")},
    {5, 0, TEXT, BYTES("10000")},
    {5, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x01\0\x01\0\0\0\0\0\x01")},
    {5, 0, TEXT, BYTES("1e4")},
    {6, 0, TEXT, BYTES("9223372036854775807")},
    {6, WIRE_OID_INT8, BINARY, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff")},
    {7, 0, TEXT, BYTES("-9223372036854775808")},
    {7, WIRE_OID_INT8, BINARY, BYTES("\x80\0\0\0\0\0\0\0")},
    {8, 0, TEXT, BYTES("9223372036854775808")},
    {8, 0, TEXT, BYTES("9223372036854775808.0")},
    {9, 0, TEXT, BYTES("123456789012345678901234567890")},
    {10, 0, TEXT, BYTES(UUID_TEXT_FORM)},
    {10, 0, TEXT, BYTES("5B0CCC5C-6B1E-4B1B-8F0C-2A1B3C4D5E6F")},
    {10, WIRE_OID_UUID, TEXT, BYTES("5b0ccc5c6b1e4b1b8f0c2a1b3c4d5e6f")},
    {10, WIRE_OID_UUID, BINARY, BYTES(UUID_BINARY)},
    {10, 0, BINARY, BYTES(UUID_BINARY)},
    {10, WIRE_OID_TEXT, TEXT, BYTES(UUID_TEXT_FORM)},
    {11, WIRE_OID_BOOL, TEXT, BYTES("t")},
    {11, WIRE_OID_BOOL, TEXT, BYTES("true")},
    {11, WIRE_OID_BOOL, BINARY, BYTES("\x01")},
    {11, 0, TEXT, BYTES("t")},
    {12, WIRE_OID_BOOL, TEXT, BYTES("f")},
    {12, WIRE_OID_BOOL, BINARY, BYTES("\0")},
    {12, WIRE_OID_BOOL, TEXT, BYTES("off")},
    {13, 0, TEXT, BYTES("")},
    {13, WIRE_OID_TEXT, BINARY, BYTES("")},
    {13, WIRE_OID_BPCHAR, TEXT, BYTES("   ")},
    {14, WIRE_OID_TEXT, TEXT, BYTES("abc")},
    {14, WIRE_OID_VARCHAR, BINARY, BYTES("abc")},
    {14, 0, TEXT, BYTES("abc")},
    {15, 0, TEXT, BYTES("42 ")},
    {16, 0, TEXT, BYTES("4 2")},
    {17, 0, TEXT, BYTES("-")},
    {18, 0, TEXT, BYTES(".")},
    {19, 0, TEXT, BYTES("1e")},
    {20, 0, TEXT, BYTES("1e5x")},
    {21, 0, TEXT, BYTES("1.2.3")},
    {22, 0, TEXT, BYTES("2020-01-01")},
    {23, 0, TEXT, BYTES(LONG_TEXT)},
    {24, WIRE_OID_NUMERIC, TEXT, BYTES("NaN")},
    {24, WIRE_OID_NUMERIC, BINARY, BYTES("\0\0\0\0\xc0\0\0\0")},
    {25, WIRE_OID_NUMERIC, TEXT, BYTES("-Infinity")},
    {25, WIRE_OID_NUMERIC, BINARY, BYTES("\0\0\0\0\xf0\0\0\0")},
    {26, OID_FLOAT8, BINARY, BYTES("\x3f\xf8\0\0\0\0\0\0")},
    {27, 0, TEXT, BYTES("\0\0\0\0\0\0\0\x2a")}, /* text is never the integer its bytes would be */
    {28, WIRE_OID_NUMERIC, BINARY,
     BYTES("\0\x05\0\0\0\0\0\0\0\x2a")}, /* counts more digits than it has */
    {29, WIRE_OID_NUMERIC, BINARY,
     BYTES("\0\x01\0\0\0\0\0\0\xff\xff")}, /* no digit of base 10000 */
    {30, WIRE_OID_NUMERIC, BINARY, BYTES("\0")},
    {31, WIRE_OID_INT4, BINARY, BYTES("\0\0\x2a")},
    {32, 0, TEXT, BYTES("1e99999")},
    {33, 0, TEXT, BYTES("1e999999999999")},
    {34, WIRE_OID_OID, BINARY, BYTES("\xff\xff\xff\xff")},
    {34, 0, TEXT, BYTES("4294967295")},
    {35, 0, TEXT, BYTES("5b0ccc5c-6b1e-4b1b-8f0c-2a1b3c4d5e6g")},
    {36, WIRE_OID_NUMERIC, BINARY, BYTES("\0\x01\x7f\xff\0\0\0\0\0\x01")},
};

static uint64_t hash_of(size_t i)
{
    struct span copy = guard_copy(span_of(values[i].bytes, values[i].len));
    uint64_t h = wire_value_hash(values[i].oid, values[i].format, copy);
    guard_free(copy);
    return h;
}

static void test_values_are_equal_within_and_only_within_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(values); i++) {
        uint64_t a = hash_of(i);
        assert_int_not_equal(a, 0);
        for (size_t j = 0; j < i; j++)
            if ((a == hash_of(j)) != (values[i].group == values[j].group))
                fail_msg("rows %zu (%s) and %zu (%s)", j, values[j].bytes, i, values[i].bytes);
    }
}

static const struct {
    const char *literal;
    const char *value;
} literals[] = {
    {"42", "42"},   {"-42", "-42"},     {"+42", "42"},        {"0x2A", "42"},      {"-0x2a", "-42"},
    {"0o52", "42"}, {"0b101010", "42"}, {"1_000", "1000"},    {"1_0.5_0", "10.5"}, {"1e3", "1000"},
    {".5", "0.5"},  {"5.", "5"},        {"1.5e-3", "0.0015"}, {"0x1_F", "31"},     {"007", "7"},
};

static void test_literals_hash_like_the_values_they_spell(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(literals); i++) {
        struct span copy = guard_copy(span_of_text(literals[i].literal));
        if (wire_value_hash_text(copy) != wire_value_hash(0, TEXT, span_of_text(literals[i].value)))
            fail_msg("%s is not %s", literals[i].literal, literals[i].value);
        guard_free(copy);
    }
    assert_true(wire_value_hash(0, TEXT, span_of_text("0x2A")) !=
                wire_value_hash_text(span_of_text("0x2A")));
}

static void test_odd_literals_have_a_hash(void **state)
{
    (void)state;
    static const char *const odd[] = {"",  "-",    "0x",     "0xg", "0xffffffffffffffffffff",
                                      "_", "1__2", LONG_TEXT};
    for (size_t i = 0; i < N(odd); i++) {
        struct span copy = guard_copy(span_of_text(odd[i]));
        assert_int_not_equal(wire_value_hash_text(copy), 0);
        guard_free(copy);
    }
}

static void test_null_is_no_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(values); i++)
        assert_true(hash_of(i) != wire_value_hash_null());
    assert_int_not_equal(wire_value_hash_null(), 0);
}

static void test_combination_depends_on_the_order(void **state)
{
    (void)state;
    assert_true(wire_hash_combine(1, 2) != wire_hash_combine(2, 1));
    assert_true(wire_hash_combine(0, 0) != 0);
}

static void test_key_like_types_are_those_of_keys(void **state)
{
    (void)state;
    static const uint32_t yes[] = {WIRE_OID_INT8, WIRE_OID_INT2,    WIRE_OID_INT4,
                                   WIRE_OID_OID,  WIRE_OID_NUMERIC, WIRE_OID_UUID,
                                   WIRE_OID_TEXT, WIRE_OID_BPCHAR,  WIRE_OID_VARCHAR};
    for (size_t i = 0; i < N(yes); i++)
        assert_true(wire_type_is_key_like(yes[i]));
    assert_false(wire_type_is_key_like(WIRE_OID_BOOL));
    assert_false(wire_type_is_key_like(OID_FLOAT8));
    assert_false(wire_type_is_key_like(0));
}

/* Any bytes of any length, as any type in any format. */
static void test_any_bytes_have_a_hash(void **state)
{
    (void)state;
    static const uint32_t oids[] = {0,
                                    WIRE_OID_BOOL,
                                    WIRE_OID_INT8,
                                    WIRE_OID_INT2,
                                    WIRE_OID_INT4,
                                    WIRE_OID_TEXT,
                                    WIRE_OID_OID,
                                    WIRE_OID_BPCHAR,
                                    WIRE_OID_NUMERIC,
                                    WIRE_OID_UUID,
                                    OID_FLOAT8};
    uint8_t bytes[80];
    uint32_t seed = 1;
    for (size_t round = 0; round < 400; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] =
                round % 2 == 0 ? (uint8_t)(seed >> 24) : (uint8_t) "0019.-+e"[(seed >> 24) % 8];
        }
        struct span copy = guard_copy(span_of(bytes, round % sizeof(bytes)));
        for (size_t i = 0; i < N(oids); i++) {
            assert_int_not_equal(wire_value_hash(oids[i], TEXT, copy), 0);
            assert_int_not_equal(wire_value_hash(oids[i], BINARY, copy), 0);
        }
        guard_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_equal_within_and_only_within_groups),
        cmocka_unit_test(test_literals_hash_like_the_values_they_spell),
        cmocka_unit_test(test_odd_literals_have_a_hash),
        cmocka_unit_test(test_null_is_no_value),
        cmocka_unit_test(test_combination_depends_on_the_order),
        cmocka_unit_test(test_key_like_types_are_those_of_keys),
        cmocka_unit_test(test_any_bytes_have_a_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
