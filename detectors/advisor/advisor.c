#include "detectors/advisor/advisor.h"

#include "common/clock.h"
#include "detectors/advisor/explain.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_SIZE = 64, STOP_WAIT_S = 2 };

struct advisor {
    struct advisor_options options;
    struct ring *results;
    int wake_fd;
    int bell_fd; /* eventfd: something was queued, or a stop */
    pthread_t thread;
    atomic_bool stopping;

    pthread_mutex_t lock; /* guards all below */
    bool abandoned;       /* advisor_stop gave up waiting: results and wake_fd are gone */
    unsigned first;
    unsigned n_jobs;
    struct advisor_job jobs[QUEUE_SIZE];
};

/* --- queue --- */

static void job_fini(struct advisor_job *job)
{
    if (job->text != NULL)
        explicit_bzero(job->text, job->text_len);
    if (job->params != NULL)
        explicit_bzero(job->params, job->params_len);
    free(job->text);
    free(job->params);
    *job = (struct advisor_job){.text = NULL};
}

static bool job_init(struct advisor_job *job, struct sql_id id, struct span text, unsigned n_params,
                     struct span params)
{
    *job = (struct advisor_job){
        .id = id, .text_len = text.len, .n_params = n_params, .params_len = params.len};
    job->text = calloc(1, text.len + 1);
    job->params = malloc(params.len + 1);
    if (job->text == NULL || job->params == NULL) {
        free(job->text);
        free(job->params);
        return false;
    }
    if (text.len > 0)
        memcpy(job->text, text.data, text.len);
    if (params.len > 0)
        memcpy(job->params, params.data, params.len);
    return true;
}

static bool take_job(struct advisor *a, struct advisor_job *job)
{
    pthread_mutex_lock(&a->lock);
    bool any = a->n_jobs > 0;
    if (any) {
        *job = a->jobs[a->first];
        a->jobs[a->first] = (struct advisor_job){.text = NULL};
        a->first = (a->first + 1) % QUEUE_SIZE;
        a->n_jobs--;
    }
    pthread_mutex_unlock(&a->lock);
    return any;
}

bool advisor_submit(struct advisor *a, struct sql_id id, struct span text, unsigned n_params,
                    struct span params)
{
    struct advisor_job job;
    if (!job_init(&job, id, text, n_params, params))
        return false;
    pthread_mutex_lock(&a->lock);
    bool room = a->n_jobs < QUEUE_SIZE;
    if (room)
        a->jobs[(a->first + a->n_jobs++) % QUEUE_SIZE] = job;
    pthread_mutex_unlock(&a->lock);
    if (room)
        (void)eventfd_write(a->bell_fd, 1);
    else
        job_fini(&job);
    return room;
}

/* --- answers --- */

static uint16_t append(uint8_t **at, const struct strbuf *text)
{
    struct span s = strbuf_span(text);
    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return (uint16_t)s.len; /* every one of them has a maximum below 64 KiB */
}

static void write_plan(struct record_plan *r, size_t len, const struct advisor_job *job,
                       const struct advisor_answer *answer, int64_t time_us)
{
    memset(r, 0, len);
    r->h = (struct record_header){.len = (uint32_t)len, .type = RECORD_PLAN};
    r->id = job->id;
    r->time_us = time_us;
    r->status = (uint8_t)answer->status;
    r->server_major = answer->server_major;
    memcpy(r->sqlstate, answer->sqlstate, sizeof(r->sqlstate));
    r->reason = (uint8_t)answer->reason;
    r->source = (uint8_t)answer->source;
    r->flags = (uint8_t)answer->flags;
    r->n_equal = (uint8_t)answer->n_equal;
    r->queries = answer->queries;
    r->busy_us = answer->busy_us;
    r->total_cost = answer->total_cost;
    r->scan_cost = answer->scan_cost;
    r->table_rows = answer->table_rows;
    r->kept_rows = answer->kept_rows;
    r->table_bytes = answer->table_bytes;
    r->after_cost = answer->after_cost;
    r->generic_cost = answer->generic_cost;
    uint8_t *at = (uint8_t *)(r + 1);
    r->schema_len = append(&at, &answer->schema);
    r->table_len = append(&at, &answer->table);
    r->filter_len = append(&at, &answer->filter);
    r->columns_len = append(&at, &answer->columns);
    r->index_note_len = append(&at, &answer->note);
    r->node_len = append(&at, &answer->node);
    r->after_node_len = append(&at, &answer->after_node);
    r->parent_len = append(&at, &answer->parent);
}

