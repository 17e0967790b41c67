#include "malformed.h"

/* Bodies that lie: cut short, spoilt in each byte, with counts and lengths that do not fit, without
 * their terminators, with strings of 64 KB. Lengths and types are in test_malformed.c. */

enum { CASES_AT_LEAST = 1500, BIG = 64 * 1024, BODY_MAX = BIG + 256 };

/* Where a message is expected. */
static void (*const home_of[256][2])(struct script *) = {
    ['Q'] = {state_ready},
    ['P'] = {state_ready},
    ['B'] = {state_in_pipeline},
    ['F'] = {state_ready},
    ['X'] = {state_ready},
    ['f'] = {state_copy_in},
    ['p'] = {state_authenticating},

    ['R'] = {NULL, state_starting},
    ['v'] = {NULL, state_starting},
    ['K'] = {NULL, state_starting},
    ['Z'] = {NULL, state_starting},
    ['T'] = {NULL, state_query_sent},
    ['t'] = {NULL, state_describing},
    ['n'] = {NULL, state_describing},
    ['I'] = {NULL, state_query_sent},
    ['s'] = {NULL, state_executing},
    ['1'] = {NULL, state_parsing},
    ['2'] = {NULL, state_binding},
    ['3'] = {NULL, state_closing},
    ['N'] = {NULL, state_ready},
    ['A'] = {NULL, state_ready},
    ['G'] = {NULL, state_query_sent},
    ['W'] = {NULL, state_query_sent},
    ['V'] = {NULL, state_calling},
    /* letters of both sides */
    ['D'] = {state_in_pipeline, state_in_query},
    ['E'] = {state_in_pipeline, state_in_query},
    ['C'] = {state_in_pipeline, state_in_query},
    ['S'] = {state_in_pipeline, state_ready},
    ['H'] = {state_in_pipeline, state_query_sent},
    ['d'] = {state_copy_in, state_copy_out},
    ['c'] = {state_copy_in, state_copy_out},
};

static struct malformed_state home(const struct malformed_message *m)
{
    void (*build)(struct script *) = home_of[m->type][m->from == WIRE_FROM_SERVER];
    assert_non_null(build);
    return (struct malformed_state){.name = "home", .build = build};
}

#define label(...) snprintf(malformed.label, sizeof(malformed.label), __VA_ARGS__)

/* A body being written, in place of a script's step. */
static struct strbuf body;

static void body_begin(void)
{
    strbuf_fini(&body);
    strbuf_init(&body, BODY_MAX);
}

static void put_u16(unsigned value)
{
    strbuf_putc(&body, (char)(value >> 8));
    strbuf_putc(&body, (char)value);
}

static void put_u32(uint32_t value)
{
    put_u16(value >> 16);
    put_u16(value & 0xffff);
}

static void put_string(const char *text)
{
    strbuf_add(&body, text, strlen(text) + 1);
}

static void put_many(char c, size_t n)
{
    while (n-- > 0)
        strbuf_putc(&body, c);
}

static struct span body_bytes(void)
{
    assert_false(body.failed);
    return span_of(body.data, body.len);
}

static const struct malformed_message *message(enum wire_direction from, char type)
{
    const struct malformed_message *m = malformed_message(from, (uint8_t)type);
    assert_non_null(m);
    return m;
}

static struct malformed_result try_at(void (*state)(struct script *), enum wire_direction from,
                                      char type, struct span bytes)
{
    struct malformed_state at = {.name = "", .build = state};
    return malformed_body_case(&at, from, (uint8_t)type, bytes);
}

/* What body_begin and the puts made, where such a message is expected. */
static struct malformed_result try_body(enum wire_direction from, char type)
{
    struct malformed_state at = home(message(from, type));
    return malformed_body_case(&at, from, (uint8_t)type, body_bytes());
}

/* --- every message, spoilt by rule */

