/*
 * Memory for libevent when there is no other.
 *
 * evhttp 2.1 does not survive it when an allocation for a new connection or request fails: it reads
 * through a null pointer, and the relay would end with it. So where an admin API is served, what
 * libevent asks for comes from a fixed block when malloc has nothing; and while any of that is in
 * use the API takes no new connection, so that the block is enough for those that are there.
 *
 * Any thread.
 */
#ifndef PGSLEUTH_PROXY_RESERVE_H
#define PGSLEUTH_PROXY_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

enum { RESERVE_PIECES = 512, RESERVE_PIECE_BYTES = 1024 };

/* Before any other use of libevent in the process. */
void reserve_use(void);

/* True while some of it is taken. */
bool reserve_is_in_use(void);

/* What libevent is given, for the tests. */
void *reserve_malloc(size_t size);
void *reserve_realloc(void *p, size_t size);
void reserve_free(void *p);

#endif
