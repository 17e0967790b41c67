#include "proxy/app.h"

#include "common/clock.h"
#include "common/log.h"
#include "proxy/admin.h"
#include "proxy/auditor.h"
#include "proxy/command.h"
#include "proxy/command_env.h"
#include "proxy/documents.h"
#include "proxy/listener.h"
#include "proxy/marks.h"
#include "proxy/preflight.h"
#include "proxy/progress.h"
#include "proxy/renewal.h"
#include "proxy/reserve.h"
#include "proxy/settings.h"
#include "proxy/verdict.h"
#include "proxy/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    N_SIGNALS = 4,
    MAX_WORKERS = 64,
    PLAN_RING_BYTES = 1024 * 1024,
    END_WAIT_S = 5, /* for facts and plans still on their way */
    END_TURN_MS = 20,
    URL_MAX = 64 * 1024,
};

struct app {
    const struct cfg_options *options;
    const struct app_wishes *wishes;
    struct preflight preflight;
    struct det_settings settings;
    struct worker_shared shared;
    struct event_base *base;
    struct event *signals[N_SIGNALS];
    struct capture_writer *capture;
    struct marks *marks; /* NULL: none are listened for */
    struct auditor *auditor;
    struct renewal *renewal;
    struct admin *admin; /* NULL: none is wanted */
    struct worker *workers[MAX_WORKERS];
    size_t n_workers;
    struct progress *progress; /* NULL: nobody is told */
    struct command *command;   /* NULL: none is to be run */
    struct rlimit descriptors; /* before it was raised */
    int64_t epoch_us;
};

/* --- signals --- */

static void on_stop_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct app *app = context;
    event_base_loopbreak(app->base);
}

static void on_command_ended(void *context)
{
    struct app *app = context;
    event_base_loopbreak(app->base);
}

static void on_report_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct app *app = context;
    if (auditor_write_report(app->auditor) == 0)
        log_info("report written: %s/report.yaml", app->options->report_dir);
}

static void on_reload_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    struct app *app = context;
    renewal_reload(app->renewal);
}

/* A command is told all signals itself. */
static bool catch_signals(struct app *app)
{
    if (app->wishes->command != NULL) {
        app->command = command_new(app->base, on_command_ended, app);
        return app->command != NULL;
    }
    app->signals[0] = evsignal_new(app->base, SIGINT, on_stop_signal, app);
    app->signals[1] = evsignal_new(app->base, SIGTERM, on_stop_signal, app);
    app->signals[2] = evsignal_new(app->base, SIGUSR1, on_report_signal, app);
    app->signals[3] = evsignal_new(app->base, SIGHUP, on_reload_signal, app);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (app->signals[i] == NULL || event_add(app->signals[i], NULL) != 0)
            return false;
    }
    return true;
}

/* A peer or a terminal that is gone, and a file at its limit, are errors of a write; a reload that
 * comes before or after it can be followed is none. libevent gives these back when its events go.
 */
static void ignore_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void leave_now(int number)
{
    _exit(number == SIGINT ? EXIT_INTERRUPTED : EXIT_TERMINATED);
}

/* From now on a signal says that even the report is not waited for. What is on disk is whole. */
static void leave_at_next_signal(struct app *app)
{
    const struct sigaction leave = {.sa_handler = leave_now};
    command_free(app->command); /* its code has been read */
    app->command = NULL;
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (app->signals[i] != NULL)
            event_free(app->signals[i]);
        app->signals[i] = NULL;
    }
    sigaction(SIGINT, &leave, NULL);
    sigaction(SIGTERM, &leave, NULL);
    ignore_signals();
}

/* --- start --- */

static enum exit_code no_memory(void)
{
    log_error("out of memory");
    return EXIT_INTERNAL;
}

