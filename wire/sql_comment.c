#include "wire/sql_comment.h"

#include "common/hash.h"
#include "wire/values.h"

/* One comment is read twice: once to see whether all of it is pairs, and only then to take them, so
 * that prose with a colon in it never leaves half a tag. */

enum { TAG_SPELLINGS = 3, TAG_KEY_MAX = 64, TRACE_ID_BYTES = 16, TRACEPARENT_LEN = 55 };

static const char *const spellings[SQL_TAG_COUNT][TAG_SPELLINGS] = {
#define SQL_TAG_KEY(name, key, other1, other2) [SQL_TAG_##name] = {key, other1, other2},
#include "wire/sql_tag_keys.def"
#undef SQL_TAG_KEY
};

_Static_assert(SQL_TAG_BYTES >= SQL_TAG_VALUE_MAX, "one value of full length must fit");

/* key='value', key=value: URL-encoded; key:value: as it is. */
enum pair_form { PAIR_QUOTED, PAIR_BARE, PAIR_PLAIN };

struct pair {
    struct span key;
    struct span value; /* inside of the quotes, still encoded */
    enum pair_form form;
};

const char *sql_tag_key_name(enum sql_tag_key key)
{
    return (unsigned)key < SQL_TAG_COUNT ? spellings[key][0] : "";
}

void sql_tag_init(struct sql_tag *tag)
{
    memset(tag, 0, sizeof(*tag));
}

struct span sql_tag_value(const struct sql_tag *tag, enum sql_tag_key key)
{
    return span_of(tag->bytes + tag->off[key], tag->len[key]);
}

uint64_t sql_tag_id(const struct sql_tag *tag)
{
    uint64_t id = 0;
    for (size_t k = 0; k < SQL_TAG_COUNT; k++) {
        if (tag->len[k] == 0)
            continue;
        uint64_t value = XXH3_64bits_withSeed(tag->bytes + tag->off[k], tag->len[k], k + 1);
        id = wire_hash_combine(id, value);
    }
    return id;
}

/* --- cutting a comment into pairs --- */

static bool is_space(uint8_t c)
{
    return c <= ' ' || c == 0x7f;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = span_skip(s, 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool is_key_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '%';
}

static bool is_key(struct span key)
{
    if (key.len == 0 || key.len > TAG_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++)
        if (!is_key_byte(key.data[i]))
            return false;
    return true;
}

static struct span take(struct span *rest, size_t n)
{
    struct span head = span_head(*rest, n);
    *rest = span_skip(*rest, n);
    return head;
}

/* `rest` stands after the opening quote. A quote that a backslash precedes does not close. */
static bool read_quoted(struct span *rest, struct span *value)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->data[i] == '\\' && rest->len - i > 1 && rest->data[i + 1] == '\'') {
            i++;
        } else if (rest->data[i] == '\'') {
            *value = take(rest, i);
            *rest = span_skip(*rest, 1);
            return true;
        }
    }
    return false;
}

/* The next pair of `rest`, which is trimmed and not empty. */
static bool read_pair(struct span *rest, struct pair *pair)
{
    size_t mark = 0;
    while (mark < rest->len && rest->data[mark] != '=' && rest->data[mark] != ':')
        mark++;
    if (mark == rest->len)
        return false;
    pair->form = rest->data[mark] == ':' ? PAIR_PLAIN : PAIR_BARE;
    pair->key = trim(take(rest, mark));
    *rest = trim(span_skip(*rest, 1));
    if (!is_key(pair->key))
        return false;
    if (pair->form == PAIR_BARE && rest->len > 0 && rest->data[0] == '\'') {
        pair->form = PAIR_QUOTED;
        *rest = span_skip(*rest, 1);
        if (!read_quoted(rest, &pair->value))
            return false;
        *rest = trim(*rest);
        return rest->len == 0 || rest->data[0] == ',';
    }
    pair->value = trim(take(rest, span_find_byte(*rest, ',')));
    return true;
}

