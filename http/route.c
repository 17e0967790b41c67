#include "http/route.h"

enum {
    WORD_MAX = 32,
    NUMBER_AT_END_MAX = 2, /* digits of "v2", "oauth2", "top10" */
    UUID_LEN = 36,
    HASH_MIN = 16,
    HUMPS_MAX = 4, /* of a name in camel case; more of them is a token */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(uint8_t c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* --- segments --- */

static bool all(struct span s, bool is(uint8_t))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is(s.data[i]))
            return false;
    }
    return s.len > 0;
}

static bool is_uuid(struct span s)
{
    if (s.len != UUID_LEN)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.data[i] != '-' : !is_hex(s.data[i]))
            return false;
    }
    return true;
}

static bool is_word(struct span s)
{
    size_t digits = 0;
    while (digits < s.len && is_digit(s.data[s.len - 1 - digits]))
        digits++;
    if (s.len > WORD_MAX || digits > NUMBER_AT_END_MAX || digits == s.len)
        return false;
    size_t humps = 0;
    for (size_t i = 0; i < s.len - digits; i++) {
        uint8_t c = s.data[i];
        if (!is_letter(c) && c != '-' && c != '_' && c != '.')
            return false;
        humps += i > 0 && is_upper(c) && !is_upper(s.data[i - 1]);
    }
    return humps <= HUMPS_MAX;
}

/* What a segment becomes: itself, or the kind of value that it is. */
static struct span segment_kind(struct span s)
{
    if (all(s, is_digit))
        return span_of_text("{id}");
    if (is_uuid(s))
        return span_of_text("{uuid}");
    if (s.len >= HASH_MIN && all(s, is_hex))
        return span_of_text("{hash}");
    return s.len == 0 || is_word(s) ? s : span_of_text("{value}");
}

/* Cut the first segment, up to the next slash, off a path that begins with one. */
static struct span next_segment(struct span *path)
{
    *path = span_skip(*path, 1);
    size_t n = 0;
    while (n < path->len && path->data[n] != '/')
        n++;
    struct span segment = span_head(*path, n);
    *path = span_skip(*path, n);
    return segment;
}

/* --- patterns --- */

static struct span next_pattern(struct span *list)
{
    size_t n = 0;
    while (n < list->len && list->data[n] != ',')
        n++;
    struct span one = span_head(*list, n);
    *list = span_skip(*list, n < list->len ? n + 1 : n);
    while (one.len > 0 && one.data[0] == ' ')
        one = span_skip(one, 1);
    while (one.len > 0 && one.data[one.len - 1] == ' ')
        one = span_head(one, one.len - 1);
    return one;
}

bool http_patterns_are_good(const char *patterns)
{
    struct span left = span_of_text(patterns);
    while (left.len > 0) {
        struct span one = next_pattern(&left);
        if (one.len == 0 || one.len > RECORD_ROUTE_MAX || one.data[0] != '/')
            return false;
    }
    return true;
}

static bool matches(struct span pattern, struct span path)
{
    while (pattern.len > 0 && path.len > 0) {
        struct span want = next_segment(&pattern);
        if (pattern.len == 0 && span_is(want, "*"))
            return true;
        struct span have = next_segment(&path);
        bool any = want.len >= 2 && want.data[0] == '{' && want.data[want.len - 1] == '}';
        if (any ? have.len == 0 : !span_equal(want, have))
            return false;
    }
    return pattern.len == 0 && path.len == 0;
}

static struct span find_pattern(const char *patterns, struct span path)
{
    struct span left = span_of_text(patterns);
    while (left.len > 0) {
        struct span one = next_pattern(&left);
        if (matches(one, path))
            return one;
    }
    return span_of(NULL, 0);
}

/* --- paths --- */

/* Skip the scheme and host of an absolute target ("GET http://host/path"), as proxies get it. */
static struct span without_host(struct span target)
{
    size_t at = 0;
    while (at + 2 < target.len && target.data[at] != '/')
        at++;
    if (at == 0 || at + 2 >= target.len || target.data[at + 1] != '/')
        return target;
    for (at += 2; at < target.len && target.data[at] != '/'; at++)
        continue;
    return span_skip(target, at);
}

static struct span path_of(struct span target)
{
    size_t n = 0;
    while (n < target.len && target.data[n] != '?' && target.data[n] != '#')
        n++;
    return without_host(span_head(target, n));
}

static size_t put(char *out, size_t at, struct span text)
{
    if (text.len > 0)
        memcpy(out + at, text.data, text.len);
    return at + text.len;
}

size_t http_route(struct span target, bool cut, const char *patterns, char out[RECORD_ROUTE_MAX])
{
    const struct span rest = span_of_text("/{rest}");
    struct span path = path_of(target);
    if (path.len == 0 || path.data[0] != '/') /* "*" of OPTIONS, "host:port" of CONNECT */
        return put(out, 0, span_of_text(path.len == 1 && path.data[0] == '*' ? "*" : "/"));
    struct span pattern = cut ? span_of(NULL, 0) : find_pattern(patterns, path);
    if (pattern.len > 0)
        return put(out, 0, pattern);
    size_t at = 0;
    while (path.len > 0) {
        struct span kind = segment_kind(next_segment(&path));
        bool last = path.len == 0;
        size_t after = last ? 0 : rest.len;
        if ((last && cut) || at + 1 + kind.len + after > RECORD_ROUTE_MAX)
            return put(out, at, rest);
        out[at++] = '/';
        at = put(out, at, kind);
    }
    return at;
}