static void test_good_message_where_it_is_expected_is_understood(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        const struct malformed_message *m = &malformed_messages[i];
        struct script s;
        script_init(&s);
        home(m).build(&s);
        m->build(&s);
        label("good %s", m->name);
        enum wire_opaque_reason reason = malformed_case(&s).reason;
        assert_int_equal(reason, m->type == 'W' ? WIRE_OPAQUE_REPLICATION : WIRE_OPAQUE_NONE);
    }
}

/* Messages that are read to their last byte. */
static bool is_read_whole(const struct malformed_message *m)
{
    return strchr(m->from == WIRE_FROM_CLIENT ? "QPBDEC" : "TtSZEC", m->type) != NULL;
}

static void cut_at_every_byte(const struct malformed_message *m, struct span good)
{
    struct malformed_state at = home(m);
    for (size_t len = 0; len < good.len; len++) {
        label("%s cut to %zu of %zu bytes", m->name, len, good.len);
        enum wire_opaque_reason reason =
            malformed_body_case(&at, m->from, m->type, span_head(good, len)).reason;
        if (is_read_whole(m) && reason != WIRE_OPAQUE_BAD_BODY && reason != WIRE_OPAQUE_BAD_LENGTH)
            malformed_fail("reason %d", (int)reason);
        for (size_t state = 0; state < MALFORMED_STATES; state++)
            malformed_body_case(&malformed_states[state], m->from, m->type, span_head(good, len));
    }
}

static void test_message_cut_short_is_understood_or_opaque(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        struct script s;
        struct span good = malformed_good_body(&malformed_messages[i], &s);
        cut_at_every_byte(&malformed_messages[i], good);
        script_fini(&s);
    }
}

static void spoil_every_byte(const struct malformed_message *m, struct script *s)
{
    static const int values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct malformed_state at = home(m);
    for (size_t i = 5; i < s->bytes.len; i++) {
        char good = s->bytes.data[i];
        for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
            s->bytes.data[i] = (char)values[k];
            label("%s with byte %zu made %#x", m->name, i - 5, (unsigned)values[k]);
            malformed_body_case(&at, m->from, m->type,
                                span_skip(span_of(s->bytes.data, s->bytes.len), 5));
        }
        s->bytes.data[i] = good;
    }
}

static void test_message_with_any_byte_spoilt_is_understood_or_opaque(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        struct script s;
        malformed_good_body(&malformed_messages[i], &s);
        spoil_every_byte(&malformed_messages[i], &s);
        script_fini(&s);
    }
}

static void test_message_with_bytes_behind_its_end_is_understood_or_opaque(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {1, 2, 3, 4, 5, 100, 9000, BIG};
    for (size_t i = 0; i < MALFORMED_MESSAGES; i++) {
        const struct malformed_message *m = &malformed_messages[i];
        struct script s;
        struct span good = malformed_good_body(m, &s);
        for (size_t k = 0; k < 2 * sizeof(sizes) / sizeof(sizes[0]); k++) {
            body_begin();
            strbuf_add(&body, good.data, good.len);
            put_many(k % 2 == 0 ? '\0' : '\xff', sizes[k / 2]);
            label("%s with %zu bytes too many", m->name, sizes[k / 2]);
            try_body(m->from, (char)m->type);
        }
        script_fini(&s);
    }
}

/* --- ErrorResponse and NoticeResponse (CVE-2026-6666: one without SQLSTATE) */

static const char error_fields[] = "SVCMDHPpqWsctdnFLR";

static const char *field_value(char field)
{
    switch (field) {
    case 'S':
    case 'V':
        return "ERROR";
    case 'C':
        return "23505";
    case 'P':
    case 'p':
    case 'L':
        return "17";
    default:
        return "some text";
    }
}

enum spoil { DROP, REPEAT, EMPTY, LONG, ALONE, LAST_OPEN, SPOILS };

static void put_field(char field)
{
    strbuf_putc(&body, field);
    put_string(field_value(field));
}

