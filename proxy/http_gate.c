#include "proxy/http_gate.h"

#include <assert.h>
#include <stdint.h>
#include <unistd.h>

void http_gate_init(struct http_gate *g, bool on)
{
    g->on = on;
    g->n_workers = 0;
    atomic_init(&g->taken, false);
    atomic_init(&g->tickets, 0);
}

void http_gate_add(struct http_gate *g, int wake_fd)
{
    assert(g->n_workers < HTTP_GATE_MAX_WORKERS);
    g->wake_fds[g->n_workers++] = wake_fd;
}

bool http_gate_enter(struct http_gate *g)
{
    return !g->on || !atomic_exchange(&g->taken, true);
}

void http_gate_leave(struct http_gate *g)
{
    if (!g->on)
        return;
    atomic_store(&g->taken, false);
    const uint64_t one = 1;
    for (size_t i = 0; i < g->n_workers; i++) {
        if (write(g->wake_fds[i], &one, sizeof(one)) < 0)
            continue; /* a full counter wakes as well */
    }
}

unsigned long http_gate_ticket(struct http_gate *g)
{
    return atomic_fetch_add(&g->tickets, 1) + 1;
}
