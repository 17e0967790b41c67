/*
 * The command line: one file a subcommand, a table of them in commands.def.
 */
#ifndef PGSLEUTH_PROXY_CLI_CLI_H
#define PGSLEUTH_PROXY_CLI_CLI_H

#include "proxy/app.h"

/* Arguments behind the subcommand. Each subcommand gives the exit code: one of enum exit_code, or
 * that of a command it ran. */
struct cli_input {
    int argc;
    char **argv;
    char **envp;
};

#define COMMAND(function, name, scope, arguments, help)                                            \
    int cli_##function(const struct cli_input *in);
#include "proxy/cli/commands.def"
#undef COMMAND

/* `pgsleuth URL ...`: run in front of that server. argv[0] is the URL. */
int cli_run_url(const struct cli_input *in);

/* A word of the command line as a message may repeat it: a URL may have a password in it. */
const char *cli_shown(const char *word);

/* Find the subcommand and run it. */
int cli_main(int argc, char **argv, char **envp);

/* Read the options of a subcommand. False when there is nothing to run: then *code says how to end
 * (help was printed, or an error logged). On true the caller ends *options with cfg_options_fini.
 */
bool cli_options(const struct cli_input *in, const char *command, unsigned scope,
                 int max_positional, struct cfg_options *options, enum exit_code *code);

#endif
