#include "proxy/upstream.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
    }
    return NULL;
}

static int fail(char *error, size_t error_size, const char *text)
{
    snprintf(error, error_size, "%s", text);
    return -1;
}

/* --- what libpq 15 does not know yet --- */

/* Cut `name=value` out of the query part of a URL and give the value, owned; NULL when it is not in
 * it. */
static char *take_parameter(char *url, const char *name)
{
    size_t name_len = strlen(name);
    for (char *at = strchr(url, '?'); at != NULL; at = strchr(at + 1, '&')) {
        if (strncmp(at + 1, name, name_len) != 0 || at[1 + name_len] != '=')
            continue;
        char *begin = at + 1 + name_len + 1;
        size_t len = strcspn(begin, "&");
        char *out = strndup(begin, len);
        char *rest = begin + len;
        if (*rest == '&')
            memmove(at + 1, rest + 1, strlen(rest + 1) + 1);
        else
            *at = '\0';
        return out;
    }
    return NULL;
}

static int read_negotiation(struct upstream *u, char *error, size_t error_size)
{
    char *text = take_parameter(u->dsn, "sslnegotiation");
    u->direct = text != NULL && strcmp(text, "direct") == 0;
    bool known = text == NULL || u->direct || strcmp(text, "postgres") == 0;
    free(text);
    return known ? 0 : fail(error, error_size, "sslnegotiation is neither postgres nor direct");
}

/* --- TLS --- */

static int read_sslmode(const PQconninfoOption *options, struct upstream *u, char *error,
                        size_t error_size)
{
    static const struct {
        const char *text;
        enum sslmode mode;
    } modes[] = {
        {"disable", SSLMODE_DISABLE},     {"allow", SSLMODE_PREFER},
        {"prefer", SSLMODE_PREFER},       {"require", SSLMODE_REQUIRE},
        {"verify-ca", SSLMODE_VERIFY_CA}, {"verify-full", SSLMODE_VERIFY_FULL},
    };
    const char *text = value(options, "sslmode");
    const char *root = value(options, "sslrootcert");
    bool system = root != NULL && strcmp(root, "system") == 0;
    if (text == NULL)
        text = system ? "verify-full" : "prefer";
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(text, modes[i].text) != 0)
            continue;
        u->sslmode = modes[i].mode;
        if (system && u->sslmode != SSLMODE_VERIFY_FULL)
            return fail(error, error_size, "sslrootcert=system needs sslmode=verify-full");
        if (u->direct && u->sslmode < SSLMODE_REQUIRE)
            return fail(error, error_size,
                        "sslnegotiation=direct needs sslmode=require or stronger");
        return 0;
    }
    return fail(error, error_size,
                "sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full");
}

