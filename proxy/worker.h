/*
 * A worker: one thread, one libevent loop, its own listening sockets, its own sessions, its own
 * decode state and the producer's end of one ring. Nothing here is shared with another worker but
 * the counters in struct worker_shared.
 */
#ifndef PGSLEUTH_PROXY_WORKER_H
#define PGSLEUTH_PROXY_WORKER_H

#include "common/ring.h"
#include "proxy/address.h"
#include "proxy/session.h"
#include "wire/context.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WORKER_SCRATCH = 64 * 1024 };

/* What all workers count together. */
struct worker_shared {
    atomic_long sessions; /* open, couriers left out */
    atomic_ulong started;
    atomic_ulong refused;
};

struct worker_options {
    const struct addresses *listen;
    const struct addresses *upstream;
    int64_t connect_timeout_ms;
    size_t read_size; /* of the scratch buffer; also the cap of a spill */
    long max_sessions;
    bool want_samples;
    int64_t epoch_us; /* clock_monotonic_us() of the run's start */
    size_t ring_bytes;
    int auditor_fd; /* eventfd of the auditor, written when the ring is half full */
    struct worker_shared *shared;
};

struct worker {
    struct worker_options options;
    unsigned index;
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct ring *ring;
    struct event accept_events[ADDRESS_MAX];
    size_t n_listeners;
    struct event accept_again; /* timer after running out of descriptors */
    struct event stop_event;
    int stop_fd;
    bool stopping;
    uint64_t next_session;
    struct session *sessions;
    struct session *reap;
    size_t read_size;
    struct wire_context wire;
    uint8_t scratch[WORKER_SCRATCH];
};

/* A worker with its sockets open, ready to run; NULL with one line in `error`. Options are copied,
 * what they point to is borrowed. */
struct worker *worker_new(const struct worker_options *options, unsigned index, char *error,
                          size_t error_size);

/* Start the thread. */
int worker_start(struct worker *w);

/* Ask the thread to close every session and end; returns at once. */
void worker_stop(struct worker *w);

/* Wait for the thread. Its ring still holds what it wrote last. */
void worker_join(struct worker *w);

/* After worker_join. NULL is allowed. */
void worker_free(struct worker *w);

/* Microseconds since the run started. */
int64_t worker_now(const struct worker *w);

/* Wake the auditor if the ring has just passed half full. */
void worker_wake_auditor(struct worker *w);

#endif
