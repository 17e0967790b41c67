#include "proxy/cli/cli.h"
#include "proxy/parser.h"

#include <unistd.h>

/* The child that the auditor starts for libpg_query; not for people. */
int cli_parser_helper(const struct cli_input *in)
{
    (void)in;
    return parser_helper_serve(STDIN_FILENO) == 0 ? EXIT_OK : EXIT_INTERNAL;
}