/* --- storing --- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX at the head, or %%XX as the Python packages leave it: its byte and length, or length 0. */
static size_t percent(struct span in, uint8_t *out)
{
    size_t mark = in.len > 1 && in.data[1] == '%' ? 2 : 1;
    if (in.len < mark + 2)
        return 0;
    int high = hex_digit(in.data[mark]);
    int low = hex_digit(in.data[mark + 1]);
    if (high < 0 || low < 0)
        return 0;
    *out = (uint8_t)(high * 16 + low);
    return mark + 2;
}

/* Takes one byte of the value off `in`, decoded as its form says. */
static uint8_t decode_byte(struct span *in, enum pair_form form)
{
    uint8_t c = in->data[0];
    size_t used = 1;
    if (form != PAIR_PLAIN && c == '%') {
        size_t n = percent(*in, &c);
        used = n > 0 ? n : 1;
    } else if (form == PAIR_QUOTED && c == '\\' && in->len > 1 && in->data[1] == '\'') {
        c = '\'';
        used = 2;
    }
    *in = span_skip(*in, used);
    return c;
}

static size_t decode(const struct pair *pair, uint8_t *out, size_t size)
{
    struct span in = pair->value;
    size_t n = 0;
    while (in.len > 0 && n < size) {
        uint8_t c = decode_byte(&in, pair->form);
        if (c >= ' ' && c != 0x7f)
            out[n++] = c;
    }
    return n;
}

/* Length of the well-formed UTF-8 sequence at the head, 0 when there is none (RFC 3629, table 3-7
 * of Unicode). */
static size_t utf8_length(struct span s)
{
    uint8_t c = s.data[0];
    size_t n = c < 0x80 ? 1 : (c >= 0xc2 && c < 0xe0 ? 2 : (c >= 0xe0 && c < 0xf0 ? 3 : 4));
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || s.len < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && s.data[1] < 0xa0) || (c == 0xf0 && s.data[1] < 0x90);
    bool outside = (c == 0xed && s.data[1] >= 0xa0) || (c == 0xf4 && s.data[1] >= 0x90);
    return overlong || outside ? 0 : n;
}

/* Keeps whole characters up to `limit` bytes; what is not UTF-8 becomes '?', since reports are
 * JSON. */
static size_t clean_utf8(uint8_t *bytes, size_t len, size_t limit)
{
    size_t in = 0;
    size_t out = 0;
    while (in < len) {
        size_t n = utf8_length(span_of(bytes + in, len - in));
        if (out + (n > 0 ? n : 1) > limit)
            break;
        if (n == 0)
            bytes[out++] = '?';
        for (size_t i = 0; i < n; i++)
            bytes[out++] = bytes[in + i];
        in += n > 0 ? n : 1;
    }
    return out;
}

static bool store(struct sql_tag *tag, enum sql_tag_key key, const struct pair *pair)
{
    /* Four bytes more than the longest value, so that a character at the cut is seen whole or not
     * at all. */
    uint8_t value[SQL_TAG_VALUE_MAX + 4];
    if (tag->len[key] != 0)
        return false;
    size_t room = SQL_TAG_BYTES - (size_t)tag->used;
    size_t limit = room < SQL_TAG_VALUE_MAX ? room : SQL_TAG_VALUE_MAX;
    size_t len = clean_utf8(value, decode(pair, value, sizeof(value)), limit);
    memcpy(tag->bytes + tag->used, value, len);
    tag->off[key] = tag->used;
    tag->len[key] = (uint16_t)len;
    tag->used = (uint16_t)(tag->used + len);
    return len > 0;
}

/* --- the trace --- */

/* `n` hexadecimal digits into bytes; false when one is none, or all are 0. */
static bool read_hex_id(struct span text, uint8_t *out)
{
    uint8_t any = 0;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.data[i]);
        int low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high * 16 + low);
        any |= out[i / 2];
    }
    return any != 0;
}

