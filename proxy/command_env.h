/*
 * The environment of the command that `run -- COMMAND` starts: the caller's, in which what says
 * where PostgreSQL is says where pgsleuth listens.
 */
#ifndef PGSLEUTH_PROXY_COMMAND_ENV_H
#define PGSLEUTH_PROXY_COMMAND_ENV_H

#include "common/span.h"

/* Where PostgreSQL is from now on. Borrowed. */
struct command_target {
    const char *hosts;     /* "127.0.0.1:6432", or several with commas between them */
    const char *upstream;  /* the URL for a variable that is not set */
    const char *variables; /* with URLs, with commas between them */
    bool clear;            /* the listener does without TLS */
};

/*
 * A copy of `envp`, owned by the caller (command_env_free), NULL without memory:
 *   - each of the variables has its URL redirected (cfg_redirect_url); the first of them is set
 * when it is not there. One with a URL of another database stays; its name is in *foreign, which
 *     points into the result, else NULL.
 *   - PGHOST and PGPORT are the hosts'; PGHOSTADDR, which would win over them, goes; what would ask
 *     for TLS goes or says "disable" when `clear`.
 */
char **command_env(char *const *envp, const struct command_target *target, const char **foreign)
    __attribute__((warn_unused_result));

/* Wipes it, for the passwords in it. NULL is allowed. */
void command_env_free(char **env);

#endif
