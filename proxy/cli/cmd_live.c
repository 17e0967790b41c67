/* A running pgsleuth in the terminal: `top` and `tail`. */
#include "proxy/cli/api.h"
#include "proxy/cli/cli.h"

#include "common/log.h"
#include "proxy/documents.h"
#include "report/live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { TURN_MS = 1000, TEXT_MAX = 16 * 1024 * 1024 };

#define ENTER "\x1b[?1049h\x1b[?25l" /* another screen, no cursor */
#define LEAVE "\x1b[?25h\x1b[?1049l"
#define CLEAR "\x1b[H\x1b[2J"

static volatile sig_atomic_t told_to_stop;

static void on_stop(int number)
{
    (void)number;
    told_to_stop = 1;
}

static void catch_stop(void)
{
    const struct sigaction stop = {.sa_handler = on_stop}; /* no SA_RESTART: poll is to end */
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
}

/* Wait for the next turn. False when somebody wants to leave: a signal, or the key q. */
static bool next_turn(bool keys)
{
    char key = 0;
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (told_to_stop)
        return false;
    if (poll(&in, keys ? 1 : 0, TURN_MS) == 1 && read(STDIN_FILENO, &key, 1) == 1 && key == 'q')
        return false;
    return !told_to_stop;
}

/* --- top --- */

static int draw_top(struct api *api, bool screen, char error[API_ERROR])
{
    struct winsize size = {0};
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    json_t *status = api_get(api, "/api/v1/status", error);
    json_t *endpoints = status != NULL ? api_get(api, "/api/v1/endpoints", error) : NULL;
    int r = -1;
    if (screen && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1)
        size.ws_row--; /* a line end on the last one would scroll */
    if (endpoints != NULL) {
        r = rpt_live_top(status, endpoints, screen ? size.ws_row : 0, &text, documents_terminal());
        if (r != 0)
            snprintf(error, API_ERROR, "out of memory");
    }
    if (r == 0)
        printf("%s%s", screen ? CLEAR : "", strbuf_text(&text));
    fflush(stdout);
    strbuf_fini(&text);
    json_decref(endpoints);
    json_decref(status);
    return r;
}

/* On a terminal until told to leave; else once. */
static int top(struct api *api, char error[API_ERROR])
{
    struct termios before;
    bool screen = isatty(STDOUT_FILENO) == 1;
    bool keys = screen && tcgetattr(STDIN_FILENO, &before) == 0;
    int r = 0;
    if (!screen)
        return draw_top(api, false, error);
    json_t *first = api_get(api, "/api/v1/status", error);
    if (first == NULL)
        return -1; /* told where the person will read it */
    json_decref(first);
    if (keys) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs(ENTER, stdout);
    do {
        r = draw_top(api, true, error);
    } while (r == 0 && next_turn(keys));
    fputs(LEAVE, stdout);
    fflush(stdout);
    if (keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return told_to_stop ? 0 : r;
}

/* --- tail --- */

static int print_tail(const json_t *before, const json_t *now, char error[API_ERROR])
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    int r = rpt_live_tail(before, now, &text, documents_terminal());
    if (r == 0)
        fputs(strbuf_text(&text), stdout);
    else
        snprintf(error, API_ERROR, "out of memory");
    fflush(stdout);
    strbuf_fini(&text);
    return r;
}

/* Until told to leave. What was called before is not new. */
static int tail(struct api *api, char error[API_ERROR])
{
    json_t *before = api_get(api, "/api/v1/statements", error);
    int r = before != NULL ? 0 : -1;
    while (r == 0 && next_turn(false)) {
        json_t *now = api_get(api, "/api/v1/statements", error);
        r = now != NULL ? print_tail(before, now, error) : -1;
        json_decref(before);
        before = now;
    }
    json_decref(before);
    return told_to_stop ? 0 : r;
}

/* --- both --- */

static int live(const struct cli_input *in, const char *command,
                int (*show)(struct api *api, char error[API_ERROR]))
{
    struct cfg_options options;
    enum exit_code code;
    char error[API_ERROR];
    if (!cli_options(in, command, CFG_LIVE, 0, &options, &code))
        return code;
    struct api *api = api_new(options.admin_url, error);
    if (api == NULL) {
        log_error("%s: %s; give --admin-url or PGSLEUTH_ADMIN_URL, as run --admin-listen prints it",
                  command, error);
        code = EXIT_USAGE;
    } else {
        catch_stop();
        code = show(api, error) == 0 ? EXIT_OK : EXIT_UPSTREAM;
        if (code != EXIT_OK)
            log_error("%s: %s", command, error);
    }
    api_free(api);
    cfg_options_fini(&options);
    return code;
}

int cli_top(const struct cli_input *in)
{
    return live(in, "top", top);
}

int cli_tail(const struct cli_input *in)
{
    return live(in, "tail", tail);
}
