/* Values from the environment. */
#include "config/source.h"

#include "config/dsn.h"
#include "config/error.h"
#include "config/value.h"

#include <ctype.h>
#include <stdlib.h>

#define PREFIX "PGSLEUTH_"

static const struct cfg_option *by_env_name(struct span wanted)
{
    char name[CFG_NAME_MAX];
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (span_is(wanted, cfg_env_name(&cfg_option_table[i], name)))
            return &cfg_option_table[i];
    return NULL;
}

/*
 * Kubernetes gives every pod such variables for every service of the namespace: a service called
 * "pgsleuth" must not keep pgsleuth from starting.
 */
static bool is_service_link(const char *name, const char *value)
{
    const char *equals = value - 1;
    const char *port = strstr(name, "_PORT");
    const char *host = strstr(name, "_SERVICE_");
    if (host != NULL && host < equals)
        return strncmp(host, "_SERVICE_HOST=", 14) == 0 || strncmp(host, "_SERVICE_PORT", 13) == 0;
    if (port == NULL || port > equals)
        return false;
    if (strncmp(port, "_PORT=", 6) == 0)
        return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0;
    return port[5] == '_' && isdigit((unsigned char)port[6]);
}

static int refuse_unknown(struct span name, struct cfg_error *err)
{
    struct cfg_nearest nearest;
    char known[CFG_NAME_MAX];
    char shown[CFG_SHOWN_MAX];
    cfg_nearest_init(&nearest, name);
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        cfg_nearest_offer(&nearest, cfg_env_name(&cfg_option_table[i], known));
    cfg_show_name(shown, name);
    if (cfg_nearest_found(&nearest))
        return cfg_fail(err, CFG_E_UNKNOWN, "%s: unknown variable; did you mean %s?", shown,
                        nearest.name);
    return cfg_fail(err, CFG_E_UNKNOWN, "%s: unknown variable", shown);
}

int cfg_load_environment(char **envp, struct cfg_options *options, struct cfg_error *err)
{
    static const struct cfg_origin origin = {.kind = CFG_FROM_ENVIRONMENT};
    char where[CFG_NAME_MAX];
    for (; envp != NULL && *envp != NULL; envp++) {
        const char *equals = strchr(*envp, '=');
        if (strncmp(*envp, PREFIX, strlen(PREFIX)) != 0 || equals == NULL)
            continue;
        struct span name = span_of(*envp, (size_t)(equals - *envp));
        const struct cfg_option *option = by_env_name(name);
        if (option == NULL && is_service_link(*envp, equals + 1))
            continue;
        if (option == NULL)
            return refuse_unknown(name, err);
        cfg_env_name(option, where);
        int result = cfg_apply(options, option, equals + 1, where, origin, err);
        if (result != CFG_OK)
            return result;
    }
    return CFG_OK;
}

/* The value of a variable, "" when it is not set. */
static const char *variable(char **envp, const char *name)
{
    size_t len = strlen(name);
    for (; envp != NULL && *envp != NULL; envp++)
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return *envp + len + 1;
    return "";
}

/* To the options that fall back to a URL of the environment and have nothing better. */
static int apply_url(const char *url, const char *where, struct cfg_origin origin,
                     struct cfg_options *options, struct cfg_error *err)
{
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        /* Another database's URL in an application's environment is a fault only when it is used.
         */
        if ((option->flags & CFG_DATABASE_URL) == 0 || options->origins[i].kind > origin.kind)
            continue;
        int result = cfg_apply(options, option, url, where, origin, err);
        if (result != CFG_OK)
            return result;
    }
    return CFG_OK;
}

int cfg_load_database_url(char **envp, struct cfg_options *options, struct cfg_error *err)
{
    static const struct cfg_origin origin = {.kind = CFG_FROM_DATABASE_URL};
    const char *url = variable(envp, "DATABASE_URL");
    if (url[0] == '\0' || !cfg_url_is_postgresql(url))
        return url[0] != '\0' ? apply_url(url, "DATABASE_URL", origin, options, err) : CFG_OK;
    char *ours = cfg_url_of_application(url);
    if (ours == NULL)
        return cfg_fail(err, CFG_E_NO_MEMORY, "out of memory");
    int result = apply_url(ours, "DATABASE_URL", origin, options, err);
    explicit_bzero(ours, strlen(ours));
    free(ours);
    return result;
}

/* Percent-encoded, but for what is never special in a URL. */
static void add_encoded(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL)
            strbuf_putc(out, *text);
        else
            strbuf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

static void add_parameter(struct strbuf *out, char **envp, const char *name, const char *before)
{
    const char *value = variable(envp, name);
    if (value[0] == '\0')
        return;
    strbuf_puts(out, before);
    add_encoded(out, value);
}

int cfg_load_pg_variables(char **envp, struct cfg_options *options, struct cfg_error *err)
{
    static const struct cfg_origin origin = {.kind = CFG_FROM_PG_VARIABLES};
    if (variable(envp, "PGHOST")[0] == '\0')
        return CFG_OK;
    struct strbuf url;
    strbuf_init(&url, CFG_TEXT_MAX);
    add_parameter(&url, envp, "PGUSER", "postgresql://");
    if (url.len > 0) {
        add_parameter(&url, envp, "PGPASSWORD", ":");
        strbuf_putc(&url, '@');
    } else {
        strbuf_puts(&url, "postgresql://");
    }
    add_parameter(&url, envp, "PGHOST", "");
    add_parameter(&url, envp, "PGPORT", ":");
    add_parameter(&url, envp, "PGDATABASE", "/");
    add_parameter(&url, envp, "PGSSLMODE", "?sslmode=");
    int result = url.failed ? cfg_fail(err, CFG_E_RANGE, "PGHOST and its like are too long")
                            : apply_url(strbuf_text(&url), "PGHOST", origin, options, err);
    if (url.data != NULL)
        explicit_bzero(url.data, url.size); /* it may hold a password */
    strbuf_fini(&url);
    return result;
}
