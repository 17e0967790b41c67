#include "malformed.h"

/* Every length at its edges and every type, from either side, in every state of a conversation
 * (CVE-2026-6664 of another proxy: arithmetic on a length before it was checked). */

enum { CASES_AT_LEAST = 1500, PADDING = 48 };

static const char *side(enum wire_direction from)
{
    return from == WIRE_FROM_CLIENT ? "client" : "server";
}

/* The length words to try for a message whose body has between min and max bytes. */
static unsigned edges(const struct malformed_message *m, uint32_t out[32])
{
    static const uint32_t always[] = {0,          1,          2,          3,          4,
                                      5,          6,          7,          8,          0x7ffffffe,
                                      0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    const uint32_t limits[] = {m->min + 3, m->min + 4, m->min + 5,
                               m->max + 3, m->max + 4, m->max + 5};
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        out[n++] = always[i];
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        bool seen = false;
        for (unsigned k = 0; k < n; k++)
            seen = seen || out[k] == limits[i];
        if (!seen)
            out[n++] = limits[i];
    }
    return n;
}

/* As much of a good body as the length announces, then zeros, but never more than a few bytes. */
static struct span body_for(struct span good, uint32_t len, uint8_t out[PADDING])
{
    size_t want = len < 4 ? 0 : len - 4;
    memset(out, 0, PADDING);
    struct span kept = span_head(good, PADDING);
    memcpy(out, kept.data, kept.len);
    return span_of(out, want < PADDING ? want : PADDING);
}

static void try_length(const struct malformed_state *state, const struct malformed_message *m,
                       struct span good, uint32_t len)
{
    uint8_t bytes[PADDING];
    snprintf(malformed.label, sizeof(malformed.label), "%s: %s %s of length %#x", state->name,
             side(m->from), m->name, (unsigned)len);
    struct malformed_result r =
        malformed_message_case(state, m->from, m->type, len, body_for(good, len, bytes));
    bool in_bounds = len >= 4 && len - 4 >= m->min && len - 4 <= m->max;
    if (malformed_is_opaque(state))
        assert_int_equal(r.reason, WIRE_OPAQUE_REPLICATION);
    else if (!in_bounds && r.reason != WIRE_OPAQUE_BAD_LENGTH)
        malformed_fail("reason %d, not that of a bad length", (int)r.reason);
    else if (in_bounds && len > 0x10000 &&
             (r.reason == WIRE_OPAQUE_BAD_LENGTH || r.reason == WIRE_OPAQUE_UNKNOWN_MESSAGE))
        malformed_fail("reason %d, though what follows belongs to its body", (int)r.reason);
}

static void test_tap_any_length_in_any_state_is_understood_or_opaque(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        struct script s;
        struct span good = malformed_good_body(&malformed_messages[i], &s);
        uint32_t lengths[32];
        unsigned n = edges(&malformed_messages[i], lengths);
        for (size_t state = 0; state < MALFORMED_STATES; state++) {
            for (unsigned k = 0; k < n; k++)
                try_length(&malformed_states[state], &malformed_messages[i], good, lengths[k]);
        }
        script_fini(&s);
    }
}

/* A length is refused before its body comes: nothing is waited for, nothing is kept. */
static void test_tap_length_out_of_bounds_is_refused_at_its_fifth_byte(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        const struct malformed_message *m = &malformed_messages[i];
        struct script s;
        script_init(&s);
        state_ready(&s);
        script_open(&s, m->from);
        script_u8(&s, m->type);
        script_u32(&s, m->max + 5);
        script_close(&s);
        snprintf(malformed.label, sizeof(malformed.label), "%s, header alone", m->name);
        assert_int_equal(malformed_case(&s).reason, WIRE_OPAQUE_BAD_LENGTH);
    }
}

static void try_type(const struct malformed_state *state, enum wire_direction from, uint8_t type)
{
    static const struct malformed_message none = {.name = "no such message"};
    const struct malformed_message *m = malformed_message(from, type);
    struct script s;
    struct span body = span_of("12345678", 8);
    if (m != NULL)
        body = malformed_good_body(m, &s);
    snprintf(malformed.label, sizeof(malformed.label), "%s: %s type %#x, %s", state->name,
             side(from), type, m != NULL ? m->name : none.name);
    struct malformed_result r = malformed_body_case(state, from, type, body);
    if (malformed_is_opaque(state))
        assert_int_equal(r.reason, WIRE_OPAQUE_REPLICATION);
    else if ((m == NULL) != (r.reason == WIRE_OPAQUE_UNKNOWN_MESSAGE))
        malformed_fail("reason %d", (int)r.reason);
    if (m != NULL)
        script_fini(&s);
}

static void test_tap_any_type_in_any_state_is_understood_or_opaque(void **unused)
{
    (void)unused;
    for (size_t state = 0; state < MALFORMED_STATES; state++) {
        for (unsigned type = 0; type < 256; type++) {
            try_type(&malformed_states[state], WIRE_FROM_CLIENT, (uint8_t)type);
            try_type(&malformed_states[state], WIRE_FROM_SERVER, (uint8_t)type);
        }
    }
}

/* Text of other protocols. */
static void test_tap_other_protocols_are_opaque(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "EHLO localhost\r\n",
        "\x16\x03\x01\x02\x01\x01",
        "\x15\x03\x03 is a TLS alert",
        "{\"hello\": \"world\"}",
    };
    for (size_t state = 0; state < MALFORMED_STATES; state++) {
        for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
            struct script s;
            script_init(&s);
            malformed_states[state].build(&s);
            script_raw(&s, i % 2 == 0 ? WIRE_FROM_CLIENT : WIRE_FROM_SERVER, texts[i / 2],
                       strlen(texts[i / 2]));
            malformed_go_on(&s);
            snprintf(malformed.label, sizeof(malformed.label), "%s: text %zu",
                     malformed_states[state].name, i / 2);
            assert_int_not_equal(malformed_case(&s).reason, WIRE_OPAQUE_NONE);
        }
    }
}

static void test_malformed_inputs_are_many(void **unused)
{
    (void)unused;
    assert_true(malformed.cases >= CASES_AT_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap_any_length_in_any_state_is_understood_or_opaque),
        cmocka_unit_test(test_tap_length_out_of_bounds_is_refused_at_its_fifth_byte),
        cmocka_unit_test(test_tap_any_type_in_any_state_is_understood_or_opaque),
        cmocka_unit_test(test_tap_other_protocols_are_opaque),
        cmocka_unit_test(test_malformed_inputs_are_many),
    };
    return cmocka_run_group_tests(tests, NULL, malformed_finish);
}
