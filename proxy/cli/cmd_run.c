#include "proxy/cli/cli.h"

#include "common/log.h"

#include <event2/event.h>

/* libevent tells stderr itself, in its own form, what its callers learn from its results and tell
 * in ours. */
static void on_event_log(int severity, const char *message)
{
    (void)severity;
    log_debug("libevent: %s", message);
}

enum exit_code cli_run(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "run", CFG_RUN, 0, &options, &code))
        return code;
    event_set_log_callback(on_event_log);
    code = app_run(&options);
    cfg_options_fini(&options);
    return code;
}
