/* Values from the environment. */
#include "config/source.h"

#include "config/error.h"

#include <ctype.h>

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

static const char *database_url(char **envp)
{
    static const char prefix[] = "DATABASE_URL=";
    for (; envp != NULL && *envp != NULL; envp++)
        if (strncmp(*envp, prefix, strlen(prefix)) == 0)
            return *envp + strlen(prefix);
    return NULL;
}

int cfg_load_database_url(char **envp, struct cfg_options *options, struct cfg_error *err)
{
    static const struct cfg_origin origin = {.kind = CFG_FROM_DATABASE_URL};
    const char *url = database_url(envp);
    if (url == NULL || url[0] == '\0')
        return CFG_OK;
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        /* Another database's URL in an application's environment is a fault only when it is used.
         */
        if ((option->flags & CFG_DATABASE_URL) == 0 ||
            options->origins[i].kind > CFG_FROM_DATABASE_URL)
            continue;
        int result = cfg_apply(options, option, url, "DATABASE_URL", origin, err);
        if (result != CFG_OK)
            return result;
    }
    return CFG_OK;
}
