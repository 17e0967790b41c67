#include "proxy/cli/cli.h"

#include <sys/resource.h>

/* A core file would hold what no other file may: values of the traffic, and the passwords of the
 * upstream. The parser helper inherits the limit. */
static void forbid_core_files(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* lowering it is always allowed */
}

int main(int argc, char **argv, char **envp)
{
    forbid_core_files();
    return cli_main(argc, argv, envp);
}
