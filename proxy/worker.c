#include "proxy/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "proxy/listener.h"
#include "wire/request_mark.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 64,
    ACCEPT_PAUSE_MS = 100,
    COMPLAINT_US = 1000000,
    EPOCH_MS = 5,
    MEASURE_EVERY = 64
};

int64_t worker_now(const struct worker *w)
{
    return clock_monotonic_us() - w->options.epoch_us;
}

void worker_begin_pass(struct worker *w)
{
    w->pass_began_us = 0;
    if (++w->reads < MEASURE_EVERY)
        return;
    w->reads = 0;
    w->pass_began_us = clock_monotonic_us();
}

void worker_end_pass(struct worker *w)
{
    if (w->pass_began_us == 0)
        return;
    atomic_fetch_add_explicit(&w->passes, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->passes_us,
                              (unsigned long)(clock_monotonic_us() - w->pass_began_us),
                              memory_order_relaxed);
    w->pass_began_us = 0;
}

/* A full counter means that the other side has been told often enough. */
static void poke(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) < 0)
        return;
}

void worker_wake_auditor(struct worker *w)
{
    if (ring_wants_wake(w->ring))
        poke(w->options.auditor_fd);
}

void worker_ask_renewal(struct worker *w)
{
    poke(w->options.renewal_fd);
}

void worker_complain(struct worker *w, const char *format, ...)
{
    int64_t now_us = worker_now(w);
    if (w->last_complaint_us != 0 && now_us - w->last_complaint_us < COMPLAINT_US) {
        w->complaints_kept_back++;
        return;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (w->complaints_kept_back > 0)
        log_warning("%s (and %u other warnings)", text, w->complaints_kept_back);
    else
        log_warning("%s", text);
    w->complaints_kept_back = 0;
    w->last_complaint_us = now_us;
}

/* False when there is no memory to listen on every door. */
static bool set_accepting(struct worker *w, bool on)
{
    bool done = true;
    for (size_t i = 0; i < w->n_doors; i++) {
        if (w->doors[i].shut)
            continue;
        if (on)
            done = event_add(&w->doors[i].event, NULL) == 0 && done;
        else
            event_del(&w->doors[i].event);
    }
    return done;
}

/* Out of descriptors or memory: the waiting connection would wake us for ever, so look away for a
 * moment. */
static void pause_accepting(struct worker *w, int error)
{
    worker_complain(w, "cannot accept a connection: %s; trying again every %d ms",
                    strerrordesc_np(error), ACCEPT_PAUSE_MS);
    (void)set_accepting(w, false);
    struct timeval tv = {.tv_usec = ACCEPT_PAUSE_MS * 1000L};
    event_add(&w->accept_again, &tv);
}

static void on_accept_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct worker *w = context;
    if (!w->stopping && !set_accepting(w, true))
        pause_accepting(w, ENOMEM);
}

/* By which request marks name the connection; 0 where it has no port. */
static uint64_t peer_of(const struct sockaddr_storage *from, const char *host)
{
    uint16_t port = address_port((const struct sockaddr *)from);
    return port != 0 ? wire_peer_hash(span_of_text(host), port) : 0;
}

static void on_accept(evutil_socket_t listener, short what, void *context)
{
    (void)what;
    const struct door *door = context;
    struct worker *w = door->worker;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(from);
        int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(w, errno);
            return;
        }
        if (door->http) {
            http_session_new(w, fd);
            continue;
        }
        char host[64];
        address_host_text((const struct sockaddr *)&from, len, host, sizeof(host));
        uint64_t peer = w->options.tell_peers ? peer_of(&from, host) : 0;
        session_new(w, fd, door->route, host, peer);
    }
}

static void stop(struct worker *w)
{
    w->stopping = true;
    event_del(&w->accept_again);
    (void)set_accepting(w, false);
    while (w->sessions != NULL)
        session_close(w->sessions, CLOSE_SHUTDOWN);
    while (w->http_sessions != NULL)
        http_session_close(w->http_sessions);
}

static void close_door(struct door *door)
{
    if (door->shut)
        return;
    door->shut = true;
    event_del(&door->event);
    close(event_get_fd(&door->event));
}

/* Whoever comes to a closed socket is told at once, and may go to another pgsleuth. */
static void drain(struct worker *w)
{
    for (size_t i = 0; i < w->n_doors; i++) {
        if (!w->doors[i].http)
            close_door(&w->doors[i]);
    }
}

/* What the auditor finds behind it is of the new run. */
static void announce_epoch(struct worker *w)
{
    unsigned long wanted = atomic_load(&w->epoch_wanted);
    if (wanted == w->epoch)
        return;
    struct record_epoch *r = ring_reserve(w->ring, sizeof(*r));
    if (r == NULL) {
        struct timeval tv = {.tv_usec = EPOCH_MS * 1000L};
        if (event_add(&w->epoch_again, &tv) != 0)
            event_active(&w->epoch_again, EV_TIMEOUT, 0);
        return;
    }
    *r = (struct record_epoch){.h = {.len = sizeof(*r), .type = RECORD_EPOCH},
                               .epoch = wanted,
                               .dropped = ring_dropped(w->ring)};
    ring_commit(w->ring);
    w->epoch = wanted;
}

