/* The options as people read them: --help, and the reference page. */
#include "config/option.h"
#include "config/value.h"

#define HELP_COLUMNS 80
#define HELP_INDENT  8

static const char *const placeholders[] = {
    [CFG_TYPE_STRING] = "TEXT",       [CFG_TYPE_PATH] = "PATH",  [CFG_TYPE_URL] = "URL",
    [CFG_TYPE_BOOL] = NULL,           [CFG_TYPE_ENUM] = "NAME",  [CFG_TYPE_INTEGER] = "INTEGER",
    [CFG_TYPE_DURATION] = "DURATION", [CFG_TYPE_BYTES] = "SIZE", [CFG_TYPE_REAL] = "NUMBER",
    [CFG_TYPE_LEVELS] = "L,M,H,C",
};

static const char *const type_names[] = {
    [CFG_TYPE_STRING] = "string",     [CFG_TYPE_PATH] = "path",   [CFG_TYPE_URL] = "url",
    [CFG_TYPE_BOOL] = "bool",         [CFG_TYPE_ENUM] = "enum",   [CFG_TYPE_INTEGER] = "integer",
    [CFG_TYPE_DURATION] = "duration", [CFG_TYPE_BYTES] = "bytes", [CFG_TYPE_REAL] = "real",
    [CFG_TYPE_LEVELS] = "levels",
};

/* Break at blanks so that no line passes the last column, each line indented. */
static void wrap(const char *text, struct strbuf *out)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column != 0 && column + 1 + word > HELP_COLUMNS) {
            strbuf_putc(out, '\n');
            column = 0;
        }
        if (column == 0)
            strbuf_printf(out, "%*s", HELP_INDENT, "");
        else
            strbuf_putc(out, ' ');
        column += (column == 0 ? HELP_INDENT : 1) + word;
        strbuf_add(out, text, word);
        text += word;
        text += strspn(text, " ");
    }
    strbuf_putc(out, '\n');
}

/* Milliseconds of a plain number; the other units are part of the value. */
static const char *real_unit(const struct cfg_option *option)
{
    return option->type == CFG_TYPE_REAL && option->unit == CFG_UNIT_MS ? " ms" : "";
}

/* The bound of a value, "1..64" or "a power of two in 64KiB..1GiB". */
static void describe_range(const struct cfg_option *option, struct strbuf *out)
{
    if (option->type == CFG_TYPE_BOOL)
        return; /* its type says it */
    if ((option->flags & CFG_POWER_OF_TWO) != 0)
        strbuf_puts(out, "a power of two in ");
    cfg_range_format(option, out);
    strbuf_puts(out, real_unit(option));
}

/* "[default: 1; range: 1..64; PGSLEUTH_WORKERS or DATABASE_URL]" */
static void help_facts(const struct cfg_option *option, struct strbuf *text)
{
    char env[CFG_NAME_MAX];
    struct strbuf range;
    strbuf_init(&range, 128);
    describe_range(option, &range);
    strbuf_puts(text, " [");
    if (option->fallback[0] != '\0')
        strbuf_printf(text, "default: %s%s; ", option->fallback, real_unit(option));
    if (range.len > 0)
        strbuf_printf(text, "%s: %s; ", option->type == CFG_TYPE_ENUM ? "one of" : "range",
                      strbuf_text(&range));
    strbuf_puts(text, cfg_env_name(option, env));
    if ((option->flags & CFG_DATABASE_URL) != 0)
        strbuf_puts(text, " or DATABASE_URL");
    strbuf_putc(text, ']');
    strbuf_fini(&range);
}

static void help_option(const struct cfg_option *option, struct strbuf *out)
{
    char name[CFG_NAME_MAX];
    const char *placeholder = placeholders[option->type];
    cfg_cli_name(option, name);
    strbuf_puts(out, "  ");
    if (option->letter != 0)
        strbuf_printf(out, "-%c, ", option->letter);
    if (placeholder != NULL)
        strbuf_printf(out, "--%s %s\n", name, placeholder);
    else
        strbuf_printf(out, "--%s, --no-%s\n", name, name);
    struct strbuf text;
    strbuf_init(&text, 1024);
    strbuf_puts(&text, option->help);
    help_facts(option, &text);
    wrap(strbuf_text(&text), out);
    strbuf_fini(&text);
}