/* All fields in order, one of them spoilt. False when the message has no end. */
static bool put_error(char victim, enum spoil how)
{
    body_begin();
    for (const char *field = error_fields; *field != '\0'; field++) {
        if (*field != victim) {
            if (how != ALONE)
                put_field(*field);
            continue;
        }
        if (how == DROP)
            continue;
        if (how == LAST_OPEN) {
            strbuf_putc(&body, victim);
            strbuf_puts(&body, field_value(victim));
            return false;
        }
        if (how == LONG || how == EMPTY) {
            strbuf_putc(&body, victim);
            put_many('y', how == LONG ? BIG : 0);
            strbuf_putc(&body, '\0');
        } else {
            put_field(victim);
        }
        if (how == REPEAT)
            put_field(victim);
    }
    strbuf_putc(&body, '\0');
    return true;
}

static void spoil_field(void (*state)(struct script *), size_t i, char field, enum spoil how)
{
    bool ends = put_error(field, how);
    label("error field %c spoilt in way %d, state %zu", field, (int)how, i);
    struct malformed_result r = try_at(state, WIRE_FROM_SERVER, 'E', body_bytes());
    if (!ends)
        assert_int_equal(r.reason, WIRE_OPAQUE_BAD_BODY);
    else if (r.reason == WIRE_OPAQUE_BAD_BODY)
        malformed_fail("opaque");
    label("notice field %c spoilt in way %d, state %zu", field, (int)how, i);
    try_at(state, WIRE_FROM_SERVER, 'N', body_bytes());
}

static void test_error_with_any_field_spoilt_is_understood(void **unused)
{
    (void)unused;
    static void (*const states[])(struct script *) = {
        state_starting, state_ready,   state_in_query, state_executing,
        state_parsing,  state_copy_in, state_copy_out, state_skipping,
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        for (const char *field = error_fields; *field != '\0'; field++) {
            for (int how = 0; how < SPOILS; how++) {
                if (how != LONG || i <= 2) /* they take their time, byte by byte */
                    spoil_field(states[i], i, *field, (enum spoil)how);
            }
        }
    }
}

/* The error of a Query, alone: what the exchange says of it. */
static struct malformed_result lone_error(void)
{
    struct script s;
    script_init(&s);
    state_query_sent(&s);
    script_begin(&s, WIRE_FROM_SERVER, 'E');
    strbuf_add(&s.bytes, body.data, body.len);
    script_end(&s);
    server_ready(&s, 'I');
    return malformed_case(&s);
}

static void test_error_without_sqlstate_is_an_error_all_the_same(void **unused)
{
    (void)unused;
    static const char *const states[] = {"", "2", "2350", "235055", "a state that is too long"};
    put_error('C', DROP);
    label("no SQLSTATE");
    struct malformed_result r = lone_error();
    assert_int_equal(r.reason, WIRE_OPAQUE_NONE);
    assert_int_equal(r.exchanges, 1);
    assert_memory_equal(r.sqlstate, "\0\0\0\0\0", 5);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        body_begin();
        strbuf_putc(&body, 'C');
        put_string(states[i]);
        strbuf_putc(&body, '\0');
        label("SQLSTATE '%s'", states[i]);
        r = lone_error();
        assert_int_equal(r.reason, WIRE_OPAQUE_NONE);
        assert_memory_equal(r.sqlstate, "\0\0\0\0\0", 5);
    }
}

static void test_error_without_any_field_is_an_error_all_the_same(void **unused)
{
    (void)unused;
    body_begin();
    strbuf_putc(&body, '\0');
    label("an error of nothing");
    struct malformed_result r = lone_error();
    assert_int_equal(r.reason, WIRE_OPAQUE_NONE);
    assert_int_equal(r.exchanges, 1);
}

/* --- strings of 64 KB (CVE-2026-6665), with and without their end */

struct stringed {
    enum wire_direction from;
    char type;
    const char *before; /* with `before_len` bytes */
    unsigned before_len;
    const char *after;
    unsigned after_len;
};

