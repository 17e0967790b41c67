/* The options in force, and whether they can be. */
#include "proxy/cli/cli.h"

#include "common/log.h"

#include <string.h>

enum { TEXT_MAX = 1024 * 1024 };

static int show(const struct cfg_options *options)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    cfg_describe(options, &text);
    int r = cli_print(&text);
    strbuf_fini(&text);
    return r;
}

static int answer(const struct cfg_options *options)
{
    const char *word = options->positional_count == 1 ? options->positional[0] : "";
    if (strcmp(word, "show") == 0)
        return show(options);
    if (strcmp(word, "check") == 0)
        return EXIT_OK; /* what is wrong was told when they were read */
    log_error("config: it is pgsleuth config show, or pgsleuth config check");
    return EXIT_USAGE;
}

int cli_config(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "config", CFG_ALL, 1, &options, &code))
        return code;
    int r = answer(&options);
    cfg_options_fini(&options);
    return r;
}
