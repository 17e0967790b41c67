/*
 * The sources of values. Each reads all it is given into the same struct; a value replaces another
 * only when its origin is at least as strong, so the sources may be read in any order and every
 * value is checked, also the one that loses. Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_SOURCE_H
#define PGSLEUTH_CONFIG_SOURCE_H

#include "config/option.h"

/* Refused beyond this: a configuration is a page of text, not a data set. */
#define CFG_FILE_MAX_BYTES 1048576

/* Mappings within mappings. Option names decide how deep a file may go; this is their limit. */
#define CFG_YAML_DEPTH_MAX 8

/*
 * Check `text`, and store it unless the value that is there is of a stronger origin. `where`
 * begins the error message.
 */
int cfg_apply(struct cfg_options *options, const struct cfg_option *option, const char *text,
              const char *where, struct cfg_origin origin, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* Zero *options and store the default of every row. On failure *options is for cfg_options_fini. */
int cfg_load_defaults(struct cfg_options *options, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* The command line: options, positional arguments, help_requested. */
int cfg_load_arguments(const struct cfg_input *in, struct cfg_options *options,
                       struct cfg_error *err) __attribute__((warn_unused_result));

/* Every variable called PGSLEUTH_*. */
int cfg_load_environment(char **envp, struct cfg_options *options, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* DATABASE_URL, for the options that fall back to it and have only their default. Comes last. */
int cfg_load_database_url(char **envp, struct cfg_options *options, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and PGSSLMODE as a URL, for the same options, when
 * PGHOST is set. */
int cfg_load_pg_variables(char **envp, struct cfg_options *options, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* The YAML file that options->config names; CFG_OK when it names none. */
int cfg_load_file(struct cfg_options *options, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* One YAML document from memory; `path` is for messages only. *options holds the defaults. */
int cfg_load_yaml_bytes(struct span bytes, const char *path, struct cfg_options *options,
                        struct cfg_error *err) __attribute__((warn_unused_result));

#endif
