/*
 * A name server that hangs, preloaded by test_legs.py: while the file that HANGING_NAMES names is
 * there, a name is looked up until the process ends. The look-up comes back in the middle of that
 * end, which waits for what the thread then does: whatever it uses must still be there.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static atomic_bool waiting;
static atomic_bool ending;

static void wait_for_the_end(const char *file)
{
    if (access(file, F_OK) != 0)
        return;
    unlink(file); /* the test sees that somebody waits */
    atomic_store(&waiting, true);
    while (!atomic_load(&ending))
        usleep(10000);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    union {
        void *symbol;
        look_up *function;
    } real = {.symbol = dlsym(RTLD_NEXT, "getaddrinfo")};
    const char *file = getenv("HANGING_NAMES");
    if (node != NULL && file != NULL)
        wait_for_the_end(file);
    return real.function(node, service, hints, list);
}

__attribute__((destructor)) static void end(void)
{
    if (!atomic_load(&waiting))
        return;
    atomic_store(&ending, true);
    sleep(1);
}