static bool copy(const PQconninfoOption *options, const char *keyword, char **out)
{
    const char *text = value(options, keyword);
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static int read_tls(const PQconninfoOption *options, struct upstream *u, char *error,
                    size_t error_size)
{
    if (read_sslmode(options, u, error, error_size) != 0)
        return -1;
    const char *gss = value(options, "gssencmode");
    if (gss != NULL && strcmp(gss, "require") == 0)
        return fail(error, error_size,
                    "gssencmode=require cannot be relayed: pgsleuth reads the traffic; use TLS");
    const char *sni = value(options, "sslsni");
    u->sni = sni == NULL || strcmp(sni, "0") != 0;
    bool copied = copy(options, "sslrootcert", &u->root_cert) && copy(options, "sslcrl", &u->crl) &&
                  copy(options, "sslcrldir", &u->crl_dir) && copy(options, "sslcert", &u->cert) &&
                  copy(options, "sslkey", &u->key) &&
                  copy(options, "sslpassword", &u->key_password) &&
                  copy(options, "ssl_min_protocol_version", &u->min_protocol) &&
                  copy(options, "ssl_max_protocol_version", &u->max_protocol);
    return copied ? 0 : fail(error, error_size, "out of memory");
}

/* --- hosts --- */

/* Item `i` of a list with commas, owned; the only item stands for all when there is one. NULL for
 * an empty item and for a list that is not there. */
static char *item(const char *list, size_t i)
{
    if (list == NULL)
        return NULL;
    if (strchr(list, ',') == NULL)
        i = 0;
    while (i-- > 0) {
        list = strchr(list, ',');
        if (list == NULL)
            return NULL;
        list++;
    }
    size_t len = strcspn(list, ",");
    return len > 0 ? strndup(list, len) : NULL;
}

static size_t count_items(const char *list)
{
    size_t n = 1;
    for (const char *at = list; at != NULL && (at = strchr(at, ',')) != NULL; at++)
        n++;
    return n;
}

static char *or_default(char *text, const char *fallback)
{
    return text != NULL ? text : strdup(fallback);
}

static int read_hosts(const PQconninfoOption *options, struct upstream *u, char *error,
                      size_t error_size)
{
    const char *names = value(options, "host");
    const char *addresses = value(options, "hostaddr");
    const char *ports = value(options, "port");
    size_t n = count_items(addresses != NULL ? addresses : names);
    if (addresses != NULL && names != NULL && count_items(names) != n)
        return fail(error, error_size, "host and hostaddr have different numbers of items");
    if (count_items(ports) != 1 && count_items(ports) != n)
        return fail(error, error_size, "there are not as many ports as hosts");
    if (n > UPSTREAM_MAX_HOSTS)
        return fail(error, error_size, "more hosts than 8");
    for (u->n_hosts = 0; u->n_hosts < n; u->n_hosts++) {
        struct upstream_host *h = &u->hosts[u->n_hosts];
        h->address = item(addresses, u->n_hosts);
        h->port = or_default(item(ports, u->n_hosts), "5432");
        h->name = item(names, u->n_hosts);
        h->name = or_default(h->name, h->address != NULL ? h->address : "127.0.0.1");
        if (h->name == NULL || h->port == NULL)
            return fail(error, error_size, "out of memory");
    }
    return 0;
}

int upstream_parse(const char *url, struct upstream *out, char *error, size_t error_size)
{
    *out = (struct upstream){.dsn = strdup(url)};
    if (out->dsn == NULL)
        return fail(error, error_size, "out of memory");
    if (read_negotiation(out, error, error_size) != 0)
        return -1;
    /* libpq's own message may quote the password. */
    PQconninfoOption *options = PQconninfoParse(out->dsn, NULL);
    if (options == NULL)
        return fail(error, error_size,
                    "is not a postgresql:// URL, or a parameter of it is unknown");
    out->complete = value(options, "user") != NULL && value(options, "dbname") != NULL;
    bool copied = copy(options, "user", &out->user) && copy(options, "dbname", &out->database);
    int r = copied ? read_hosts(options, out, error, error_size)
                   : fail(error, error_size, "out of memory");
    if (r == 0)
        r = read_tls(options, out, error, error_size);
    PQconninfoFree(options);
    return r;
}

int upstream_resolve(const struct upstream_host *host, struct addresses *out, char *error,
                     size_t error_size)
{
    return address_of_host(host->address != NULL ? host->address : host->name, host->port, out,
                           error, error_size);
}

bool upstream_has_names(const struct upstream *u)
{
    for (size_t i = 0; i < u->n_hosts; i++) {
        if (u->hosts[i].address == NULL && address_is_name(u->hosts[i].name))
            return true;
    }
    return false;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void upstream_fini(struct upstream *u)
{
    for (size_t i = 0; i < UPSTREAM_MAX_HOSTS; i++) {
        free(u->hosts[i].name);
        free(u->hosts[i].address);
        free(u->hosts[i].port);
    }
    wipe(u->dsn);
    wipe(u->key_password);
    free(u->user);
    free(u->database);
    free(u->root_cert);
    free(u->crl);
    free(u->crl_dir);
    free(u->cert);
    free(u->key);
    free(u->min_protocol);
    free(u->max_protocol);
    *u = (struct upstream){.n_hosts = 0};
}

bool upstream_url_is_complete(const char *url)
{
    struct upstream u;
    char error[200];
    bool complete = upstream_parse(url, &u, error, sizeof(error)) == 0 && u.complete;
    upstream_fini(&u);
    return complete;
}
