#include "proxy/http_session.h"

#include "proxy/http_gate.h"
#include "proxy/worker.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_A_TURN = 8, TRACEPARENT_LEN = 55 };

static struct http_shared *shared(const struct http_session *s)
{
    return s->worker->options.http;
}

static int64_t now(const struct http_session *s)
{
    return worker_now(s->worker);
}

/* --- state --- */

static bool may_follow(enum http_state from, enum http_state to)
{
    switch (to) {
    case HTTP_STATE_READING:
        return false;
    case HTTP_STATE_CONNECTING:
        return from == HTTP_STATE_READING;
    case HTTP_STATE_RELAYING:
        return from == HTTP_STATE_CONNECTING;
    case HTTP_STATE_LINGERING:
        return from != HTTP_STATE_LINGERING && from != HTTP_STATE_CLOSED;
    case HTTP_STATE_CLOSED:
        return from != HTTP_STATE_CLOSED;
    }
    return false;
}

static void set_state(struct http_session *s, enum http_state state)
{
    assert(may_follow(s->state, state));
    s->state = state;
}

static void set_timer(struct http_session *s, int seconds)
{
    struct timeval tv = {.tv_sec = seconds};
    if (event_add(&s->timer, &tv) != 0)
        event_active(&s->timer, EV_TIMEOUT, 0);
}

/* --- bytes that are kept --- */

static void drop(struct http_bytes *b)
{
    free(b->data);
    *b = (struct http_bytes){.data = NULL};
}

static bool append(struct http_bytes *b, struct span more)
{
    if (more.len == 0)
        return true;
    uint8_t *data = realloc(b->data, b->len + more.len);
    if (data == NULL)
        return false;
    memcpy(data + b->len, more.data, more.len);
    b->data = data;
    b->len += more.len;
    return true;
}

/* --- end --- */

static void leave_gate(struct http_session *s)
{
    if (!s->has_gate)
        return;
    s->has_gate = false;
    http_gate_leave(&shared(s)->gate);
}

void http_session_close(struct http_session *s)
{
    if (s->state == HTTP_STATE_CLOSED)
        return;
    set_state(s, HTTP_STATE_CLOSED);
    leg_close(&s->client);
    leg_close(&s->server);
    event_del(&s->timer);
    http_end(&s->http, now(s));
    worker_wake_auditor(s->worker);
    leave_gate(s);
    drop(&s->held);
    drop(&s->rest);
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    atomic_fetch_sub(&shared(s)->sessions, 1);
    s->next = s->worker->http_reap;
    s->worker->http_reap = s;
}

void http_sessions_reap(struct worker *w)
{
    while (w->http_reap != NULL) {
        struct http_session *next = w->http_reap->next;
        free(w->http_reap);
        w->http_reap = next;
    }
}

/* When all is written the client hears that no more comes; what it still sends is read and dropped,
 * or the kernel would reset the connection and take the last response with it. */
static void keep_lingering(struct http_session *s)
{
    leg_shut(&s->client, true);
    if (s->client.eof && !leg_is_spilling(&s->client))
        http_session_close(s);
    else
        set_timer(s, LINGER_S);
}

static void linger(struct http_session *s)
{
    set_state(s, HTTP_STATE_LINGERING);
    leg_close(&s->server);
    http_end(&s->http, now(s));
    leave_gate(s);
    drop(&s->held);
    drop(&s->rest);
    leg_read(&s->client, !s->client.eof);
    keep_lingering(s);
}

/* --- our own answers --- */

static const char *reason_of(int status)
{
    switch (status) {
    case 400:
        return "400 Bad Request\npgsleuth: this is not a request of HTTP/1.1";
    case 408:
        return "408 Request Timeout\npgsleuth: the head of the request did not come to its end";
    case 431:
        return "431 Request Header Fields Too Large\npgsleuth: the head of the request is larger "
               "than 64 KiB";
    case 502:
        return "502 Bad Gateway\npgsleuth: the application does not answer";
    default:
        return "503 Service Unavailable\npgsleuth: out of memory";
    }
}

