/* Scripts by which shells complete the command line, out of the tables of commands and options. */
#include "proxy/cli/cli.h"

#include <string.h>

enum { TEXT_MAX = 1024 * 1024, SUMMARY_MAX = 100 };

/* A subcommand that people call. */
static bool is_shown(const struct cli_command *c)
{
    return c->help != NULL;
}

/* The first sentence, without what a shell would take for its own. */
static void add_summary(struct strbuf *out, const char *help)
{
    for (size_t i = 0; i < SUMMARY_MAX && help[i] != '\0'; i++) {
        if (help[i] == '.' && (help[i + 1] == ' ' || help[i + 1] == '\0'))
            break;
        strbuf_putc(out, strchr("'\"`$\\[]:", help[i]) != NULL ? ' ' : help[i]);
    }
}

/* "a|b|c" with another separator. */
static void add_choices(struct strbuf *out, const char *choices)
{
    for (; *choices != '\0'; choices++)
        strbuf_putc(out, *choices == '|' ? ' ' : *choices);
}

/* The words of a subcommand that are no options: "show|check". */
static bool has_choices(const struct cli_command *c)
{
    return strchr(c->arguments, '|') != NULL;
}

/* --- bash --- */

static void bash_command(struct strbuf *out, const struct cli_command *c)
{
    struct cfg_word w;
    strbuf_printf(out, "    %s) words='--help", c->name);
    for (enum cfg_id id = 0; id < CFG_OPTION_COUNT; id++) {
        if (!cfg_word(id, c->scope, &w))
            continue;
        strbuf_printf(out, " --%s", w.name);
        if (w.value == NULL)
            strbuf_printf(out, " --no-%s", w.name);
    }
    if (has_choices(c)) {
        strbuf_putc(out, ' ');
        add_choices(out, c->arguments);
    }
    strbuf_puts(out, "' ;;\n");
}

static void bash_values(struct strbuf *out)
{
    struct cfg_word w;
    strbuf_puts(out, "    case $before in\n");
    for (enum cfg_id id = 0; id < CFG_OPTION_COUNT; id++) {
        if (!cfg_word(id, CFG_ALL, &w) || w.choices == NULL)
            continue;
        strbuf_printf(out, "    --%s)\n        mapfile -t COMPREPLY < <(compgen -W '", w.name);
        add_choices(out, w.choices);
        strbuf_puts(out, "' -- \"$word\")\n        return ;;\n");
    }
    strbuf_puts(out, "    esac\n");
}

static void write_bash(struct strbuf *out)
{
    size_t n = 0;
    const struct cli_command *commands = cli_commands(&n);
    strbuf_puts(out, "# bash completion of pgsleuth: source <(pgsleuth completion bash)\n"
                     "_pgsleuth() {\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}"
                     " words=''\n");
    bash_values(out);
    strbuf_puts(out,
                "    case ${COMP_CWORD}:${COMP_WORDS[1]} in\n    1:*) words='--help --version");
    for (size_t i = 0; i < n; i++) {
        if (is_shown(&commands[i]))
            strbuf_printf(out, " %s", commands[i].name);
    }
    strbuf_puts(out, "' ;;\n    esac\n    [ -n \"$words\" ] || case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < n; i++) {
        if (is_shown(&commands[i]))
            bash_command(out, &commands[i]);
    }
    strbuf_puts(out, "    esac\n"
                     "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                     "}\n"
                     "complete -o default -F _pgsleuth pgsleuth\n");
}

/* --- zsh --- */

static void zsh_option(struct strbuf *out, const struct cfg_word *w)
{
    strbuf_printf(out, "        '--%s%s[", w->name, w->value != NULL ? "=" : "");
    add_summary(out, w->help);
    strbuf_putc(out, ']');
    if (w->choices != NULL) {
        strbuf_puts(out, ":value:(");
        add_choices(out, w->choices);
        strbuf_putc(out, ')');
    } else if (w->value != NULL) {
        strbuf_printf(out, ":%s:%s", w->value, strcmp(w->value, "PATH") == 0 ? "_files" : "");
    }
    strbuf_puts(out, "' \\\n");
    if (w->value == NULL)
        strbuf_printf(out, "        '--no-%s[the opposite]' \\\n", w->name);
}

