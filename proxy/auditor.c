#include "proxy/auditor.h"

#include "common/clock.h"
#include "common/log.h"
#include "proxy/lexicon.h"
#include "proxy/marks.h"
#include "proxy/parser.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DRAIN_MS = 20,
    TICK_MS = 250,
    RECORDS_A_RING = 4096, /* then the next ring has its turn */
    MARKS_AFTER_TRAFFIC = 4,
    MARK_MS = 1000,    /* of silence, then the audit is told the time */
    MAX_ASKED = 65536, /* statements remembered as sent to the parser */
};

struct source {
    struct ring *ring;
    bool stale;              /* what is in it is of the run before */
    uint64_t dropped_before; /* this run */
};

struct auditor {
    struct auditor_options options;
    struct audit *audit;
    struct parser *parser;
    struct advisor *advisor;
    struct ring *plans; /* the advisor's */
    struct source sources[AUDITOR_MAX_RINGS];
    size_t n_sources;
    struct lexicon *lexicon;   /* NULL: there will be one run */
    uint64_t epoch;            /* runs begun since the start */
    struct auditor_end before; /* this run; with the two below, what its end leaves out */
    uint64_t cpu_us_before;
    uint64_t parser_restarts_before;
    struct map64 asked;
    int wake_fd;
    struct event *wake_event;
    struct event *drain_event;
    struct event *tick_event;
    int64_t last_report_us;
    int64_t last_explain_us;
    int64_t last_mark_us;
    unsigned marks_due; /* a unit closes after its gap and a second's slack: a few marks suffice */
    size_t plans_waiting;
    size_t plans_stale;  /* of these, asked for in the run before */
    uint64_t statements; /* exchanges taken */
    size_t n_moments;    /* of this run */
};

static int64_t now_us(const struct auditor *a)
{
    return clock_monotonic_us() - a->options.epoch_us;
}

/* --- records --- */

static bool wants_facts(const struct record_statement *r)
{
    enum sql_verb verb = (enum sql_verb)r->verb;
    return sql_verb_class(verb) == SQL_CLASS_DATA || verb == SQL_VERB_DECLARE;
}

/* Send a statement to the parser at its first sight. */
static void ask_parser(struct auditor *a, const struct record_statement *r)
{
    if (!wants_facts(r) || map64_get(&a->asked, r->id.lo) != NULL)
        return;
    if (map64_put(&a->asked, r->id.lo, a) != MAP64_OK)
        return;
    struct span text = record_tail(&r->h, sizeof(*r), 0, r->text_len);
    struct span kinds = record_tail(&r->h, sizeof(*r), r->text_len, r->kinds_len);
    parser_ask(a->parser, r->id, text, kinds);
}

static void take(struct auditor *a, const struct record_header *record)
{
    if (a->options.capture != NULL)
        capture_write(a->options.capture, record);
    audit_record(a->audit, record);
    if (record->type == RECORD_STATEMENT)
        ask_parser(a, (const struct record_statement *)record);
    if (record->type == RECORD_PLAN && a->plans_waiting > 0)
        a->plans_waiting--;
    a->statements += record->type == RECORD_EXCHANGE;
    if (record->type == RECORD_EXCHANGE || record->type == RECORD_HTTP)
        a->marks_due = MARKS_AFTER_TRAFFIC;
}

static void tell_again(void *context, const struct record_header *record)
{
    take(context, record);
}

/* Asked for by a run that is over, they wait for the statement to be seen again. */
static void on_facts(void *context, const struct record_facts *facts)
{
    struct auditor *a = context;
    bool wanted = a->lexicon == NULL || lexicon_is_told(a->lexicon, facts->id);
    if (a->lexicon != NULL)
        lexicon_keep(a->lexicon, &facts->h);
    if (wanted)
        take(a, &facts->h);
}

/* Begun before the run, or asked for by the one before. */
static bool is_left_out(struct auditor *a, const struct record_header *record)
{
    const void *r = record;
    int64_t began_us = audit_run(a->audit).began_us;
    switch ((enum record_type)record->type) {
    case RECORD_EXCHANGE:
        return ((const struct record_exchange *)r)->start_us < began_us;
    case RECORD_HTTP_BEGIN:
        return ((const struct record_http_begin *)r)->time_us < began_us;
    case RECORD_HTTP:
        return ((const struct record_http *)r)->start_us < began_us;
    case RECORD_PLAN:
        if (a->plans_stale == 0)
            return false;
        a->plans_stale--;
        a->plans_waiting -= a->plans_waiting > 0;
        return true;
    default:
        return false;
    }
}

