/*
 * Where to listen and where to connect: text into socket addresses.
 *
 * A listener is "host:port", "[v6]:port", ":port" or the path of a Unix socket. An upstream is the
 * host and port of a postgresql:// URL, as libpq reads it: a host that begins with '/' is the
 * folder of a Unix socket.
 */
#ifndef PGSLEUTH_PROXY_ADDRESS_H
#define PGSLEUTH_PROXY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
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
 * form, or ADDRESS_UNKNOWN, when its host cannot be found. May block on a name server: for start-up
 * only. */
int address_of_listener(const char *text, struct addresses *out, char *error, size_t error_size);
int address_of_url(const char *url, struct addresses *out, char *error, size_t error_size);

/* True when connecting to `upstream` would reach a listener on `listener`. */
bool address_is_loop(const struct addresses *listener, const struct addresses *upstream);

/* The address without its port, for people; "unix" for a Unix socket. */
void address_host_text(const struct sockaddr *sa, socklen_t len, char *out, size_t size);

/* True when the URL names a user and a database, so that one could log in with it. */
bool address_url_is_complete(const char *url);

#endif