static const struct stringed stringed[] = {
    {WIRE_FROM_CLIENT, 'Q', "", 0, "", 0},
    {WIRE_FROM_CLIENT, 'Q', "SELECT '", 8, "'", 1},
    {WIRE_FROM_CLIENT, 'Q', "SELECT 1 /*route='", 18, "'*/", 3},
    {WIRE_FROM_CLIENT, 'P', "", 0, "SELECT 1\0\0\0", 11},
    {WIRE_FROM_CLIENT, 'P', "a\0", 2, "\0\0", 2},
    {WIRE_FROM_CLIENT, 'B', "", 0, "a\0\0\0\0\0\0\0", 8},
    {WIRE_FROM_CLIENT, 'B', "\0", 1, "\0\0\0\0\0\0", 6},
    {WIRE_FROM_CLIENT, 'B', "\0a\0\0\0\0\1\0\1\0\0", 11, "\0\0", 2},
    {WIRE_FROM_CLIENT, 'D', "S", 1, "", 0},
    {WIRE_FROM_CLIENT, 'D', "P", 1, "", 0},
    {WIRE_FROM_CLIENT, 'C', "S", 1, "", 0},
    {WIRE_FROM_CLIENT, 'E', "", 0, "\0\0\0\0", 4},
    {WIRE_FROM_CLIENT, 'F', "\0\0\0\1\0\0\0\1\0\1\0\0", 12, "\0\0", 2},
    {WIRE_FROM_CLIENT, 'd', "", 0, "", 0},
    {WIRE_FROM_CLIENT, 'f', "", 0, "", 0},
    {WIRE_FROM_CLIENT, 'p', "", 0, "", 0},
    {WIRE_FROM_CLIENT, 'p', "SCRAM-SHA-256\0\0\1\0\0n,,n=,r=", 26, "", 0},
    {WIRE_FROM_SERVER, 'R', "\0\0\0\12", 4, "\0", 1},
    {WIRE_FROM_SERVER, 'R', "\0\0\0\13r=", 6, ",s=c2FsdA==,i=4096", 18},
    {WIRE_FROM_SERVER, 'R', "\0\0\0\14v=", 6, "", 0},
    {WIRE_FROM_SERVER, 'R', "\0\0\0\3", 4, "", 0},
    {WIRE_FROM_SERVER, 'v', "\0\0\0\0\0\0\0\1", 8, "", 0},
    {WIRE_FROM_SERVER, 'S', "", 0, "on\0", 3},
    {WIRE_FROM_SERVER, 'S', "client_encoding\0", 16, "", 0},
    {WIRE_FROM_SERVER, 'T', "\0\1", 2, "\0\0\100\0\0\1\0\0\0\27\0\4\377\377\377\377\0\0", 18},
    {WIRE_FROM_SERVER, 'D', "\0\1\0\1\0\0", 6, "", 0},
    {WIRE_FROM_SERVER, 'C', "", 0, "", 0},
    {WIRE_FROM_SERVER, 'C', "SELECT ", 7, "", 0},
    {WIRE_FROM_SERVER, 'E', "M", 1, "\0", 1},
    {WIRE_FROM_SERVER, 'E', "C", 1, "\0", 1},
    {WIRE_FROM_SERVER, 'N', "M", 1, "\0", 1},
    {WIRE_FROM_SERVER, 'A', "\0\0\0\1", 4, "payload", 8},
    {WIRE_FROM_SERVER, 'A', "\0\0\0\1channel\0", 12, "", 0},
    {WIRE_FROM_SERVER, 'd', "", 0, "", 0},
    {WIRE_FROM_SERVER, 'V', "\0\1\0\0", 4, "", 0},
};

static void test_strings_of_64_kb_are_understood_or_opaque(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {512, 1024, 32768, BIG};
    for (size_t i = 0; i < sizeof(stringed) / sizeof(stringed[0]); i++) {
        for (size_t k = 0; k < 2 * sizeof(sizes) / sizeof(sizes[0]); k++) {
            const struct stringed *row = &stringed[i];
            bool ends = k % 2 == 0;
            body_begin();
            strbuf_add(&body, row->before, row->before_len);
            put_many('9', sizes[k / 2]);
            if (ends) {
                strbuf_putc(&body, '\0');
                strbuf_add(&body, row->after, row->after_len);
            }
            label("%c, row %zu: a string of %zu bytes, %s end", row->type, i, sizes[k / 2],
                  ends ? "with its" : "without");
            try_body(row->from, row->type);
        }
    }
}