bool auditor_run_is_begun(const struct auditor *a)
{
    for (size_t i = 0; i < a->n_sources; i++) {
        if (a->sources[i].stale)
            return false;
    }
    return true;
}

/* The worker knows of the run: from here on its records count. */
static void pass_epoch(struct auditor *a, struct source *s, const struct record_epoch *r)
{
    if (!s->stale || r->epoch != a->epoch)
        return;
    s->stale = false;
    s->dropped_before = r->dropped;
    if (auditor_run_is_begun(a)) /* only now it is known which sessions are still open */
        lexicon_tell_sessions(a->lexicon, tell_again, a);
}

/* Of this run, and what it names is known. */
static void take_whole(void *context, const struct record_header *record)
{
    struct auditor *a = context;
    if (a->lexicon != NULL)
        lexicon_take(a->lexicon, record, tell_again, a);
    take(a, record);
}

/* Its mark was sent before it, and is read before it. */
static void read_marks_of(struct auditor *a, const struct record_exchange *x)
{
    marks_read_until(a->options.marks, x->start_us + (int64_t)x->total_us);
}

static void take_from(struct auditor *a, struct source *s, const struct record_header *record)
{
    const void *r = record;
    if (record->type == RECORD_EPOCH) {
        pass_epoch(a, s, r);
    } else if (a->lexicon != NULL && (s->stale || is_left_out(a, record))) {
        lexicon_keep(a->lexicon, record);
    } else {
        if (record->type == RECORD_EXCHANGE)
            read_marks_of(a, r);
        take_whole(a, record);
    }
}

/* True when a ring still held records when its turn was over. */
static bool drain_once(struct auditor *a)
{
    bool more = false;
    for (size_t i = 0; i < a->n_sources; i++) {
        struct source *s = &a->sources[i];
        const struct record_header *record;
        int n = 0;
        while (n < RECORDS_A_RING && (record = ring_peek(s->ring)) != NULL) {
            take_from(a, s, record);
            ring_release(s->ring);
            n++;
        }
        more = more || n == RECORDS_A_RING;
    }
    return more;
}

void auditor_drain(struct auditor *a)
{
    while (drain_once(a))
        continue;
}

static void write_run_start(struct auditor *a)
{
    static const char version[] = PGSLEUTH_VERSION;
    size_t version_len = sizeof(version) - 1;
    union {
        struct record_run_start start;
        uint8_t bytes[sizeof(struct record_run_start) + sizeof(version) +
                      sizeof(struct det_settings) + RECORD_ALIGN];
    } record;
    memset(&record, 0, sizeof(record));
    size_t size = record_size(sizeof(record.start), version_len + sizeof(struct det_settings));
    assert(size <= sizeof(record));
    record.start = (struct record_run_start){
        .h = {.len = (uint32_t)size, .type = RECORD_RUN_START},
        .wall_us = clock_wall_us() - now_us(a),
        .version_len = (uint16_t)version_len,
        .settings_len = sizeof(struct det_settings),
        .explain_state = (uint8_t)a->options.explain,
        .http = a->options.http,
    };
    uint8_t *tail = record.bytes + sizeof(record.start);
    memcpy(tail, version, version_len);
    memcpy(tail + version_len, a->options.settings, sizeof(struct det_settings));
    take(a, &record.start.h);
    if (a->options.capture != NULL)
        capture_flush(a->options.capture); /* it says how to judge all that follows */
}

