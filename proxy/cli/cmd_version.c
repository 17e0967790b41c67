#include "proxy/cli/cli.h"

#include <stdio.h>

int cli_version(const struct cli_input *in)
{
    (void)in;
    printf("pgsleuth %s\n", PGSLEUTH_VERSION);
    return EXIT_OK;
}
