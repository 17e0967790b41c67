/* Try out, before anything runs, what `run` would do with the same options. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/listener.h"
#include "proxy/preflight.h"
#include "proxy/probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { WARN_DAYS = 30, DESCRIPTORS_EACH = 2 };

struct doctor {
    const struct cfg_options *options;
    enum exit_code code; /* of the first failure */
};

static void ok(const char *what, const char *finding)
{
    printf("ok    %s: %s\n", what, finding);
}

static void warn(const char *what, const char *finding, const char *fix)
{
    printf("warn  %s: %s\n      fix: %s\n", what, finding, fix);
}

static void fail(struct doctor *d, enum exit_code code, const char *what, const char *finding,
                 const char *fix)
{
    printf("FAIL  %s: %s\n      fix: %s\n", what, finding, fix);
    if (d->code == EXIT_OK)
        d->code = code;
}

/* --- the two legs --- */

static void judge_client_leg(const struct network *n)
{
    int days = 0;
    if (!tls_days_left(network_tls(n), &days))
        ok("client leg", "no certificate: applications connect in the clear (sslmode=disable, or "
                         "prefer)");
    else if (days < WARN_DAYS)
        warn("client leg", days < 0 ? "the certificate has ended" : "the certificate ends soon",
             "renew tls.cert, then kill -HUP");
    else
        ok("client leg", "applications may use TLS");
}

static bool judge_connection(struct doctor *d, const char *what, const struct probe *p)
{
    if (p->connect_error != 0) {
        fail(d, EXIT_UPSTREAM, what, strerrordesc_np(p->connect_error),
             "start PostgreSQL there, or correct --upstream");
        return false;
    }
    if (p->tls_error[0] != '\0') {
        fail(d, EXIT_UPSTREAM, what, p->tls_error,
             "correct sslmode and sslrootcert in the upstream's URL, or the server's certificate");
        return false;
    }
    char text[PROBE_TEXT + 128];
    if (!p->tls) {
        ok(what, "answers; the connection to it is in the clear");
        return true;
    }
    snprintf(text, sizeof(text), "answers with %s, certificate of %s, which ends in %d days",
             p->tls_version, p->subject, p->days_left);
    if (p->days_left < WARN_DAYS)
        warn(what, text, "renew the server's certificate");
    else
        ok(what, text);
    return true;
}

/* --- what SCRAM makes of them --- */

static const char remedies[] =
    "give pgsleuth the server's certificate and key (--tls-cert, --tls-key); or "
    "channel_binding=disable in the application's URL; or, where pgsleuth runs beside the server, "
    "sslmode=disable in --upstream";

static void judge_both_tls(struct doctor *d, const struct probe *p)
{
    static const char what[] = "applications with TLS";
    if (p->login != PROBE_SCRAM || !p->offers_plus)
        ok(what, "work: this login is not bound to a certificate");
    else if (!p->same_certificate)
        fail(d, EXIT_USAGE, what,
             "case A: libpq binds its login to the certificate it sees, and pgsleuth's is not the "
             "server's; only clients that bind nothing (asyncpg) work",
             remedies);
    else if (!p->can_bind)
        warn(what, "case A': the same certificate on both legs, but libpq cannot bind to its kind",
             "use an RSA or ECDSA certificate, or channel_binding=disable");
    else
        ok(what, "case A': the same certificate on both legs; they work, channel_binding=require "
                 "too");
}

static void judge_clear_to_tls(struct doctor *d, const struct probe *p)
{
    static const char what[] = "applications in the clear";
    if (p->login != PROBE_SCRAM || !p->offers_plus)
        ok(what, "work");
    else if (d->options->tls_strip_channel_binding)
        ok(what,
           "case C: work; SCRAM-SHA-256-PLUS is taken out of the server's offer (Npgsql wants "
           "--no-tls-strip-channel-binding and Channel Binding=Disable)");
    else
        fail(d, EXIT_USAGE, what,
             "case C with the server's offer untouched: libpq refuses to log in",
             "leave tls.strip_channel_binding on");
}

