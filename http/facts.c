#include "http/facts.h"

#include "wire/record.h"

#include <stdlib.h>
#include <strings.h>

/* --- values --- */

static bool is_name(struct span s, const char *name)
{
    size_t len = strlen(name);
    return s.len == len && strncasecmp((const char *)s.data, name, len) == 0;
}

static bool begins(struct span s, const char *start)
{
    size_t len = strlen(start);
    return s.len >= len && strncasecmp((const char *)s.data, start, len) == 0;
}

static bool ends(struct span s, const char *end)
{
    size_t len = strlen(end);
    return s.len >= len && is_name(span_skip(s, s.len - len), end);
}

static struct span trimmed(struct span s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_skip(s, 1);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cut the next member off a list, at `mark`; false at the end. */
static bool next_member(struct span *list, uint8_t mark, struct span *member)
{
    if (list->len == 0)
        return false;
    size_t n = span_find_byte(*list, mark);
    *member = trimmed(span_head(*list, n));
    *list = span_skip(*list, n + 1);
    return true;
}

/* The member of this name in a list of `name=value` or `name;q=value`: what stands behind the name.
 */
static bool find_member(struct span list, const char *name, struct span *rest)
{
    struct span member;
    while (next_member(&list, ',', &member)) {
        size_t n = 0;
        while (n < member.len && member.data[n] != '=' && member.data[n] != ';')
            n++;
        if (is_name(trimmed(span_head(member, n)), name)) {
            *rest = span_skip(member, n);
            return true;
        }
    }
    return false;
}

static bool has_member(struct span list, const char *name)
{
    struct span rest;
    return find_member(list, name, &rest);
}

/* ";q=0", "; q=0.000": RFC 9110, 12.4.2. */
static bool is_refused(struct span parameters)
{
    struct span one;
    while (next_member(&parameters, ';', &one)) {
        if (!begins(one, "q="))
            continue;
        for (size_t i = 2; i < one.len; i++) {
            if (one.data[i] >= '1' && one.data[i] <= '9')
                return false;
        }
        return true;
    }
    return false;
}

static bool takes(struct span codings, const char *name)
{
    struct span rest;
    return find_member(codings, name, &rest) && !is_refused(rest);
}

/* A number of seconds above zero behind "max-age=". */
static bool lasts(struct span policy, const char *name)
{
    struct span rest;
    if (!find_member(policy, name, &rest))
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] >= '1' && rest.data[i] <= '9')
            return true;
    }
    return false;
}

/* --- requests --- */

static uint32_t codings_taken(struct span value)
{
    return takes(value, "gzip") || takes(value, "br") || takes(value, "zstd") || takes(value, "*")
               ? HTTP_TAKES_CODING
               : 0;
}

uint32_t http_request_facts(struct span name, struct span value)
{
    if (is_name(name, "accept-encoding"))
        return codings_taken(value);
    if (is_name(name, "authorization"))
        return HTTP_AUTHORIZED;
    if (is_name(name, "if-none-match") || is_name(name, "if-modified-since"))
        return HTTP_CONDITIONAL;
    return 0;
}

/* --- responses --- */

/* Media types that deflate makes smaller. A stream of events is sent on line by line: what a coder
 * holds back would come late. */
static uint32_t media_type(struct span value)
{
    struct span type = trimmed(span_head(value, span_find_byte(value, ';')));
    if (is_name(type, "text/event-stream"))
        return HTTP_STREAM;
    static const char *const compressible[] = {"application/json", "application/javascript",
                                               "application/xml",  "application/x-ndjson",
                                               "application/wasm", "image/svg+xml"};
    bool text = begins(type, "text/") || ends(type, "+json") || ends(type, "+xml");
    for (size_t i = 0; i < sizeof(compressible) / sizeof(compressible[0]); i++)
        text = text || is_name(type, compressible[i]);
    return text ? HTTP_TEXT : 0;
}

static uint32_t cache_policy(struct span value)
{
    uint32_t facts = HTTP_POLICY;
    if (has_member(value, "no-store"))
        facts |= HTTP_NO_STORE;
    if (has_member(value, "public") || has_member(value, "s-maxage"))
        facts |= HTTP_PUBLIC;
    if (lasts(value, "max-age") || lasts(value, "s-maxage") || has_member(value, "immutable"))
        facts |= HTTP_LASTS;
    return facts;
}

uint32_t http_response_facts(struct span name, struct span value)
{
    if (is_name(name, "content-encoding"))
        return is_name(trimmed(value), "identity") ? 0 : HTTP_CODED;
    if (is_name(name, "content-type"))
        return media_type(value);
    if (is_name(name, "cache-control"))
        return cache_policy(value);
    if (is_name(name, "expires"))
        return HTTP_POLICY;
    if (is_name(name, "etag") || is_name(name, "last-modified"))
        return HTTP_VALIDATOR;
    if (is_name(name, "set-cookie"))
        return HTTP_SETS_COOKIE;
    if (begins(name, "ratelimit") || begins(name, "x-ratelimit-") || begins(name, "x-rate-limit-"))
        return HTTP_LIMITS_RATE;
    return 0;
}
