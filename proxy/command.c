#include "proxy/command.h"

#include "proxy/app.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

enum { PASSED_ON = sizeof(passed_on) / sizeof(passed_on[0]), SIGNAL_EXIT = 128 };

struct command {
    command_ended *ended;
    void *context;
    struct event *told;  /* the pipe's end that the handler does not write to */
    struct event *child; /* SIGCHLD */
    int pipe[2];
    struct sigaction before[PASSED_ON];
    bool caught;
    pid_t pid; /* 0: not started */
    int code;
};

/* The handler's; -1 when there is no command. */
static volatile sig_atomic_t tell_fd = -1;

/* Of a signal that the terminal sent, its code is SI_KERNEL: the command has got it too. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    char byte = (char)number;
    if (info->si_code != SI_KERNEL && tell_fd >= 0 && write(tell_fd, &byte, 1) < 0) {
        /* The pipe is full of signals that are passed on soon. */
    }
    errno = saved;
}

static void on_told(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    const struct command *c = context;
    char bytes[64];
    ssize_t n = read(fd, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < n; i++) {
        if (c->pid > 0 && c->code < 0)
            kill(c->pid, bytes[i]);
    }
}

static void on_child(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    struct command *c = context;
    int status = 0;
    if (c->pid <= 0 || c->code >= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
        return; /* a parser helper */
    c->code = WIFSIGNALED(status) ? SIGNAL_EXIT + WTERMSIG(status) : WEXITSTATUS(status);
    c->ended(c->context);
}

static bool catch_signals(struct command *c)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigfillset(&action.sa_mask);
    tell_fd = c->pipe[1];
    for (size_t i = 0; i < PASSED_ON; i++)
        sigaction(passed_on[i], &action, &c->before[i]);
    c->caught = true;
    return event_add(c->told, NULL) == 0 && event_add(c->child, NULL) == 0;
}

struct command *command_new(struct event_base *base, command_ended *ended, void *context)
{
    struct command *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    *c = (struct command){
        .ended = ended, .context = context, .pipe = {-1, -1}, .code = EXIT_NOT_YET};
    if (pipe2(c->pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        goto fail;
    c->told = event_new(base, c->pipe[0], EV_READ | EV_PERSIST, on_told, c);
    c->child = evsignal_new(base, SIGCHLD, on_child, c);
    if (c->told != NULL && c->child != NULL && catch_signals(c))
        return c;
fail:
    command_free(c);
    return NULL;
}

/* What pgsleuth ignores or blocks is not what the command starts with. */
static int prepare(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    for (size_t i = 0; i < PASSED_ON; i++)
        sigaddset(&usual, passed_on[i]);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &usual);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int command_start(struct command *c, char *const *argv, char *const *envp)
{
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    error = prepare(&attributes);
    if (error == 0)
        error = posix_spawnp(&c->pid, argv[0], NULL, &attributes, argv, envp);
    if (error != 0)
        c->pid = 0;
    posix_spawnattr_destroy(&attributes);
    return error;
}

int command_code(const struct command *c)
{
    return c != NULL ? c->code : EXIT_NOT_YET;
}

void command_free(struct command *c)
{
    if (c == NULL)
        return;
    tell_fd = -1;
    for (size_t i = 0; c->caught && i < PASSED_ON; i++)
        sigaction(passed_on[i], &c->before[i], NULL);
    if (c->told != NULL)
        event_free(c->told);
    if (c->child != NULL)
        event_free(c->child);
    for (size_t i = 0; i < 2; i++) {
        if (c->pipe[i] >= 0)
            close(c->pipe[i]);
    }
    free(c);
}
