/*
 * Calibration: one HTTP request at a time in the whole process, so that every statement belongs to
 * the request that is in flight.
 *
 * Sessions of all workers ask; nobody waits: who is told no asks again when its worker is woken. A
 * worker lets the one of its sessions ask first that has waited longest.
 */
#ifndef PGSLEUTH_PROXY_HTTP_GATE_H
#define PGSLEUTH_PROXY_HTTP_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { HTTP_GATE_MAX_WORKERS = 64, HTTP_GATE_HOLD_S = 30 };

struct http_gate {
    bool on;
    atomic_bool taken;
    atomic_ulong tickets;
    int wake_fds[HTTP_GATE_MAX_WORKERS]; /* eventfds of the workers; set before they start */
    size_t n_workers;
};

void http_gate_init(struct http_gate *g, bool on);

/* To be woken at each release. */
void http_gate_add(struct http_gate *g, int wake_fd);

/* True when the request may go; http_gate_leave when it is over. */
bool http_gate_enter(struct http_gate *g);

/* Let the next request in. */
void http_gate_leave(struct http_gate *g);

/* A place in the order of those that wait. */
unsigned long http_gate_ticket(struct http_gate *g);

#endif
