#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int log_max = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_max, (int)level);
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    if ((int)level > atomic_load(&log_max))
        return;
    char line[1024];
    int n = snprintf(line, sizeof(line), "pgsleuth: %s: ", names[level]);
    size_t head = n > 0 ? (size_t)n : 0;
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    /* One write, so that lines of several threads do not mix. Nothing sensible can be done when it
     * fails. */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}
