#include "proxy/cli/cli.h"

enum exit_code cli_run(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "run", CFG_RUN, 0, &options, &code))
        return code;
    code = app_run(&options);
    cfg_options_fini(&options);
    return code;
}
