/*
 * The options of pgsleuth: read from the command line, the environment, a YAML file and the
 * defaults, checked as a whole, and handed to the caller as one plain struct.
 *
 * config/options.def is the table behind everything here: the members of struct cfg_options, the
 * file, the variables, the command line, --help and the reference page all come from its rows. A
 * value wins by its source, in this order: command line, PGSLEUTH_* variables, file, DATABASE_URL
 * and libpq's PGHOST with its like (upstream only), default. A value that loses is checked all the
 * same.
 */
#ifndef PGSLEUTH_CONFIG_CONFIG_H
#define PGSLEUTH_CONFIG_CONFIG_H

#include "common/levels.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every failure; the line of text for people is in struct cfg_error. */
enum cfg_result {
    CFG_OK = 0,
    CFG_E_NO_MEMORY = -1,
    CFG_E_IO = -2,        /* the file cannot be read, or is too large */
    CFG_E_SYNTAX = -3,    /* not YAML, or YAML that has no place here; a malformed command line */
    CFG_E_UNKNOWN = -4,   /* no such option, variable or key, or not one of this subcommand */
    CFG_E_DUPLICATE = -5, /* a key twice in the file */
    CFG_E_TYPE = -6,      /* not a value of the option's type */
    CFG_E_RANGE = -7,     /* of the right type and out of bounds, or at odds with another option */
};

/* Subcommands, as bits: which rows their command line takes. */
enum cfg_scope {
#define SCOPE(id, bit, name) CFG_##id = (bit),
#include "config/scopes.def"
#undef SCOPE
    CFG_ALL = 0
#define SCOPE(id, bit, name) | (bit)
#include "config/scopes.def"
#undef SCOPE
};

/* One line without a line end. Never holds the value of a secret option. */
struct cfg_error {
    char text[512];
};

/* Index of an option: CFG_ID_workers is the row of `workers`. */
enum cfg_id {
#define CFG_OPTION(field, ...) CFG_ID_##field,
#include "config/options.def"
#undef CFG_OPTION
    CFG_OPTION_COUNT
};

/* Where a value came from; the higher one wins. */
enum cfg_origin_kind {
    CFG_FROM_DEFAULT,
    CFG_FROM_PG_VARIABLES,
    CFG_FROM_DATABASE_URL,
    CFG_FROM_FILE,
    CFG_FROM_ENVIRONMENT,
    CFG_FROM_COMMAND_LINE,
};

struct cfg_origin {
    enum cfg_origin_kind kind;
    int line; /* of the file, from 1; else 0 */
};

#define CFG_MEMBER_STRING   char *
#define CFG_MEMBER_PATH     char *
#define CFG_MEMBER_URL      char *
#define CFG_MEMBER_BOOL     bool
#define CFG_MEMBER_ENUM     int
#define CFG_MEMBER_INTEGER  int64_t
#define CFG_MEMBER_DURATION int64_t
#define CFG_MEMBER_BYTES    int64_t
#define CFG_MEMBER_REAL     double
#define CFG_MEMBER_LEVELS   struct levels

/*
 * One member a row, named and in the unit of the row. Texts are owned by the struct and never NULL
 * after a successful load ("" is "not set"); an enum is the index into the row's choices.
 */
struct cfg_options {
#define CFG_OPTION(field, name, letter, type, ...) CFG_MEMBER_##type field;
#include "config/options.def"
#undef CFG_OPTION
    struct cfg_origin origins[CFG_OPTION_COUNT];
    const char **positional; /* array owned; the texts are borrowed from cfg_input.argv */
    size_t positional_count;
    size_t command_at; /* the first positional behind "--"; positional_count when there is none */
    bool help_requested;
};

/* What a process was started with. Borrowed: must live as long as the options made from it. */
struct cfg_input {
    int argc;       /* of argv: arguments only, without programme name and subcommand */
    char **argv;    /* may be NULL when argc is 0 */
    char **envp;    /* NULL-terminated, "NAME=value"; NULL is an empty environment */
    unsigned scope; /* one or more bits of enum cfg_scope */
};

/*
 * Read and check everything. On CFG_OK the caller owns *out and ends it with cfg_options_fini. On
 * any failure *out is empty (fini is allowed, not needed) and err->text tells what, and where.
 * When -h or --help is met, reading stops there: help_requested is set, and the remaining values
 * are defaults that nobody should start from.
 */
int cfg_load(const struct cfg_input *in, struct cfg_options *out, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* Wipe the secrets, free what the struct owns, and leave it zeroed. A zeroed struct is allowed. */
void cfg_options_fini(struct cfg_options *options);

/*
 * Whether the member holds a number that its row allows, or a text: for values that came by another
 * way than the sources, such as those in a capture.
 */
bool cfg_in_range(const struct cfg_options *options, enum cfg_id id);

/*
 * Append where the value of one option came from: "default", "PGHOST", "DATABASE_URL",
 * "pgsleuth.yaml:4", "PGSLEUTH_WORKERS" or "--workers".
 */
void cfg_origin_text(const struct cfg_options *options, enum cfg_id id, struct strbuf *out);

/*
 * Append every option with its value and origin as a YAML document that cfg_load would read,
 * except that passwords in secret options are replaced by ***.
 */
void cfg_describe(const struct cfg_options *options, struct strbuf *out);

/*
 * Append `url`, a postgresql:// URL or a "key=value" connection string, with whatever may be a
 * password replaced by ***. What cannot be told apart is hidden, not shown.
 */
void cfg_mask_url(const char *url, struct strbuf *out);

/* Whether the text begins with a scheme of PostgreSQL's URLs, as any of the usual packages spells
 * it: postgres://, postgresql+asyncpg://, postgis://, ... */
bool cfg_url_is_postgresql(const char *url);

/*
 * Append `url`, one of PostgreSQL, with `hosts` ("127.0.0.1:6432", or several with commas between
 * them) in the place of its own; scheme, login, database and parameters stay. Parameters that name
 * a host or a port go. With `clear`, the server there does without TLS, and what would ask for
 * TLS is changed to do without. False when it is no such URL; then nothing is appended.
 */
bool cfg_redirect_url(const char *url, const char *hosts, bool clear, struct strbuf *out);

/* Append the options section of --help for these subcommands, no line over 80 columns. */
void cfg_help(struct strbuf *out, unsigned scope);

/* Append a Markdown table of all options. */
void cfg_reference(struct strbuf *out);

/* Append the options as paragraphs of a man page (man(7)). */
void cfg_man(struct strbuf *out);

/* Append text as a man page takes it: nothing in it is taken for a request or an escape. */
void cfg_man_text(const char *text, struct strbuf *out);

/* What a shell that completes words wants to know of an option. Static texts. */
struct cfg_word {
    char name[80];     /* as on the command line, without its dashes */
    char letter;       /* or 0 */
    const char *value; /* what kind of value it takes, "PATH"; NULL: none, and there is --no-NAME */
    const char *choices; /* "a|b|c" of its values, or NULL */
    const char *help;
};

/* False when no command of `scope` takes the option. */
bool cfg_word(enum cfg_id id, unsigned scope, struct cfg_word *out);

#endif