/* --- counts and lengths that lie */

/* A body with one 16-bit count in it. */
struct counted {
    enum wire_direction from;
    char type;
    const char *before;
    unsigned before_len;
    unsigned truth;
    const char *after;
    unsigned after_len;
};

#define FIELD "id\0\0\0\100\0\0\1\0\0\0\27\0\4\377\377\377\377\0\0"

static const struct counted counted[] = {
    {WIRE_FROM_CLIENT, 'P', "a\0SELECT $1\0", 12, 1, "\0\0\0\27", 4},
    {WIRE_FROM_CLIENT, 'B', "\0a\0", 3, 1, "\0\1\0\1\0\0\0\1x\0\0", 11},
    {WIRE_FROM_CLIENT, 'B', "\0a\0\0\1\0\1", 7, 1, "\0\0\0\1x\0\0", 7},
    {WIRE_FROM_CLIENT, 'B', "\0a\0\0\0\0\0", 7, 2, "\0\0\0\1", 4},
    {WIRE_FROM_CLIENT, 'F', "\0\0\3\270", 4, 1, "\0\1\0\1\0\0\0\1x\0\0", 11},
    {WIRE_FROM_CLIENT, 'F', "\0\0\3\270\0\0", 6, 1, "\0\0\0\1x\0\0", 7},
    {WIRE_FROM_SERVER, 'T', "", 0, 1, FIELD, 21},
    {WIRE_FROM_SERVER, 'T', "", 0, 2, FIELD FIELD, 42},
    {WIRE_FROM_SERVER, 't', "", 0, 2, "\0\0\0\27\0\0\0\31", 8},
    {WIRE_FROM_SERVER, 'D', "", 0, 2, "\0\0\0\1x\377\377\377\377", 9},
    {WIRE_FROM_SERVER, 'D', "", 0, 1, "\0\0\0\0", 4},
    {WIRE_FROM_SERVER, 'G', "\0", 1, 2, "\0\0\0\0", 4},
    {WIRE_FROM_SERVER, 'H', "\1", 1, 2, "\0\1\0\1", 4},
    {WIRE_FROM_SERVER, 'W', "\0", 1, 1, "\0\0", 2},
    {WIRE_FROM_SERVER, 'v', "\0\0\0\0\0\0", 6, 1, "_pq_.x", 7},
};

static void test_counts_that_lie_are_understood_or_opaque(void **unused)
{
    (void)unused;
    static const unsigned lies[] = {0,    1,    2,      3,      15,     16,     17,     63,
                                    64,   65,   127,    128,    129,    255,    256,    1663,
                                    1664, 1665, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff};
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        const struct counted *row = &counted[i];
        const struct malformed_message *m = message(row->from, row->type);
        for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
            body_begin();
            strbuf_add(&body, row->before, row->before_len);
            put_u16(lies[k]);
            strbuf_add(&body, row->after, row->after_len);
            label("%s, row %zu: count %u, not %u", m->name, i, lies[k], row->truth);
            enum wire_opaque_reason reason = try_body(row->from, row->type).reason;
            if (is_read_whole(m) && lies[k] > row->truth)
                assert_int_equal(reason, WIRE_OPAQUE_BAD_BODY);
            for (size_t state = 0; state < MALFORMED_STATES; state++)
                malformed_body_case(&malformed_states[state], row->from, (uint8_t)row->type,
                                    body_bytes());
        }
    }
}

