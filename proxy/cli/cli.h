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

/* A subcommand, of the table. A NULL help is of one that people do not call. */
struct cli_command {
    const char *name;
    unsigned scope;
    const char *arguments;
    const char *help;
    int (*run)(const struct cli_input *in);
};

#define COMMAND(function, name, scope, arguments, help)                                            \
    int cli_##function(const struct cli_input *in);
#include "proxy/cli/commands.def"
#undef COMMAND

/* `pgsleuth URL ...`: run in front of that server. argv[0] is the URL. */
int cli_run_url(const struct cli_input *in);

/* A word of the command line as a message may repeat it: a URL may have a password in it. */
const char *cli_shown(const char *word);

/* All of them; *n. */
const struct cli_command *cli_commands(size_t *n);

/* Print to the standard output: EXIT_OK, or EXIT_INTERNAL when the text had no memory. */
int cli_print(const struct strbuf *text);

/* The one positional argument of a subcommand without options; NULL when there is none, when there
 * are more, or when help was asked for. Then *code says how to end, and all has been told. */
const char *cli_only_word(const struct cli_input *in, const char *command, const char *choices,
                          int *code);

/* Find the subcommand and run it. */
int cli_main(int argc, char **argv, char **envp);

/* Read the options of a subcommand. False when there is nothing to run: then *code says how to end
 * (help was printed, or an error logged). On true the caller ends *options with cfg_options_fini.
 */
bool cli_options(const struct cli_input *in, const char *command, unsigned scope,
                 int max_positional, struct cfg_options *options, enum exit_code *code);

#endif
