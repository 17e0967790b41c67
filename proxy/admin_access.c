#include "proxy/admin_access.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <strings.h>

/* --- tokens --- */

static bool is_of_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '-';
}

bool admin_token_is_good(const char *text)
{
    size_t len = 0;
    while (is_of_token(text[len]))
        len++;
    return text[len] == '\0' && len >= ADMIN_TOKEN_MIN && len <= ADMIN_TOKEN_MAX;
}

void admin_tokens_init(struct admin_tokens *t, const char *admin, const char *read)
{
    memset(t, 0, sizeof(*t));
    snprintf(t->admin, sizeof(t->admin), "%s", admin);
    snprintf(t->read, sizeof(t->read), "%s", read);
}

enum admin_role admin_role_of(const struct admin_tokens *t, struct span token)
{
    char given[ADMIN_TOKEN_MAX + 1] = {0};
    /* A zero byte would be taken for the filling, of which a token that is not set consists. */
    if (token.len < ADMIN_TOKEN_MIN || token.len > ADMIN_TOKEN_MAX ||
        span_find_byte(token, '\0') < token.len)
        return ADMIN_NOBODY;
    memcpy(given, token.data, token.len);
    bool admin = CRYPTO_memcmp(given, t->admin, sizeof(given)) == 0;
    bool read = CRYPTO_memcmp(given, t->read, sizeof(given)) == 0;
    OPENSSL_cleanse(given, sizeof(given));
    if (admin)
        return ADMIN_ADMIN;
    return read ? ADMIN_READ : ADMIN_NOBODY;
}

struct span admin_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer";
    const struct span none = {.data = NULL, .len = 0};
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return none;
    struct span token = span_of_text(authorization + sizeof(scheme) - 1);
    if (token.len == 0 || token.data[0] != ' ')
        return none;
    while (token.len > 0 && token.data[0] == ' ')
        token = span_skip(token, 1);
    while (token.len > 0 && token.data[token.len - 1] == ' ')
        token.len--;
    return token;
}

struct span admin_query_token(const char *query)
{
    struct span found = {.data = NULL, .len = 0};
    struct span rest = span_of_text(query);
    unsigned n = 0;
    while (rest.len > 0) {
        struct span pair = span_head(rest, span_find_byte(rest, '&'));
        if (span_starts(pair, "token=")) {
            found = span_skip(pair, strlen("token="));
            n++;
        }
        rest = span_skip(rest, pair.len + 1);
    }
    return n == 1 ? found : span_of(NULL, 0);
}

/* --- names --- */

static bool same_name(struct span a, struct span b)
{
    return a.len == b.len && a.len > 0 &&
           strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* "host:port", "[v6]:port" or "host" in its parts, brackets taken off. */
static bool cut_host(struct span text, struct span *name, struct span *port)
{
    *name = text;
    *port = span_of(NULL, 0);
    if (text.len > 0 && text.data[0] == '[') {
        size_t end = span_find_byte(text, ']');
        if (end == text.len)
            return false;
        *name = span_skip(span_head(text, end), 1);
        text = span_skip(text, end + 1);
    } else {
        *name = span_head(text, span_find_byte(text, ':'));
        text = span_skip(text, name->len);
    }
    if (text.len > 0 && (text.data[0] != ':' || text.len == 1))
        return false;
    *port = span_skip(text, 1);
    return name->len > 0;
}

static bool is_port(struct span text, unsigned port)
{
    char number[16];
    int len = snprintf(number, sizeof(number), "%u", port);
    return span_equal(text, span_of(number, (size_t)len)) || (text.len == 0 && port == 80);
}

static bool is_loopback(struct span name)
{
    return same_name(name, span_of_text("localhost")) ||
           same_name(name, span_of_text("127.0.0.1")) || same_name(name, span_of_text("::1"));
}

/* With a port in the list it must be that one; without, any will do. */
static bool is_extra(const char *extra, struct span name, struct span port)
{
    struct span rest = span_of_text(extra);
    while (rest.len > 0) {
        struct span one = span_head(rest, span_find_byte(rest, ','));
        struct span its_name;
        struct span its_port;
        rest = span_skip(rest, one.len + 1);
        if (cut_host(one, &its_name, &its_port) && same_name(its_name, name) &&
            (its_port.len == 0 || span_equal(its_port, port)))
            return true;
    }
    return false;
}

static bool is_of_host(uint8_t c)
{
    return is_of_token((char)c) || c == ':' || c == '[' || c == ']';
}

bool admin_hosts_are_good(const char *extra)
{
    struct span rest = span_of_text(extra);
    while (rest.len > 0) {
        struct span one = span_head(rest, span_find_byte(rest, ','));
        struct span name;
        struct span port;
        for (size_t i = 0; i < one.len; i++) {
            if (!is_of_host(one.data[i]))
                return false;
        }
        if (!cut_host(one, &name, &port))
            return false;
        rest = span_skip(rest, one.len);
        if (rest.len == 1)
            return false; /* nothing behind the last comma */
        rest = span_skip(rest, 1);
    }
    return true;
}

bool admin_host_is_allowed(const struct admin_names *names, const char *host)
{
    struct span name;
    struct span port;
    if (host == NULL || !cut_host(span_of_text(host), &name, &port))
        return false;
    if (is_extra(names->extra, name, port))
        return true;
    return is_port(port, names->port) &&
           (is_loopback(name) || same_name(name, span_of_text(names->listen)));
}

bool admin_origin_is_own(const char *origin, const char *host)
{
    if (origin == NULL)
        return true;
    if (host == NULL)
        return false;
    struct span rest = span_of_text(origin);
    if (span_starts(rest, "http://"))
        rest = span_skip(rest, strlen("http://"));
    else if (span_starts(rest, "https://"))
        rest = span_skip(rest, strlen("https://"));
    else
        return false;
    return same_name(rest, span_of_text(host));
}

/* --- routes --- */

static const struct admin_route routes[] = {
#define ADMIN_ROUTE(method_, path_, role_, name)                                                   \
    {.verb = ADMIN_VERB_##name, .method = ADMIN_##method_, .role = ADMIN_##role_, .path = (path_)},
#include "proxy/admin_routes.def"
#undef ADMIN_ROUTE
};

const struct admin_route *admin_route_of(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

const char *admin_method_name(enum admin_method method)
{
    return method == ADMIN_GET ? "GET" : "POST";
}
