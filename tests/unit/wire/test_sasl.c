#include "cmocka_all.h"
#include "common/strbuf.h"
#include "guard.h"
#include "wire/sasl.h"

static void put_u32(struct strbuf *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_putc(out, (char)(value >> shift));
}

static struct strbuf begin(char type)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    strbuf_putc(&out, type);
    put_u32(&out, 0);
    return out;
}

static void end(struct strbuf *message)
{
    assert_false(message->failed);
    for (int i = 0; i < 4; i++)
        message->data[1 + i] = (char)((message->len - 1) >> (24 - 8 * i));
}

/* AuthenticationSASL of these mechanisms, separated by blanks. To be freed. */
static struct strbuf offer(const char *mechanisms)
{
    struct strbuf out = begin('R');
    put_u32(&out, WIRE_AUTHENTICATION_SASL);
    for (const char *at = mechanisms; *at != '\0'; at++)
        strbuf_putc(&out, *at == ' ' ? '\0' : *at);
    if (*mechanisms != '\0')
        strbuf_putc(&out, '\0');
    strbuf_putc(&out, '\0');
    end(&out);
    return out;
}

static struct strbuf reply(const char *mechanism, int32_t len, const char *response)
{
    struct strbuf out = begin('p');
    strbuf_add(&out, mechanism, strlen(mechanism) + 1);
    put_u32(&out, (uint32_t)len);
    strbuf_puts(&out, response);
    end(&out);
    return out;
}

/* In a copy that ends at a guard page and may be written. */
static size_t strip_guarded(struct strbuf *message)
{
    struct span copy = guard_copy(strbuf_span(message));
    uint8_t *writable = (uint8_t *)(uintptr_t)copy.data; /* NOLINT(performance-no-int-to-ptr) */
    size_t left = wire_sasl_strip_plus(writable, copy.len);
    assert_true(left <= copy.len);
    memcpy(message->data, copy.data, left);
    guard_free(copy);
    return left;
}

static void test_sasl_plus_is_stripped_where_something_else_is_left(void **state)
{
    (void)state;
    static const struct {
        const char *offered;
        const char *left;
    } rows[] = {
        {"SCRAM-SHA-256-PLUS SCRAM-SHA-256", "SCRAM-SHA-256"},
        {"SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"},
        {"SCRAM-SHA-256-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-256", "SCRAM-SHA-256"},
        {"A SCRAM-SHA-256-PLUS B SCRAM-SHA-256-PLUS C", "A B C"},
        {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS"},
        {"SCRAM-SHA-256-PLUS SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS SCRAM-SHA-256-PLUS"},
        {"SCRAM-SHA-256", "SCRAM-SHA-256"},
        {"scram-sha-256-plus A", "scram-sha-256-plus A"},
        {"SCRAM-SHA-256-PLUS2 A", "SCRAM-SHA-256-PLUS2 A"},
        {"SCRAM-SHA-256-PLU A", "SCRAM-SHA-256-PLU A"},
        {"OAUTHBEARER", "OAUTHBEARER"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf given = offer(rows[i].offered);
        struct strbuf want = offer(rows[i].left);
        size_t left = strip_guarded(&given);
        assert_int_equal(left, want.len);
        assert_memory_equal(given.data, want.data, want.len);
        strbuf_fini(&given);
        strbuf_fini(&want);
    }
}

/* A list without its end is no list: nothing is changed and nothing read past the message. */
static void test_sasl_offer_cut_at_every_byte_is_left_alone(void **state)
{
    (void)state;
    struct strbuf whole = offer("SCRAM-SHA-256-PLUS SCRAM-SHA-256");
    for (size_t len = 0; len < whole.len; len++) {
        struct strbuf cut;
        strbuf_init(&cut, 1 << 20);
        strbuf_add(&cut, whole.data, len);
        struct span copy = guard_copy(strbuf_span(&cut));
        assert_false(wire_sasl_offers_plus(copy));
        assert_int_equal(wire_authentication_code(copy), len < 9 ? -1 : WIRE_AUTHENTICATION_SASL);
        guard_free(copy);
        if (len > 0) {
            assert_int_equal(strip_guarded(&cut), len);
            assert_memory_equal(cut.data, whole.data, len);
        }
        strbuf_fini(&cut);
    }
    strbuf_fini(&whole);
}

static void test_sasl_offer_with_any_byte_spoilt_stays_in_bounds(void **state)
{
    (void)state;
    static const int values[] = {0, 1, 'S', 0x7f, 0x80, 0xff};
    struct strbuf whole = offer("SCRAM-SHA-256-PLUS SCRAM-SHA-256 X");
    for (size_t i = 0; i < whole.len; i++) {
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            struct strbuf bad;
            strbuf_init(&bad, 1 << 20);
            strbuf_add(&bad, whole.data, whole.len);
            bad.data[i] = (char)values[k];
            bool offered = wire_sasl_offers_plus(strbuf_span(&bad));
            size_t left = strip_guarded(&bad);
            assert_true(offered || left == whole.len);
            strbuf_fini(&bad);
        }
    }
    strbuf_fini(&whole);
}

static void test_sasl_bytes_behind_the_list_are_kept(void **state)
{
    (void)state;
    struct strbuf given = offer("SCRAM-SHA-256-PLUS A");
    struct strbuf want = offer("A");
    strbuf_puts(&given, "behind");
    strbuf_puts(&want, "behind");
    end(&given);
    end(&want);
    assert_int_equal(strip_guarded(&given), want.len);
    assert_memory_equal(given.data, want.data, want.len);
    strbuf_fini(&given);
    strbuf_fini(&want);
}

static void test_sasl_other_authentication_is_no_offer(void **state)
{
    (void)state;
    static const uint32_t codes[] = {0, 3, 5, 9, 11, 12, 0x0a000000, 0x8000000a, 0xffffffff};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct strbuf out = begin('R');
        put_u32(&out, codes[i]);
        strbuf_add(&out, "SCRAM-SHA-256-PLUS\0A\0", 22);
        end(&out);
        assert_int_equal(wire_authentication_code(strbuf_span(&out)), codes[i]);
        assert_false(wire_sasl_offers_plus(strbuf_span(&out)));
        assert_int_equal(strip_guarded(&out), out.len);
        strbuf_fini(&out);
    }
}

