#include "proxy/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static bool is_unix(const struct address *a)
{
    return a->storage.ss_family == AF_UNIX;
}

static const char *unix_path(const struct address *a)
{
    return ((const struct sockaddr_un *)&a->storage)->sun_path;
}

static int say(const struct addresses *addresses, int saved_errno, char *error, size_t error_size)
{
    const char *hint =
        saved_errno == EADDRINUSE ? "; stop what uses it, or choose another with --listen" : "";
    snprintf(error, error_size, "cannot listen on %s: %s%s", addresses->text,
             strerrordesc_np(saved_errno), hint);
    return -1;
}

/* Several may listen for streams at one address when they `share` it; a datagram has one reader. */
static int open_socket(const struct address *a, int type, bool share)
{
    int fd = socket(a->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if (!is_unix(a)) {
        if (type == SOCK_STREAM)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (share)
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        if (a->storage.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, (const struct sockaddr *)&a->storage, a->len) == 0 &&
        (type != SOCK_STREAM || listen(fd, BACKLOG) == 0))
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A socket file left behind by a process that is gone refuses connections; so does any other file,
 * which is not ours to remove. */
static void remove_stale(const struct address *a, int type)
{
    struct stat st;
    if (lstat(unix_path(a), &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0 && errno == ECONNREFUSED)
        unlink(unix_path(a));
    close(fd);
}

int listener_probe(const struct addresses *addresses, char *error, size_t error_size)
{
    for (size_t i = 0; i < addresses->count; i++) {
        const struct address *a = &addresses->items[i];
        if (is_unix(a))
            remove_stale(a, SOCK_STREAM);
        int fd = open_socket(a, SOCK_STREAM, false);
        if (fd < 0)
            return say(addresses, errno, error, error_size);
        close(fd);
        if (is_unix(a))
            unlink(unix_path(a));
    }
    return 0;
}

int listener_open_alone(const struct address *a)
{
    return open_socket(a, SOCK_STREAM, false);
}

int listener_open(const struct addresses *addresses, size_t i, int shared, char *error,
                  size_t error_size)
{
    const struct address *a = &addresses->items[i];
    int fd = shared >= 0 && is_unix(a) ? fcntl(shared, F_DUPFD_CLOEXEC, 0)
                                       : open_socket(a, SOCK_STREAM, true);
    return fd >= 0 ? fd : say(addresses, errno, error, error_size);
}

int listener_open_datagram(const struct addresses *addresses, size_t i, char *error,
                           size_t error_size)
{
    const struct address *a = &addresses->items[i];
    if (is_unix(a))
        remove_stale(a, SOCK_DGRAM);
    int fd = open_socket(a, SOCK_DGRAM, false);
    return fd >= 0 ? fd : say(addresses, errno, error, error_size);
}

void listener_remove(const struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (is_unix(&addresses->items[i]))
            unlink(unix_path(&addresses->items[i]));
    }
}
