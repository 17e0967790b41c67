#include "proxy/parser.h"

#include "common/clock.h"
#include "common/log.h"
#include "detectors/facts/facts.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_WAITING = 4096,
    MAX_TEXT_BYTES = 16 * 1024,
    ANSWER_TIMEOUT_S = 5,
    MAX_CRASHES = 20, /* within CRASH_WINDOW_US, then no child for PAUSE_US */
    MAX_DYING = 8,
    REAP_MS = 10,
    CHILD_MEMORY_BYTES = 512 * 1024 * 1024,
};

static const int64_t CRASH_WINDOW_US = INT64_C(60) * 1000 * 1000;
static const int64_t PAUSE_US = INT64_C(60) * 1000 * 1000;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARSER_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define PARSER_SANITIZED 1
#endif
#endif
#ifndef PARSER_SANITIZED
#define PARSER_SANITIZED 0
#endif

/* What travels to the child: this, then the masked text, then the kinds. Back come record_facts. */
struct question_header {
    uint32_t len; /* of the whole question */
    uint16_t text_len;
    uint16_t kinds_len;
    struct sql_id id;
};

struct question {
    struct question *next;
    struct question_header header; /* the bytes sent begin here */
    uint8_t bytes[];
};

static_assert(offsetof(struct question, bytes) ==
                  offsetof(struct question, header) + sizeof(struct question_header),
              "a question is sent from one piece of memory");

struct parser {
    struct event_base *base;
    parser_answer *answer;
    void *context;

    /* The child; -1 and 0 while there is none. */
    int fd;
    pid_t pid;
    struct event *read_event;
    struct event *write_event;
    struct event *answer_timer; /* pending while a whole question is at the child */
    struct event *start_timer;  /* pending while the next child has to wait */
    struct event *reap_timer;   /* pending while there are killed children to collect */
    pid_t dying[MAX_DYING];
    unsigned n_dying;

    /* Oldest first. Those before `sending` are at the child in whole, `sending` up to sent_bytes.
     */
    struct question *first;
    struct question **last;
    struct question *sending;
    size_t sent_bytes;
    size_t n_waiting;

    uint8_t *in; /* FACTS_RECORD_MAX bytes, aligned as a record */
    size_t in_len;

    uint64_t n_started;
    int64_t crashes_us[MAX_CRASHES]; /* times of the last ones, a ring */
    unsigned n_crashes;
    bool said_no_start; /* logged once until a start succeeds */
};

static void start_child(struct parser *p);

/* --- questions --- */

static void drop_first(struct parser *p)
{
    struct question *q = p->first;
    assert(q != NULL);
    if (p->sending == q) {
        p->sending = q->next;
        p->sent_bytes = 0;
    }
    p->first = q->next;
    if (p->first == NULL)
        p->last = &p->first;
    p->n_waiting--;
    free(q);
}

static void answer_missing(struct parser *p, struct sql_id id, enum record_facts_status status)
{
    _Alignas(RECORD_ALIGN) uint8_t record[FACTS_RECORD_MAX];
    facts_missing(id, status, record);
    p->answer(p->context, (const struct record_facts *)(const void *)record);
}

/* --- the child's life --- */

static void on_reap(evutil_socket_t fd, short what, void *context)
{
    struct parser *p = context;
    (void)fd;
    (void)what;
    unsigned left = 0;
    for (unsigned i = 0; i < p->n_dying; i++) {
        if (waitpid(p->dying[i], NULL, WNOHANG) == 0)
            p->dying[left++] = p->dying[i];
    }
    p->n_dying = left;
    if (left > 0)
        event_add(p->reap_timer, &(struct timeval){.tv_usec = REAP_MS * 1000L});
}

/* A killed process takes a moment to be gone; the loop does not wait for it. */
static void bury(struct parser *p, pid_t pid)
{
    kill(pid, SIGKILL);
    bool wait = p->n_dying == MAX_DYING;
    if (waitpid(pid, NULL, wait ? 0 : WNOHANG) != 0)
        return;
    p->dying[p->n_dying++] = pid;
    event_add(p->reap_timer, &(struct timeval){.tv_usec = REAP_MS * 1000L});
}