/* W3C Trace Context: version-traceid-parentid-flags; neither id is all zeros, version ff is none.
 */
uint64_t sql_trace_hash(struct span text)
{
    uint8_t id[TRACE_ID_BYTES];
    uint8_t other[TRACE_ID_BYTES];
    if (text.len < TRACEPARENT_LEN || text.data[2] != '-' || text.data[35] != '-' ||
        text.data[52] != '-')
        return 0;
    if (text.len > TRACEPARENT_LEN &&
        (text.data[TRACEPARENT_LEN] != '-' || span_is(span_head(text, 2), "00")))
        return 0;
    if (hex_digit(text.data[0]) < 0 || hex_digit(text.data[1]) < 0 ||
        span_is(span_head(text, 2), "ff"))
        return 0;
    if (hex_digit(text.data[53]) < 0 || hex_digit(text.data[54]) < 0)
        return 0;
    if (!read_hex_id(span_of(text.data + 3, 32), id) ||
        !read_hex_id(span_of(text.data + 36, 16), other))
        return 0;
    uint64_t hash = XXH3_64bits(id, sizeof(id));
    return hash != 0 ? hash : 1;
}

/* --- comments --- */

static bool store_trace(struct sql_tag *tag, const struct pair *pair)
{
    uint8_t text[SQL_TAG_VALUE_MAX];
    if (tag->trace != 0)
        return false;
    tag->trace = sql_trace_hash(span_of(text, decode(pair, text, sizeof(text))));
    return tag->trace != 0;
}

static bool take_pair(struct sql_tag *tag, const struct pair *pair)
{
    uint8_t name[TAG_KEY_MAX];
    struct pair as_value = {.value = pair->key, .form = pair->form};
    struct span key = span_of(name, decode(&as_value, name, sizeof(name)));
    if (span_is(key, "traceparent"))
        return store_trace(tag, pair);
    for (size_t k = 0; k < SQL_TAG_COUNT; k++)
        for (size_t s = 0; s < TAG_SPELLINGS; s++)
            if (spellings[k][s] != NULL && span_is(key, spellings[k][s]))
                return store(tag, (enum sql_tag_key)k, pair);
    return false;
}

static bool all_pairs(struct span rest)
{
    struct pair pair;
    while (rest.len > 0) {
        if (!read_pair(&rest, &pair))
            return false;
        rest = trim(span_skip(rest, 1));
    }
    return true;
}

static unsigned read_one(struct sql_tag *tag, struct span rest)
{
    unsigned added = 0;
    struct pair pair;
    rest = trim(rest);
    if (rest.len == 0 || rest.data[0] == '+' || !all_pairs(rest))
        return 0;
    while (rest.len > 0 && read_pair(&rest, &pair)) {
        added += take_pair(tag, &pair) ? 1U : 0U;
        rest = trim(span_skip(rest, 1));
    }
    return added;
}

/* Where the next mark of a comment begins, or the end. */
static size_t find_mark(struct span s)
{
    for (size_t i = 0; s.len - i > 1; i++)
        if ((s.data[i] == '*' && s.data[i + 1] == '/') ||
            (s.data[i] == '/' && s.data[i + 1] == '*'))
            return i;
    return s.len;
}

unsigned sql_tag_read(struct sql_tag *tag, struct span comment)
{
    unsigned added = 0;
    while (comment.len > 0) {
        added += read_one(tag, take(&comment, find_mark(comment)));
        comment = span_skip(comment, 2);
    }
    return added;
}

struct span sql_comment_value(struct span comment, const char *key, uint8_t *out, size_t size)
{
    struct pair pair;
    struct span rest = trim(comment);
    if (!all_pairs(rest))
        return span_of(NULL, 0);
    while (rest.len > 0 && read_pair(&rest, &pair)) {
        if (span_is(pair.key, key))
            return span_of(out, decode(&pair, out, size));
        rest = trim(span_skip(rest, 1));
    }
    return span_of(NULL, 0);
}
