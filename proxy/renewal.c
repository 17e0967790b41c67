#include "proxy/renewal.h"

#include "common/log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_MS = 30000, /* between two looks at names that may change */
    STOP_S = 2,
    PAUSE_MS = 1000, /* at least, between two renewals that failing connections ask for */
};

struct renewal {
    const struct network_options *options;
    struct network *network; /* what is in use; one reference, the thread's */
    struct worker *const *workers;
    size_t n_workers;
    int fd;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_bool reload;
};

static void renew(struct renewal *r, bool reload)
{
    struct network *network;
    char error[512];
    const struct network *former = reload ? NULL : r->network;
    if (network_new(r->options, former, &network, error, sizeof(error)) != NETWORK_OK) {
        if (reload)
            log_error("nothing was reloaded: %s; the former certificates stay in use", error);
        else
            log_warning("cannot look at the upstream again: %s", error);
        return;
    }
    for (size_t i = 0; i < r->n_workers; i++)
        worker_set_network(r->workers[i], network);
    network_unref(r->network);
    r->network = network;
    if (reload)
        log_info("certificates and addresses reloaded");
}

/* Wait until somebody asks or, where names may change, until it is time to look. */
static void wait_for_cause(const struct renewal *r, int timeout_ms)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    uint64_t count;
    if (poll(&p, 1, timeout_ms) == 1 && read(r->fd, &count, sizeof(count)) < 0)
        return;
}

static void *run(void *context)
{
    struct renewal *r = context;
    bool names = upstream_has_names(r->options->upstream);
    for (;;) {
        wait_for_cause(r, names ? NAMES_MS : -1);
        if (atomic_load(&r->stop))
            return NULL;
        bool reload = atomic_exchange(&r->reload, false);
        if (names || reload)
            renew(r, reload);
        /* A server that is down must not make this a busy loop; a stop is not kept waiting. */
        for (int waited = 0; waited < PAUSE_MS && !atomic_load(&r->stop); waited += 50)
            poll(NULL, 0, 50);
    }
}

struct renewal *renewal_new(const struct network_options *options, struct network *network)
{
    struct renewal *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->options = options;
    r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->fd < 0) {
        free(r);
        return NULL;
    }
    r->network = network_ref(network);
    return r;
}

int renewal_fd(const struct renewal *r)
{
    return r->fd;
}

int renewal_start(struct renewal *r, struct worker *const *workers, size_t n_workers)
{
    r->workers = workers;
    r->n_workers = n_workers;
    /* Signals are the main thread's. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r->started = pthread_create(&r->thread, NULL, run, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r->started ? 0 : -1;
}

static void wake(const struct renewal *r)
{
    uint64_t one = 1;
    if (write(r->fd, &one, sizeof(one)) < 0)
        return;
}

void renewal_reload(struct renewal *r)
{
    atomic_store(&r->reload, true);
    wake(r);
}

bool renewal_free(struct renewal *r)
{
    if (r == NULL)
        return true;
    atomic_store(&r->stop, true);
    wake(r);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    if (r->started && pthread_timedjoin_np(r->thread, NULL, &until) != 0)
        return false;
    close(r->fd);
    network_unref(r->network);
    free(r);
    return true;
}
