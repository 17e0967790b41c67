#include "wire/sql_comment.h"

#include "common/hash.h"
#include "wire/sql_route.h"
#include "wire/values.h"

/* One comment is read twice: once to see whether all of it is pairs, and only then to take them, so
 * that prose with a colon in it never leaves half a tag. */

enum { TAG_SPELLINGS = 5, TAG_KEY_MAX = 64, TRACE_ID_BYTES = 16, TRACEPARENT_LEN = 55 };

static const char *const spellings[SQL_TAG_COUNT][TAG_SPELLINGS] = {
#define SQL_TAG_KEY(name, ...) [SQL_TAG_##name] = {__VA_ARGS__},
#include "wire/sql_tag_keys.def"
#undef SQL_TAG_KEY
};

_Static_assert(SQL_TAG_BYTES >= SQL_TAG_VALUE_MAX, "one value of full length must fit");

/* Four bytes more than the longest value, so that a character at the cut is seen whole or not at
 * all. */
enum { TEXT_MAX = SQL_TAG_VALUE_MAX + 4 };

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

/* A key at the head, then one of `marks`. */
static bool begins_pair(struct span s, const char *marks)
{
    size_t n = 0;
    while (n < s.len && is_key_byte(s.data[n]))
        n++;
    struct span rest = n > 0 ? trim(span_skip(s, n)) : span_of(NULL, 0);
    return rest.len > 0 && rest.data[0] != '\0' && strchr(marks, rest.data[0]) != NULL;
}

/* To the comma or space before another pair: a regular expression has commas of its own. */
static size_t bare_length(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        struct span next = span_skip(s, i + 1);
        if (is_space(s.data[i]) && begins_pair(next, "="))
            return i;
        if (s.data[i] != ',')
            continue;
        next = trim(next);
        if (next.len == 0 || begins_pair(next, "=:"))
            return i;
    }
    return s.len;
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
    bool plain = pair->form == PAIR_PLAIN;
    pair->value = trim(take(rest, plain ? span_find_byte(*rest, ',') : bare_length(*rest)));
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

/* Makes `value` clean and keeps it, if the key has none yet. Returns the number of keys added. */
static unsigned store(struct sql_tag *tag, enum sql_tag_key key, uint8_t *value, size_t len)
{
    if (tag->len[key] != 0)
        return 0;
    size_t room = SQL_TAG_BYTES - (size_t)tag->used;
    size_t limit = room < SQL_TAG_VALUE_MAX ? room : SQL_TAG_VALUE_MAX;
    len = clean_utf8(value, len, limit);
    memcpy(tag->bytes + tag->used, value, len);
    tag->off[key] = tag->used;
    tag->len[key] = (uint16_t)len;
    tag->used = (uint16_t)(tag->used + len);
    return len > 0 ? 1 : 0;
}

static unsigned store_route(struct sql_tag *tag, struct span route)
{
    uint8_t readable[TEXT_MAX];
    return store(tag, SQL_TAG_ROUTE, readable,
                 sql_route_readable(route, readable, sizeof(readable)));
}

static bool is_method(struct span s)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (span_is(s, methods[i]))
            return true;
    return false;
}

static unsigned store_pair(struct sql_tag *tag, enum sql_tag_key key, const struct pair *pair)
{
    uint8_t value[TEXT_MAX];
    size_t len = decode(pair, value, sizeof(value));
    if (key == SQL_TAG_ROUTE)
        return store_route(tag, span_of(value, len));
    if (key == SQL_TAG_ACTION && is_method(span_of(value, len)))
        key = SQL_TAG_METHOD; /* django-sqlcommenter's word for it */
    return store(tag, key, value, len);
}

/* --- places in the source: path/file.py:12 --- */

static bool split_site(struct span site, struct span *file, struct span *line)
{
    size_t digits = 0;
    while (digits < site.len && site.data[site.len - 1 - digits] >= '0' &&
           site.data[site.len - 1 - digits] <= '9')
        digits++;
    *file = span_head(site, site.len - digits);
    *line = span_skip(site, site.len - digits);
    return digits > 0 && span_cut_end(file, ":") && file->len > 0;
}