static enum exit_code start_auditor(struct app *app)
{
    const struct cfg_options *o = app->options;
    char error[512];
    if (o->capture[0] != '\0') {
        app->capture = capture_create(o->capture, error, sizeof(error));
        if (app->capture == NULL) {
            log_error("%s", error);
            return EXIT_USAGE;
        }
    }
    if (app->preflight.marks.count > 0) {
        app->marks = marks_open(&app->preflight.marks, app->epoch_us, error, sizeof(error));
        if (app->marks == NULL) {
            log_error("marks: %s", error);
            return EXIT_USAGE;
        }
    }
    struct auditor_options options = {
        .settings = &app->settings,
        .documents = documents_of_options(o),
        .report_interval_s = o->report_interval_s,
        .capture = app->capture,
        .marks = app->marks,
        .explain = app->preflight.explain,
        .http = app->preflight.http.listen.count > 0,
        .advisor = {.dsn = app->preflight.explain_dsn,
                    .interval_ms = o->explain_interval_ms,
                    .statement_timeout_ms = o->explain_statement_timeout_ms,
                    .lock_timeout_ms = o->explain_lock_timeout_ms,
                    .connect_timeout_ms = o->connect_timeout_ms,
                    .epoch_us = app->epoch_us},
        .epoch_us = app->epoch_us,
        .ring_bytes = PLAN_RING_BYTES,
        .may_begin_runs = app->admin != NULL,
    };
    app->auditor = auditor_new(app->base, &options);
    return app->auditor != NULL ? EXIT_OK : no_memory();
}

static enum exit_code start_workers(struct app *app)
{
    const struct cfg_options *o = app->options;
    struct worker_options options = {
        .listen = app->preflight.listen,
        .n_listen = app->preflight.upstream.n_hosts,
        .network = app->preflight.network,
        .connect_timeout_ms = o->connect_timeout_ms,
        .read_size = (size_t)o->spill_max_bytes,
        .max_sessions = (long)o->max_sessions,
        .want_samples = app->preflight.explain == RECORD_EXPLAIN_ON,
        .strip_channel_binding = o->tls_strip_channel_binding,
        .epoch_us = app->epoch_us,
        .ring_bytes = (size_t)o->ring_bytes,
        .analysis_bytes = (size_t)(o->analysis_max_bytes / o->workers),
        .auditor_fd = auditor_wake_fd(app->auditor),
        .renewal_fd = renewal_fd(app->renewal),
        .shared = &app->shared,
        .tell_peers = app->marks != NULL,
        .http = app->preflight.http.listen.count > 0 ? &app->preflight.http : NULL,
    };
    char error[512];
    for (unsigned i = 0; i < (unsigned)o->workers; i++) {
        struct worker *w = worker_new(&options, i, error, sizeof(error));
        if (w == NULL) {
            log_error("%s", error);
            return EXIT_USAGE;
        }
        app->workers[app->n_workers++] = w;
        options.first = app->workers[0];
        auditor_add_ring(app->auditor, w->ring);
    }
    for (size_t i = 0; i < app->n_workers; i++) {
        if (worker_start(app->workers[i]) != 0)
            return no_memory();
    }
    return renewal_start(app->renewal, app->workers, app->n_workers) == 0 ? EXIT_OK : no_memory();
}

/* Each session takes two; the soft limit is small for the sake of programs that use select(). */
static void raise_descriptor_limit(struct app *app)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    app->descriptors = limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum exit_code start(struct app *app)
{
    ignore_signals();
    if (app->options->admin_listen[0] != '\0')
        reserve_use();
    enum exit_code r = preflight_run(app->options, &app->preflight);
    if (r != EXIT_OK)
        return r;
    app->settings = settings_of_options(app->options);
    app->epoch_us = clock_monotonic_us();
    raise_descriptor_limit(app);
    app->base = event_base_new();
    app->renewal = renewal_new(&app->preflight.network_options, app->preflight.network);
    if (app->base == NULL || app->renewal == NULL || !catch_signals(app))
        return no_memory();
    r = admin_new(app->base, app->options, &app->admin);
    if (r == EXIT_OK)
        r = start_auditor(app);
    if (r == EXIT_OK)
        r = start_workers(app);
    return r;
}

/* --- end --- */

static void stop_workers(struct app *app)
{
    for (size_t i = 0; i < app->n_workers; i++)
        worker_stop(app->workers[i]);
    for (size_t i = 0; i < app->n_workers; i++)
        worker_join(app->workers[i]);
}

