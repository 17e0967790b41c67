/* The manual, out of the tables of commands, options and exit codes. */
#include "proxy/cli/cli.h"

#include <string.h>

enum { TEXT_MAX = 1024 * 1024 };

static void add_commands(struct strbuf *out)
{
    size_t n = 0;
    const struct cli_command *commands = cli_commands(&n);
    for (size_t i = 0; i < n; i++) {
        if (commands[i].help == NULL)
            continue;
        strbuf_printf(out, ".TP\n.B %s", commands[i].name);
        if (commands[i].arguments[0] != '\0') {
            strbuf_puts(out, " \\fI");
            cfg_man_text(commands[i].arguments, out);
            strbuf_puts(out, "\\fR");
        }
        strbuf_putc(out, '\n');
        cfg_man_text(commands[i].help, out);
        strbuf_putc(out, '\n');
    }
}

static void add_exit_codes(struct strbuf *out)
{
#define EXIT_CODE(name, number, text)                                                              \
    strbuf_printf(out, ".TP\n.B %d\n", number);                                                    \
    cfg_man_text(text, out);                                                                       \
    strbuf_putc(out, '\n');
#include "proxy/exit_codes.def"
#undef EXIT_CODE
}

static void write_man(struct strbuf *out)
{
    static const char head[] =
        ".\\\" Made by `pgsleuth man`, of the tables that the program itself goes by.\n"
        ".TH PGSLEUTH 1 \"\" \"pgsleuth " PGSLEUTH_VERSION "\" \"User Commands\"\n"
        ".SH NAME\npgsleuth \\- a performance auditor between a Python web application and "
        "PostgreSQL\n"
        ".SH SYNOPSIS\n.B pgsleuth\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.br\n.B pgsleuth\n.I URL\n"
        "[\\fIOPTIONS\\fR]\n.br\n.B pgsleuth run\n[\\fIOPTIONS\\fR] \\-\\- \\fICOMMAND\\fR ...\n"
        ".SH DESCRIPTION\n"
        "pgsleuth sits between an application and its database, forwards every byte unchanged, and "
        "tells per HTTP endpoint what is slow, how it knows, and what to write instead.\n.PP\n"
        "A value of an option comes from the command line, else from the environment, else from "
        "the file that\n.B \\-\\-config\nnames, else from DATABASE_URL or PGHOST and its like, "
        "else it is the default.\n";
    strbuf_puts(out, head);
    strbuf_puts(out, ".SH COMMANDS\n");
    add_commands(out);
    strbuf_puts(out, ".SH OPTIONS\nIn parentheses, the commands that take it.\n");
    cfg_man(out);
    strbuf_puts(out, ".SH EXIT STATUS\nOf\n.B run \\-\\-\n"
                     "a command that failed gives its own, or 128 and the number of the signal "
                     "that ended it.\n");
    add_exit_codes(out);
    strbuf_puts(out, ".SH ENVIRONMENT\nEach option is also a variable, named with it. NO_COLOR "
                     "and FORCE_COLOR say whether there are colours where there is a terminal or "
                     "none.\n.SH FILES\n.TP\n.I pgsleuth\\-report/report.yaml\nThe report.\n.TP\n"
                     ".I .pgsleuth\\-baseline.yaml\nFindings that are known.\n");
}

static void write_options(struct strbuf *out)
{
    strbuf_puts(out, "# Options\n\nMade by `pgsleuth man options`. A key of the file may stand in "
                     "its group: `log.level` is `level` below `log`.\n\n");
    cfg_reference(out);
}

int cli_man(const struct cli_input *in)
{
    struct strbuf text;
    int code = EXIT_OK;
    bool page = in->argc == 0;
    if (!page && cli_only_word(in, "man", "options", &code) == NULL)
        return code;
    strbuf_init(&text, TEXT_MAX);
    if (page)
        write_man(&text);
    else
        write_options(&text);
    int r = cli_print(&text);
    strbuf_fini(&text);
    return r;
}