static void on_epoch_again(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    announce_epoch(context);
}

static void on_control(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct worker *w = context;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    struct network *next = atomic_exchange(&w->next_network, NULL);
    if (next != NULL) {
        network_unref(w->network);
        w->network = next;
    }
    announce_epoch(w);
    if (atomic_load(&w->drain))
        drain(w);
    if (atomic_load(&w->stop))
        stop(w);
    else
        http_sessions_wake(w);
}

static int open_door(struct worker *w, const struct addresses *listen, size_t i, char *error,
                     size_t error_size)
{
    const struct worker *first = w->options.first;
    int shared = first != NULL ? (int)event_get_fd(&first->doors[w->n_doors].event) : -1;
    int fd = listener_open(listen, i, shared, error, error_size);
    if (fd < 0)
        return -1;
    struct door *door = &w->doors[w->n_doors++];
    *door = (struct door){.worker = w};
    event_assign(&door->event, w->base, fd, EV_READ | EV_PERSIST, on_accept, door);
    return 0;
}

static int open_doors(struct worker *w, char *error, size_t error_size)
{
    for (size_t route = 0; route < w->options.n_listen; route++) {
        for (size_t i = 0; i < w->options.listen[route].count; i++) {
            if (open_door(w, &w->options.listen[route], i, error, error_size) != 0)
                return -1;
            w->doors[w->n_doors - 1].route = route;
        }
    }
    for (size_t i = 0; w->options.http != NULL && i < w->options.http->listen.count; i++) {
        if (open_door(w, &w->options.http->listen, i, error, error_size) != 0)
            return -1;
        w->doors[w->n_doors - 1].http = true;
    }
    return 0;
}

static void init_http(struct worker *w)
{
    struct http_shared *all = w->options.http;
    w->http =
        (struct http_context){.ring = w->ring,
                              .sample = http_sample_new(), /* without it nothing is measured */
                              .traffic = &all->traffic,
                              .patterns = all->patterns,
                              .next_request = (uint64_t)w->index << 48};
    http_gate_add(&all->gate, w->control_fd);
}

struct worker *worker_new(const struct worker_options *options, unsigned index, char *error,
                          size_t error_size)
{
    snprintf(error, error_size, "no memory for a worker");
    struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->options = *options;
    w->index = index;
    w->read_size = options->read_size < WORKER_SCRATCH ? options->read_size : WORKER_SCRATCH;
    w->network = network_ref(options->network);
    w->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->base = event_base_new();
    w->ring = ring_new(options->ring_bytes);
    if (w->control_fd < 0 || w->base == NULL || w->ring == NULL)
        goto fail;
    wire_context_init(&w->wire, w->ring, options->want_samples);
    w->wire.budget.max = options->analysis_bytes;
    if (options->http != NULL)
        init_http(w);
    event_assign(&w->control_event, w->base, w->control_fd, EV_READ | EV_PERSIST, on_control, w);
    evtimer_assign(&w->accept_again, w->base, on_accept_again, w);
    evtimer_assign(&w->epoch_again, w->base, on_epoch_again, w);
    if (open_doors(w, error, error_size) != 0)
        goto fail;
    if (!set_accepting(w, true) || event_add(&w->control_event, NULL) != 0) {
        snprintf(error, error_size, "no memory for a worker");
        goto fail;
    }
    return w;
fail:
    worker_free(w);
    return NULL;
}

static void reap(struct worker *w)
{
    while (w->reap != NULL) {
        struct session *next = w->reap->next;
        session_free(w->reap);
        w->reap = next;
    }
    http_sessions_reap(w);
}

static void *run(void *context)
{
    struct worker *w = context;
    while (!w->stopping) {
        event_base_loop(w->base, EVLOOP_ONCE);
        reap(w);
    }
    return NULL;
}

int worker_start(struct worker *w)
{
    /* Signals are the main thread's. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = r == 0;
    return r == 0 ? 0 : -1;
}

void worker_set_network(struct worker *w, struct network *network)
{
    /* One that the worker has not taken yet is out of date. */
    network_unref(atomic_exchange(&w->next_network, network_ref(network)));
    poke(w->control_fd);
}

void worker_begin_run(struct worker *w, uint64_t epoch)
{
    atomic_store(&w->epoch_wanted, epoch);
    poke(w->control_fd);
}

void worker_drain(struct worker *w)
{
    atomic_store(&w->drain, true);
    poke(w->control_fd);
}

void worker_stop(struct worker *w)
{
    atomic_store(&w->stop, true);
    poke(w->control_fd);
}

void worker_join(struct worker *w)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->n_doors; i++)
        close_door(&w->doors[i]);
    if (w->base != NULL && w->ring != NULL && w->control_fd >= 0) {
        event_del(&w->control_event);
        event_del(&w->accept_again);
        event_del(&w->epoch_again);
        wire_context_fini(&w->wire);
    }
    http_sample_free(w->http.sample);
    if (w->base != NULL)
        event_base_free(w->base);
    ring_free(w->ring);
    if (w->control_fd >= 0)
        close(w->control_fd);
    network_unref(w->network);
    network_unref(atomic_load(&w->next_network));
    free(w);
}
