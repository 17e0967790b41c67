#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int log_max = LOG_LEVEL_INFO;
static atomic_bool drawn_line;

void log_set_level(enum log_level level)
{
    atomic_store(&log_max, (int)level);
}

void log_set_drawn_line(bool stands)
{
    atomic_store(&drawn_line, stands);
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    if ((int)level > atomic_load(&log_max))
        return;
    static const char wipe[] = "\r\x1b[2K"; /* ECMA-48: erase in line */
    char line[1024];
    size_t start = atomic_load(&drawn_line) ? strlen(wipe) : 0;
    memcpy(line, wipe, start);
    int n = snprintf(line + start, sizeof(line) - start, "pgsleuth: %s: ", names[level]);
    size_t head = start + (n > 0 ? (size_t)n : 0);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    size_t len = strlen(line);
    for (size_t i = start; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    /* One write, so that lines of several threads do not mix. Nothing sensible can be done when it
     * fails. */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}