static void publish(struct advisor *a, const struct advisor_job *job,
                    const struct advisor_answer *answer)
{
    size_t tail = answer->schema.len + answer->table.len + answer->filter.len +
                  answer->columns.len + answer->note.len + answer->node.len +
                  answer->after_node.len + answer->parent.len;
    size_t len = record_size(sizeof(struct record_plan), tail);
    int64_t time_us = clock_monotonic_us() - a->options.epoch_us;
    pthread_mutex_lock(&a->lock);
    struct record_plan *r = a->abandoned ? NULL : ring_reserve(a->results, len);
    if (r != NULL) {
        write_plan(r, len, job, answer, time_us);
        ring_commit(a->results);
        (void)eventfd_write(a->wake_fd, 1);
    }
    pthread_mutex_unlock(&a->lock);
}

/* --- thread --- */

/* Sleep until the bell or the time, -1 for no time. */
static void wait_bell(struct advisor *a, int timeout_ms)
{
    struct pollfd fd = {.fd = a->bell_fd, .events = POLLIN};
    eventfd_t count;
    if (poll(&fd, 1, timeout_ms) > 0)
        (void)eventfd_read(a->bell_fd, &count);
}

/* Keep the distance between two statements, whatever rings meanwhile. */
static void wait_until(struct advisor *a, int64_t time_us)
{
    int64_t left_us;
    while (!atomic_load(&a->stopping) && (left_us = time_us - clock_monotonic_us()) > 0) {
        int64_t left_ms = left_us / 1000 + 1;
        wait_bell(a, left_ms < 60000 ? (int)left_ms : 60000);
    }
}

static void run_job(struct advisor *a, struct advisor_link *link, struct advisor_catalog *catalog,
                    const struct advisor_job *job)
{
    struct advisor_answer answer;
    advisor_answer_init(&answer);
    if (advisor_explain(link, catalog, job, &answer))
        publish(a, job, &answer);
    advisor_answer_fini(&answer);
}

static void free_advisor(struct advisor *a)
{
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        job_fini(&a->jobs[i]);
    if (a->bell_fd >= 0)
        close(a->bell_fd);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static void *advisor_main(void *context)
{
    struct advisor *a = context;
    struct advisor_link link;
    struct advisor_catalog catalog;
    int64_t next_us = 0;
    advisor_catalog_init(&catalog);
    advisor_link_init(&link, &a->options, a->bell_fd, &a->stopping);
    while (!atomic_load(&a->stopping)) {
        struct advisor_job job;
        wait_until(a, next_us);
        if (atomic_load(&a->stopping))
            break;
        if (!take_job(a, &job)) {
            wait_bell(a, -1);
            continue;
        }
        next_us = clock_monotonic_us() + a->options.interval_ms * 1000;
        run_job(a, &link, &catalog, &job);
        job_fini(&job);
    }
    advisor_link_fini(&link);
    advisor_catalog_fini(&catalog);
    pthread_mutex_lock(&a->lock);
    bool abandoned = a->abandoned;
    pthread_mutex_unlock(&a->lock);
    if (abandoned)
        free_advisor(a);
    return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct advisor *a)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&a->thread, NULL, advisor_main, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct advisor *advisor_start(const struct advisor_options *options, struct ring *results,
                              int wake_fd)
{
    struct advisor *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->options = *options;
    a->results = results;
    a->wake_fd = wake_fd;
    pthread_mutex_init(&a->lock, NULL);
    a->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->bell_fd < 0 || start_thread(a) != 0) {
        free_advisor(a);
        return NULL;
    }
    return a;
}

void advisor_stop(struct advisor *a)
{
    if (a == NULL)
        return;
    atomic_store(&a->stopping, true);
    (void)eventfd_write(a->bell_fd, 1);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_S;
    if (pthread_timedjoin_np(a->thread, NULL, &until) == 0) {
        free_advisor(a);
        return;
    }
    /* It hangs where libpq blocks, in name resolution or in a cancel. It may no longer publish, and
     * frees itself when it comes back. */
    pthread_detach(a->thread);
    pthread_mutex_lock(&a->lock);
    a->abandoned = true;
    pthread_mutex_unlock(&a->lock);
}
