/*
 * The command behind `run -- COMMAND`: started when pgsleuth listens, told the signals that
 * pgsleuth gets, waited for.
 *
 * A signal of the terminal (Ctrl-C, Ctrl-\) reaches the whole group, the command too, and is not
 * sent to it again; one that was sent to pgsleuth alone is passed on. While the command runs, it
 * decides what a signal means.
 */
#ifndef PGSLEUTH_PROXY_COMMAND_H
#define PGSLEUTH_PROXY_COMMAND_H

#include <stdbool.h>

struct event_base;
struct command;

/* Called once, on the loop, when the command has ended. */
typedef void command_ended(void *context);

/* Catch the signals that are to be passed on: from now on they end nobody. One at a time in a
 * process. NULL without memory. */
struct command *command_new(struct event_base *base, command_ended *ended, void *context);

/* Start it, found as a shell would find it. 0, or an errno. */
int command_start(struct command *c, char *const *argv, char *const *envp);

/* Its exit code, or 128 and the number of the signal that ended it; EXIT_NOT_YET while it runs,
 * or when it was never started. */
int command_code(const struct command *c);

/* Let signals do again what they did before. NULL is allowed. */
void command_free(struct command *c);

#endif
