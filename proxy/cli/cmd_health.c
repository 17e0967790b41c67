#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/upstream.h"
#include "wire/startup.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* An SSLRequest is the smallest question that pgsleuth answers by itself, with one byte. */
static int ask(const struct address *a, int64_t timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    struct span question = wire_ssl_request();
    char answer = 0;
    int r = 0;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0 ||
        send(fd, question.data, question.len, MSG_NOSIGNAL) != (ssize_t)question.len)
        r = errno;
    else if (recv(fd, &answer, 1, 0) != 1 || (answer != 'N' && answer != 'S'))
        r = EPROTO;
    close(fd);
    return r;
}

static enum exit_code health(const struct cfg_options *options)
{
    struct addresses addresses[UPSTREAM_MAX_HOSTS];
    size_t n = 0;
    char error[400];
    if (address_of_listeners(options->listen, addresses, UPSTREAM_MAX_HOSTS, &n, error,
                             sizeof(error)) != ADDRESS_OK) {
        log_error("listen: %s", error);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < n; i++) {
        int r = ask(&addresses[i].items[0], options->connect_timeout_ms);
        if (r != 0) {
            log_error("no pgsleuth answers on %s: %s", addresses[i].text, strerrordesc_np(r));
            return EXIT_UPSTREAM;
        }
    }
    return EXIT_OK;
}

int cli_health(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "health", CFG_HEALTH, 0, &options, &code))
        return code;
    code = health(&options);
    cfg_options_fini(&options);
    return code;
}
