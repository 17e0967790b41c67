#include "detectors/advisor/link.h"

#include "common/clock.h"
#include "common/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum {
    FIRST_PAUSE_US = 1000 * 1000,
    LAST_PAUSE_US = 60 * 1000 * 1000,
    GRACE_MS = 2000, /* beyond statement_timeout until a silent server is given up */
};

/* --- DSN --- */

/* SQLAlchemy names a driver in the scheme, postgresql+asyncpg://, which libpq does not know. */
static char *copy_without_driver(const char *dsn)
{
    size_t scheme = strcspn(dsn, "+:/@= ");
    const char *rest = strstr(dsn, "://");
    if (dsn[scheme] != '+' || rest == NULL || memchr(dsn, '@', (size_t)(rest - dsn)) != NULL)
        return strdup(dsn);
    char *copy = malloc(scheme + strlen(rest) + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, dsn, scheme);
    memcpy(copy + scheme, rest, strlen(rest) + 1);
    return copy;
}

static void wipe_dsn(struct advisor_link *link)
{
    if (link->dsn != NULL)
        explicit_bzero(link->dsn, strlen(link->dsn));
    free(link->dsn);
    link->dsn = NULL;
}

void advisor_link_init(struct advisor_link *link, const struct advisor_options *options,
                       int bell_fd, atomic_bool *stopping)
{
    *link = (struct advisor_link){
        .options = options, .bell_fd = bell_fd, .stopping = stopping, .pause_us = FIRST_PAUSE_US};
    link->dsn = copy_without_driver(options->dsn != NULL ? options->dsn : "");
    PQconninfoOption *parsed = link->dsn != NULL ? PQconninfoParse(link->dsn, NULL) : NULL;
    if (parsed == NULL) {
        /* libpq's message would quote the part it cannot read: it may be the password. */
        log_warning("explain: its connection string cannot be read");
        wipe_dsn(link);
    }
    PQconninfoFree(parsed);
}

void advisor_link_fini(struct advisor_link *link)
{
    advisor_link_close(link);
    wipe_dsn(link);
}

void advisor_link_close(struct advisor_link *link)
{
    PQfinish(link->conn);
    link->conn = NULL;
}

/* --- waiting --- */

/* Wait until the connection's socket is ready, the deadline, or a stop. A bell that is no stop only
 * says that more work waits, which is looked at later. */
static enum advisor_link_status wait_socket(struct advisor_link *link, short events,
                                            int64_t deadline_us)
{
    while (!atomic_load(link->stopping)) {
        int64_t left_us = deadline_us - clock_monotonic_us();
        if (left_us <= 0)
            return LINK_TIMEOUT;
        struct pollfd fds[2] = {{.fd = PQsocket(link->conn), .events = events},
                                {.fd = link->bell_fd, .events = POLLIN}};
        int n = poll(fds, 2, (int)(left_us / 1000 + 1));
        if (n > 0 && fds[1].revents != 0) {
            eventfd_t count;
            (void)eventfd_read(link->bell_fd, &count);
        }
        if (n > 0 && fds[0].revents != 0 && !atomic_load(link->stopping))
            return LINK_OK;
    }
    return LINK_STOPPED;
}

/* --- connecting --- */

/* What is certainly no part of the DSN: the reason behind the last colon of the first line. A host
 * or user could hold a password that was put in the wrong place. */
static void log_down(struct advisor_link *link)
{
    if (link->said_down)
        return;
    link->said_down = true;
    const char *message = link->conn != NULL ? PQerrorMessage(link->conn) : "";
    size_t len = strcspn(message, "\n");
    const char *reason = NULL;
    for (size_t i = 0; i + 1 < len; i++) {
        if (message[i] == ':' && message[i + 1] == ' ')
            reason = message + i + 2;
    }
    if (reason == NULL)
        log_warning("explain: no connection to the server; statements are judged without plans");
    else
        log_warning("explain: no connection to the server (%.*s); statements are judged without "
                    "plans",
                    (int)(len - (size_t)(reason - message)), reason);
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static enum advisor_link_status finish_connecting(struct advisor_link *link, int64_t deadline_us)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    while (want == PGRES_POLLING_READING || want == PGRES_POLLING_WRITING) {
        short events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum advisor_link_status status = wait_socket(link, events, deadline_us);
        if (status != LINK_OK)
            return status == LINK_STOPPED ? LINK_STOPPED : LINK_DOWN;
        want = PQconnectPoll(link->conn);
    }
    return want == PGRES_POLLING_OK ? LINK_OK : LINK_DOWN;
}

static enum advisor_link_status start_connecting(struct advisor_link *link)
{
    /* Behind dbname, so that they win over what the DSN says. */
    /* The DSN may ask for GSS encryption; without being asked, its library is kept out. */
    static const char *const keywords[] = {"gssencmode", "dbname", "application_name",
                                           "client_encoding", NULL};
    const char *values[] = {"disable", link->dsn, "pgsleuth advisor", "UTF8", NULL};
    link->conn = PQconnectStartParams(keywords, values, 1);
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD)
        return LINK_DOWN;
    PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
    int64_t deadline_us = clock_monotonic_us() + link->options->connect_timeout_ms * 1000;
    enum advisor_link_status status = finish_connecting(link, deadline_us);
    if (status == LINK_OK && PQsetnonblocking(link->conn, 1) != 0)
        return LINK_DOWN;
    return status;
}

