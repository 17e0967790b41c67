#include "cmocka_all.h"
#include "common/strbuf.h"
#include "guard.h"
#include "wire/startup.h"

enum {
    CANCEL = 80877102,
    SSL = 80877103,
    GSSENC = 80877104,
};

static void put_u32(struct strbuf *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_putc(out, (char)(value >> shift));
}

/* A packet of this code and body, its length word true. To be freed. */
static struct strbuf packet(uint32_t code, const char *body, size_t len)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    put_u32(&out, (uint32_t)(8 + len));
    put_u32(&out, code);
    strbuf_add(&out, body, len);
    assert_false(out.failed);
    return out;
}

/* The parameters end where a page ends. */
static struct wire_startup read_guarded(struct span bytes, char user[64])
{
    struct span copy = guard_copy(bytes);
    struct wire_startup info = wire_startup_read(copy);
    struct span parts[] = {info.user, info.database, info.application};
    for (int i = 0; i < 3; i++)
        assert_true(parts[i].len == 0 || (parts[i].data >= copy.data &&
                                          parts[i].data + parts[i].len < copy.data + copy.len));
    size_t kept = span_head(info.user, 63).len;
    if (kept > 0)
        memcpy(user, info.user.data, kept);
    user[kept] = '\0';
    guard_free(copy);
    return info;
}

static void test_startup_length_takes_8_to_10004(void **state)
{
    (void)state;
    static const struct {
        uint32_t word;
        size_t length;
    } rows[] = {
        {0, 0},          {1, 0},          {2, 0},          {3, 0},          {4, 0},
        {5, 0},          {6, 0},          {7, 0},          {8, 8},          {9, 9},
        {16, 16},        {255, 255},      {256, 256},      {10003, 10003},  {10004, 10004},
        {10005, 0},      {0xffff, 0},     {0x10000, 0},    {0x7fffffff, 0}, {0x80000000, 0},
        {0x80000008, 0}, {0xfffffffc, 0}, {0xffffffff, 0}, {0x16030100, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf word;
        strbuf_init(&word, 16);
        put_u32(&word, rows[i].word);
        struct span copy = guard_copy(span_of(word.data, 4));
        assert_int_equal(wire_startup_length(copy.data), rows[i].length);
        guard_free(copy);
        strbuf_fini(&word);
    }
}

static void test_startup_kind_is_by_code_and_length(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        size_t behind;
        enum wire_startup_kind kind;
    } rows[] = {
        {SSL, 0, WIRE_STARTUP_SSL},
        {SSL, 1, WIRE_STARTUP_BAD},
        {SSL, 8, WIRE_STARTUP_BAD},
        {SSL, 9996, WIRE_STARTUP_BAD},
        {GSSENC, 0, WIRE_STARTUP_GSSENC},
        {GSSENC, 1, WIRE_STARTUP_BAD},
        {CANCEL, 0, WIRE_STARTUP_CANCEL},
        {CANCEL, 8, WIRE_STARTUP_CANCEL},
        {CANCEL, 260, WIRE_STARTUP_CANCEL},
        {CANCEL - 1, 8, WIRE_STARTUP_SESSION},
        {GSSENC + 1, 0, WIRE_STARTUP_SESSION},
        {0, 0, WIRE_STARTUP_SESSION},
        {0x20000, 1, WIRE_STARTUP_SESSION},
        {0x30000, 0, WIRE_STARTUP_SESSION},
        {0x30002, 1, WIRE_STARTUP_SESSION},
        {0x3270f, 1, WIRE_STARTUP_SESSION},
        {0x40000, 1, WIRE_STARTUP_SESSION},
        {0xffffffff, 1, WIRE_STARTUP_SESSION},
    };
    static const char zeros[10000];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf p = packet(rows[i].code, zeros, rows[i].behind);
        struct span copy = guard_copy(strbuf_span(&p));
        assert_int_equal(wire_startup_kind_of(copy), rows[i].kind);
        guard_free(copy);
        strbuf_fini(&p);
    }
}

static void test_startup_own_request_is_an_ssl_request(void **state)
{
    (void)state;
    struct span request = wire_ssl_request();
    assert_int_equal(wire_startup_length(request.data), request.len);
    assert_int_equal(wire_startup_kind_of(request), WIRE_STARTUP_SSL);
}

