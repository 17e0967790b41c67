/* The options that are in force, as text. */
#include "config/option.h"
#include "config/value.h"

void cfg_origin_text(const struct cfg_options *options, enum cfg_id id, struct strbuf *out)
{
    char name[CFG_NAME_MAX];
    const struct cfg_option *option = &cfg_option_table[id];
    switch (options->origins[id].kind) {
    case CFG_FROM_DEFAULT:
        strbuf_puts(out, "default");
        break;
    case CFG_FROM_PG_VARIABLES:
        strbuf_puts(out, "PGHOST");
        break;
    case CFG_FROM_DATABASE_URL:
        strbuf_puts(out, "DATABASE_URL");
        break;
    case CFG_FROM_FILE:
        strbuf_printf(out, "%s:%d", options->config, options->origins[id].line);
        break;
    case CFG_FROM_ENVIRONMENT:
        strbuf_puts(out, cfg_env_name(option, name));
        break;
    case CFG_FROM_COMMAND_LINE:
        strbuf_printf(out, "--%s", cfg_cli_name(option, name));
        break;
    }
}

/* A YAML double-quoted text. The values hold no control bytes, so two escapes are enough. */
static void quote(const char *text, struct strbuf *out)
{
    strbuf_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *text);
    }
    strbuf_putc(out, '"');
}

static void describe_value(const struct cfg_options *options, const struct cfg_option *option,
                           struct strbuf *out)
{
    if (!cfg_option_is_text(option)) {
        cfg_value_format(option, cfg_get(options, option), out);
        return;
    }
    const char *text = cfg_get_text(options, option);
    struct strbuf masked;
    strbuf_init(&masked, (size_t)2 * CFG_TEXT_MAX); /* a mask may be longer than what it hides */
    if ((option->flags & CFG_SECRET) != 0 && option->type != CFG_TYPE_URL) {
        text = *text != '\0' ? "***" : text;
    } else if ((option->flags & CFG_SECRET) != 0) {
        cfg_mask_url(text, &masked);
        text = masked.failed ? "***" : strbuf_text(&masked);
    }
    quote(text, out);
    strbuf_fini(&masked);
}

/* The line of a group when the option is the first in it. The table keeps a group together. */
static void describe_group(const struct cfg_option *option, const char *group, struct strbuf *out)
{
    if (group[0] != '\0' && cfg_option_group(group) == option)
        strbuf_printf(out, "%s:\n", group);
}

void cfg_describe(const struct cfg_options *options, struct strbuf *out)
{
    char group[CFG_NAME_MAX];
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        cfg_option_group_name(option, group);
        describe_group(option, group, out);
        if (group[0] != '\0')
            strbuf_printf(out, "  %s: ", option->name + strlen(group) + 1);
        else
            strbuf_printf(out, "%s%s: ", (option->flags & CFG_NOT_IN_FILE) != 0 ? "# " : "",
                          option->name);
        describe_value(options, option, out);
        strbuf_puts(out, "  # ");
        cfg_origin_text(options, (enum cfg_id)i, out);
        strbuf_putc(out, '\n');
    }
}
