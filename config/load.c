/* The order of the sources, and what is checked across options. */
#include "config/source.h"

#include "config/error.h"
#include "config/value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Put what the same command line said before in front. */
static int add_to_earlier(const struct cfg_options *options, const struct cfg_option *option,
                          struct cfg_value *value, struct cfg_error *err)
{
    struct strbuf text;
    strbuf_init(&text, CFG_TEXT_MAX);
    strbuf_printf(&text, "%s,%s", cfg_get_text(options, option), value->text);
    char *joined = text.failed ? NULL : strdup(strbuf_text(&text));
    strbuf_fini(&text);
    free(value->text);
    value->text = joined;
    return joined != NULL ? CFG_OK : cfg_fail(err, CFG_E_NO_MEMORY, "out of memory");
}

int cfg_apply(struct cfg_options *options, const struct cfg_option *option, const char *text,
              const char *where, struct cfg_origin origin, struct cfg_error *err)
{
    struct cfg_value value;
    int result = cfg_value_parse(option, text, where, &value, err);
    if (result != CFG_OK)
        return result;
    struct cfg_origin *held = &options->origins[cfg_option_id(option)];
    if (held->kind > origin.kind) {
        if (value.text != NULL)
            explicit_bzero(value.text, strlen(value.text));
        free(value.text);
        return CFG_OK;
    }
    if ((option->flags & CFG_REPEATABLE) != 0 && origin.kind == CFG_FROM_COMMAND_LINE &&
        held->kind == origin.kind) {
        result = add_to_earlier(options, option, &value, err);
        if (result != CFG_OK)
            return result;
    }
    cfg_set(options, option, value);
    *held = origin;
    return CFG_OK;
}

int cfg_load_defaults(struct cfg_options *options, struct cfg_error *err)
{
    static const struct cfg_origin origin = {.kind = CFG_FROM_DEFAULT};
    *options = (struct cfg_options){0};
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++) {
        const struct cfg_option *option = &cfg_option_table[i];
        int result = cfg_apply(options, option, option->fallback, option->name, origin, err);
        if (result != CFG_OK)
            return result;
    }
    return CFG_OK;
}

/* "--config: cannot read "x.yaml": No such file or directory" */
static int refuse_file(const struct cfg_options *options, const char *why, struct cfg_error *err)
{
    char shown[CFG_SHOWN_MAX];
    struct strbuf where;
    strbuf_init(&where, 64);
    cfg_origin_text(options, CFG_ID_config, &where);
    int result = cfg_fail(err, CFG_E_IO, "%s: cannot read %s: %s", strbuf_text(&where),
                          cfg_show_value(shown, options->config, false), why);
    strbuf_fini(&where);
    return result;
}

/* One byte more than allowed is read, to tell a file that is full from one that is too large. */
static int read_file(const struct cfg_options *options, FILE *file, struct cfg_error *err,
                     uint8_t *bytes, size_t *len)
{
    char buffer[64];
    *len = fread(bytes, 1, CFG_FILE_MAX_BYTES + 1, file);
    if (ferror(file))
        return refuse_file(options, strerror_r(errno, buffer, sizeof(buffer)), err);
    return CFG_OK;
}

int cfg_load_file(struct cfg_options *options, struct cfg_error *err)
{
    char buffer[64];
    uint8_t *bytes = NULL;
    size_t len = 0;
    int result = CFG_OK;
    if (options->config[0] == '\0')
        return CFG_OK;
    FILE *file = fopen(options->config, "rbe");
    if (file == NULL)
        return refuse_file(options, strerror_r(errno, buffer, sizeof(buffer)), err);
    bytes = malloc(CFG_FILE_MAX_BYTES + 1);
    if (bytes == NULL) {
        result = cfg_fail(err, CFG_E_NO_MEMORY, "out of memory");
        goto out;
    }
    result = read_file(options, file, err, bytes, &len);
    if (result == CFG_OK)
        result = cfg_load_yaml_bytes(span_of(bytes, len), options->config, options, err);
out:
    if (bytes != NULL)
        explicit_bzero(bytes, len); /* it may hold a password */
    free(bytes);
    fclose(file);
    return result;
}

/* "unbounded.high_rows (--unbounded-high-rows) is above unbounded.critical_rows (default)" */
static int refuse_order(const struct cfg_options *options, enum cfg_id low, enum cfg_id high,
                        struct cfg_error *err)
{
    struct strbuf text;
    strbuf_init(&text, sizeof(err->text));
    strbuf_printf(&text, "%s (", cfg_option_table[low].name);
    cfg_origin_text(options, low, &text);
    strbuf_printf(&text, ") is above %s (", cfg_option_table[high].name);
    cfg_origin_text(options, high, &text);
    strbuf_putc(&text, ')');
    int result = cfg_fail(err, CFG_E_RANGE, "%s", strbuf_text(&text));
    strbuf_fini(&text);
    return result;
}

/* Thresholds that make no sense in another order, whatever source each came from. */
static int check_orders(const struct cfg_options *options, struct cfg_error *err)
{
    static const struct {
        enum cfg_id low, high;
    } orders[] = {
        {CFG_ID_unbounded_min_rows, CFG_ID_unbounded_medium_rows},
        {CFG_ID_unbounded_medium_rows, CFG_ID_unbounded_high_rows},
        {CFG_ID_unbounded_high_rows, CFG_ID_unbounded_critical_rows},
    };
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct cfg_value low = cfg_get(options, &cfg_option_table[orders[i].low]);
        struct cfg_value high = cfg_get(options, &cfg_option_table[orders[i].high]);
        if (low.number > high.number)
            return refuse_order(options, orders[i].low, orders[i].high, err);
    }
    return CFG_OK;
}

/* The environment comes before the file, because it may name the file. */
static int load_sources(const struct cfg_input *in, struct cfg_options *options,
                        struct cfg_error *err)
{
    int result = cfg_load_arguments(in, options, err);
    if (result != CFG_OK || options->help_requested)
        return result; /* a broken environment must not keep anybody from reading the help */
    result = cfg_load_environment(in->envp, options, err);
    if (result == CFG_OK)
        result = cfg_load_file(options, err);
    if (result == CFG_OK)
        result = cfg_load_database_url(in->envp, options, err);
    if (result == CFG_OK)
        result = cfg_load_pg_variables(in->envp, options, err);
    if (result == CFG_OK)
        result = check_orders(options, err);
    return result;
}

int cfg_load(const struct cfg_input *in, struct cfg_options *out, struct cfg_error *err)
{
    assert((in->scope & CFG_ALL) != 0);
    *err = (struct cfg_error){{0}};
    int result = cfg_load_defaults(out, err);
    if (result == CFG_OK)
        result = load_sources(in, out, err);
    if (result != CFG_OK)
        cfg_options_fini(out);
    return result;
}

void cfg_options_fini(struct cfg_options *options)
{
    for (size_t i = 0; i < CFG_OPTION_COUNT; i++)
        if (cfg_option_is_text(&cfg_option_table[i]))
            cfg_set(options, &cfg_option_table[i], (struct cfg_value){0});
    free(options->positional);
    *options = (struct cfg_options){0};
}
