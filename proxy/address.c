#include "proxy/address.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int unix_address(const char *path, struct addresses *out, char *error, size_t error_size)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->items[0].storage;
    if (strlen(path) >= sizeof(un->sun_path)) {
        snprintf(error, error_size, "socket path is longer than %zu bytes",
                 sizeof(un->sun_path) - 1);
        return ADDRESS_SYNTAX;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
    out->items[0].len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    out->count = 1;
    return ADDRESS_OK;
}

static int resolve(const char *host, const char *port, int flags, struct addresses *out,
                   char *error, size_t error_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(host, port, &hints, &list);
    if (r != 0) {
        snprintf(error, error_size, "cannot resolve \"%s\": %s", host != NULL ? host : "*",
                 gai_strerror(r));
        return ADDRESS_UNKNOWN;
    }
    for (struct addrinfo *a = list; a != NULL && out->count < ADDRESS_MAX; a = a->ai_next) {
        struct address *item = &out->items[out->count++];
        memcpy(&item->storage, a->ai_addr, a->ai_addrlen);
        item->len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return ADDRESS_OK;
}

/* Cut "host:port" or "[v6]:port"; gives the port or NULL. `host` has room for the whole text. */
static const char *cut_port(const char *text, char *host)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0')
        return NULL;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return colon + 1;
}

static bool port_is_valid(const char *port)
{
    char *end = NULL;
    long n = strtol(port, &end, 10);
    return *port != '\0' && *end == '\0' && n >= 1 && n <= 65535;
}

int address_of_listener(const char *text, struct addresses *out, char *error, size_t error_size)
{
    *out = (struct addresses){.count = 0};
    char host[ADDRESS_TEXT];
    if (strlen(text) >= sizeof(host)) {
        snprintf(error, error_size, "address is too long");
        return ADDRESS_SYNTAX;
    }
    snprintf(out->text, sizeof(out->text), "%s", text);
    if (text[0] == '/')
        return unix_address(text, out, error, error_size);
    const char *port = cut_port(text, host);
    if (port == NULL || !port_is_valid(port)) {
        snprintf(error, error_size, "\"%s\" is not host:port with a port of 1 to 65535", text);
        return ADDRESS_SYNTAX;
    }
    return resolve(host[0] != '\0' ? host : NULL, port, AI_PASSIVE, out, error, error_size);
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
    }
    return NULL;
}

static int url_address(const PQconninfoOption *options, struct addresses *out, char *error,
                       size_t error_size)
{
    const char *host = option_value(options, "hostaddr");
    if (host == NULL)
        host = option_value(options, "host");
    if (host == NULL)
        host = "127.0.0.1";
    const char *port = option_value(options, "port");
    if (port == NULL)
        port = "5432";
    if (strchr(host, ',') != NULL || !port_is_valid(port)) {
        snprintf(error, error_size, "one host and one port of 1 to 65535 are needed");
        return ADDRESS_SYNTAX;
    }
    bool folder = host[0] == '/';
    snprintf(out->text, sizeof(out->text), folder ? "%s/.s.PGSQL.%s" : "%s:%s", host, port);
    if (folder)
        return unix_address(out->text, out, error, error_size);
    return resolve(host, port, 0, out, error, error_size);
}

int address_of_url(const char *url, struct addresses *out, char *error, size_t error_size)
{
    *out = (struct addresses){.count = 0};
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (options == NULL) {
        /* libpq's own message may quote the password. */
        snprintf(error, error_size, "is not a postgresql:// URL");
        return ADDRESS_SYNTAX;
    }
    int r = url_address(options, out, error, error_size);
    PQconninfoFree(options);
    return r;
}

bool address_url_is_complete(const char *url)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (options == NULL)
        return false;
    bool complete =
        option_value(options, "user") != NULL && option_value(options, "dbname") != NULL;
    PQconninfoFree(options);
    return complete;
}

static bool same_port(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_port ==
               ((const struct sockaddr_in *)b)->sin_port;
    return ((const struct sockaddr_in6 *)a)->sin6_port ==
           ((const struct sockaddr_in6 *)b)->sin6_port;
}

static bool same_or_any_host(const struct sockaddr_storage *listener,
                             const struct sockaddr_storage *upstream)
{
    if (listener->ss_family == AF_INET) {
        in_addr_t a = ((const struct sockaddr_in *)listener)->sin_addr.s_addr;
        in_addr_t b = ((const struct sockaddr_in *)upstream)->sin_addr.s_addr;
        return a == b || (a == htonl(INADDR_ANY) && ntohl(b) >> 24 == 127);
    }
    const struct in6_addr *a = &((const struct sockaddr_in6 *)listener)->sin6_addr;
    const struct in6_addr *b = &((const struct sockaddr_in6 *)upstream)->sin6_addr;
    return memcmp(a, b, sizeof(*a)) == 0 || (IN6_IS_ADDR_UNSPECIFIED(a) && IN6_IS_ADDR_LOOPBACK(b));
}

static bool meets(const struct address *listener, const struct address *upstream)
{
    const struct sockaddr_storage *a = &listener->storage;
    const struct sockaddr_storage *b = &upstream->storage;
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_UNIX)
        return strcmp(((const struct sockaddr_un *)a)->sun_path,
                      ((const struct sockaddr_un *)b)->sun_path) == 0;
    return same_port(a, b) && same_or_any_host(a, b);
}

bool address_is_loop(const struct addresses *listener, const struct addresses *upstream)
{
    for (size_t i = 0; i < listener->count; i++) {
        for (size_t j = 0; j < upstream->count; j++) {
            if (meets(&listener->items[i], &upstream->items[j]))
                return true;
        }
    }
    return false;
}

void address_host_text(const struct sockaddr *sa, socklen_t len, char *out, size_t size)
{
    snprintf(out, size, "unix");
    if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in))
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out,
                  (socklen_t)size);
    else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6))
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, out,
                  (socklen_t)size);
}
