#include "proxy/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_path(const char *text)
{
    return text[0] == '/' || text[0] == '@';
}

static int unix_address(const char *path, struct addresses *out, char *error, size_t error_size)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->items[0].storage;
    size_t len = strlen(path);
    if (len >= sizeof(un->sun_path)) {
        snprintf(error, error_size, "socket path is longer than %zu bytes",
                 sizeof(un->sun_path) - 1);
        return ADDRESS_SYNTAX;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    bool abstract = path[0] == '@';
    if (abstract)
        un->sun_path[0] = '\0';
    out->items[0].len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract);
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

static bool port_is_valid(const char *port, long lowest)
{
    char *end = NULL;
    long n = strtol(port, &end, 10);
    return *port != '\0' && *end == '\0' && n >= lowest && n <= 65535;
}

static int listener_from(const char *text, long lowest_port, struct addresses *out, char *error,
                         size_t error_size)
{
    *out = (struct addresses){.count = 0};
    char host[ADDRESS_TEXT];
    if (strlen(text) >= sizeof(host)) {
        snprintf(error, error_size, "address is too long");
        return ADDRESS_SYNTAX;
    }
    snprintf(out->text, sizeof(out->text), "%s", text);
    if (is_path(text))
        return unix_address(text, out, error, error_size);
    const char *port = cut_port(text, host);
    if (port == NULL || !port_is_valid(port, lowest_port)) {
        snprintf(error, error_size, "\"%s\" is not host:port with a port of %ld to 65535", text,
                 lowest_port);
        return ADDRESS_SYNTAX;
    }
    return resolve(host[0] != '\0' ? host : NULL, port, AI_PASSIVE, out, error, error_size);
}

int address_of_listener(const char *text, struct addresses *out, char *error, size_t error_size)
{
    return listener_from(text, 1, out, error, error_size);
}

int address_of_any_port(const char *text, struct addresses *out, char *error, size_t error_size)
{
    return listener_from(text, 0, out, error, error_size);
}

int address_of_listeners(const char *text, struct addresses *out, size_t max, size_t *n,
                         char *error, size_t error_size)
{
    for (*n = 0; *n < max; text++) {
        char one[ADDRESS_TEXT];
        size_t len = strcspn(text, ",");
        snprintf(one, sizeof(one), "%.*s", (int)(len < sizeof(one) ? len : sizeof(one)), text);
        int r = len < sizeof(one) ? address_of_listener(one, &out[*n], error, error_size)
                                  : ADDRESS_SYNTAX;
        if (r != ADDRESS_OK)
            return r;
        ++*n;
        text += len;
        if (*text == '\0')
            return ADDRESS_OK;
    }
    snprintf(error, error_size, "more than %zu addresses", max);
    return ADDRESS_SYNTAX;
}

int address_of_host(const char *host, const char *port, struct addresses *out, char *error,
                    size_t error_size)
{
    *out = (struct addresses){.count = 0};
    if (!port_is_valid(port, 1)) {
        snprintf(error, error_size, "a port is a number of 1 to 65535");
        return ADDRESS_SYNTAX;
    }
    bool folder = is_path(host);
    int len =
        snprintf(out->text, sizeof(out->text), folder ? "%s/.s.PGSQL.%s" : "%s:%s", host, port);
    if (len < 0 || (size_t)len >= sizeof(out->text)) {
        snprintf(error, error_size, "the name of a host is too long");
        return ADDRESS_SYNTAX;
    }
    if (folder)
        return unix_address(out->text, out, error, error_size);
    return resolve(host, port, 0, out, error, error_size);
}

bool address_is_name(const char *host)
{
    uint8_t ip[sizeof(struct in6_addr)];
    return !is_path(host) && inet_pton(AF_INET, host, ip) != 1 &&
           inet_pton(AF_INET6, host, ip) != 1;
}

bool address_is_unix(const struct address *a)
{
    return a->storage.ss_family == AF_UNIX;
}

/* Where a connection to this address goes: "any" is this host, and an IPv4 address written as IPv6
 * is that IPv4 address. */
static struct address destination(const struct address *a)
{
    struct address out = *a;
    if (a->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out.storage;
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
            struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six->sin6_port};
            memcpy(&four.sin_addr, &six->sin6_addr.s6_addr[12], sizeof(four.sin_addr));
            out = (struct address){.len = sizeof(four)};
            memcpy(&out.storage, &four, sizeof(four));
        } else if (IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr)) {
            six->sin6_addr = in6addr_loopback;
        }
    }
    struct sockaddr_in *four = (struct sockaddr_in *)&out.storage;
    if (out.storage.ss_family == AF_INET && four->sin_addr.s_addr == htonl(INADDR_ANY))
        four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

static bool same_port(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_port ==
               ((const struct sockaddr_in *)b)->sin_port;
    return ((const struct sockaddr_in6 *)a)->sin6_port ==
           ((const struct sockaddr_in6 *)b)->sin6_port;
}

/* An address belongs to this host when a socket can be bound to it. */
static bool is_own(const struct address *a)
{
    struct address any_port = *a;
    if (a->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&any_port.storage)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&any_port.storage)->sin6_port = 0;
    int fd = socket(a->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool own = bind(fd, (const struct sockaddr *)&any_port.storage, any_port.len) == 0;
    close(fd);
    return own;
}

static bool same_or_any_host(const struct address *listener, const struct address *upstream)
{
    if (listener->storage.ss_family == AF_INET) {
        in_addr_t a = ((const struct sockaddr_in *)&listener->storage)->sin_addr.s_addr;
        in_addr_t b = ((const struct sockaddr_in *)&upstream->storage)->sin_addr.s_addr;
        return a == b || (a == htonl(INADDR_ANY) && is_own(upstream));
    }
    const struct in6_addr *a = &((const struct sockaddr_in6 *)&listener->storage)->sin6_addr;
    const struct in6_addr *b = &((const struct sockaddr_in6 *)&upstream->storage)->sin6_addr;
    return memcmp(a, b, sizeof(*a)) == 0 || (IN6_IS_ADDR_UNSPECIFIED(a) && is_own(upstream));
}

static bool meets(const struct address *listener, const struct address *upstream)
{
    struct address to = destination(upstream);
    upstream = &to;
    if (listener->storage.ss_family != upstream->storage.ss_family)
        return false;
    if (address_is_unix(listener))
        return listener->len == upstream->len &&
               memcmp(&listener->storage, &upstream->storage, listener->len) == 0;
    return same_port(&listener->storage, &upstream->storage) &&
           same_or_any_host(listener, upstream);
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

uint16_t address_port(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
    if (sa->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
    return 0;
}

bool address_for_clients(const struct addresses *listener, struct strbuf *out)
{
    struct address to = destination(&listener->items[0]);
    const struct sockaddr *sa = (const struct sockaddr *)&to.storage;
    char host[INET6_ADDRSTRLEN];
    if (address_is_unix(&to))
        return false;
    address_host_text(sa, sizeof(to.storage), host, sizeof(host));
    strbuf_printf(out, sa->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
                  (unsigned)address_port(sa));
    return true;
}

/* It is closed again: another process may take the port before it is listened on. The kernel gives
 * out others first. */
bool address_free_port(struct strbuf *out)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof(any);
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 &&
              getsockname(fd, (struct sockaddr *)&any, &len) == 0;
    if (ok)
        strbuf_printf(out, "127.0.0.1:%u", (unsigned)ntohs(any.sin_port));
    if (fd >= 0)
        close(fd);
    return ok;
}