static unsigned store_site(struct sql_tag *tag, struct span file, struct span line)
{
    uint8_t text[TEXT_MAX];
    file = span_head(file, sizeof(text));
    memcpy(text, file.data, file.len);
    unsigned added = store(tag, SQL_TAG_FILE, text, file.len);
    line = span_head(line, sizeof(text));
    memcpy(text, line.data, line.len);
    return added + store(tag, SQL_TAG_LINE, text, line.len);
}

static unsigned store_callsite(struct sql_tag *tag, const struct pair *pair)
{
    uint8_t text[TEXT_MAX];
    struct span file;
    struct span line;
    if (!split_site(span_of(text, decode(pair, text, sizeof(text))), &file, &line))
        return 0;
    return store_site(tag, file, line);
}

static struct span next_word(struct span *rest)
{
    size_t n = 0;
    while (n < rest->len && !is_space(rest->data[n]))
        n++;
    struct span word = take(rest, n);
    *rest = trim(*rest);
    return word;
}

static bool is_python(struct span file)
{
    return span_cut_end(&file, ".py") && file.len > 0;
}

/* A comment that is nothing but places of Python code, as django-sql-tagger has it: the blocks that
 * hold the statement, outermost first, with `|>` between them and perhaps "T=" and a name before.
 * The last is that of the statement. */
static unsigned read_sites(struct sql_tag *tag, struct span rest)
{
    struct span file = {.data = NULL, .len = 0};
    struct span line = file;
    bool last_is_site = false;
    while (rest.len > 0) {
        struct span word = next_word(&rest);
        last_is_site = false;
        if (span_is(word, "|>") || span_starts(word, "T="))
            continue;
        if (!split_site(word, &file, &line) || !is_python(file))
            return 0;
        last_is_site = true;
    }
    return last_is_site ? store_site(tag, file, line) : 0;
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

static unsigned store_trace(struct sql_tag *tag, const struct pair *pair)
{
    uint8_t text[SQL_TAG_VALUE_MAX];
    if (tag->trace != 0)
        return 0;
    tag->trace = sql_trace_hash(span_of(text, decode(pair, text, sizeof(text))));
    return tag->trace != 0 ? 1 : 0;
}

static unsigned take_pair(struct sql_tag *tag, const struct pair *pair)
{
    uint8_t name[TAG_KEY_MAX];
    struct pair as_value = {.value = pair->key, .form = pair->form};
    struct span key = span_of(name, decode(&as_value, name, sizeof(name)));
    if (span_is(key, "traceparent"))
        return store_trace(tag, pair);
    if (span_is(key, "callsite"))
        return store_callsite(tag, pair);
    for (size_t k = 0; k < SQL_TAG_COUNT; k++)
        for (size_t s = 0; s < TAG_SPELLINGS; s++)
            if (spellings[k][s] != NULL && span_is(key, spellings[k][s]))
                return store_pair(tag, (enum sql_tag_key)k, pair);
    return 0;
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

/* Django's front page has the empty route, and its commenters write that down. */
static unsigned store_root(struct sql_tag *tag)
{
    uint8_t root[] = {'/'};
    return span_starts(sql_tag_value(tag, SQL_TAG_FRAMEWORK), "django")
               ? store(tag, SQL_TAG_ROUTE, root, sizeof(root))
               : 0;
}

static unsigned read_one(struct sql_tag *tag, struct span rest)
{
    struct pair pair;
    bool root = false;
    rest = trim(rest);
    if (rest.len == 0 || rest.data[0] == '+')
        return 0;
    unsigned added = read_sites(tag, rest);
    if (added > 0 || !all_pairs(rest))
        return added;
    while (rest.len > 0 && read_pair(&rest, &pair)) {
        added += take_pair(tag, &pair);
        root |= span_is(pair.key, "route") && pair.form == PAIR_QUOTED && pair.value.len == 0;
        rest = trim(span_skip(rest, 1));
    }
    return root ? added + store_root(tag) : added;
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
