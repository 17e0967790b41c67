/*
 * Where to listen and where to connect: text into socket addresses.
 *
 * A listener is "host:port", "[v6]:port", ":port" or the path of a Unix socket. Where a path
 * stands, one that begins with '@' is in the abstract namespace, as in libpq.
 */
#ifndef PGSLEUTH_PROXY_ADDRESS_H
#define PGSLEUTH_PROXY_ADDRESS_H

#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_MAX = 8, ADDRESS_TEXT = 300 };

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* What a name resolved to, in the order to try. */
struct addresses {
    struct address items[ADDRESS_MAX];
    size_t count;
    char text[ADDRESS_TEXT]; /* "host:port" or the path, for people */
};

enum address_result { ADDRESS_OK = 0, ADDRESS_SYNTAX = -1, ADDRESS_UNKNOWN = -2 };

/* ADDRESS_OK; or with one line of text in `error` ADDRESS_SYNTAX, when the text is not of that
 * form, or ADDRESS_UNKNOWN, when its host cannot be found. May block on a name server. */
int address_of_listener(const char *text, struct addresses *out, char *error, size_t error_size);

/* The same, where port 0 stands for any that is free. */
int address_of_any_port(const char *text, struct addresses *out, char *error, size_t error_size);

/* Several listeners with commas between them; *n of at most `max`. */
int address_of_listeners(const char *text, struct addresses *out, size_t max, size_t *n,
                         char *error, size_t error_size);

/* A server: a host and a port, or the folder of a Unix socket and the port in its name. */
int address_of_host(const char *host, const char *port, struct addresses *out, char *error,
                    size_t error_size);

/* Append "host:port" by which a client on this machine reaches a listener: of one that takes any
 * address, the loopback. False for a Unix socket. */
bool address_for_clients(const struct addresses *listener, struct strbuf *out);

/* Append "127.0.0.1:port" with a port that is free now. False when there is none. */
bool address_free_port(struct strbuf *out);

/* True when a name server was asked, so that the answer may change. */
bool address_is_name(const char *host);

bool address_is_unix(const struct address *a);

/* True when connecting to `upstream` would reach a listener on `listener`: it is the same address,
 * or the listener takes any and the upstream is one of this host's own. */
bool address_is_loop(const struct addresses *listener, const struct addresses *upstream);

/* The address without its port, for people; "unix" for a Unix socket. */
void address_host_text(const struct sockaddr *sa, socklen_t len, char *out, size_t size);

/* Its port; 0 where it has none. */
uint16_t address_port(const struct sockaddr *sa);

#endif
