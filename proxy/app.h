/*
 * The composition root of `pgsleuth run`: options in, a running proxy, an exit code out. The one
 * place that knows every part.
 *
 *   start   resolve both addresses, prove that the port is free, the folder writable, the server
 * there and the login for plans good; only then open anything. A failure is one line and an exit
 * code. run     workers relay; this thread audits; SIGUSR1 writes the report; SIGINT or SIGTERM
 * ends, or the end of the command that it was to run. end     the workers stop; statements that
 * still wait for the parser or a plan get a few seconds; the last report is written and the summary
 * printed. A second signal leaves at once.
 */
#ifndef PGSLEUTH_PROXY_APP_H
#define PGSLEUTH_PROXY_APP_H

#include "config/config.h"

enum exit_code {
    EXIT_NOT_YET = -1, /* what still runs has none; it makes the type signed, as exit codes are */
#define EXIT_CODE(name, number, text) EXIT_##name = number,
#include "proxy/exit_codes.def"
#undef EXIT_CODE
};

/* What `run` was asked for besides. */
struct app_wishes {
    char *const *command;   /* run this, and end with it; NULL: until told to stop */
    char *const *envp;      /* the environment that it is to have, redirected */
    const char *export_url; /* print the line that points whoever uses this URL here; or NULL */
};

/* Run until told to stop, or until the command has ended. Everything is borrowed. One of enum
 * exit_code, or the code of a command that failed. */
int app_run(const struct cfg_options *options, const struct app_wishes *wishes);

#endif
