/* Relay and audit: until told to stop, or until the command behind `--` has ended. */
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/inputs.h"
#include "proxy/listener.h"
#include "proxy/upstream.h"
#include "proxy/verdict.h"

#include <event2/event.h>
#include <stdlib.h>

enum { LISTEN_MAX = UPSTREAM_MAX_HOSTS * ADDRESS_TEXT };

/* libevent tells stderr itself, in its own form, what its callers learn from its results and tell
 * in ours. */
static void on_event_log(int severity, const char *message)
{
    (void)severity;
    log_debug("libevent: %s", message);
}

/* Each host of the upstream wants a listener. What is wrong with the URL is told later. */
static size_t count_hosts(const struct cfg_options *options)
{
    struct upstream upstream;
    char error[400];
    size_t n = upstream_parse(options->upstream, &upstream, error, sizeof(error)) == 0
                   ? upstream.n_hosts
                   : 1;
    upstream_fini(&upstream);
    return n;
}

static bool listener_is_free(const char *text)
{
    struct addresses a;
    char error[512];
    return address_of_listener(text, &a, error, sizeof(error)) == ADDRESS_OK &&
           listener_probe(&a, error, sizeof(error)) == 0;
}

/* Where nobody said, and nobody has to know beforehand: any ports that are free. */
static void choose_listeners(struct cfg_options *options)
{
    struct strbuf listen;
    strbuf_init(&listen, LISTEN_MAX);
    size_t n = count_hosts(options);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        strbuf_puts(&listen, i > 0 ? "," : "");
        ok = address_free_port(&listen);
    }
    char *text = ok ? strbuf_take(&listen) : NULL;
    strbuf_fini(&listen);
    if (text == NULL)
        return; /* the default may do */
    free(options->listen);
    options->listen = text;
}

/* What is wrong with the assertions is told before the command runs, not behind it. */
static bool can_be_judged(const struct cfg_options *options)
{
    json_t *baseline = NULL;
    bool good =
        verdict_criteria_are_good(options) && inputs_baseline(options, &baseline) == EXIT_OK;
    json_decref(baseline);
    return good;
}

static int run(struct cfg_options *options, const struct cli_input *in, const char *url)
{
    bool command = options->command_at < options->positional_count;
    bool chosen = options->origins[CFG_ID_listen].kind != CFG_FROM_DEFAULT;
    struct app_wishes wishes = {
        /* The command's words are the last of ours. */
        .command = command ? in->argv + in->argc - (options->positional_count - options->command_at)
                           : NULL,
        .envp = in->envp,
        .export_url = command ? NULL : url,
    };
    if (options->command_at > 0) {
        log_error("run: unexpected argument \"%s\"; a command stands behind --: pgsleuth run -- "
                  "COMMAND",
                  cli_shown(options->positional[0]));
        return EXIT_USAGE;
    }
    if (!chosen && (command || (url != NULL && !listener_is_free(options->listen))))
        choose_listeners(options);
    if (command && !can_be_judged(options))
        return EXIT_USAGE;
    event_set_log_callback(on_event_log);
    return app_run(options, &wishes);
}

static int start(const struct cli_input *in, const char *url)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "run", CFG_RUN, in->argc, &options, &code))
        return code;
    int r = run(&options, in, url);
    cfg_options_fini(&options);
    return r;
}

int cli_run(const struct cli_input *in)
{
    return start(in, NULL);
}

int cli_run_url(const struct cli_input *in)
{
    char option[] = "--upstream";
    char **argv = calloc((size_t)in->argc + 2, sizeof(*argv));
    if (argv == NULL) {
        log_error("out of memory");
        return EXIT_INTERNAL;
    }
    argv[0] = option;
    memcpy(argv + 1, in->argv, (size_t)in->argc * sizeof(*argv));
    struct cli_input with_option = {.argc = in->argc + 1, .argv = argv, .envp = in->envp};
    int r = start(&with_option, in->argv[0]);
    free(argv);
    return r;
}
