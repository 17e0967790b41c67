#include "common/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

void pool_init(struct pool *p, size_t object_size, size_t keep, size_t max)
{
    assert(object_size >= sizeof(void *));
    size_t whole = (object_size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    *p = (struct pool){.object_size = whole, .keep = keep, .max = max};
}

void pool_fini(struct pool *p)
{
    assert(p->n_used == 0);
    while (p->free_list != NULL) {
        void *next;
        memcpy(&next, p->free_list, sizeof(next));
        free(p->free_list);
        p->free_list = next;
    }
    p->n_free = 0;
}

void *pool_get(struct pool *p)
{
    if (p->n_used >= p->max)
        return NULL;
    void *object = p->free_list;
    if (object != NULL) {
        memcpy(&p->free_list, object, sizeof(p->free_list));
        p->n_free--;
    } else {
        object = aligned_alloc(CACHE_LINE, p->object_size);
        if (object == NULL)
            return NULL;
    }
    p->n_used++;
    return object;
}

void pool_put(struct pool *p, void *object)
{
    if (object == NULL)
        return;
    assert(p->n_used > 0);
    p->n_used--;
    if (p->n_free >= p->keep) {
        free(object);
        return;
    }
    memcpy(object, &p->free_list, sizeof(p->free_list));
    p->free_list = object;
    p->n_free++;
}