/* Let facts and plans that were asked for arrive. */
static void wait_for_answers(struct app *app)
{
    int64_t until = clock_monotonic_us() + (int64_t)END_WAIT_S * 1000000;
    auditor_drain(app->auditor); /* what the workers left raises questions of its own */
    do {
        event_base_loop(app->base, EVLOOP_NONBLOCK);
        poll(NULL, 0, END_TURN_MS); /* and no event of our own, which would need memory */
    } while (auditor_is_waiting(app->auditor) && clock_monotonic_us() < until);
}

static void close_admin(struct app *app)
{
    admin_free(app->admin);
    app->admin = NULL;
}

static void remove_listeners(const struct app *app)
{
    for (size_t i = 0; app->n_workers > 0 && i < app->preflight.upstream.n_hosts; i++)
        listener_remove(&app->preflight.listen[i]);
    if (app->n_workers > 0)
        listener_remove(&app->preflight.http.listen);
}

/* The report, then what it comes to where somebody waits for that: behind a command. */
static enum exit_code finish(struct app *app)
{
    remove_listeners(app);
    leave_at_next_signal(app);
    log_info("writing the report; interrupt once more to leave without it");
    close_admin(app);
    stop_workers(app);
    wait_for_answers(app);
    struct auditor_end end = {
        .sessions = atomic_load(&app->shared.started),
        .refused = atomic_load(&app->shared.refused),
    };
    enum exit_code r = EXIT_OK;
    if (auditor_finish(app->auditor, &end) != 0)
        r = EXIT_INTERNAL;
    struct documents documents = documents_of_options(app->options);
    documents_print(auditor_audit(app->auditor), &documents);
    if (capture_close(app->capture) != 0)
        r = EXIT_INTERNAL;
    app->capture = NULL;
    if (r == EXIT_OK && app->wishes->command != NULL)
        r = verdict_of_run(auditor_audit(app->auditor), app->options);
    return r;
}

/* False when a name server keeps a thread waiting that uses what would be freed here. */
static bool app_fini(struct app *app)
{
    close_admin(app);
    bool renewed = renewal_free(app->renewal);
    stop_workers(app);
    remove_listeners(app);
    command_free(app->command);
    capture_close(app->capture);
    if (!renewed)
        return false;
    auditor_free(app->auditor);
    marks_free(app->marks);
    for (size_t i = 0; i < app->n_workers; i++)
        worker_free(app->workers[i]);
    preflight_fini(&app->preflight);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (app->signals[i] != NULL)
            event_free(app->signals[i]);
    }
    if (app->base != NULL)
        event_base_free(app->base);
    return true;
}

static void say_where(const struct app *app)
{
    for (size_t i = 0; i < network_route_count(app->preflight.network); i++)
        log_info("listening on %s, relaying to %s; report in %s", app->preflight.listen[i].text,
                 network_route(app->preflight.network, i)->addresses.text,
                 app->options->report_dir);
    const struct http_shared *http = &app->preflight.http;
    if (http->listen.count > 0)
        log_info("listening on %s for HTTP, relaying to %s%s", http->listen.text,
                 http->upstream.text, http->gate.on ? ", one request at a time" : "");
    if (app->marks != NULL)
        log_info("listening on %s for request marks", app->preflight.marks.text);
}

static void tell_ledger(const struct app *app)
{
#ifdef PGSLEUTH_LEDGER
    log_info("ledger: %lu sessions compared, %lu bytes, none differ",
             atomic_load(&app->shared.ledger_sessions), atomic_load(&app->shared.ledger_bytes));
#else
    (void)app;
#endif
}

static void start_admin(struct app *app)
{
    struct admin_parts parts = {
        .auditor = app->auditor,
        .renewal = app->renewal,
        .workers = app->workers,
        .n_workers = app->n_workers,
        .shared = &app->shared,
        .report_dir = app->options->report_dir,
        .epoch_us = app->epoch_us,
    };
    admin_start(app->admin, &parts);
}

/* --- the application --- */

