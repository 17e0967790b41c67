/*
 * The composition root of `pgsleuth run`: options in, a running proxy, an exit code out. The one
 * place that knows every part.
 *
 *   start   resolve both addresses, prove that the port is free, the folder writable, the server
 * there and the login for plans good; only then open anything. A failure is one line and an exit
 * code. run     workers relay; this thread audits; SIGUSR1 writes the report; SIGINT or SIGTERM
 * ends. end     the workers stop; statements that still wait for the parser or a plan get a few
 * seconds, unless a second signal says no; the last report is written and the summary printed.
 */
#ifndef PGSLEUTH_PROXY_APP_H
#define PGSLEUTH_PROXY_APP_H

#include "config/config.h"

enum exit_code {
#define EXIT_CODE(name, number, text) EXIT_##name = number,
#include "proxy/exit_codes.def"
#undef EXIT_CODE
};

/* Run until told to stop. Options are borrowed. */
enum exit_code app_run(const struct cfg_options *options);

#endif
