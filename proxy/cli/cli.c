#include "proxy/cli/cli.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
#define COMMAND(function, name, scope, arguments, help)                                            \
    {name, scope, arguments, help, cli_##function},
#include "proxy/cli/commands.def"
#undef COMMAND
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]), HELP_MAX = 64 * 1024 };

/* "  name ARGUMENTS", and the help below it where the line would be long. */
static void print_command(const struct cli_command *c)
{
    enum { COLUMN = 28 };
    int width = printf("  %s%s%s", c->name, c->arguments[0] != '\0' ? " " : "", c->arguments);
    printf("%*s%s\n", width < COLUMN ? COLUMN - width : 1, "", c->help);
}

static void print_help(void)
{
    printf("pgsleuth: a performance auditor between a Python web application and PostgreSQL\n\n"
           "usage: pgsleuth COMMAND [OPTIONS]\n"
           "       pgsleuth URL [OPTIONS]     run in front of the server at postgresql://...\n\n"
           "commands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (commands[i].help != NULL)
            print_command(&commands[i]);
    }
    printf("\nexit codes:\n");
#define EXIT_CODE(name, number, text) printf("  %2d  %s\n", number, text);
#include "proxy/exit_codes.def"
#undef EXIT_CODE
    printf("\n`pgsleuth COMMAND --help` lists the options of one command.\n");
}

const struct cli_command *cli_commands(size_t *n)
{
    *n = N_COMMANDS;
    return commands;
}

int cli_print(const struct strbuf *text)
{
    if (text->failed) {
        log_error("out of memory");
        return EXIT_INTERNAL;
    }
    fwrite(text->data, 1, text->len, stdout);
    return EXIT_OK;
}

static bool is_choice(const char *word, const char *choices)
{
    size_t len = strlen(word);
    for (const char *at = choices; len > 0; at++) {
        size_t one = strcspn(at, "|");
        if (one == len && strncmp(at, word, len) == 0)
            return true;
        at += one;
        if (*at == '\0')
            break;
    }
    return false;
}

const char *cli_only_word(const struct cli_input *in, const char *command, const char *choices,
                          int *code)
{
    const char *word = in->argc > 0 ? in->argv[0] : "";
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    *code = help ? EXIT_OK : EXIT_USAGE;
    if (help)
        printf("usage: pgsleuth %s %s\n", command, choices);
    else if (in->argc == 1 && is_choice(word, choices))
        return word;
    else
        log_error("%s: it is pgsleuth %s %s", command, command, choices);
    return NULL;
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void print_options(const struct cli_command *command)
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
    const struct cli_command *command = find(name);
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