static void answer(struct http_session *s, int status)
{
    const char *reason = reason_of(status);
    int head = (int)strcspn(reason, "\n");
    const char *text = reason + head + 1;
    char message[512];
    int n = snprintf(message, sizeof(message),
                     "HTTP/1.1 %.*s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
                     head, reason, strlen(text) + 1, text);
    if (leg_send(&s->client, span_of(message, (size_t)n)) == LEG_OK)
        linger(s);
    else
        http_session_close(s);
}

/* Refuse what the client sent: after the responses that are due, and never inside of one. */
static void refuse(struct http_session *s, int status)
{
    if (s->admitted) { /* half of this request is at the application */
        http_session_close(s);
        return;
    }
    s->refusal = status;
    leg_read(&s->client, false);
    drop(&s->held);
    drop(&s->rest);
    if (http_outstanding(&s->http) == 0 && !leg_is_spilling(&s->client))
        answer(s, status);
}

/* --- the application's side --- */

static void on_server_readable(evutil_socket_t fd, short what, void *context);
static void on_server_writable(evutil_socket_t fd, short what, void *context);
static void resume(struct http_session *s);

static void connect_next(struct http_session *s)
{
    const struct addresses *to = &shared(s)->upstream;
    for (; s->upstream < to->count; s->upstream++) {
        const struct address *a = &to->items[s->upstream];
        int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        leg_tune(fd);
        leg_open(&s->server, s->worker->base, fd, on_server_readable, on_server_writable, s);
        if (connect(fd, (const struct sockaddr *)&a->storage, a->len) == 0 ||
            errno == EINPROGRESS) {
            if (event_add(&s->server.write_event, NULL) == 0) {
                set_timer(s, (int)(s->worker->options.connect_timeout_ms / 1000) + 1);
                return;
            }
        }
        leg_close(&s->server);
    }
    worker_complain(s->worker, "http: the application at %s does not answer", to->text);
    s->refusal = 502;
    answer(s, 502);
}

static void connect_failed(struct http_session *s)
{
    leg_close(&s->server);
    s->upstream++;
    connect_next(s);
}

static void connected(struct http_session *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->server.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        connect_failed(s);
        return;
    }
    event_del(&s->timer);
    event_del(&s->server.write_event);
    set_state(s, HTTP_STATE_RELAYING);
    leg_read(&s->server, true);
    resume(s);
}

/* --- requests --- */

/* A traceparent of our own, as a header line behind the request line. */
static bool add_traceparent(struct http_session *s, struct span *head, struct http_bytes *out)
{
    uint8_t id[24];
    char line[TRACEPARENT_LEN + 20];
    size_t at = 0;
    while (at < head->len && (head->data[at] == '\r' || head->data[at] == '\n'))
        at++;
    while (at < head->len && head->data[at] != '\n')
        at++;
    if (at == head->len || RAND_bytes(id, sizeof(id)) != 1)
        return true; /* it goes as it is */
    int n = snprintf(line, sizeof(line), "traceparent: 00-");
    for (size_t i = 0; i < sizeof(id); i++)
        n += snprintf(line + n, sizeof(line) - (size_t)n, i == 16 ? "-%02x" : "%02x", id[i]);
    n += snprintf(line + n, sizeof(line) - (size_t)n, "-01\r\n");
    if (!append(out, span_head(*head, at + 1)) || !append(out, span_of(line, (size_t)n)) ||
        !append(out, span_skip(*head, at + 1)))
        return false;
    http_set_trace(&s->http, sql_trace_hash(span_of(line + 13, TRACEPARENT_LEN)));
    *head = span_of(out->data, out->len);
    return true;
}

