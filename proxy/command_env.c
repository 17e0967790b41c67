#include "proxy/command_env.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

enum { URL_MAX = 64 * 1024, OURS = 3 }; /* variables that may have to be added */

/* The name in front of the '='. */
static struct span name_of(const char *entry)
{
    struct span all = span_of_text(entry);
    return span_head(all, span_find_byte(all, '='));
}

static bool is_listed(struct span name, const char *list)
{
    for (struct span rest = span_of_text(list); rest.len > 0;) {
        struct span one = span_head(rest, span_find_byte(rest, ','));
        rest = span_skip(rest, one.len + 1);
        if (one.len > 0 && span_equal(one, name))
            return true;
    }
    return false;
}

/* What libpq would take for another place, or ask TLS for. */
static bool is_dropped(struct span name, const struct command_target *t)
{
    static const char *const places[] = {"PGHOST", "PGPORT", "PGHOSTADDR"};
    static const char *const secure[] = {"PGSSLMODE", "PGREQUIRESSL", "PGSSLROOTCERT",
                                         "PGSSLNEGOTIATION", "PGCHANNELBINDING"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (span_is(name, places[i]))
            return true;
    for (size_t i = 0; t->clear && i < sizeof(secure) / sizeof(secure[0]); i++)
        if (span_is(name, secure[i]))
            return true;
    return false;
}

/* "NAME=url", redirected; NULL without memory. */
static char *redirected(struct span name, const char *url, const struct command_target *t)
{
    struct strbuf out;
    strbuf_init(&out, URL_MAX);
    strbuf_add_span(&out, name);
    strbuf_putc(&out, '=');
    if (!cfg_redirect_url(url, t->hosts, t->clear, &out))
        strbuf_puts(&out, url);
    char *text = strbuf_take(&out);
    strbuf_fini(&out);
    return text;
}

static char *changed(const char *entry, const struct command_target *t)
{
    struct span name = name_of(entry);
    if (!is_listed(name, t->variables) || entry[name.len] == '\0')
        return strdup(entry);
    return redirected(name, entry + name.len + 1, t);
}

static bool is_foreign(const char *entry, const struct command_target *t)
{
    struct span name = name_of(entry);
    const char *value = entry + name.len + (entry[name.len] != '\0');
    return is_listed(name, t->variables) && *value != '\0' && !cfg_url_is_postgresql(value);
}

/* "PGHOST=a,b" and "PGPORT=1,2" of "a:1,b:2". */
static char *list_of(const char *name, const char *hosts, bool ports)
{
    struct strbuf out;
    strbuf_init(&out, URL_MAX);
    strbuf_printf(&out, "%s=", name);
    for (struct span rest = span_of_text(hosts); rest.len > 0;) {
        struct span one = span_head(rest, span_find_byte(rest, ','));
        rest = span_skip(rest, one.len + 1);
        size_t colon = one.len;
        while (colon > 0 && one.data[colon - 1] != ':')
            colon--;
        struct span host = span_head(one, colon - (colon > 0));
        if (host.len > 1 && host.data[0] == '[')
            host = span_of(host.data + 1, host.len - 2);
        strbuf_add_span(&out, ports ? span_skip(one, colon) : host);
        if (rest.len > 0)
            strbuf_putc(&out, ',');
    }
    char *text = strbuf_take(&out);
    strbuf_fini(&out);
    return text;
}

static bool is_set(char *const *envp, struct span name)
{
    for (; *envp != NULL; envp++)
        if (span_equal(name_of(*envp), name))
            return true;
    return false;
}

/* PGHOST, PGPORT, and the first of the variables when it is not there. */
static bool add_ours(char **out, size_t n, char *const *envp, const struct command_target *t)
{
    struct span first = span_of_text(t->variables);
    first = span_head(first, span_find_byte(first, ','));
    size_t before = n;
    out[n++] = list_of("PGHOST", t->hosts, false);
    out[n++] = list_of("PGPORT", t->hosts, true);
    if (first.len > 0 && !is_set(envp, first))
        out[n++] = redirected(first, t->upstream, t);
    for (size_t i = before; i < n; i++)
        if (out[i] == NULL)
            return false;
    return true;
}

char **command_env(char *const *envp, const struct command_target *target, const char **foreign)
{
    size_t n = 0;
    size_t kept = 0;
    *foreign = NULL;
    while (envp[n] != NULL)
        n++;
    char **out = calloc(n + OURS + 1, sizeof(*out));
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (is_dropped(name_of(envp[i]), target))
            continue;
        out[kept] = changed(envp[i], target);
        if (out[kept] == NULL)
            goto no_memory;
        if (is_foreign(envp[i], target))
            *foreign = out[kept];
        kept++;
    }
    if (add_ours(out, kept, envp, target))
        return out;
no_memory:
    *foreign = NULL;
    command_env_free(out);
    return NULL;
}

void command_env_free(char **env)
{
    for (size_t i = 0; env != NULL && env[i] != NULL; i++) {
        explicit_bzero(env[i], strlen(env[i]));
        free(env[i]);
    }
    free(env);
}