static void free_event(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

static void end_child(struct parser *p)
{
    free_event(&p->read_event);
    free_event(&p->write_event);
    event_del(p->answer_timer);
    if (p->fd >= 0)
        close(p->fd);
    if (p->pid > 0)
        bury(p, p->pid);
    p->fd = -1;
    p->pid = 0;
    p->in_len = 0;
    p->sending = p->first;
    p->sent_bytes = 0;
}

/* Whether the last MAX_CRASHES crashes all fell into the window. */
static bool note_crash(struct parser *p)
{
    int64_t now = clock_monotonic_us();
    int64_t *slot = &p->crashes_us[p->n_crashes++ % MAX_CRASHES];
    *slot = now;
    if (p->n_crashes < MAX_CRASHES)
        return false;
    return now - p->crashes_us[p->n_crashes % MAX_CRASHES] < CRASH_WINDOW_US;
}

static void child_failed(struct parser *p)
{
    /* The oldest question is to blame only when the child had all of it. */
    bool blamed = p->first != NULL && p->sending != p->first;
    struct sql_id id = blamed ? p->first->header.id : (struct sql_id){0, 0};
    end_child(p);
    if (blamed)
        drop_first(p);
    if (note_crash(p)) {
        log_warning("the SQL parser crashed %d times within a minute; it rests for a minute",
                    MAX_CRASHES);
        p->n_crashes = 0;
        event_add(p->start_timer, &(struct timeval){.tv_sec = PAUSE_US / 1000000});
    }
    if (blamed)
        answer_missing(p, id, FACTS_CRASHED);
    if (p->first != NULL)
        start_child(p);
}

static void on_start(evutil_socket_t fd, short what, void *context)
{
    struct parser *p = context;
    (void)fd;
    (void)what;
    if (p->first != NULL)
        start_child(p);
}

/* Begin again to count the child's 5 s, when it has something to read or to answer. */
static void watch_answer(struct parser *p)
{
    if (p->first != NULL)
        event_add(p->answer_timer, &(struct timeval){.tv_sec = ANSWER_TIMEOUT_S});
    else
        event_del(p->answer_timer);
}

/* The loop may have been held up by a report: an answer that is there, or a question that is still
 * here, is no fault of the child's. */
static bool has_an_excuse(const struct parser *p)
{
    uint8_t byte;
    return (p->sending == p->first && p->sent_bytes == 0) ||
           recv(event_get_fd(p->read_event), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void on_answer_timeout(evutil_socket_t fd, short what, void *context)
{
    struct parser *p = context;
    (void)fd;
    (void)what;
    if (has_an_excuse(p))
        watch_answer(p);
    else
        child_failed(p);
}

/* --- asking --- */

/* Send what the child takes now. That it is gone is left to the read side, which first takes the
 * answers that are still in the socket. */
static void on_writable(evutil_socket_t fd, short what, void *context)
{
    struct parser *p = context;
    (void)what;
    while (p->sending != NULL) {
        const uint8_t *bytes = (const uint8_t *)&p->sending->header;
        size_t left = p->sending->header.len - p->sent_bytes;
        ssize_t n = send(fd, bytes + p->sent_bytes, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                event_add(p->write_event, NULL);
            return;
        }
        p->sent_bytes += (size_t)n;
        if (p->sent_bytes < p->sending->header.len)
            continue;
        bool oldest = p->sending == p->first;
        p->sending = p->sending->next;
        p->sent_bytes = 0;
        if (oldest)
            watch_answer(p);
    }
}

/* --- answers --- */

/* The child runs a parser of hostile text: what it says is checked like a peer's word. Returns the
 * record's length, 0 when it is not all there yet, -1 when it is no answer to the oldest question.
 */
static ssize_t check_answer(const struct parser *p)
{
    uint32_t len;
    if (p->in_len < sizeof(struct record_facts))
        return 0;
    memcpy(&len, p->in, sizeof(len));
    if (len > FACTS_RECORD_MAX || len < sizeof(struct record_facts))
        return -1;
    if (p->in_len < len)
        return 0;
    const struct record_facts *facts = (const struct record_facts *)(const void *)p->in;
    if (!record_check(span_of(p->in, p->in_len)) || facts->h.type != RECORD_FACTS ||
        facts->status > FACTS_TOO_LONG)
        return -1;
    bool expected = p->first != NULL && p->sending != p->first;
    if (!expected || !sql_id_equal(p->first->header.id, facts->id))
        return -1;
    return (ssize_t)len;
}

static bool take_answers(struct parser *p)
{
    ssize_t len;
    while ((len = check_answer(p)) > 0) {
        _Alignas(RECORD_ALIGN) uint8_t record[FACTS_RECORD_MAX];
        memcpy(record, p->in, (size_t)len);
        p->in_len -= (size_t)len;
        memmove(p->in, p->in + len, p->in_len);
        drop_first(p);
        watch_answer(p);
        p->answer(p->context, (const struct record_facts *)(const void *)record);
    }
    return len == 0;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct parser *p = context;
    (void)what;
    ssize_t n = recv(fd, p->in + p->in_len, FACTS_RECORD_MAX - p->in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n > 0)
        p->in_len += (size_t)n;
    if (n <= 0 || !take_answers(p))
        child_failed(p);
}

/* --- starting --- */

static int spawn_helper(pid_t *pid, int child_end)
{
    /* No environment: it may hold the application's password, and this child eats hostile text. */
    char program[] = "pgsleuth";
    char command[] = "parser-helper";
    char *arguments[] = {program, command, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto out;
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = posix_spawn_file_actions_adddup2(&actions, child_end, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, child_end, STDOUT_FILENO);
    if (error == 0) /* whatever was opened without O_CLOEXEC, by a library for instance */
        error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (error == 0)
        error = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
out:
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool adopt_child(struct parser *p, int fd, pid_t pid)
{
    p->fd = fd;
    p->pid = pid;
    p->in_len = 0;
    p->sending = p->first;
    p->sent_bytes = 0;
    p->read_event = event_new(p->base, fd, EV_READ | EV_PERSIST, on_readable, p);
    p->write_event = event_new(p->base, fd, EV_WRITE, on_writable, p);
    return p->read_event != NULL && p->write_event != NULL && event_add(p->read_event, NULL) == 0;
}

/* Start a child and send what waits, unless it has to rest. A start that fails is tried again in a
 * second. */
static void start_child(struct parser *p)
{
    int ends[2];
    pid_t pid = 0;
    if (p->pid > 0 || event_pending(p->start_timer, EV_TIMEOUT, NULL))
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        goto later;
    int error = spawn_helper(&pid, ends[1]);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        goto later;
    }
    p->n_started++;
    if (adopt_child(p, ends[0], pid)) {
        p->said_no_start = false;
        event_add(p->write_event, NULL);
        watch_answer(p);
        return;
    }
    end_child(p);
later:
    if (!p->said_no_start)
        log_warning("the SQL parser cannot be started; statements wait for it");
    p->said_no_start = true;
    event_add(p->start_timer, &(struct timeval){.tv_sec = 1});
}

/* --- interface --- */

struct parser *parser_new(struct event_base *base, parser_answer *answer, void *context)
{
    struct parser *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->base = base;
    p->answer = answer;
    p->context = context;
    p->fd = -1;
    p->last = &p->first;
    p->in = aligned_alloc(RECORD_ALIGN, FACTS_RECORD_MAX);
    p->answer_timer = evtimer_new(base, on_answer_timeout, p);
    p->start_timer = evtimer_new(base, on_start, p);
    p->reap_timer = evtimer_new(base, on_reap, p);
    if (p->in == NULL || p->answer_timer == NULL || p->start_timer == NULL ||
        p->reap_timer == NULL) {
        parser_free(p);
        return NULL;
    }
    return p;
}

static struct question *new_question(struct sql_id id, struct span masked, struct span kinds)
{
    size_t tail = masked.len + kinds.len;
    struct question *q = calloc(1, sizeof(*q) + tail);
    if (q == NULL)
        return NULL;
    q->header = (struct question_header){
        .len = (uint32_t)(sizeof(q->header) + tail),
        .text_len = (uint16_t)masked.len,
        .kinds_len = (uint16_t)kinds.len,
        .id = id,
    };
    if (masked.len > 0)
        memcpy(q->bytes, masked.data, masked.len);
    if (kinds.len > 0)
        memcpy(q->bytes + masked.len, kinds.data, kinds.len);
    return q;
}

void parser_ask(struct parser *p, struct sql_id id, struct span masked, struct span kinds)
{
    struct question *q = NULL;
    /* A hole is a byte of the text, so that kinds are never longer than it. */
    if (masked.len <= MAX_TEXT_BYTES && kinds.len <= masked.len && p->n_waiting < MAX_WAITING)
        q = new_question(id, masked, kinds);
    if (q == NULL) {
        answer_missing(p, id, FACTS_TOO_LONG);
        return;
    }
    *p->last = q;
    p->last = &q->next;
    p->n_waiting++;
    if (p->sending == NULL) {
        p->sending = q;
        p->sent_bytes = 0;
    }
    if (p->pid == 0) {
        start_child(p);
        return;
    }
    event_add(p->write_event, NULL);
    if (p->first == q)
        watch_answer(p);
}

size_t parser_waiting(const struct parser *p)
{
    return p->n_waiting;
}

uint64_t parser_restarts(const struct parser *p)
{
    return p->n_started > 0 ? p->n_started - 1 : 0;
}

int parser_pid(const struct parser *p)
{
    return p->pid;
}

void parser_free(struct parser *p)
{
    if (p == NULL)
        return;
    if (p->pid > 0)
        end_child(p);
    for (unsigned i = 0; i < p->n_dying; i++)
        waitpid(p->dying[i], NULL, 0);
    while (p->first != NULL)
        drop_first(p);
    free_event(&p->answer_timer);
    free_event(&p->start_timer);
    free_event(&p->reap_timer);
    free(p->in);
    free(p);
}

/* --- the child's side --- */

/* A crash costs nothing but itself: no core file, no endless memory, no privileges to gain, and no
 * life after the parent. It does not die of the terminal's Ctrl-C or of a signal to the group
 * either: the parent closes the socket when it has its last answers. */
static void confine(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (!PARSER_SANITIZED) { /* they need terabytes of addresses, and ptrace to look for leaks */
        prctl(PR_SET_DUMPABLE, 0); /* a core pattern that is a pipe ignores the limit of 0 */
        struct rlimit memory = {CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES};
        setrlimit(RLIMIT_AS, &memory);
    }
}

static bool read_all(int fd, void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* Without memory jansson 2.14 goes on to read with a text it could not keep, and writes beside it:
 * the end of this process is the better answer, and another one is started. */
static void *memory_or_end(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL)
        _exit(EXIT_FAILURE);
    return memory;
}

int parser_helper_serve(int fd)
{
    static uint8_t bytes[2 * MAX_TEXT_BYTES];
    static _Alignas(RECORD_ALIGN) uint8_t record[FACTS_RECORD_MAX];
    struct question_header header;
    confine();
    json_set_alloc_funcs(memory_or_end, free);
    /* Nothing that a library prints may look like an answer. */
    if (fd != STDOUT_FILENO) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere >= 0)
            dup2(nowhere, STDOUT_FILENO);
    }
    while (read_all(fd, &header, sizeof(header))) {
        size_t tail = (size_t)header.text_len + header.kinds_len;
        if (header.text_len > MAX_TEXT_BYTES || header.kinds_len > MAX_TEXT_BYTES ||
            header.len != sizeof(header) + tail || !read_all(fd, bytes, tail))
            return EXIT_FAILURE;
        size_t len = facts_read(header.id, span_of(bytes, header.text_len),
                                span_of(bytes + header.text_len, header.kinds_len), record);
        if (!write_all(fd, record, len))
            break;
    }
    return EXIT_SUCCESS;
}
