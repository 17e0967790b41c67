/*
 * The rows of options.def as a constant table, the three spellings of a name, and typed access to
 * the members of struct cfg_options. Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_OPTION_H
#define PGSLEUTH_CONFIG_OPTION_H

#include "common/levels.h"
#include "config/config.h"
#include "config/suggest.h"

/* Room for any spelling of any name, with its terminator. */
#define CFG_NAME_MAX (CFG_SUGGEST_MAX + 1)

enum cfg_type {
    CFG_TYPE_STRING,
    CFG_TYPE_PATH,
    CFG_TYPE_URL,
    CFG_TYPE_BOOL,
    CFG_TYPE_ENUM,
    CFG_TYPE_INTEGER,
    CFG_TYPE_DURATION,
    CFG_TYPE_BYTES,
    CFG_TYPE_REAL,
    CFG_TYPE_LEVELS, /* "2,3,10,50", or "off" */
};

enum cfg_unit { CFG_UNIT_NONE, CFG_UNIT_MS, CFG_UNIT_S, CFG_UNIT_BYTES };

enum cfg_flag {
    CFG_SECRET = 1,       /* holds credentials: never in a message, masked in a description */
    CFG_NOT_IN_FILE = 2,  /* decides about the file itself */
    CFG_POWER_OF_TWO = 4, /* refused otherwise */
    CFG_DATABASE_URL = 8, /* falls back to the variable DATABASE_URL */
    CFG_REPEATABLE = 16,  /* a text; given again on the command line, it adds with a comma */
};

struct cfg_option {
    const char *name;
    const char *fallback; /* the default, as text */
    const char *choices;
    const char *help;
    int64_t min, max;
    size_t offset; /* of the member in struct cfg_options */
    enum cfg_type type;
    enum cfg_unit unit;
    unsigned flags;
    unsigned scope;
    char letter;
};

/* Indexed by enum cfg_id. */
extern const struct cfg_option cfg_option_table[CFG_OPTION_COUNT];

/* A parsed value on its way into a member. `text` is owned by whoever holds the value. */
struct cfg_value {
    int64_t number; /* bool, enum, integer, duration, bytes */
    double real;
    struct levels levels;
    char *text; /* string, path, URL; else NULL */
};

static inline enum cfg_id cfg_option_id(const struct cfg_option *option)
{
    return (enum cfg_id)(option - cfg_option_table);
}

/* The type is one whose member is a char *. */
bool cfg_option_is_text(const struct cfg_option *option);

/* Write the spelling for the command line, "unit-gap-ms", and return `name`. */
const char *cfg_cli_name(const struct cfg_option *option, char name[CFG_NAME_MAX]);

/* Write the spelling for the environment, "PGSLEUTH_UNIT_GAP_MS", and return `name`. */
const char *cfg_env_name(const struct cfg_option *option, char name[CFG_NAME_MAX]);

/* The row of a dotted name, or NULL. */
const struct cfg_option *cfg_option_by_name(const char *name);

/*
 * The first row of the group `name`, whose rows are called `name.<more>`; NULL when there is none.
 */
const struct cfg_option *cfg_option_group(const char *name);

/* The group that the option is in, "" at the top; written to `group` and returned. */
const char *cfg_option_group_name(const struct cfg_option *option, char group[CFG_NAME_MAX]);

/* Choice number `index` of "a|b|c"; the empty span behind the last one. */
struct span cfg_choice(const char *choices, int index);

/* The member of a text option; never NULL after the defaults were set. */
const char *cfg_get_text(const struct cfg_options *options, const struct cfg_option *option);

/* The member as a value that borrows: nothing of it is to be freed. */
struct cfg_value cfg_get(const struct cfg_options *options, const struct cfg_option *option);

/* Store the value and take over its text; the text that was there is wiped and freed. */
void cfg_set(struct cfg_options *options, const struct cfg_option *option, struct cfg_value value);

#endif
