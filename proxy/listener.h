/*
 * Listening sockets. Each worker has its own on the same address (SO_REUSEPORT), so that the kernel
 * spreads connections and no thread hands a socket to another. A Unix socket cannot be had twice:
 * there all workers listen on one, and whoever is first accepts.
 */
#ifndef PGSLEUTH_PROXY_LISTENER_H
#define PGSLEUTH_PROXY_LISTENER_H

#include "proxy/address.h"

/* Whether the address is free: SO_REUSEPORT would silently share a port with another pgsleuth of
 * the same user. 0, or -1 with one line in `error`. A Unix socket file that nobody listens on any
 * more is removed. */
int listener_probe(const struct addresses *addresses, char *error, size_t error_size);

/* A listening, non-blocking socket that nobody else can share, or -1 with errno. */
int listener_open_alone(const struct address *a);

/* A listening, non-blocking socket on the i-th address, or -1 with one line in `error`. `shared` is
 * what another worker got for the same address, or -1 in the first one. */
int listener_open(const struct addresses *addresses, size_t i, int shared, char *error,
                  size_t error_size);

/* A bound, non-blocking datagram socket on the i-th address, or -1 with one line in `error`. A Unix
 * socket file that nobody reads any more is replaced. */
int listener_open_datagram(const struct addresses *addresses, size_t i, char *error,
                           size_t error_size);

/* Remove the file of a Unix socket. */
void listener_remove(const struct addresses *addresses);

#endif
