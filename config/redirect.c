/* An application's URL: pointed at another listener, and as libpq would understand it. */
#include "config/config.h"

#include "config/dsn.h"
#include "config/value.h"

#include <ctype.h>
#include <stdlib.h>

static struct span until(struct span text, const char *stops)
{
    size_t len = 0;
    while (len < text.len && strchr(stops, text.data[len]) == NULL)
        len++;
    return span_head(text, len);
}

/* The length of what stands up to the last '@', with it. */
static size_t to_last_at(struct span text)
{
    size_t len = text.len;
    while (len > 0 && text.data[len - 1] != '@')
        len--;
    return len;
}

/* "user:pa/ss@host": SQLAlchemy takes a slash in a password, where a host would have a port. */
static bool password_has_slash(struct span authority)
{
    size_t colon = span_find_byte(authority, ':');
    if (colon == authority.len)
        return false;
    for (size_t i = colon + 1; i < authority.len; i++)
        if (!isdigit(authority.data[i]))
            return true;
    return false;
}

/* The length of "user:password@" at the beginning of what follows the scheme. */
static size_t login_len(struct span rest)
{
    struct span authority = until(rest, "/?#");
    size_t len = to_last_at(authority);
    if (len == 0 && password_has_slash(authority))
        len = to_last_at(until(rest, "?"));
    return len;
}

static bool names_a_host(struct span key)
{
    return span_is(key, "host") || span_is(key, "hostaddr") || span_is(key, "port");
}

/* Parameters that cannot be met, or are refused, where there is no TLS. */
static bool wants_tls(struct span key)
{
    return span_is(key, "sslrootcert") || span_is(key, "sslnegotiation") ||
           span_is(key, "channel_binding");
}

/* What a parameter that asks for TLS is to say instead; NULL when it does not ask for it. */
static const char *without_tls(struct span key, struct span value)
{
    static const char *const asked[] = {"require", "verify-ca", "verify-full"};
    if (!span_is(key, "sslmode") && !span_is(key, "ssl"))
        return NULL;
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
        if (span_is(value, asked[i]))
            return "disable";
    bool yes = span_is(value, "true") || span_is(value, "True") || span_is(value, "1");
    return yes ? "false" : NULL;
}

static void redirect_query(struct span query, bool clear, struct strbuf *out)
{
    char before = '?';
    while (query.len > 0) {
        struct span pair = until(query, "&");
        struct span key = until(pair, "=");
        const char *instead = clear ? without_tls(key, span_skip(pair, key.len + 1)) : NULL;
        query = span_skip(query, pair.len + 1);
        if (names_a_host(key) || (clear && wants_tls(key)))
            continue;
        strbuf_putc(out, before);
        before = '&';
        strbuf_add_span(out, instead != NULL ? key : pair);
        if (instead != NULL)
            strbuf_printf(out, "=%s", instead);
    }
}

bool cfg_redirect_url(const char *url, const char *hosts, bool clear, struct strbuf *out)
{
    size_t scheme = cfg_url_scheme(url);
    if (scheme == 0)
        return false;
    struct span rest = span_of_text(url + scheme);
    struct span login = span_head(rest, login_len(rest));
    rest = span_skip(rest, login.len);
    struct span path = span_skip(rest, until(rest, "/?#").len);
    struct span database = until(path, "?#");
    struct span query = until(span_skip(path, database.len), "#");
    struct span fragment = span_skip(path, database.len + query.len);
    strbuf_add(out, url, scheme);
    strbuf_add_span(out, login);
    strbuf_puts(out, hosts);
    strbuf_add_span(out, database);
    redirect_query(span_skip(query, 1), clear, out);
    strbuf_add_span(out, fragment);
    return true;
}

/* --- as libpq would understand it --- */

/* libpq's parameters up to version 18 (PostgreSQL manual, "Parameter Key Words"). */
static bool is_of_libpq(struct span key)
{
    static const char *const names[] = {
#define LIBPQ_PARAMETER(name) #name,
#include "config/libpq_parameters.def"
#undef LIBPQ_PARAMETER
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (span_is(key, names[i]))
            return true;
    return false;
}

/* asyncpg's `ssl` is libpq's sslmode, or a yes or no. */
static void add_sslmode(struct span value, struct strbuf *out)
{
    bool yes = span_is(value, "true") || span_is(value, "True") || span_is(value, "1");
    bool no = span_is(value, "false") || span_is(value, "False") || span_is(value, "0");
    strbuf_puts(out, "sslmode=");
    if (yes || no)
        strbuf_puts(out, yes ? "require" : "disable");
    else
        strbuf_add_span(out, value);
}

char *cfg_url_of_application(const char *url)
{
    struct strbuf out;
    const char *question = strchrnul(url, '?');
    struct span query = until(span_of_text(*question == '?' ? question + 1 : question), "#");
    char before = '?';
    strbuf_init(&out, CFG_TEXT_MAX);
    strbuf_add(&out, url, (size_t)(question - url));
    while (query.len > 0) {
        struct span pair = until(query, "&");
        struct span key = until(pair, "=");
        query = span_skip(query, pair.len + 1);
        if (!is_of_libpq(key) && !span_is(key, "ssl"))
            continue;
        strbuf_putc(&out, before);
        before = '&';
        if (span_is(key, "ssl"))
            add_sslmode(span_skip(pair, key.len + 1), &out);
        else
            strbuf_add_span(&out, pair);
    }
    char *text = out.no_memory ? NULL : strdup(out.failed ? url : strbuf_text(&out));
    if (out.data != NULL)
        explicit_bzero(out.data, out.size); /* it may hold a password */
    strbuf_fini(&out);
    return text;
}
