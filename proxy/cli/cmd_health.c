#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/address.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* An SSLRequest: the smallest question that pgsleuth answers by itself, with one byte. */
static const unsigned char question[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};

static int ask(const struct address *a, int64_t timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    char answer = 0;
    int r = 0;
    if (connect(fd, (const struct sockaddr *)&a->storage, a->len) != 0 ||
        send(fd, question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question))
        r = errno;
    else if (recv(fd, &answer, 1, 0) != 1 || (answer != 'N' && answer != 'S'))
        r = EPROTO;
    close(fd);
    return r;
}

static enum exit_code health(const struct cfg_options *options)
{
    struct addresses addresses;
    char error[400];
    if (address_of_listener(options->listen, &addresses, error, sizeof(error)) != 0) {
        log_error("listen: %s", error);
        return EXIT_USAGE;
    }
    int r = ask(&addresses.items[0], options->connect_timeout_ms);
    if (r == 0)
        return EXIT_OK;
    log_error("no pgsleuth answers on %s: %s", addresses.text, strerrordesc_np(r));
    return EXIT_UPSTREAM;
}

enum exit_code cli_health(const struct cli_input *in)
{
    struct cfg_options options;
    enum exit_code code;
    if (!cli_options(in, "health", CFG_HEALTH, 0, &options, &code))
        return code;
    code = health(&options);
    cfg_options_fini(&options);
    return code;
}