/* Whether it is this request's turn. */
static bool enter_gate(struct http_session *s)
{
    struct http_gate *gate = &shared(s)->gate;
    if (!gate->on || s->late || s->entered)
        return true;
    if (s->has_gate || !http_gate_enter(gate)) {
        if (s->ticket == 0)
            s->ticket = http_gate_ticket(gate);
        if (!s->has_gate)
            set_timer(s, HTTP_GATE_HOLD_S);
        return false;
    }
    s->has_gate = true;
    s->entered = true;
    s->ticket = 0;
    return true;
}

/* Whether the request whose head is whole may go to the application now. If not, resume() comes
 * back to it. The gate comes before the connection: a server that serves one connection at a time
 * would else wait on one whose request waits here for another. */
static bool admit(struct http_session *s)
{
    if (!enter_gate(s))
        return false;
    if (s->state == HTTP_STATE_READING) {
        set_state(s, HTTP_STATE_CONNECTING);
        connect_next(s);
    }
    if (s->state != HTTP_STATE_RELAYING)
        return false;
    if (s->entered)
        set_timer(s, HTTP_GATE_HOLD_S);
    s->entered = false;
    s->late = false;
    s->ticket = 0;
    s->admitted = true;
    return true;
}

/* Send what was held and what was just read of the same request. */
static bool forward(struct http_session *s, struct span part, bool begins)
{
    struct http_bytes traced = {.data = NULL};
    bool sent = true;
    if (s->held.len > 0) {
        sent = append(&s->held, part);
        part = span_of(s->held.data, s->held.len);
    }
    if (begins && sent && shared(s)->add_traceparent && http_lacks_trace(&s->http))
        sent = add_traceparent(s, &part, &traced);
    if (begins)
        http_admit(&s->http, now(s));
    int r = sent ? leg_send(&s->server, part) : LEG_NO_MEMORY;
    drop(&traced);
    drop(&s->held);
    if (r == LEG_NO_MEMORY) {
        http_session_close(s);
        return false;
    }
    if (r == LEG_LOST) {
        leg_stop_sending(&s->server); /* what it said before may still be read */
        leg_read(&s->client, false);
        return false;
    }
    return true;
}

static void keep(struct http_session *s, struct http_bytes *where, struct span bytes)
{
    if (!append(where, bytes))
        http_session_close(s);
}

static void hold_head(struct http_session *s, struct span part)
{
    if (s->held.len + part.len > HTTP_HEAD_MAX) {
        refuse(s, 431);
        return;
    }
    if (s->held.len == 0 && part.len > 0 && !s->has_gate)
        set_timer(s, HTTP_HEAD_S);
    keep(s, &s->held, part);
}

/* A request's bytes go on, or are held until they may. False when nothing more can be done now. */
static bool pass(struct http_session *s, struct span part, enum http_step step)
{
    bool begins = !s->admitted;
    if (begins && !admit(s)) {
        if (s->state == HTTP_STATE_LINGERING || s->state == HTTP_STATE_CLOSED)
            return false; /* refused */
        s->waiting = step;
        keep(s, &s->held, part);
        return false;
    }
    if (begins && !s->has_gate)
        event_del(&s->timer);
    s->waiting = HTTP_STEP_HEAD;
    bool sent = forward(s, part, begins);
    if (step != HTTP_STEP_BODY)
        s->admitted = false;
    return sent;
}

static bool may_look(const struct http_session *s)
{
    return s->waiting == HTTP_STEP_HEAD && http_has_room(&s->http) && !leg_is_spilling(&s->server);
}

static bool is_over(const struct http_session *s)
{
    return s->state == HTTP_STATE_LINGERING || s->state == HTTP_STATE_CLOSED || s->refusal != 0 ||
           s->said_all || s->server.shut;
}

/* Look at bytes of one request; what is left of them. */
static struct span take_request(struct http_session *s, struct span bytes)
{
    size_t taken = 0;
    enum http_step step = http_from_client(&s->http, bytes, now(s), &taken);
    struct span part = span_head(bytes, taken);
    switch (step) {
    case HTTP_STEP_BAD:
        refuse(s, 400);
        break;
    case HTTP_STEP_AFTER:
        s->said_all = true;
        break;
    case HTTP_STEP_HEAD:
        hold_head(s, part);
        break;
    default:
        (void)pass(s, part, step);
        break;
    }
    return span_skip(bytes, taken);
}

