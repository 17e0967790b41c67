#include "wire/values.h"

#include "common/hash.h"

#include <limits.h>

/* One seed a kind, so that no text can be made that hashes like the integer 8 bytes of it would be.
 */
enum value_kind { KIND_BYTES = 1, KIND_INTEGER, KIND_DECIMAL, KIND_UUID, KIND_NULL, KIND_PAIR };

enum { UUID_BYTES = 16, UUID_TEXT = 36, INT64_DIGITS = 19, NUMERIC_BASE_DIGITS = 4 };
/* A binary numeric of WIRE_VALUE_MAX bytes has at most 28 digits of base 10000. */
enum { MAX_DIGITS = 2 * WIRE_VALUE_MAX };

/* digits * 10^exponent, without leading or trailing zeros: one form for each number. */
struct decimal {
    bool negative;
    int exponent;
    size_t n_digits;
    char digits[MAX_DIGITS];
};

static uint64_t hash_bytes(enum value_kind kind, const void *data, size_t len)
{
    uint64_t h = XXH3_64bits_withSeed(data, len, (XXH64_hash_t)kind);
    return h != 0 ? h : 1;
}

static uint64_t hash_integer(int64_t value)
{
    return hash_bytes(KIND_INTEGER, &value, sizeof(value));
}

uint64_t wire_value_hash_null(void)
{
    return hash_bytes(KIND_NULL, "", 0);
}

uint64_t wire_hash_combine(uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {a, b};
    return hash_bytes(KIND_PAIR, pair, sizeof(pair));
}

bool wire_type_is_key_like(uint32_t type_oid)
{
    switch (type_oid) {
    case WIRE_OID_INT8:
    case WIRE_OID_INT2:
    case WIRE_OID_INT4:
    case WIRE_OID_OID:
    case WIRE_OID_NUMERIC:
    case WIRE_OID_UUID:
    case WIRE_OID_TEXT:
    case WIRE_OID_VARCHAR:
    case WIRE_OID_BPCHAR:
        return true;
    default:
        return false;
    }
}

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') <= 9;
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void strip_zeros(struct decimal *d)
{
    size_t lead = 0;
    while (lead < d->n_digits && d->digits[lead] == '0')
        lead++;
    memmove(d->digits, d->digits + lead, d->n_digits - lead);
    d->n_digits -= lead;
    while (d->n_digits > 0 && d->digits[d->n_digits - 1] == '0') {
        d->n_digits--;
        d->exponent++;
    }
    if (d->n_digits == 0)
        *d = (struct decimal){.negative = false};
}

/* False when it has a fraction or is beyond int64. `d` is stripped. */
static bool decimal_integer(const struct decimal *d, int64_t *out)
{
    if (d->exponent < 0 || d->exponent > INT64_DIGITS ||
        d->n_digits + (size_t)d->exponent > INT64_DIGITS)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < d->n_digits + (size_t)d->exponent; i++)
        value = value * 10 + (i < d->n_digits ? (uint64_t)(d->digits[i] - '0') : 0);
    uint64_t limit = (uint64_t)INT64_MAX + (d->negative ? 1 : 0);
    if (value > limit)
        return false;
    *out = d->negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static uint64_t hash_decimal(struct decimal *d)
{
    strip_zeros(d);
    int64_t integer;
    if (decimal_integer(d, &integer))
        return hash_integer(integer);
    uint8_t form[1 + sizeof(int32_t) + MAX_DIGITS];
    int32_t exponent = d->exponent;
    form[0] = d->negative ? '-' : '+';
    memcpy(form + 1, &exponent, sizeof(exponent));
    memcpy(form + 1 + sizeof(exponent), d->digits, d->n_digits);
    return hash_bytes(KIND_DECIMAL, form, 1 + sizeof(exponent) + d->n_digits);
}

/* Exponent part from 'e' on; false unless it is the whole rest and of a sensible size. */
static bool read_exponent(struct span text, size_t at, int *exponent)
{
    if (at < text.len && (text.data[at] | 0x20) == 'e')
        at++;
    else
        return at == text.len;
    bool negative = at < text.len && text.data[at] == '-';
    if (at < text.len && (text.data[at] == '-' || text.data[at] == '+'))
        at++;
    size_t first = at;
    int value = 0;
    for (; at < text.len && is_digit(text.data[at]) && value < 100000; at++)
        value = value * 10 + (text.data[at] - '0');
    *exponent += negative ? -value : value;
    return at == text.len && at > first;
}