#define PARAMETERS                                                                                 \
    "user\0bob\0database\0shop\0options\0-c a=b\0application_name\0web\0_pq_.x\0001\0\0"

static void test_startup_parameters_are_read_of_any_version(void **state)
{
    (void)state;
    static const uint32_t versions[] = {0x20000, 0x30000, 0x30002, 0x3270f, 0x40000};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct strbuf p = packet(versions[i], PARAMETERS, sizeof(PARAMETERS) - 1);
        struct wire_startup info = wire_startup_read(strbuf_span(&p));
        assert_int_equal(info.version, versions[i]);
        assert_true(span_is(info.user, "bob"));
        assert_true(span_is(info.database, "shop"));
        assert_true(span_is(info.application, "web"));
        strbuf_fini(&p);
    }
}

/* Cut anywhere, what stands whole before the cut is read and nothing else. */
static void test_startup_cut_at_every_byte_stays_in_bounds(void **state)
{
    (void)state;
    struct strbuf p = packet(0x30000, PARAMETERS, sizeof(PARAMETERS) - 1);
    struct span all = strbuf_span(&p);
    for (size_t len = 8; len <= all.len; len++) {
        char user[64];
        struct wire_startup info = read_guarded(span_head(all, len), user);
        assert_int_equal(info.version, 0x30000);
        assert_string_equal(user, len >= 8 + 9 ? "bob" : "");
        assert_int_equal(info.application.len, len >= all.len - 10 ? 3 : 0);
    }
    strbuf_fini(&p);
}

static void test_startup_any_byte_spoilt_stays_in_bounds(void **state)
{
    (void)state;
    static const int values[] = {0, 1, 'u', 0x7f, 0x80, 0xff};
    struct strbuf p = packet(0x30000, PARAMETERS, sizeof(PARAMETERS) - 1);
    for (size_t i = 0; i < p.len; i++) {
        char good = p.data[i];
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            char user[64];
            p.data[i] = (char)values[k];
            read_guarded(strbuf_span(&p), user);
        }
        p.data[i] = good;
    }
    strbuf_fini(&p);
}

static void test_startup_strange_parameters_are_read_as_far_as_they_are_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t len;
        const char *user;
    } rows[] = {
        {"", 0, ""},
        {"\0", 1, ""},
        {"\0\0", 2, ""},
        {"\0\0\0\0\0\0", 6, ""},
        {"user", 4, ""},
        {"user\0", 5, ""},
        {"user\0bob", 8, ""},
        {"user\0bob\0", 9, "bob"},
        {"user\0bob\0\0", 10, "bob"},
        {"user\0\0\0", 7, ""},
        {"user\0bob\0user\0eve\0\0", 19, "eve"}, /* as the server: the last one counts */
        {"User\0bob\0\0", 10, ""},
        {"user \0bob\0\0", 11, ""},
        {"\0\0user\0bob\0\0", 12, "bob"},
        {"\0user\0bob\0\0", 11, ""}, /* out of step */
        {"user\0bob\0\0junk", 14, "bob"},
        {"a\0b\0user\0bob\0\0", 14, "bob"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf p = packet(0x30000, rows[i].body, rows[i].len);
        char user[64];
        read_guarded(strbuf_span(&p), user);
        assert_string_equal(user, rows[i].user);
        strbuf_fini(&p);
    }
}

static void test_startup_packet_without_parameters_has_none(void **state)
{
    (void)state;
    struct strbuf p = packet(0x30000, "", 0);
    for (size_t len = 0; len <= 8; len++) {
        char user[64];
        struct wire_startup info = read_guarded(span_head(strbuf_span(&p), len), user);
        assert_int_equal(info.version, len < 8 ? 0 : 0x30000);
        assert_int_equal(info.user.len + info.database.len + info.application.len, 0);
    }
    strbuf_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startup_length_takes_8_to_10004),
        cmocka_unit_test(test_startup_kind_is_by_code_and_length),
        cmocka_unit_test(test_startup_own_request_is_an_ssl_request),
        cmocka_unit_test(test_startup_parameters_are_read_of_any_version),
        cmocka_unit_test(test_startup_cut_at_every_byte_stays_in_bounds),
        cmocka_unit_test(test_startup_any_byte_spoilt_stays_in_bounds),
        cmocka_unit_test(test_startup_strange_parameters_are_read_as_far_as_they_are_in_order),
        cmocka_unit_test(test_startup_packet_without_parameters_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
