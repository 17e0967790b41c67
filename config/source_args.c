/* Values from the command line. */
#include "config/source.h"

#include "config/error.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cfg_origin from_here = {.kind = CFG_FROM_COMMAND_LINE};

/* The arguments and how far they are read. */
struct walk {
    const struct cfg_input *in;
    int next;
    struct cfg_options *out;
    struct cfg_error *err;
};

static const struct cfg_option *by_cli_name(struct span wanted)
{
    char name[CFG_NAME_MAX];
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (span_is(wanted, cfg_cli_name(&cfg_option_table[i], name)))
            return &cfg_option_table[i];
    return NULL;
}

static const struct cfg_option *by_letter(char letter)
{
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (letter != '\0' && cfg_option_table[i].letter == letter)
            return &cfg_option_table[i];
    return NULL;
}

/* --no-<name> of a bool. */
static const struct cfg_option *by_negated_name(struct span wanted)
{
    if (!span_is(span_head(wanted, 3), "no-"))
        return NULL;
    const struct cfg_option *option = by_cli_name(span_skip(wanted, 3));
    return option != NULL && option->type == CFG_TYPE_BOOL ? option : NULL;
}

static int refuse_unknown(const struct walk *w, struct span name)
{
    struct cfg_nearest nearest;
    char known[CFG_NAME_MAX];
    char shown[CFG_SHOWN_MAX];
    cfg_nearest_init(&nearest, name);
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if ((cfg_option_table[i].scope & w->in->scope) != 0)
            cfg_nearest_offer(&nearest, cfg_cli_name(&cfg_option_table[i], known));
    cfg_show_name(shown, name);
    if (cfg_nearest_found(&nearest))
        return cfg_fail(w->err, CFG_E_UNKNOWN, "--%s: unknown option; did you mean --%s?", shown,
                        nearest.name);
    return cfg_fail(w->err, CFG_E_UNKNOWN, "--%s: unknown option", shown);
}

/* `value` is NULL when the option stood without "=value". */
static int take_option(struct walk *w, const struct cfg_option *option, const char *value)
{
    char name[CFG_NAME_MAX];
    char where[CFG_NAME_MAX + 2];
    snprintf(where, sizeof(where), "--%s", cfg_cli_name(option, name));
    if ((option->scope & w->in->scope) == 0)
        return cfg_fail(w->err, CFG_E_UNKNOWN, "%s: not an option of this command", where);
    if (value == NULL && option->type == CFG_TYPE_BOOL)
        value = "true";
    if (value == NULL && w->next < w->in->argc && strncmp(w->in->argv[w->next], "--", 2) != 0)
        value = w->in->argv[w->next++];
    if (value == NULL)
        return cfg_fail(w->err, CFG_E_SYNTAX, "%s: needs a value", where);
    return cfg_apply(w->out, option, value, where, from_here, w->err);
}

static int take_negated(struct walk *w, const struct cfg_option *option, const char *value)
{
    if (value == NULL)
        return take_option(w, option, "false");
    char name[CFG_NAME_MAX];
    return cfg_fail(w->err, CFG_E_SYNTAX, "--no-%s: takes no value", cfg_cli_name(option, name));
}

/* `argument` is what follows the two dashes. */
static int take_long(struct walk *w, const char *argument)
{
    const char *equals = strchrnul(argument, '=');
    const char *value = *equals == '=' ? equals + 1 : NULL;
    struct span name = span_of(argument, (size_t)(equals - argument));
    if (strcmp(argument, "help") == 0) {
        w->out->help_requested = true;
        return CFG_OK;
    }
    const struct cfg_option *option = by_cli_name(name);
    if (option != NULL)
        return take_option(w, option, value);
    option = by_negated_name(name);
    if (option != NULL)
        return take_negated(w, option, value);
    return refuse_unknown(w, name);
}

/* `argument` is what follows the one dash: a letter, and perhaps its value at once (-w4). */
static int take_short(struct walk *w, const char *argument)
{
    if (strcmp(argument, "h") == 0) {
        w->out->help_requested = true;
        return CFG_OK;
    }
    const struct cfg_option *option = by_letter(argument[0]);
    if (option != NULL)
        return take_option(w, option, argument[1] != '\0' ? argument + 1 : NULL);
    char shown[CFG_SHOWN_MAX];
    return cfg_fail(w->err, CFG_E_UNKNOWN, "-%s: unknown option",
                    cfg_show_name(shown, span_of(argument, 1)));
}

static void take_positional(struct walk *w, const char *argument)
{
    w->out->positional[w->out->positional_count++] = argument;
}

static int take_next(struct walk *w)
{
    const char *argument = w->in->argv[w->next++];
    if (strncmp(argument, "--", 2) == 0)
        return take_long(w, argument + 2);
    if (argument[0] == '-' && argument[1] != '\0')
        return take_short(w, argument + 1);
    take_positional(w, argument);
    return CFG_OK;
}

int cfg_load_arguments(const struct cfg_input *in, struct cfg_options *options,
                       struct cfg_error *err)
{
    struct walk w = {.in = in, .out = options, .err = err};
    if (in->argc <= 0)
        return CFG_OK;
    options->positional = calloc((size_t)in->argc, sizeof(*options->positional));
    if (options->positional == NULL)
        return cfg_fail(err, CFG_E_NO_MEMORY, "out of memory");
    while (w.next < in->argc && !options->help_requested) {
        if (strcmp(in->argv[w.next], "--") == 0)
            break;
        int result = take_next(&w);
        if (result != CFG_OK)
            return result;
    }
    options->command_at = options->positional_count;
    for (w.next++; w.next < in->argc && !options->help_requested; w.next++)
        take_positional(&w, in->argv[w.next]);
    return CFG_OK;
}