/* Look at bytes from the client and send on what may go; the rest waits. */
static void take(struct http_session *s, struct span bytes)
{
    while (bytes.len > 0 && !is_over(s)) {
        if (s->http.tunnel && !leg_is_spilling(&s->server)) {
            (void)forward(s, bytes, false);
            return;
        }
        if (s->http.tunnel || !may_look(s)) {
            keep(s, &s->rest, bytes);
            return;
        }
        bytes = take_request(s, bytes);
    }
}

/* --- what may go on now --- */

static bool may_read_client(const struct http_session *s)
{
    bool room = s->http.tunnel ? !leg_is_spilling(&s->server) : may_look(s);
    bool busy = s->state == HTTP_STATE_READING || s->state == HTTP_STATE_RELAYING;
    return busy && room && !is_over(s) && s->rest.len == 0 && !s->client.eof;
}

/* The client has said its last: so do we, once all of it was sent. A head that never became whole
 * was never sent. */
static void pass_on_end(struct http_session *s)
{
    if (!s->client.eof || s->waiting != HTTP_STEP_HEAD || s->rest.len > 0)
        return;
    if (s->state == HTTP_STATE_READING) {
        http_session_close(s);
        return;
    }
    drop(&s->held);
    leg_shut(&s->server, false);
}

static void admit_waiting(struct http_session *s)
{
    if (s->waiting == HTTP_STEP_HEAD || leg_is_spilling(&s->server))
        return;
    struct span none = {.data = NULL, .len = 0};
    (void)pass(s, none, s->waiting);
}

/* Something changed: go on with what had to wait. */
static void resume(struct http_session *s)
{
    if (s->state != HTTP_STATE_CONNECTING && !is_over(s)) {
        admit_waiting(s);
        struct http_bytes rest = s->rest;
        s->rest = (struct http_bytes){.data = NULL};
        take(s, span_of(rest.data, rest.len));
        drop(&rest);
    }
    if (s->state == HTTP_STATE_LINGERING || s->state == HTTP_STATE_CLOSED)
        return;
    leg_read(&s->client, may_read_client(s));
    if (s->state != HTTP_STATE_CONNECTING)
        pass_on_end(s);
}

void http_sessions_wake(struct worker *w)
{
    struct http_session *first = NULL;
    for (struct http_session *s = w->http_sessions; s != NULL; s = s->next) {
        if (s->ticket != 0 && !s->has_gate && (first == NULL || s->ticket < first->ticket))
            first = s;
    }
    if (first != NULL)
        resume(first);
}

/* --- events --- */

static void drain_client(struct http_session *s)
{
    ssize_t n = leg_recv(&s->client, s->worker->scratch, s->worker->read_size);
    if (n == LEG_AGAIN || n > 0)
        return;
    s->client.eof = true;
    leg_read(&s->client, false);
    if (n < 0)
        http_session_close(s);
    else
        keep_lingering(s);
}

static void on_client_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_session *s = context;
    struct worker *w = s->worker;
    if (s->state == HTTP_STATE_LINGERING) {
        drain_client(s);
        return;
    }
    for (int i = 0; i < READS_A_TURN && s->client.reading; i++) {
        ssize_t n = leg_recv(&s->client, w->scratch, w->read_size);
        if (n == LEG_AGAIN)
            return;
        if (n < 0) {
            http_session_close(s);
            return;
        }
        if (n == 0)
            s->client.eof = true;
        else
            take(s, span_of(w->scratch, (size_t)n));
        resume(s);
        if (s->state == HTTP_STATE_CLOSED || n == 0)
            return;
    }
}

/* After each piece of a response: what it makes possible. */
static void after_response(struct http_session *s)
{
    bool idle = http_outstanding(&s->http) == 0;
    if (idle)
        leave_gate(s);
    if (idle && s->refusal != 0 && !leg_is_spilling(&s->client))
        answer(s, s->refusal);
    else
        resume(s);
}