static void zsh_command(struct strbuf *out, const struct cli_command *c)
{
    struct cfg_word w;
    strbuf_printf(out, "    %s) _arguments \\\n", c->name);
    for (enum cfg_id id = 0; id < CFG_OPTION_COUNT; id++) {
        if (cfg_word(id, c->scope, &w))
            zsh_option(out, &w);
    }
    strbuf_puts(out, "        '--help[print the options]' ");
    if (has_choices(c)) {
        strbuf_puts(out, "'1:word:(");
        add_choices(out, c->arguments);
        strbuf_puts(out, ")'");
    } else {
        strbuf_puts(out, "'*:file:_files'");
    }
    strbuf_puts(out, " ;;\n");
}

static void write_zsh(struct strbuf *out)
{
    size_t n = 0;
    const struct cli_command *commands = cli_commands(&n);
    strbuf_puts(out, "#compdef pgsleuth\n"
                     "# zsh completion of pgsleuth: a file _pgsleuth in a folder of $fpath\n"
                     "_pgsleuth() {\n    if (( CURRENT == 2 )); then\n"
                     "        local -a commands=(\n");
    for (size_t i = 0; i < n; i++) {
        if (!is_shown(&commands[i]))
            continue;
        strbuf_printf(out, "            '%s:", commands[i].name);
        add_summary(out, commands[i].help);
        strbuf_puts(out, "'\n");
    }
    strbuf_puts(out, "        )\n        _describe command commands\n        return\n    fi\n"
                     "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
                     "    case $command in\n");
    for (size_t i = 0; i < n; i++) {
        if (is_shown(&commands[i]))
            zsh_command(out, &commands[i]);
    }
    strbuf_puts(out, "    esac\n}\n_pgsleuth \"$@\"\n");
}

/* --- fish --- */

static void fish_option(struct strbuf *out, const struct cli_command *c, const struct cfg_word *w)
{
    strbuf_printf(out, "complete -c pgsleuth -n '__fish_seen_subcommand_from %s' -l %s", c->name,
                  w->name);
    if (w->letter != 0)
        strbuf_printf(out, " -s %c", w->letter);
    if (w->value != NULL)
        strbuf_puts(out, strcmp(w->value, "PATH") == 0 ? " -r" : " -x");
    if (w->choices != NULL) {
        strbuf_puts(out, " -a '");
        add_choices(out, w->choices);
        strbuf_putc(out, '\'');
    }
    strbuf_puts(out, " -d '");
    add_summary(out, w->help);
    strbuf_puts(out, "'\n");
}

static void fish_command(struct strbuf *out, const struct cli_command *c)
{
    struct cfg_word w;
    strbuf_printf(out, "complete -c pgsleuth -n __fish_use_subcommand -f -a %s -d '", c->name);
    add_summary(out, c->help);
    strbuf_puts(out, "'\n");
    for (enum cfg_id id = 0; id < CFG_OPTION_COUNT; id++) {
        if (cfg_word(id, c->scope, &w))
            fish_option(out, c, &w);
    }
    if (!has_choices(c))
        return;
    strbuf_printf(out, "complete -c pgsleuth -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
    add_choices(out, c->arguments);
    strbuf_puts(out, "'\n");
}

static void write_fish(struct strbuf *out)
{
    size_t n = 0;
    const struct cli_command *commands = cli_commands(&n);
    strbuf_puts(out, "# fish completion of pgsleuth: pgsleuth completion fish | source\n");
    for (size_t i = 0; i < n; i++) {
        if (is_shown(&commands[i]))
            fish_command(out, &commands[i]);
    }
}

int cli_completion(const struct cli_input *in)
{
    int code = EXIT_OK;
    struct strbuf text;
    const char *shell = cli_only_word(in, "completion", "bash|zsh|fish", &code);
    if (shell == NULL)
        return code;
    strbuf_init(&text, TEXT_MAX);
    if (strcmp(shell, "bash") == 0)
        write_bash(&text);
    else if (strcmp(shell, "zsh") == 0)
        write_zsh(&text);
    else
        write_fish(&text);
    int r = cli_print(&text);
    strbuf_fini(&text);
    return r;
}
