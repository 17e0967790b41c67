#include "config/option.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

const struct cfg_option cfg_option_table[CFG_OPTION_COUNT] = {
#define CFG_OPTION(field_, name_, letter_, type_, default_, min_, max_, unit_, choices_, flags_,   \
                   scope_, help_)                                                                  \
    [CFG_ID_##field_] = {.name = (name_),                                                          \
                         .fallback = (default_),                                                   \
                         .choices = (choices_),                                                    \
                         .help = (help_),                                                          \
                         .min = (min_),                                                            \
                         .max = (max_),                                                            \
                         .offset = offsetof(struct cfg_options, field_),                           \
                         .type = CFG_TYPE_##type_,                                                 \
                         .unit = CFG_UNIT_##unit_,                                                 \
                         .flags = (flags_),                                                        \
                         .scope = (scope_),                                                        \
                         .letter = (letter_)},
#include "config/options.def"
#undef CFG_OPTION
};

bool cfg_option_is_text(const struct cfg_option *option)
{
    return option->type == CFG_TYPE_STRING || option->type == CFG_TYPE_PATH ||
           option->type == CFG_TYPE_URL;
}

const char *cfg_cli_name(const struct cfg_option *option, char name[CFG_NAME_MAX])
{
    int len = snprintf(name, CFG_NAME_MAX, "%s", option->name);
    assert(len > 0 && len < CFG_NAME_MAX);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '.' || *c == '_')
            *c = '-';
    return name;
}

const char *cfg_env_name(const struct cfg_option *option, char name[CFG_NAME_MAX])
{
    int len = snprintf(name, CFG_NAME_MAX, "PGSLEUTH_%s", option->name);
    assert(len > 0 && len < CFG_NAME_MAX);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

const struct cfg_option *cfg_option_by_name(const char *name)
{
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (strcmp(cfg_option_table[i].name, name) == 0)
            return &cfg_option_table[i];
    return NULL;
}

const struct cfg_option *cfg_option_group(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (strncmp(cfg_option_table[i].name, name, len) == 0 &&
            cfg_option_table[i].name[len] == '.')
            return &cfg_option_table[i];
    return NULL;
}

const char *cfg_option_group_name(const struct cfg_option *option, char group[CFG_NAME_MAX])
{
    const char *dot = strrchr(option->name, '.');
    int len = dot != NULL ? (int)(dot - option->name) : 0;
    snprintf(group, CFG_NAME_MAX, "%.*s", len, option->name);
    return group;
}

struct span cfg_choice(const char *choices, int index)
{
    const char *end = strchrnul(choices, '|');
    for (; index > 0 && *end != '\0'; index--) {
        choices = end + 1;
        end = strchrnul(choices, '|');
    }
    return span_of(choices, index == 0 ? (size_t)(end - choices) : 0);
}

static const void *member(const struct cfg_options *options, const struct cfg_option *option)
{
    return (const char *)options + option->offset;
}

static void *member_to_set(struct cfg_options *options, const struct cfg_option *option)
{
    return (char *)options + option->offset;
}

const char *cfg_get_text(const struct cfg_options *options, const struct cfg_option *option)
{
    assert(cfg_option_is_text(option));
    return *(char *const *)member(options, option);
}

struct cfg_value cfg_get(const struct cfg_options *options, const struct cfg_option *option)
{
    const void *at = member(options, option);
    switch (option->type) {
    case CFG_TYPE_STRING:
    case CFG_TYPE_PATH:
    case CFG_TYPE_URL:
        return (struct cfg_value){.text = *(char *const *)at};
    case CFG_TYPE_BOOL:
        return (struct cfg_value){.number = *(const bool *)at};
    case CFG_TYPE_ENUM:
        return (struct cfg_value){.number = *(const int *)at};
    case CFG_TYPE_INTEGER:
    case CFG_TYPE_DURATION:
    case CFG_TYPE_BYTES:
        return (struct cfg_value){.number = *(const int64_t *)at};
    case CFG_TYPE_LEVELS:
        return (struct cfg_value){.levels = *(const struct levels *)at};
    case CFG_TYPE_REAL:
        break;
    }
    return (struct cfg_value){.real = *(const double *)at};
}

/* Any text may have been a URL somebody gave to the wrong option: all are wiped. */
static void set_text(char **at, char *text)
{
    if (*at != NULL)
        explicit_bzero(*at, strlen(*at));
    free(*at);
    *at = text;
}

void cfg_set(struct cfg_options *options, const struct cfg_option *option, struct cfg_value value)
{
    void *at = member_to_set(options, option);
    switch (option->type) {
    case CFG_TYPE_STRING:
    case CFG_TYPE_PATH:
    case CFG_TYPE_URL:
        set_text(at, value.text);
        break;
    case CFG_TYPE_BOOL:
        *(bool *)at = value.number != 0;
        break;
    case CFG_TYPE_ENUM:
        *(int *)at = (int)value.number;
        break;
    case CFG_TYPE_INTEGER:
    case CFG_TYPE_DURATION:
    case CFG_TYPE_BYTES:
        *(int64_t *)at = value.number;
        break;
    case CFG_TYPE_REAL:
        *(double *)at = value.real;
        break;
    case CFG_TYPE_LEVELS:
        *(struct levels *)at = value.levels;
        break;
    }
}