/* The same with as many items as the count says. */
static void test_counts_at_their_edges_that_are_true_are_understood(void **unused)
{
    (void)unused;
    static const unsigned counts[] = {0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 1664, 16000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        body_begin();
        put_u16(counts[i]);
        for (unsigned n = 0; n < counts[i]; n++)
            put_u32(UINT32_MAX);
        label("a row of %u NULLs", counts[i]);
        assert_int_not_equal(try_body(WIRE_FROM_SERVER, 'D').reason, WIRE_OPAQUE_BAD_BODY);
        label("%u parameters described", counts[i]);
        assert_int_not_equal(try_body(WIRE_FROM_SERVER, 't').reason, WIRE_OPAQUE_BAD_BODY);
        body_begin();
        put_u16(counts[i] / 8);
        for (unsigned n = 0; n < counts[i] / 8; n++)
            strbuf_add(&body, FIELD, 21);
        label("%u columns", counts[i] / 8);
        assert_int_not_equal(try_body(WIRE_FROM_SERVER, 'T').reason, WIRE_OPAQUE_BAD_BODY);
        body_begin();
        strbuf_add(&body, "\0a\0\0\0", 5);
        put_u16(counts[i]);
        for (unsigned n = 0; n < counts[i]; n++)
            put_u32(UINT32_MAX);
        put_u16(0);
        label("%u parameters bound", counts[i]);
        assert_int_not_equal(try_body(WIRE_FROM_CLIENT, 'B').reason, WIRE_OPAQUE_BAD_BODY);
    }
}

static void test_lengths_of_values_that_lie_are_understood_or_opaque(void **unused)
{
    (void)unused;
    static const uint32_t lies[] = {0,          1,          2,          3,          4,
                                    5,          6,          7,          8,          255,
                                    0xffff,     0x10000,    0x3fffffff, 0x7ffffffe, 0x7fffffff,
                                    0x80000000, 0x80000001, 0xfffffffd, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        for (unsigned at = 0; at < 3; at++) {
            body_begin();
            put_u16(3);
            for (unsigned n = 0; n < 3; n++) {
                put_u32(n == at ? lies[i] : 2);
                put_u16(0x3431);
            }
            label("a row whose column %u has length %#x", at, (unsigned)lies[i]);
            try_body(WIRE_FROM_SERVER, 'D');
            body_begin();
            strbuf_add(&body, "\0a\0\0\1\0\1\0\3", 9);
            for (unsigned n = 0; n < 3; n++) {
                put_u32(n == at ? lies[i] : 2);
                put_u16(0x3431);
            }
            put_u16(0);
            label("a Bind whose parameter %u has length %#x", at, (unsigned)lies[i]);
            enum wire_opaque_reason reason = try_body(WIRE_FROM_CLIENT, 'B').reason;
            if (lies[i] > 64 && lies[i] != UINT32_MAX)
                assert_int_equal(reason, WIRE_OPAQUE_BAD_BODY);
        }
    }
}

/* Nothing behind the length but the rest in order: only the length itself is wrong. */
static void test_lengths_below_minus_one_are_opaque(void **unused)
{
    (void)unused;
    static const uint32_t lies[] = {0x80000000, 0x80000001, 0xfffffffd, 0xfffffffe};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        for (unsigned n = 1; n <= 20; n++) {
            body_begin();
            strbuf_add(&body, "\0a\0\0\0", 5);
            put_u16(n);
            for (unsigned k = 1; k < n; k++)
                put_u32(UINT32_MAX);
            put_u32(lies[i]);
            put_u16(0);
            label("a Bind whose parameter %u has length %#x and no bytes", n, (unsigned)lies[i]);
            assert_int_equal(try_body(WIRE_FROM_CLIENT, 'B').reason, WIRE_OPAQUE_BAD_BODY);
        }
    }
}

/* --- single messages */

