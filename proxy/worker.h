/*
 * A worker: one thread, one libevent loop, its own listening sockets, its own sessions, its own
 * decode state and the producer's end of one ring. Nothing here is shared with another worker but
 * the counters in struct worker_shared.
 */
#ifndef PGSLEUTH_PROXY_WORKER_H
#define PGSLEUTH_PROXY_WORKER_H

#include "common/ring.h"
#include "proxy/http_session.h"
#include "proxy/network.h"
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
    atomic_bool told_of_binding;  /* the log has the line about channel binding */
    atomic_ulong ledger_sessions; /* whose bytes were compared, in test builds */
    atomic_ulong ledger_bytes;
};

struct worker;

struct worker_options {
    const struct worker *first;     /* whose Unix sockets the others share; NULL in itself */
    const struct addresses *listen; /* as many as the network has routes; borrowed */
    size_t n_listen;
    struct network *network; /* the first one; a reference is taken */
    int64_t connect_timeout_ms;
    size_t read_size; /* of the scratch buffer; also the cap of a spill */
    long max_sessions;
    bool want_samples;
    bool strip_channel_binding;
    bool tell_peers;  /* request marks name connections by their clients' addresses */
    int64_t epoch_us; /* clock_monotonic_us() of the run's start */
    size_t ring_bytes;
    /* What the analysis of its sessions may hold. */
    size_t analysis_bytes;
    int auditor_fd; /* eventfd of the auditor, written when the ring is half full */
    int renewal_fd; /* eventfd of the renewal, written when a server cannot be reached */
    struct worker_shared *shared;
    struct http_shared *http; /* borrowed; NULL: no HTTP listener */
};

/* A listening socket and the route that begins at it. */
struct door {
    struct worker *worker;
    struct event event;
    size_t route;
    bool http; /* the way to the application */
    bool shut; /* its socket is closed */
};

enum { WORKER_MAX_DOORS = (UPSTREAM_MAX_HOSTS + 1) * ADDRESS_MAX };

struct worker {
    struct worker_options options;
    unsigned index;
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct ring *ring;
    struct network *network;              /* what new sessions use; one reference */
    struct network *_Atomic next_network; /* what replaces it, with its reference; or NULL */
    struct door doors[WORKER_MAX_DOORS];
    size_t n_doors;
    struct event accept_again; /* timer after running out of descriptors */
    struct event control_event;
    int control_fd; /* eventfd: stop, or take the next network */
    atomic_bool drain;
    atomic_ulong epoch_wanted; /* number of the run that is to be announced in the ring */
    unsigned long epoch;       /* that was announced last */
    struct event epoch_again;  /* timer while the ring is full */
    atomic_bool stop;
    bool stopping;
    int64_t last_complaint_us;
    unsigned complaints_kept_back;
    uint64_t next_session;
    struct session *sessions;
    struct session *reap;
    uint64_t next_http_session;
    struct http_session *http_sessions;
    struct http_session *http_reap;
    struct http_context http;
    unsigned reads;        /* since the last pass that was measured */
    int64_t pass_began_us; /* 0: this one is not */
    atomic_ulong passes;   /* of bytes through the relay that were measured */
    atomic_ulong passes_us;
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

/* Have new sessions use this network; a reference is taken. From any one thread. */
void worker_set_network(struct worker *w, struct network *network);

/* Have the thread write a RECORD_EPOCH with this number. From any one thread. */
void worker_begin_run(struct worker *w, uint64_t epoch);

/* Have the thread close its listening sockets for PostgreSQL; sessions go on. From any thread. */
void worker_drain(struct worker *w);

/* Ask the thread to close every session and end; returns at once. */
void worker_stop(struct worker *w);

/* Wait for the thread. Its ring still holds what it wrote last. */
void worker_join(struct worker *w);

/* After worker_join. NULL is allowed. */
void worker_free(struct worker *w);

/* Microseconds since the run started. */
int64_t worker_now(const struct worker *w);

/* Around the reading and writing of some bytes: one in many is measured, so that it costs nothing.
 */
void worker_begin_pass(struct worker *w);
void worker_end_pass(struct worker *w);

/* A warning about a peer, in the log: one a second at most, so that no peer can flood it. */
void worker_complain(struct worker *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A server could not be reached: its name may mean another address by now. */
void worker_ask_renewal(struct worker *w);

/* Wake the auditor if the ring has just passed half full. */
void worker_wake_auditor(struct worker *w);

#endif