enum advisor_link_status advisor_link_open(struct advisor_link *link)
{
    if (link->conn != NULL && PQstatus(link->conn) == CONNECTION_OK)
        return LINK_OK;
    advisor_link_close(link);
    if (link->dsn == NULL || clock_monotonic_us() < link->retry_at_us)
        return LINK_DOWN;
    enum advisor_link_status status = start_connecting(link);
    if (status == LINK_OK) {
        if (link->said_down)
            log_info("explain: connected to the server again");
        link->said_down = false;
        link->pause_us = FIRST_PAUSE_US;
        return LINK_OK;
    }
    if (status == LINK_DOWN) {
        log_down(link);
        link->retry_at_us = clock_monotonic_us() + link->pause_us;
        link->pause_us = link->pause_us * 2 < LAST_PAUSE_US ? link->pause_us * 2 : LAST_PAUSE_US;
    }
    advisor_link_close(link);
    return status;
}

/* --- statements --- */

static enum advisor_link_status flush(struct advisor_link *link, int64_t deadline_us)
{
    int left;
    while ((left = PQflush(link->conn)) > 0) {
        enum advisor_link_status status = wait_socket(link, POLLIN | POLLOUT, deadline_us);
        if (status != LINK_OK)
            return status;
        if (!PQconsumeInput(link->conn))
            return LINK_DOWN;
    }
    return left == 0 ? LINK_OK : LINK_DOWN;
}

static enum advisor_link_status wait_result(struct advisor_link *link, int64_t deadline_us)
{
    while (PQisBusy(link->conn)) {
        enum advisor_link_status status = wait_socket(link, POLLIN, deadline_us);
        if (status != LINK_OK)
            return status;
        if (!PQconsumeInput(link->conn))
            return LINK_DOWN;
    }
    return LINK_OK;
}

/* 57014: statement_timeout or a cancel; 55P03: lock_timeout. */
static bool is_timeout(const char *sqlstate)
{
    return strcmp(sqlstate, "57014") == 0 || strcmp(sqlstate, "55P03") == 0;
}

static enum advisor_link_status judge(struct advisor_link *link, const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);
    if (kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK)
        return LINK_OK;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (PQstatus(link->conn) != CONNECTION_OK || sqlstate == NULL)
        return LINK_DOWN;
    /* FATAL: the server closes, for a restart or an idle timeout of its own. */
    if (severity != NULL && strcmp(severity, "ERROR") != 0)
        return LINK_DOWN;
    snprintf(link->sqlstate, sizeof(link->sqlstate), "%s", sqlstate);
    return is_timeout(sqlstate) ? LINK_TIMEOUT : LINK_REFUSED;
}

/* All results of one statement; the first one counts. */
static enum advisor_link_status collect(struct advisor_link *link, int64_t deadline_us,
                                        PGresult **first)
{
    enum advisor_link_status verdict = LINK_OK;
    for (;;) {
        enum advisor_link_status status = wait_result(link, deadline_us);
        if (status != LINK_OK)
            return status;
        PGresult *result = PQgetResult(link->conn);
        if (result == NULL)
            return *first != NULL ? verdict : LINK_DOWN;
        if (*first != NULL) {
            PQclear(result);
            continue;
        }
        *first = result;
        verdict = judge(link, result);
    }
}

/* Tell the server that nobody waits any more. PQcancel connects and may block: advisor_stop waits
 * for this thread only for a while. */
static void cancel(struct advisor_link *link)
{
    char unused[256];
    PGcancel *handle = PQgetCancel(link->conn);
    if (handle != NULL)
        (void)PQcancel(handle, unused, sizeof(unused));
    PQfreeCancel(handle);
}

static enum advisor_link_status send_and_collect(struct advisor_link *link, const char *sql,
                                                 const struct advisor_link_params *p,
                                                 PGresult **first)
{
    int64_t limit_ms = link->options->statement_timeout_ms + GRACE_MS;
    int64_t deadline_us = clock_monotonic_us() + limit_ms * 1000;
    if (!PQsendQueryParams(link->conn, sql, p->n, p->types, p->values, p->lengths, p->formats, 0))
        return LINK_DOWN;
    enum advisor_link_status status = flush(link, deadline_us);
    if (status == LINK_OK)
        status = collect(link, deadline_us, first);
    return status;
}

enum advisor_link_status advisor_link_query(struct advisor_link *link, const char *sql,
                                            const struct advisor_link_params *params,
                                            PGresult **result)
{
    static const struct advisor_link_params none = {0};
    PGresult *first = NULL;
    link->sqlstate[0] = '\0';
    if (result != NULL)
        *result = NULL;
    if (link->conn == NULL)
        return LINK_DOWN;
    int64_t start_us = clock_monotonic_us();
    enum advisor_link_status status =
        send_and_collect(link, sql, params != NULL ? params : &none, &first);
    link->queries++;
    link->busy_us += clock_monotonic_us() - start_us;
    bool answered = link->sqlstate[0] != '\0' || status == LINK_OK;
    if (status == LINK_STOPPED || (status == LINK_TIMEOUT && !answered))
        cancel(link);
    if (!answered)
        advisor_link_close(link);
    if (status == LINK_OK && result != NULL)
        *result = first;
    else
        PQclear(first);
    return status;
}

enum advisor_link_status advisor_link_query_text(struct advisor_link *link, const char *sql, int n,
                                                 const char *const *values, PGresult **result)
{
    struct advisor_link_params params = {.n = n, .values = values};
    return advisor_link_query(link, sql, &params, result);
}