static void test_command_tags_of_any_number_are_understood(void **unused)
{
    (void)unused;
    static const struct {
        const char *tag;
        uint64_t rows;
    } tags[] = {
        {"SELECT 0", 0},
        {"SELECT 18446744073709551615", 0}, /* 20 digits: not believed */
        {"SELECT 9999999999999999999", UINT64_C(9999999999999999999)},
        {"SELECT 99999999999999999999999999999999", 0},
        {"SELECT -1", 0},
        {"SELECT +1", 0},
        {"SELECT 1.5", 0},
        {"SELECT 1e9", 0},
        {"SELECT 0x10", 0},
        {"SELECT ", 0},
        {"SELECT  7", 7},
        {"INSERT 0", 0},
        {"INSERT 0 ", 0},
        {"INSERT 4294967295 3", 3},
        {"INSERT 0 0000000000000000005", 5},
        {"", 0},
        {" ", 0},
        {"7", 0},
        {" 7", 7},
        {"\xff\xfe", 0},
        {"DEALLOCATE ALL", 0},
        {"DISCARD ALL", 0},
        {"COPY 12 rows", 0},
    };
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        struct script s;
        script_init(&s);
        state_query_sent(&s);
        server_complete(&s, tags[i].tag);
        server_ready(&s, 'I');
        label("tag '%s'", tags[i].tag);
        struct malformed_result r = malformed_case(&s);
        assert_int_equal(r.reason, WIRE_OPAQUE_NONE);
        assert_int_equal(r.exchanges, 1);
        assert_true(r.affected == tags[i].rows);
        body_begin();
        strbuf_puts(&body, tags[i].tag);
        label("tag '%s' without its end", tags[i].tag);
        r = try_body(WIRE_FROM_SERVER, 'C');
        assert_int_equal(r.reason,
                         tags[i].tag[0] == '\0' ? WIRE_OPAQUE_BAD_LENGTH : WIRE_OPAQUE_BAD_BODY);
    }
}

static void test_parameter_status_in_any_form_is_understood_or_opaque(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        unsigned len;
        enum wire_opaque_reason reason;
    } forms[] = {
        {"client_encoding\0UTF8\0", 21, WIRE_OPAQUE_NONE},
        {"client_encoding\0UTF8", 20, WIRE_OPAQUE_BAD_BODY},
        {"client_encoding\0", 16, WIRE_OPAQUE_BAD_BODY},
        {"client_encoding", 15, WIRE_OPAQUE_BAD_BODY},
        {"client_encoding\0\0", 17, WIRE_OPAQUE_NONE},
        {"client_encoding\0SJIS\0", 21, WIRE_OPAQUE_CLIENT_ENCODING},
        {"client_encoding\0SJIS", 20, WIRE_OPAQUE_BAD_BODY},
        {"client_encoding\0sjis\0", 21, WIRE_OPAQUE_NONE},
        {"standard_conforming_strings\0\0", 29, WIRE_OPAQUE_NONE},
        {"standard_conforming_strings\0", 28, WIRE_OPAQUE_BAD_BODY},
        {"standard_conforming_strings\0off\0on\0", 35, WIRE_OPAQUE_NONE},
        {"\0\0", 2, WIRE_OPAQUE_NONE},
        {"\0", 1, WIRE_OPAQUE_BAD_LENGTH},
        {"", 0, WIRE_OPAQUE_BAD_LENGTH},
        {"ab", 2, WIRE_OPAQUE_BAD_BODY},
        {"\0value\0", 7, WIRE_OPAQUE_NONE},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct script s;
        script_init(&s);
        state_ready(&s);
        script_begin(&s, WIRE_FROM_SERVER, 'S');
        strbuf_add(&s.bytes, forms[i].bytes, forms[i].len);
        script_end(&s);
        label("form %zu", i);
        assert_int_equal(malformed_case(&s).reason, forms[i].reason);
    }
}

static void test_cancel_keys_of_0_to_256_bytes_are_understood(void **unused)
{
    (void)unused;
    for (unsigned len = 0; len <= 264; len++) {
        struct script s;
        script_init(&s);
        script_begin(&s, WIRE_FROM_SERVER, 'K');
        for (unsigned i = 0; i < len; i++)
            script_u8(&s, 0xff - i % 256);
        script_end(&s);
        server_ready(&s, 'I');
        label("cancel key of %u bytes, process id included", len);
        bool good = len >= 4 && len <= 4 + 256;
        assert_int_equal(malformed_case(&s).reason,
                         good ? WIRE_OPAQUE_NONE : WIRE_OPAQUE_BAD_LENGTH);
    }
}