void cfg_help(struct strbuf *out, unsigned scope)
{
    strbuf_puts(out, "Options:\n");
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if ((cfg_option_table[i].scope & scope) != 0)
            help_option(&cfg_option_table[i], out);
    strbuf_puts(out, "  -h, --help\n");
    wrap("Print this help and exit.", out);
}

static void reference_scope(unsigned scope, struct strbuf *out)
{
    static const struct {
        unsigned bit;
        const char *name;
    } commands[] = {
#define SCOPE(id, bit, name) {bit, name},
#include "config/scopes.def"
#undef SCOPE
    };
    const char *comma = "";
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if ((scope & commands[i].bit) == 0)
            continue;
        strbuf_printf(out, "%s%s", comma, commands[i].name);
        comma = ", ";
    }
}

static void reference_row(const struct cfg_option *option, struct strbuf *out)
{
    char name[CFG_NAME_MAX];
    strbuf_printf(out, "| `%s` | `--%s`", option->name, cfg_cli_name(option, name));
    if (option->letter != 0)
        strbuf_printf(out, ", `-%c`", option->letter);
    strbuf_printf(out, " | `%s`", cfg_env_name(option, name));
    if ((option->flags & CFG_DATABASE_URL) != 0)
        strbuf_puts(out, ", `DATABASE_URL`");
    strbuf_printf(out, " | %s | ", type_names[option->type]);
    if (option->fallback[0] != '\0')
        strbuf_printf(out, "`%s`%s", option->fallback, real_unit(option));
    strbuf_puts(out, " | ");
    describe_range(option, out);
    strbuf_puts(out, " | ");
    reference_scope(option->scope, out);
    strbuf_printf(out, " | %s |\n", option->help);
}

void cfg_reference(struct strbuf *out)
{
    strbuf_puts(out, "| Key in the file | Command line | Environment | Type | Default | Allowed | "
                     "Commands | Meaning |\n"
                     "|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        reference_row(&cfg_option_table[i], out);
}

/* --- the man page --- */

/* A line must not begin with a control character, and a hyphen is to stay one that can be copied.
 */
void cfg_man_text(const char *text, struct strbuf *out)
{
    bool first = true;
    for (; *text != '\0'; text++) {
        if (first && (*text == '.' || *text == '\''))
            strbuf_puts(out, "\\&");
        first = *text == '\n';
        if (*text == '-')
            strbuf_puts(out, "\\-");
        else if (*text == '\\')
            strbuf_puts(out, "\\e");
        else
            strbuf_putc(out, *text);
    }
}

static void man_option(const struct cfg_option *option, struct strbuf *out)
{
    char name[CFG_NAME_MAX];
    struct strbuf text;
    const char *placeholder = placeholders[option->type];
    cfg_cli_name(option, name);
    strbuf_puts(out, ".TP\n.B ");
    if (option->letter != 0)
        strbuf_printf(out, "\\-%c, ", option->letter);
    strbuf_puts(out, "\\-\\-");
    cfg_man_text(name, out);
    if (placeholder != NULL) {
        strbuf_printf(out, " \\fI%s\\fR\n", placeholder);
    } else {
        strbuf_puts(out, ", \\-\\-no\\-");
        cfg_man_text(name, out);
        strbuf_putc(out, '\n');
    }
    strbuf_init(&text, 2048);
    strbuf_puts(&text, option->help);
    help_facts(option, &text);
    strbuf_puts(&text, " (");
    reference_scope(option->scope, &text);
    strbuf_putc(&text, ')');
    cfg_man_text(strbuf_text(&text), out);
    strbuf_putc(out, '\n');
    strbuf_fini(&text);
}

void cfg_man(struct strbuf *out)
{
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        man_option(&cfg_option_table[i], out);
}

bool cfg_word(enum cfg_id id, unsigned scope, struct cfg_word *out)
{
    const struct cfg_option *option = &cfg_option_table[id];
    _Static_assert(sizeof(out->name) >= CFG_NAME_MAX, "every name fits");
    if ((option->scope & scope) == 0)
        return false;
    *out = (struct cfg_word){.letter = option->letter,
                             .value = placeholders[option->type],
                             .choices = option->choices,
                             .help = option->help};
    cfg_cli_name(option, out->name);
    return true;
}
