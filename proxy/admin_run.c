/* Another run: the auditor forgets, the workers say in their rings from where on to count, and the
 * client is answered when all have. Nobody waits for anybody meanwhile. */
#include "common/clock.h"
#include "common/log.h"
#include "proxy/admin_parts.h"
#include "report/value.h"

#include <event2/event.h>

enum { LOOK_MS = 5 };

json_t *admin_run(const struct admin *a)
{
    struct audit_run run = audit_run(auditor_audit(a->parts.auditor));
    json_t *out = json_object();
    rpt_put(&out, "id", rpt_count(run.id));
    rpt_put(&out, "name", run.name[0] != '\0' ? rpt_string(run.name) : json_null());
    rpt_put(&out, "started", rpt_time(run.started_wall_us));
    return out;
}

static bool look_again(struct admin *a)
{
    const struct timeval soon = {.tv_usec = LOOK_MS * 1000L};
    return event_add(a->new_run_look, &soon) == 0;
}

static void answer(struct admin *a, bool begun)
{
    struct evhttp_request *request = a->new_run;
    a->new_run = NULL;
    admin_view_forget(&a->view);
    if (!begun) {
        admin_refuse(request, HTTP_SERVUNAVAIL,
                     "the run has begun, and not all workers know of it yet",
                     "wait, then begin another one");
        return;
    }
    json_t *body = json_object();
    rpt_put(&body, "run", admin_run(a));
    admin_reply(request, HTTP_OK, body);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct admin *a = context;
    auditor_drain(a->parts.auditor);
    bool begun = auditor_run_is_begun(a->parts.auditor);
    if (begun || clock_monotonic_us() >= a->new_run_until_us || !look_again(a))
        answer(a, begun);
}

void admin_begin_run(struct admin *a, struct span name, struct evhttp_request *request)
{
    const struct auditor_end so_far = {.sessions = atomic_load(&a->parts.shared->started),
                                       .refused = atomic_load(&a->parts.shared->refused)};
    if (a->new_run != NULL) {
        admin_refuse(request, 409, "a run is just being begun", "wait for its answer");
        return;
    }
    uint64_t epoch = auditor_begin_run(a->parts.auditor, name, &so_far);
    if (epoch == 0) {
        admin_refuse(request, HTTP_INTERNAL, "out of memory; the run goes on", "try again later");
        return;
    }
    for (size_t i = 0; i < a->parts.n_workers; i++)
        worker_begin_run(a->parts.workers[i], epoch);
    log_info("run %llu begins", (unsigned long long)epoch + 1);
    admin_view_forget(&a->view);
    a->new_run = request;
    a->new_run_until_us = clock_monotonic_us() + ADMIN_RUN_MS * 1000L;
    if (!look_again(a))
        answer(a, false);
}

bool admin_run_init(struct admin *a)
{
    a->new_run_look = evtimer_new(a->base, on_look, a);
    return a->new_run_look != NULL;
}

void admin_run_fini(struct admin *a)
{
    /* One whose client has gone is nobody's but ours. */
    if (a->new_run != NULL && evhttp_request_get_connection(a->new_run) == NULL)
        evhttp_request_free(a->new_run);
    a->new_run = NULL;
    if (a->new_run_look != NULL)
        event_free(a->new_run_look);
    a->new_run_look = NULL;
}