static void test_bytes_that_choose_are_understood_or_opaque(void **unused)
{
    (void)unused;
    for (unsigned value = 0; value < 256; value++) {
        char two[] = {(char)value, '\0'};
        struct span one = span_of(two, 1);
        label("ReadyForQuery %#x", value);
        bool known = value == 'I' || value == 'T' || value == 'E';
        for (int started = 0; started < 2; started++) {
            struct script s;
            script_init(&s);
            if (started)
                state_ready(&s);
            if (started)
                client_sync(&s);
            script_raw(&s, WIRE_FROM_SERVER, "Z\0\0\0\5", 5);
            script_raw(&s, WIRE_FROM_SERVER, one.data, one.len);
            assert_int_equal(malformed_case(&s).reason,
                             known ? WIRE_OPAQUE_NONE : WIRE_OPAQUE_BAD_BODY);
        }
        bool target = value == 'S' || value == 'P';
        label("Describe and Close of %#x", value);
        for (const char *type = "DC"; *type != '\0'; type++) {
            enum wire_opaque_reason reason =
                try_at(state_in_pipeline, WIRE_FROM_CLIENT, *type, span_of(two, 2)).reason;
            assert_int_equal(reason == WIRE_OPAQUE_BAD_BODY, !target);
        }
        label("CopyInResponse of format %#x", value);
        body_begin();
        strbuf_putc(&body, (char)value);
        put_u16(0);
        try_body(WIRE_FROM_SERVER, 'G');
    }
}

static void test_authentication_of_any_code_is_understood(void **unused)
{
    (void)unused;
    static const uint32_t codes[] = {0,  1,  2,  3,  5,   7,          8,          9,
                                     10, 11, 12, 13, 255, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        for (size_t tail = 0; tail < 20; tail++) {
            body_begin();
            put_u32(codes[i]);
            put_many('s', tail);
            label("authentication %#x with %zu bytes", (unsigned)codes[i], tail);
            assert_int_not_equal(try_at(state_starting, WIRE_FROM_SERVER, 'R', body_bytes()).reason,
                                 WIRE_OPAQUE_BAD_BODY);
        }
    }
}

static void test_malformed_inputs_are_many(void **unused)
{
    (void)unused;
    assert_true(malformed.cases >= CASES_AT_LEAST);
    strbuf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_message_where_it_is_expected_is_understood),
        cmocka_unit_test(test_message_cut_short_is_understood_or_opaque),
        cmocka_unit_test(test_message_with_any_byte_spoilt_is_understood_or_opaque),
        cmocka_unit_test(test_message_with_bytes_behind_its_end_is_understood_or_opaque),
        cmocka_unit_test(test_error_with_any_field_spoilt_is_understood),
        cmocka_unit_test(test_error_without_sqlstate_is_an_error_all_the_same),
        cmocka_unit_test(test_error_without_any_field_is_an_error_all_the_same),
        cmocka_unit_test(test_strings_of_64_kb_are_understood_or_opaque),
        cmocka_unit_test(test_counts_that_lie_are_understood_or_opaque),
        cmocka_unit_test(test_counts_at_their_edges_that_are_true_are_understood),
        cmocka_unit_test(test_lengths_of_values_that_lie_are_understood_or_opaque),
        cmocka_unit_test(test_lengths_below_minus_one_are_opaque),
        cmocka_unit_test(test_command_tags_of_any_number_are_understood),
        cmocka_unit_test(test_parameter_status_in_any_form_is_understood_or_opaque),
        cmocka_unit_test(test_cancel_keys_of_0_to_256_bytes_are_understood),
        cmocka_unit_test(test_bytes_that_choose_are_understood_or_opaque),
        cmocka_unit_test(test_authentication_of_any_code_is_understood),
        cmocka_unit_test(test_malformed_inputs_are_many),
    };
    return cmocka_run_group_tests(tests, NULL, malformed_finish);
}