static enum wire_channel_binding binding_guarded(struct span message)
{
    struct span copy = guard_copy(message);
    enum wire_channel_binding binding = wire_sasl_binding(copy);
    guard_free(copy);
    return binding;
}

static void test_sasl_binding_is_told_by_the_gs2_header(void **state)
{
    (void)state;
    static const struct {
        const char *mechanism;
        int32_t len;
        const char *response;
        enum wire_channel_binding binding;
    } rows[] = {
        {"SCRAM-SHA-256", 10, "n,,n=,r=ab", WIRE_BINDING_NONE},
        {"SCRAM-SHA-256", 10, "y,,n=,r=ab", WIRE_BINDING_SUPPORTED},
        {"SCRAM-SHA-256", 10, "p=x,,r=abc", WIRE_BINDING_USED},
        {"SCRAM-SHA-256", 10, "Y,,n=,r=ab", WIRE_BINDING_NONE},
        {"SCRAM-SHA-256-PLUS", 10, "p=x,,r=abc", WIRE_BINDING_USED},
        {"SCRAM-SHA-256-PLUS", -1, "", WIRE_BINDING_USED},
        {"SCRAM-SHA-256", -1, "", WIRE_BINDING_NONE},
        {"SCRAM-SHA-256", 0, "y", WIRE_BINDING_NONE},
        {"SCRAM-SHA-256", 1, "y", WIRE_BINDING_SUPPORTED},
        {"SCRAM-SHA-256", 2, "y", WIRE_BINDING_NONE}, /* more than there is */
        {"SCRAM-SHA-256", INT32_MAX, "y", WIRE_BINDING_NONE},
        {"SCRAM-SHA-256", INT32_MIN, "y", WIRE_BINDING_NONE},
        {"OAUTHBEARER", 3, "y,,", WIRE_BINDING_NONE},
        {"", 3, "y,,", WIRE_BINDING_NONE},
        {"a password", 3, "p,,", WIRE_BINDING_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf m = reply(rows[i].mechanism, rows[i].len, rows[i].response);
        assert_int_equal(binding_guarded(strbuf_span(&m)), rows[i].binding);
        strbuf_fini(&m);
    }
}

static void test_sasl_reply_cut_at_every_byte_stays_in_bounds(void **state)
{
    (void)state;
    struct strbuf whole = reply("SCRAM-SHA-256", 10, "y,,n=,r=ab");
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(binding_guarded(span_head(strbuf_span(&whole), len)), WIRE_BINDING_NONE);
    strbuf_fini(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sasl_plus_is_stripped_where_something_else_is_left),
        cmocka_unit_test(test_sasl_offer_cut_at_every_byte_is_left_alone),
        cmocka_unit_test(test_sasl_offer_with_any_byte_spoilt_stays_in_bounds),
        cmocka_unit_test(test_sasl_bytes_behind_the_list_are_kept),
        cmocka_unit_test(test_sasl_other_authentication_is_no_offer),
        cmocka_unit_test(test_sasl_binding_is_told_by_the_gs2_header),
        cmocka_unit_test(test_sasl_reply_cut_at_every_byte_stays_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
