#include "proxy/cli/cli.h"

int main(int argc, char **argv, char **envp)
{
    return (int)cli_main(argc, argv, envp);
}
