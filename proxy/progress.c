#include "proxy/progress.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "detectors/result.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DRAW_US = 250 * 1000,
    LOG_S = 10,
    JUDGE_LEAST_US = 1000 * 1000,
    JUDGE_PAUSE = 20, /* times what judging took, before it is done again */
    LINE_MAX_BYTES = 400,
    DEFAULT_WIDTH = 80,
};

#define WIPE "\r\x1b[2K"

/* What only judging tells. */
struct judged {
    size_t endpoints;
    size_t findings;
    double understood; /* share of what came by */
};

struct progress {
    const struct auditor *auditor;
    struct worker *const *workers;
    size_t n_workers;
    struct event *timer;
    bool terminal;
    struct judged judged;
    int64_t judge_at_us;
    uint64_t told; /* statements, in the last line of the log */
};

/* Statements that were lost, and sessions that were not understood, are what is missing of it. */
static double understood(const struct result *r)
{
    uint64_t opaque = 0;
    for (size_t i = 0; i < r->n_opaque; i++)
        opaque += r->opaque[i].sessions;
    double lost = (double)(r->dropped_records + r->unread_statements);
    double seen = (double)r->statements + (double)r->chatter;
    double statements = seen + lost > 0 ? seen / (seen + lost) : 1;
    double sessions = r->sessions > opaque ? (double)(r->sessions - opaque) : 0;
    return r->sessions > 0 ? statements * sessions / (double)r->sessions : statements;
}

static void judge(struct progress *p)
{
    int64_t began_us = clock_monotonic_us();
    if (began_us < p->judge_at_us)
        return;
    struct result *r = result_new(auditor_audit(p->auditor));
    if (r != NULL)
        p->judged = (struct judged){
            .endpoints = r->n_endpoints, .findings = r->n_findings, .understood = understood(r)};
    result_free(r);
    int64_t pause_us = (clock_monotonic_us() - began_us) * JUDGE_PAUSE;
    p->judge_at_us = began_us + (pause_us > JUDGE_LEAST_US ? pause_us : JUDGE_LEAST_US);
}

/* A round trip passes twice. */
static double added_ms(const struct progress *p)
{
    uint64_t passes = 0;
    uint64_t us = 0;
    for (size_t i = 0; i < p->n_workers; i++) {
        passes += atomic_load(&p->workers[i]->passes);
        us += atomic_load(&p->workers[i]->passes_us);
    }
    return passes > 0 ? 2 * (double)us / (double)passes / 1000 : 0;
}

static void write_line(struct progress *p, struct strbuf *out)
{
    struct auditor_figures f = auditor_figures(p->auditor);
    judge(p);
    strbuf_printf(out,
                  "%llu statements, %zu endpoints, %zu findings, %.2f ms added a round trip, "
                  "%.0f %% understood",
                  (unsigned long long)f.statements, p->judged.endpoints, p->judged.findings,
                  added_ms(p), 100 * p->judged.understood);
    if (f.dropped > 0)
        strbuf_printf(out, ", %llu records dropped", (unsigned long long)f.dropped);
}

static void draw(struct progress *p, const char *line)
{
    struct winsize size;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                                : DEFAULT_WIDTH;
    (void)p;
    /* The cursor goes back to the begin: what is printed next takes the place of the line. */
    fprintf(stderr, WIPE "%.*s\r", width - 1, line);
    fflush(stderr);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct progress *p = context;
    uint64_t statements = auditor_figures(p->auditor).statements;
    struct strbuf line;
    if (!p->terminal && statements == p->told)
        return;
    p->told = statements;
    strbuf_init(&line, LINE_MAX_BYTES);
    write_line(p, &line);
    if (p->terminal)
        draw(p, strbuf_text(&line));
    else
        log_info("%s", strbuf_text(&line));
    strbuf_fini(&line);
}

static bool is_terminal(void)
{
    const char *kind = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    return isatty(STDERR_FILENO) == 1 && kind != NULL && strcmp(kind, "dumb") != 0;
}

struct progress *progress_new(struct event_base *base, const struct auditor *auditor,
                              struct worker *const *workers, size_t n_workers)
{
    struct progress *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    *p = (struct progress){.auditor = auditor,
                           .workers = workers,
                           .n_workers = n_workers,
                           .terminal = is_terminal(),
                           .judged = {.understood = 1}};
    const struct timeval every = {.tv_sec = p->terminal ? 0 : LOG_S,
                                  .tv_usec = p->terminal ? DRAW_US : 0};
    p->timer = event_new(base, -1, EV_PERSIST, on_timer, p);
    if (p->timer == NULL || event_add(p->timer, &every) != 0) {
        progress_free(p);
        return NULL;
    }
    if (p->terminal)
        log_set_drawn_line(true);
    return p;
}

void progress_free(struct progress *p)
{
    if (p == NULL)
        return;
    if (p->terminal) {
        log_set_drawn_line(false);
        fputs(WIPE, stderr);
    }
    if (p->timer != NULL)
        event_free(p->timer);
    free(p);
}