static bool read_decimal(struct span text, struct decimal *d)
{
    *d = (struct decimal){.negative = text.len > 0 && text.data[0] == '-'};
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    bool fraction = false;
    for (; at < text.len; at++) {
        uint8_t c = text.data[at];
        if (c == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (!is_digit(c))
            break;
        d->digits[d->n_digits++] = (char)c;
        d->exponent -= fraction ? 1 : 0;
    }
    return d->n_digits > 0 && read_exponent(text, at, &d->exponent);
}

/* The common case, an optional sign and at most 18 digits, cannot overflow. */
static bool read_short_integer(struct span text, int64_t *out)
{
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    if (at == text.len || text.len - at >= INT64_DIGITS)
        return false;
    int64_t value = 0;
    bool negative = text.data[0] == '-';
    for (; at < text.len; at++) {
        if (!is_digit(text.data[at]))
            return false;
        value = value * 10 + (text.data[at] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

/* 32 hexadecimal digits; hyphens may stand after each group of four, as the server accepts them. */
static bool read_uuid(struct span text, uint8_t out[UUID_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '-' && n > 0 && n % 4 == 0 && text.data[i - 1] != '-')
            continue;
        int digit = hex_digit(text.data[i]);
        if (digit < 0 || n == 2 * (size_t)UUID_BYTES)
            return false;
        if (n % 2 == 0)
            out[n / 2] = (uint8_t)(digit << 4);
        else
            out[n / 2] |= (uint8_t)digit;
        n++;
    }
    return n == 2 * (size_t)UUID_BYTES;
}

/* A literal has no type, so even a column of text is read by its look: '007' in the SQL may be
 * compared to either, and has to find both. */
static uint64_t hash_by_look(struct span text)
{
    int64_t integer;
    struct decimal d;
    uint8_t uuid[UUID_BYTES];
    if (text.len == 0 || text.len > WIRE_VALUE_MAX)
        return hash_bytes(KIND_BYTES, text.data, text.len);
    if (read_short_integer(text, &integer))
        return hash_integer(integer);
    if (text.len == UUID_TEXT && text.data[8] == '-' && text.data[13] == '-' &&
        read_uuid(text, uuid))
        return hash_bytes(KIND_UUID, uuid, sizeof(uuid));
    uint8_t c = text.data[0];
    if ((is_digit(c) || c == '-' || c == '+' || c == '.') && read_decimal(text, &d))
        return hash_decimal(&d);
    return hash_bytes(KIND_BYTES, text.data, text.len);
}

static uint64_t hash_bool_text(struct span text)
{
    static const char *const yes[] = {"t", "true", "y", "yes", "on", "1"};
    static const char *const no[] = {"f", "false", "n", "no", "off", "0"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (span_is(text, yes[i]))
            return hash_bytes(KIND_BYTES, "t", 1);
        if (span_is(text, no[i]))
            return hash_bytes(KIND_BYTES, "f", 1);
    }
    return hash_bytes(KIND_BYTES, text.data, text.len);
}

static uint64_t hash_text(uint32_t type_oid, struct span value)
{
    uint8_t uuid[UUID_BYTES];
    switch (type_oid) {
    case WIRE_OID_BOOL:
        return hash_bool_text(value);
    case WIRE_OID_UUID:
        if (value.len <= WIRE_VALUE_MAX && read_uuid(value, uuid))
            return hash_bytes(KIND_UUID, uuid, sizeof(uuid));
        return hash_by_look(value);
    case WIRE_OID_BPCHAR: /* the server pads it, the application does not */
        while (value.len > 0 && value.data[value.len - 1] == ' ')
            value.len--;
        return hash_by_look(value);
    default:
        return hash_by_look(value);
    }
}

static uint64_t big_endian(struct span value)
{
    uint64_t out = 0;
    for (size_t i = 0; i < value.len; i++)
        out = (out << 8) | value.data[i];
    return out;
}

/* `value` has 2, 4 or 8 bytes. */
static uint64_t hash_binary_integer(struct span value)
{
    uint64_t bits = big_endian(value);
    if (value.len == 2)
        return hash_integer((int16_t)bits);
    if (value.len == 4)
        return hash_integer((int32_t)bits);
    return hash_integer((int64_t)bits);
}

/* numeric_send: int16 number of digits, weight, sign, display scale, then digits of base 10000. */
static bool read_binary_numeric(struct span value, struct decimal *d)
{
    if (value.len < 8 || value.len > WIRE_VALUE_MAX || value.len % 2 != 0)
        return false;
    size_t n = (size_t)big_endian(span_of(value.data, 2));
    int weight = (int16_t)big_endian(span_of(value.data + 2, 2));
    unsigned sign = (unsigned)big_endian(span_of(value.data + 4, 2));
    if (n != (value.len - 8) / 2 || (sign != 0 && sign != 0x4000))
        return false;
    *d = (struct decimal){.negative = sign != 0};
    d->exponent = NUMERIC_BASE_DIGITS * (weight - (int)n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned group = (unsigned)big_endian(span_of(value.data + 8 + 2 * i, 2));
        if (group > 9999)
            return false;
        for (unsigned unit = 1000; unit > 0; unit /= 10)
            d->digits[d->n_digits++] = (char)('0' + group / unit % 10);
    }
    return true;
}

/* A numeric that is no number has a sign word of its own; its text form is a word. */
static uint64_t hash_special_numeric(struct span value)
{
    unsigned sign = value.len >= 8 ? (unsigned)big_endian(span_of(value.data + 4, 2)) : 0;
    if (sign == 0xC000)
        return hash_bytes(KIND_BYTES, "NaN", 3);
    if (sign == 0xD000)
        return hash_bytes(KIND_BYTES, "Infinity", 8);
    if (sign == 0xF000)
        return hash_bytes(KIND_BYTES, "-Infinity", 9);
    return hash_bytes(KIND_BYTES, value.data, value.len);
}

static uint64_t hash_untyped_binary(struct span value)
{
    if (value.len == 2 || value.len == 4 || value.len == 8)
        return hash_binary_integer(value);
    return hash_bytes(value.len == UUID_BYTES ? KIND_UUID : KIND_BYTES, value.data, value.len);
}

static uint64_t hash_binary(uint32_t type_oid, struct span value)
{
    struct decimal d;
    switch (type_oid) {
    case 0:
        return hash_untyped_binary(value);
    case WIRE_OID_BOOL:
        return hash_bytes(KIND_BYTES, value.len == 1 && value.data[0] == 0 ? "f" : "t", 1);
    case WIRE_OID_INT2:
    case WIRE_OID_INT4:
    case WIRE_OID_INT8:
        if (value.len == 2 || value.len == 4 || value.len == 8)
            return hash_binary_integer(value);
        break;
    case WIRE_OID_OID:
        if (value.len == 4)
            return hash_integer((int64_t)big_endian(value));
        break;
    case WIRE_OID_NUMERIC:
        return read_binary_numeric(value, &d) ? hash_decimal(&d) : hash_special_numeric(value);
    case WIRE_OID_UUID:
        return hash_bytes(value.len == UUID_BYTES ? KIND_UUID : KIND_BYTES, value.data, value.len);
    case WIRE_OID_TEXT:
    case WIRE_OID_VARCHAR:
    case WIRE_OID_BPCHAR: /* the bytes are the same in both formats */
        return hash_text(type_oid, value);
    default:
        break;
    }
    return hash_bytes(KIND_BYTES, value.data, value.len);
}

uint64_t wire_value_hash(uint32_t type_oid, int format, struct span value)
{
    return format == 0 ? hash_text(type_oid, value) : hash_binary(type_oid, value);
}

/* 0x1F, 0o17, 0b101, with underscores already taken out. */
static bool read_prefixed_integer(struct span text, int64_t *out)
{
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    if (text.len - at < 3 || text.data[at] != '0')
        return false;
    int mark = text.data[at + 1] | 0x20;
    int base = mark == 'x' ? 16 : (mark == 'o' ? 8 : (mark == 'b' ? 2 : 0));
    uint64_t value = 0;
    for (size_t i = at + 2; i < text.len; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0 || digit >= base || value > ((uint64_t)INT64_MAX - 15) / 16)
            return false;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    *out = text.data[0] == '-' ? -(int64_t)value : (int64_t)value;
    return true;
}

uint64_t wire_value_hash_text(struct span text)
{
    int64_t integer;
    if (read_short_integer(text, &integer))
        return hash_integer(integer);
    if (text.len > WIRE_VALUE_MAX)
        return hash_bytes(KIND_BYTES, text.data, text.len);
    uint8_t plain[WIRE_VALUE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '_')
            plain[n++] = text.data[i];
    struct span spelled = span_of(plain, n);
    if (read_prefixed_integer(spelled, &integer))
        return hash_integer(integer);
    return hash_by_look(spelled);
}

bool wire_value_count(int format, struct span value, uint64_t *out)
{
    uint64_t n = 0;
    if (format == 1) {
        if (value.len != 2 && value.len != 4 && value.len != 8)
            return false;
        for (size_t i = 0; i < value.len; i++)
            n = n << 8 | value.data[i];
        *out = n;
        return (value.data[0] & 0x80) == 0;
    }
    if (value.len == 0 || value.len >= INT64_DIGITS)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.data[i]))
            return false;
        n = n * 10 + (uint64_t)(value.data[i] - '0');
    }
    *out = n;
    return true;
}
