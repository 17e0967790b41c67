/* Helpers shared by the tests of config/: loads from literals, and expectations on the one line. */
#ifndef PGSLEUTH_TESTS_CONFIG_TESTING_H
#define PGSLEUTH_TESTS_CONFIG_TESTING_H

#include "config/source.h"
#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_WORDS 16

/* One load and what came of it. */
struct loaded {
    struct cfg_options options;
    struct cfg_error err;
    int result;
};

/* Words of one source: WORDS("--workers", "4"). Arrays of char *, as main() has them. */
struct words {
    const char *text[MAX_WORDS];
};
#define WORDS(...) ((struct words){.text = {__VA_ARGS__}})
#define NONE_OF    ((struct words){.text = {NULL}})

/*
 * argv is an array of plain char * in C and cfg_load promises not to write: the union says so
 * without a cast. *words outlives what is loaded.
 */
union argument_array {
    const char **constant;
    char **plain;
};

static inline struct loaded load_scoped(struct words *arguments, struct words *environment,
                                        unsigned scope)
{
    struct loaded l;
    int argc = 0;
    while (argc < MAX_WORDS && arguments->text[argc] != NULL)
        argc++;
    union argument_array argv = {.constant = arguments->text};
    union argument_array envp = {.constant = environment->text};
    struct cfg_input in = {.argc = argc, .argv = argv.plain, .envp = envp.plain, .scope = scope};
    l.result = cfg_load(&in, &l.options, &l.err);
    return l;
}

static inline struct loaded load_words(struct words arguments, struct words environment)
{
    return load_scoped(&arguments, &environment, CFG_RUN);
}

static inline struct loaded load_yaml(const char *text)
{
    struct loaded l = {.err = {{0}}};
    l.result = cfg_load_defaults(&l.options, &l.err);
    assert_int_equal(l.result, CFG_OK);
    l.result = cfg_load_yaml_bytes(span_of_text(text), "f.yaml", &l.options, &l.err);
    return l;
}

/* Ends what was loaded; the line must be exactly `text`. */
static inline void assert_refused(struct loaded l, int result, const char *text)
{
    assert_string_equal(l.err.text, text);
    assert_int_equal(l.result, result);
    cfg_options_fini(&l.options);
}

static inline void assert_loaded(const struct loaded *l)
{
    assert_string_equal(l->err.text, "");
    assert_int_equal(l->result, CFG_OK);
}

/* A file with this text in it; `path` is filled in, and the caller unlinks it. */
static inline void write_file(char path[32], const void *text, size_t len)
{
    snprintf(path, 32, "/tmp/cfg-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, text, len) == (ssize_t)len);
    close(fd);
}

static inline int last_choice(const struct cfg_option *option)
{
    int n = 0;
    while (cfg_choice(option->choices, n + 1).len > 0)
        n++;
    return n;
}

/* Text for an option that differs from its default and goes together with all other defaults. */
static inline void sample_text(const struct cfg_option *option, struct strbuf *out)
{
    struct cfg_value value = {.number = option->max, .real = (double)option->max};
    if (strcmp(option->name, "unbounded.min_rows") == 0)
        value.number = 1;
    if (strcmp(option->name, "unbounded.medium_rows") == 0)
        value.number = 500;
    if (strcmp(option->name, "unbounded.high_rows") == 0)
        value.number = 2000;
    if (option->type == CFG_TYPE_ENUM)
        value.number = last_choice(option);
    if (option->type == CFG_TYPE_BOOL)
        value.number = strcmp(option->fallback, "false") == 0;
    value.levels = (struct levels){1.5, 2, 3, 4000000};
    if (option->type == CFG_TYPE_URL)
        strbuf_puts(out, "postgresql://user@host:1/sample");
    else if (cfg_option_is_text(option))
        strbuf_puts(out, "/sample: \"#text\" \\ x");
    else
        cfg_value_format(option, value, out);
}

/* The option has the value of sample_text and this origin. */
static inline void assert_sample(const struct cfg_options *options, const struct cfg_option *option,
                                 enum cfg_origin_kind origin)
{
    struct strbuf expected;
    struct strbuf found;
    strbuf_init(&expected, 256);
    strbuf_init(&found, 256);
    sample_text(option, &expected);
    cfg_value_format(option, cfg_get(options, option), &found);
    assert_string_equal(strbuf_text(&found), strbuf_text(&expected));
    assert_string_not_equal(strbuf_text(&found), option->fallback);
    assert_int_equal(options->origins[cfg_option_id(option)].kind, origin);
    strbuf_fini(&expected);
    strbuf_fini(&found);
}

#endif
