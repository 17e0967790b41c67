#include "proxy/cli/cli.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    unsigned scope;
    const char *arguments;
    const char *help;
    int (*run)(const struct cli_input *in);
};

static const struct command commands[] = {
#define COMMAND(function, name, scope, arguments, help)                                            \
    {name, scope, arguments, help, cli_##function},
#include "proxy/cli/commands.def"
#undef COMMAND
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]), HELP_MAX = 64 * 1024 };

static void print_help(void)
{
    printf("pgsleuth: a performance auditor between a Python web application and PostgreSQL\n\n"
           "usage: pgsleuth COMMAND [OPTIONS]\n"
           "       pgsleuth URL [OPTIONS]     run in front of the server at postgresql://...\n\n"
           "commands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (commands[i].help != NULL)
            printf("  %-8s %-8s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    }
    printf("\nexit codes:\n");
#define EXIT_CODE(name, number, text) printf("  %2d  %s\n", number, text);
#include "proxy/exit_codes.def"
#undef EXIT_CODE
    printf("\n`pgsleuth COMMAND --help` lists the options of one command.\n");
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_options(const struct command *command)
{
    struct strbuf text;
    strbuf_init(&text, HELP_MAX);
    cfg_help(&text, command->scope);
    printf("usage: pgsleuth %s %s%s[OPTIONS]\n\n%s\n\n%s", command->name, command->arguments,
           command->arguments[0] != '\0' ? " " : "", command->help, strbuf_text(&text));
    strbuf_fini(&text);
}

const char *cli_shown(const char *word)
{
    return strstr(word, "://") != NULL ? "(a URL)" : word;
}

bool cli_options(const struct cli_input *in, const char *command, unsigned scope,
                 int max_positional, struct cfg_options *options, enum exit_code *code)
{
    struct cfg_input input = {.argc = in->argc, .argv = in->argv, .envp = in->envp, .scope = scope};
    struct cfg_error error;
    *code = EXIT_USAGE;
    int r = cfg_load(&input, options, &error);
    if (r != CFG_OK) {
        log_error("%s", error.text);
        if (r == CFG_E_NO_MEMORY)
            *code = EXIT_INTERNAL;
        return false;
    }
    if (options->help_requested) {
        print_options(find(command));
        *code = EXIT_OK;
    } else if (options->positional_count > (size_t)max_positional) {
        log_error("%s: unexpected argument \"%s\"; see pgsleuth %s --help", command,
                  cli_shown(options->positional[max_positional]), command);
    } else {
        log_set_level((enum log_level)options->log_level);
        return true;
    }
    cfg_options_fini(options);
    return false;
}

int cli_main(int argc, char **argv, char **envp)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return EXIT_OK;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (cfg_url_is_postgresql(name))
        return cli_run_url(&(struct cli_input){.argc = argc - 1, .argv = argv + 1, .envp = envp});
    const struct command *command = find(name);
    if (command == NULL) {
        if (argc > 1)
            log_error("no command \"%s\"; see pgsleuth --help", cli_shown(name));
        else
            print_help();
        return EXIT_USAGE;
    }
    struct cli_input in = {.argc = argc - 2, .argv = argv + 2, .envp = envp};
    return command->run(&in);
}