/* "127.0.0.1:6432,...": where this machine's applications reach the listeners. */
static bool own_hosts(const struct app *app, struct strbuf *out)
{
    for (size_t i = 0; i < app->preflight.upstream.n_hosts; i++) {
        const struct addresses *a = &app->preflight.listen[i];
        strbuf_puts(out, i > 0 ? "," : "");
        if (!address_for_clients(a, out))
            return false;
    }
    return !out->failed;
}

static int run_command(struct app *app, const char *hosts)
{
    const char *foreign = NULL;
    struct command_target target = {
        .hosts = hosts,
        .upstream = app->options->upstream,
        .variables = app->options->url_variables,
        .clear = app->options->tls_cert[0] == '\0',
    };
    char **environment = command_env(app->wishes->envp, &target, &foreign);
    if (environment == NULL)
        return ENOMEM;
    if (foreign != NULL)
        log_warning("%.*s holds no URL of PostgreSQL and is left as it is",
                    (int)strcspn(foreign, "="), foreign);
    struct rlimit raised;
    getrlimit(RLIMIT_NOFILE, &raised);
    setrlimit(RLIMIT_NOFILE, &app->descriptors); /* the command has what the caller had */
    int error = command_start(app->command, app->wishes->command, environment);
    setrlimit(RLIMIT_NOFILE, &raised);
    command_env_free(environment);
    return error;
}

/* Whoever typed the URL may read it again; nobody else is shown its password. */
static void say_export(const struct app *app, const char *hosts)
{
    struct strbuf url;
    struct strbuf masked;
    strbuf_init(&url, URL_MAX);
    strbuf_init(&masked, URL_MAX);
    bool clear = app->options->tls_cert[0] == '\0';
    if (cfg_redirect_url(app->wishes->export_url, hosts, clear, &url) && !url.failed) {
        cfg_mask_url(strbuf_text(&url), &masked);
        printf("export DATABASE_URL='%s'\n",
               strbuf_text(isatty(STDOUT_FILENO) == 1 ? &url : &masked));
        fflush(stdout);
    }
    if (url.data != NULL)
        explicit_bzero(url.data, url.size);
    strbuf_fini(&url);
    strbuf_fini(&masked);
}

/* What wants to know where pgsleuth listens. */
static enum exit_code lead_here(struct app *app)
{
    struct strbuf hosts;
    enum exit_code r = EXIT_OK;
    strbuf_init(&hosts, URL_MAX);
    if (app->wishes->command == NULL && app->wishes->export_url == NULL)
        return r;
    if (!own_hosts(app, &hosts)) {
        log_error("run: a command or a URL wants --listen to be host:port, not a path");
        r = EXIT_USAGE;
    } else if (app->wishes->export_url != NULL) {
        say_export(app, strbuf_text(&hosts));
    } else {
        int error = run_command(app, strbuf_text(&hosts));
        if (error != 0) {
            log_error("cannot run %s: %s", app->wishes->command[0], strerrordesc_np(error));
            r = error == ENOMEM ? EXIT_INTERNAL : EXIT_USAGE;
        }
    }
    strbuf_fini(&hosts);
    return r;
}

/* The terminal of a command is the command's. */
static void start_progress(struct app *app)
{
    if (app->wishes->command == NULL && app->options->log_level >= LOG_LEVEL_INFO)
        app->progress = progress_new(app->base, app->auditor, app->workers, app->n_workers);
}

int app_run(const struct cfg_options *options, const struct app_wishes *wishes)
{
    struct app app = {.options = options, .wishes = wishes};
    int code = 0; /* of the command */
    enum exit_code r = start(&app);
    if (r == EXIT_OK) {
        say_where(&app);
        r = lead_here(&app);
    }
    if (r == EXIT_OK) {
        start_admin(&app);
        auditor_start(app.auditor);
        start_progress(&app);
        event_base_dispatch(app.base);
        progress_free(app.progress);
        code = command_code(app.command);
        r = finish(&app);
        tell_ledger(&app);
    }
    if (!app_fini(&app)) {
        fflush(NULL);
        _exit(code > 0 ? code : (int)r);
    }
    return code > 0 ? code : (int)r;
}
