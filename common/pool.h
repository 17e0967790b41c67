/*
 * A free list of objects of one size: what is given back is handed out again, so that a busy path
 * allocates only until it has reached its working set. At most `keep` free objects are held; the
 * rest go back to the system. Objects begin at a cache line. One thread.
 */
#ifndef PGSLEUTH_COMMON_POOL_H
#define PGSLEUTH_COMMON_POOL_H

#include <stddef.h>

struct pool {
    void *free_list;
    size_t object_size;
    size_t n_free;
    size_t n_used;
    size_t keep;
    size_t max; /* objects in use at once */
};

/* An empty pool in the caller's storage. Objects have at least the size of a pointer. */
void pool_init(struct pool *p, size_t object_size, size_t keep, size_t max);

/* Free what is not in use; every object must have been given back. */
void pool_fini(struct pool *p);

/* An object with undefined contents, or NULL when `max` are in use or there is no memory. */
void *pool_get(struct pool *p);

/* NULL is allowed. */
void pool_put(struct pool *p, void *object);

#endif