static void judge_legs(struct doctor *d, const struct network *n, const struct probe *p)
{
    bool certificate = tls_has_certificate(network_tls(n));
    if (p->tls) {
        judge_clear_to_tls(d, p);
        if (certificate)
            judge_both_tls(d, p);
        return;
    }
    ok("applications in the clear", "case D: work");
    if (certificate)
        ok("applications with TLS", "case B: work, but for channel_binding=require");
}

static void judge_login(struct doctor *d, const struct network *n, const struct probe *p)
{
    static const char *const methods[] = {
        [PROBE_TRUST] = "no password is asked for (trust)",
        [PROBE_CLEARTEXT] = "the password is asked for in the clear",
        [PROBE_MD5] = "md5",
        [PROBE_SCRAM] = "scram-sha-256",
        [PROBE_OTHER_METHOD] = "a method of another kind; it is relayed",
    };
    char text[PROBE_TEXT + 64];
    switch (p->login) {
    case PROBE_NOT_ASKED:
        warn("login", "the upstream's URL names no user, so no login was tried",
             "give --upstream with user and database");
        break;
    case PROBE_NO_POSTGRESQL:
        fail(d, EXIT_UPSTREAM, "login", "what answers there does not speak PostgreSQL's protocol",
             "correct host and port of --upstream");
        return;
    case PROBE_REFUSED:
        snprintf(text, sizeof(text), "the server says: %s (%s)", p->message, p->sqlstate);
        fail(d, EXIT_UPSTREAM, "login", text, "correct user, database or sslmode of --upstream");
        return;
    default:
        ok("login", methods[p->login]);
    }
    judge_legs(d, n, p);
}

/* --- the rest --- */

static void judge_plans(struct doctor *d, struct preflight *p)
{
    enum exit_code code = preflight_explain(d->options, p);
    if (code != EXIT_OK)
        fail(d, code, "plans", "the login for them fails; the line above tells why",
             "correct the password, or pass --no-explain-enabled");
    else if (p->explain == RECORD_EXPLAIN_ON)
        ok("plans", "can be asked for");
    else
        warn("plans", "will not be asked for", "name a user and a database in --upstream");
}

static void judge_limits(const struct doctor *d)
{
    struct rlimit limit;
    char text[160];
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    int64_t sessions = (int64_t)(limit.rlim_max / DESCRIPTORS_EACH);
    snprintf(text, sizeof(text), "%llu descriptors, two a session",
             (unsigned long long)limit.rlim_max);
    if (sessions < d->options->max_sessions)
        warn("limits", text, "raise `ulimit -Hn`, or lower max_sessions");
    else
        ok("limits", text);
}

static void judge_servers(struct doctor *d, const struct preflight *p)
{
    for (size_t i = 0; i < network_route_count(p->network); i++) {
        struct probe probe;
        probe_server(p->network, i, p->upstream.user, p->upstream.database,
                     d->options->connect_timeout_ms, &probe);
        if (judge_connection(d, network_route(p->network, i)->addresses.text, &probe))
            judge_login(d, p->network, &probe);
    }
}

static enum exit_code examine(const struct cfg_options *options)
{
    struct doctor d = {.options = options};
    struct preflight p;
    /* Nothing can be tried without these; the line that says what is wrong is logged. */
    d.code = preflight_network(options, &p);
    if (d.code == EXIT_OK) {
        enum exit_code listening = preflight_listeners(&p);
        if (listening != EXIT_OK)
            fail(&d, listening, "listeners", "the line above tells what is wrong",
                 "stop what uses the address, or choose another with --listen");
        else
            ok("listeners", options->listen);
        judge_client_leg(p.network);
        judge_servers(&d, &p);
        judge_plans(&d, &p);
        judge_limits(&d);
    }
    preflight_fini(&p);
    return d.code;
}

int cli_doctor(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "doctor", CFG_DOCTOR, 0, &options, &code))
        return code;
    code = examine(&options);
    cfg_options_fini(&options);
    return code;
}