static void server_ended(struct http_session *s)
{
    s->server.eof = true;
    http_server_ended(&s->http, now(s));
    worker_wake_auditor(s->worker);
    if (s->refusal != 0 && !leg_is_spilling(&s->client))
        answer(s, s->refusal);
    else
        linger(s);
}

/* One read of a response, forwarded and then looked at. False when no more is to be read now. */
static bool pump_response(struct http_session *s)
{
    struct worker *w = s->worker;
    ssize_t n = leg_recv(&s->server, w->scratch, w->read_size);
    if (n == LEG_AGAIN)
        return false;
    if (n <= 0) {
        server_ended(s);
        return false;
    }
    struct span bytes = span_of(w->scratch, (size_t)n);
    int sent = leg_send(&s->client, bytes);
    http_from_server(&s->http, bytes, now(s));
    worker_wake_auditor(w);
    if (sent != LEG_OK) {
        http_session_close(s);
        return false;
    }
    if (leg_is_spilling(&s->client))
        leg_read(&s->server, false);
    after_response(s);
    return s->state == HTTP_STATE_RELAYING && !leg_is_spilling(&s->client) &&
           (size_t)n == w->read_size;
}

static void on_server_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_session *s = context;
    for (int i = 0; i < READS_A_TURN && s->state == HTTP_STATE_RELAYING; i++) {
        if (!pump_response(s))
            return;
    }
}

static void on_client_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_session *s = context;
    if (leg_flush(&s->client) != LEG_OK) {
        http_session_close(s);
    } else if (!leg_is_spilling(&s->client)) {
        if (s->state == HTTP_STATE_LINGERING) {
            keep_lingering(s);
        } else {
            leg_read(&s->server, true);
            after_response(s);
        }
    }
}

static void on_server_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_session *s = context;
    if (s->state == HTTP_STATE_CONNECTING) {
        connected(s);
    } else if (leg_flush(&s->server) != LEG_OK) {
        leg_stop_sending(&s->server); /* what it said before may still be read */
        leg_read(&s->client, false);
    } else if (!leg_is_spilling(&s->server)) {
        resume(s);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_session *s = context;
    if (s->state == HTTP_STATE_LINGERING) {
        http_session_close(s);
    } else if (s->state == HTTP_STATE_CONNECTING) {
        connect_failed(s);
    } else if (s->has_gate) {
        leave_gate(s); /* a response without end, perhaps: the others go on */
    } else if (s->waiting != HTTP_STEP_HEAD) {
        s->late = true;
        resume(s);
    } else if (s->held.len > 0) {
        refuse(s, 408);
    }
}

/* --- life --- */

void http_session_new(struct worker *w, evutil_socket_t fd)
{
    struct http_shared *all = w->options.http;
    struct http_session *s = NULL;
    if (atomic_fetch_add(&all->sessions, 1) < w->options.max_sessions)
        s = calloc(1, sizeof(*s));
    if (s == NULL) {
        atomic_fetch_sub(&all->sessions, 1);
        worker_complain(w,
                        "http: a connection was refused: %ld are open (--max-sessions), or there "
                        "is no memory",
                        atomic_load(&all->sessions));
        close(fd);
        return;
    }
    s->worker = w;
    s->waiting = HTTP_STEP_HEAD;
    http_begin(&s->http, &w->http, (uint64_t)w->index << 48 | ++w->next_http_session);
    leg_init(&s->client);
    leg_init(&s->server);
    leg_tune(fd);
    leg_open(&s->client, w->base, fd, on_client_readable, on_client_writable, s);
    evtimer_assign(&s->timer, w->base, on_timer, s);
    s->next = w->http_sessions;
    s->link = &w->http_sessions;
    if (s->next != NULL)
        s->next->link = &s->next;
    w->http_sessions = s;
    leg_read(&s->client, true);
}
