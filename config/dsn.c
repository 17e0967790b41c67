#include "config/dsn.h"

#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define HIDDEN "***"

/* The names that libpq, SQLAlchemy, Django's packages and Heroku give a PostgreSQL's URL. */
static size_t known_name(const char *url)
{
    static const char *const names[] = {"postgresql", "postgres",  "psql",        "pgsql",
                                        "postgis",    "timescale", "timescalegis"};
    size_t len = strcspn(url, "+:");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && strncasecmp(url, names[i], len) == 0)
            return len;
    return 0;
}

size_t cfg_url_scheme(const char *url)
{
    size_t at = known_name(url);
    if (at > 0 && url[at] == '+') {
        at++;
        while (isalnum((unsigned char)url[at]) || url[at] == '_')
            at++;
    }
    return at > 0 && strncmp(url + at, "://", 3) == 0 ? at + 3 : 0;
}

bool cfg_url_is_postgresql(const char *url)
{
    return cfg_url_scheme(url) != 0;
}

char *cfg_url_normalise(const char *url)
{
    size_t scheme = cfg_url_scheme(url);
    if (scheme == 0)
        return strdup(url);
    char *out = NULL;
    if (asprintf(&out, "postgresql://%s", url + scheme) < 0)
        return NULL;
    return out;
}

/* Parameters whose values may be shown. A list of what is secret would miss the mistyped ones. */
static bool may_show(struct span key)
{
    static const char *const harmless[] = {
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslnegotiation",
        "gssencmode",
        "service",
        "connect_timeout",
        "keepalives",
        "application_name",
        "channel_binding",
        "passfile",
        "client_encoding",
        "load_balance_hosts",
        "target_session_attrs",
    };
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (span_is(key, harmless[i]))
            return true;
    return false;
}

static struct span until(struct span text, const char *stops)
{
    size_t len = 0;
    while (len < text.len && strchr(stops, text.data[len]) == NULL)
        len++;
    return span_head(text, len);
}

/* "key=value&key=value", the part of a URL behind the question mark. */
static void mask_query(struct span query, struct strbuf *out)
{
    while (query.len > 0) {
        struct span pair = until(query, "&");
        struct span key = until(pair, "=");
        strbuf_add_span(out, may_show(key) ? pair : key);
        if (!may_show(key) && key.len < pair.len)
            strbuf_puts(out, "=" HIDDEN);
        query = span_skip(query, pair.len);
        if (query.len > 0)
            strbuf_putc(out, '&');
        query = span_skip(query, 1);
    }
}

static const uint8_t *last_at_sign(struct span text)
{
    return text.len > 0 ? memrchr(text.data, '@', text.len) : NULL;
}

/*
 * `rest` is what follows "://". Passwords are often not percent-encoded: one with '/' or '@' in it
 * reaches to the last '@'; and with an '@' behind the first '?' nobody can tell whether the
 * question mark is part of the password, so all of it is hidden.
 */
static void mask_authority(struct span rest, struct strbuf *out)
{
    struct span before = until(rest, "?");
    struct span query = span_skip(rest, before.len);
    if (last_at_sign(query) != NULL) {
        strbuf_puts(out, HIDDEN);
        return;
    }
    const uint8_t *last = last_at_sign(before);
    if (last != NULL) {
        struct span login = span_head(before, (size_t)(last - before.data));
        struct span user = until(login, ":");
        strbuf_add_span(out, user);
        if (user.len < login.len)
            strbuf_puts(out, ":" HIDDEN);
        before = span_skip(before, login.len);
    }
    strbuf_add_span(out, before);
    if (query.len > 0)
        strbuf_putc(out, '?');
    mask_query(span_skip(query, 1), out);
}

static struct span skip_blanks(struct span text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = span_skip(text, 1);
    return text;
}

/* The value of a conninfo pair, quotes included; backslash takes the next byte along. */
static struct span conninfo_value(struct span text)
{
    bool quoted = text.len > 0 && text.data[0] == '\'';
    size_t at = quoted ? 1 : 0;
    while (at < text.len) {
        uint8_t c = text.data[at];
        if (c == '\\' && at + 1 < text.len)
            at++;
        else if (quoted && c == '\'')
            return span_head(text, at + 1);
        else if (!quoted && (c == ' ' || c == '\t'))
            break;
        at++;
    }
    return span_head(text, at);
}

static bool is_word(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '_')
            return false;
    return text.len > 0;
}

/* libpq's other form: "host=db password='a b'", blanks allowed around the equals sign. */
static void mask_conninfo(struct span text, struct strbuf *out)
{
    bool first = true;
    for (text = skip_blanks(text); text.len > 0; text = skip_blanks(text)) {
        struct span key = until(text, "= \t");
        struct span rest = skip_blanks(span_skip(text, key.len));
        if (!first)
            strbuf_putc(out, ' ');
        first = false;
        if (rest.len == 0 || rest.data[0] != '=' || !is_word(key)) {
            strbuf_puts(out, HIDDEN); /* not conninfo: nothing behind here can be told apart */
            return;
        }
        rest = skip_blanks(span_skip(rest, 1));
        struct span value = conninfo_value(rest);
        strbuf_add_span(out, key);
        strbuf_putc(out, '=');
        strbuf_add_span(out, may_show(key) ? value : span_of_text(HIDDEN));
        text = span_skip(rest, value.len);
    }
}

void cfg_mask_url(const char *url, struct strbuf *out)
{
    const char *rest = strstr(url, "://");
    if (cfg_url_scheme(url) != 0) {
        rest += strlen("://");
        strbuf_add(out, url, (size_t)(rest - url));
        mask_authority(span_of_text(rest), out);
    } else if (rest != NULL) {
        strbuf_puts(out, HIDDEN);
    } else {
        mask_conninfo(span_of_text(url), out);
    }
}