static uint64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    return (uint64_t)(seconds * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void write_run_end(struct auditor *a, const struct auditor_end *end)
{
    struct record_run_end record = {
        .h = {.len = sizeof(record), .type = RECORD_RUN_END},
        .time_us = now_us(a),
        .sessions = end->sessions - a->before.sessions,
        .refused = end->refused - a->before.refused,
        .cpu_us = cpu_us() - a->cpu_us_before,
        .parser_restarts = parser_restarts(a->parser) - a->parser_restarts_before,
    };
    for (size_t i = 0; i < a->n_sources; i++)
        record.dropped += ring_dropped(a->sources[i].ring) - a->sources[i].dropped_before;
    take(a, &record.h);
}

/* --- another run --- */

/* What was counted in it, or is on its way, is of the run before. */
static void count_anew(struct auditor *a, const struct auditor_end *so_far)
{
    a->before = *so_far;
    a->cpu_us_before = cpu_us();
    a->parser_restarts_before = parser_restarts(a->parser);
    a->plans_stale = a->plans_waiting;
    a->n_moments = 0;
    a->marks_due = 0;
    for (size_t i = 0; i < a->n_sources; i++) {
        struct source *s = &a->sources[i];
        s->stale = s->ring != a->plans; /* the advisor's answers are told apart by their number */
        s->dropped_before = ring_dropped(s->ring);
    }
}

static struct audit *write_run_begin(struct auditor *a, struct span name)
{
    union {
        struct record_run_begin begin;
        uint8_t bytes[sizeof(struct record_run_begin) + RECORD_NAME_MAX + RECORD_ALIGN];
    } record;
    memset(&record, 0, sizeof(record));
    record.begin = (struct record_run_begin){
        .h = {.len = (uint32_t)record_size(sizeof(record.begin), name.len),
              .type = RECORD_RUN_BEGIN},
        .time_us = now_us(a),
        .run = a->epoch + 2,
        .name_len = (uint16_t)name.len,
    };
    if (name.len > 0)
        memcpy(record.bytes + sizeof(record.begin), name.data, name.len);
    struct audit *next = audit_next_run(a->audit, &record.begin);
    if (next != NULL && a->options.capture != NULL) {
        capture_write(a->options.capture, &record.begin.h);
        capture_flush(a->options.capture);
    }
    return next;
}

uint64_t auditor_begin_run(struct auditor *a, struct span name, const struct auditor_end *so_far)
{
    assert(a->lexicon != NULL);
    auditor_drain(a);
    struct audit *next = write_run_begin(a, name);
    if (next == NULL)
        return 0;
    audit_free(a->audit);
    a->audit = next;
    a->epoch++;
    count_anew(a, so_far);
    lexicon_begin(a->lexicon, audit_run(next).began_us);
    if (lexicon_lost(a->lexicon) > 0)
        log_warning("%llu records of earlier runs found no room to be kept: what they tell of "
                    "statements and sessions is missing in this one",
                    (unsigned long long)lexicon_lost(a->lexicon));
    return a->epoch;
}

/* --- plans --- */

static void maybe_explain(struct auditor *a, int64_t now)
{
    if (a->advisor == NULL || now - a->last_explain_us < a->options.advisor.interval_ms * 1000)
        return;
    a->last_explain_us = now; /* also when there is none: looking takes its time as well */
    const struct statement *s = audit_next_to_explain(a->audit, now);
    if (s == NULL)
        return;
    if (advisor_submit(a->advisor, s->id, s->sample_text, s->sample_n_params, s->sample_params))
        a->plans_waiting++;
}

/* Without traffic nothing tells the audit that a pause has grown long enough to end a unit: a
 * report of a quiet proxy would miss its last requests. */
static void maybe_mark(struct auditor *a, int64_t now)
{
    if (a->marks_due == 0 || now - a->last_mark_us < MARK_MS * 1000L)
        return;
    a->marks_due--;
    a->last_mark_us = now;
    struct record_mark mark = {.h = {.len = sizeof(mark), .type = RECORD_MARK}, .time_us = now};
    take(a, &mark.h);
}

/* --- loop --- */

static void on_drain(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    auditor_drain(context);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    auditor_drain(context);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct auditor *a = context;
    int64_t now = now_us(a);
    auditor_drain(a);
    maybe_mark(a, now);
    maybe_explain(a, now);
    if (a->options.capture != NULL)
        capture_flush(a->options.capture);
    int64_t interval_us = a->options.report_interval_s * 1000000;
    if (interval_us > 0 && now - a->last_report_us >= interval_us)
        auditor_write_report(a);
}

int auditor_write_report(struct auditor *a)
{
    char error[512];
    a->last_report_us = now_us(a);
    int r = documents_write(a->audit, &a->options.documents, error, sizeof(error));
    if (r != 0)
        log_error("%s", error);
    return r;
}

bool auditor_is_waiting(const struct auditor *a)
{
    return parser_waiting(a->parser) > 0 || a->plans_waiting > 0;
}

int auditor_finish(struct auditor *a, const struct auditor_end *end)
{
    auditor_drain(a);
    write_run_end(a, end);
    audit_finish(a->audit);
    return auditor_write_report(a);
}

struct auditor_figures auditor_figures(const struct auditor *a)
{
    struct auditor_figures out = {.statements = a->statements};
    for (size_t i = 0; i < a->n_sources; i++)
        out.dropped += ring_dropped(a->sources[i].ring);
    return out;
}

bool auditor_mark(struct auditor *a, struct span name, int64_t *at_us)
{
    union {
        struct record_moment moment;
        uint8_t bytes[sizeof(struct record_moment) + RECORD_NAME_MAX + RECORD_ALIGN];
    } record;
    if (a->n_moments == RECORD_MAX_MOMENTS)
        return false;
    auditor_drain(a); /* what came before it stands before it */
    a->n_moments++;
    memset(&record, 0, sizeof(record));
    record.moment = (struct record_moment){
        .h = {.len = (uint32_t)record_size(sizeof(record.moment), name.len), .type = RECORD_MOMENT},
        .time_us = now_us(a),
        .name_len = (uint16_t)name.len,
    };
    memcpy(record.bytes + sizeof(record.moment), name.data, name.len);
    *at_us = record.moment.time_us - audit_run(a->audit).began_us;
    take(a, &record.moment.h);
    return true;
}

const struct audit *auditor_audit(const struct auditor *a)
{
    return a->audit;
}

void auditor_add_ring(struct auditor *a, struct ring *ring)
{
    assert(a->n_sources < AUDITOR_MAX_RINGS);
    a->sources[a->n_sources++] = (struct source){.ring = ring};
}

int auditor_wake_fd(const struct auditor *a)
{
    return a->wake_fd;
}

void auditor_start(struct auditor *a)
{
    struct timeval drain_every = {.tv_usec = DRAIN_MS * 1000L};
    struct timeval tick_every = {.tv_usec = TICK_MS * 1000L};
    event_add(a->wake_event, NULL);
    event_add(a->drain_event, &drain_every);
    event_add(a->tick_event, &tick_every);
    a->last_report_us = now_us(a);
}

static bool start_advisor(struct auditor *a)
{
    if (a->options.explain != RECORD_EXPLAIN_ON)
        return true;
    a->plans = ring_new(a->options.ring_bytes);
    if (a->plans == NULL)
        return false;
    a->advisor = advisor_start(&a->options.advisor, a->plans, a->wake_fd);
    if (a->advisor == NULL)
        return false;
    auditor_add_ring(a, a->plans);
    return true;
}

struct auditor *auditor_new(struct event_base *base, const struct auditor_options *options)
{
    struct auditor *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->options = *options;
    map64_init(&a->asked, MAX_ASKED);
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->audit = audit_new(options->settings);
    a->parser = parser_new(base, on_facts, a);
    a->lexicon = options->may_begin_runs ? lexicon_new() : NULL;
    a->wake_event = event_new(base, a->wake_fd, EV_READ | EV_PERSIST, on_wake, a);
    a->drain_event = event_new(base, -1, EV_PERSIST, on_drain, a);
    a->tick_event = event_new(base, -1, EV_PERSIST, on_tick, a);
    bool marks = options->marks == NULL || marks_start(options->marks, base, take_whole, a) == 0;
    bool kept = a->lexicon != NULL || !options->may_begin_runs;
    bool ready = kept && marks && a->wake_fd >= 0 && a->audit != NULL && a->parser != NULL &&
                 a->wake_event != NULL && a->drain_event != NULL && a->tick_event != NULL;
    if (!ready || !start_advisor(a)) {
        auditor_free(a);
        return NULL;
    }
    write_run_start(a);
    return a;
}

static void free_event(struct event *event)
{
    if (event != NULL)
        event_free(event);
}

void auditor_free(struct auditor *a)
{
    if (a == NULL)
        return;
    advisor_stop(a->advisor);
    parser_free(a->parser);
    free_event(a->wake_event);
    free_event(a->drain_event);
    free_event(a->tick_event);
    ring_free(a->plans);
    audit_free(a->audit);
    lexicon_free(a->lexicon);
    map64_fini(&a->asked);
    if (a->wake_fd >= 0)
        close(a->wake_fd);
    free(a);
}
