/*
 * One line a message on standard error: "pgsleuth: level: text". For start-up, shutdown and
 * trouble; nothing on a path that traffic takes logs for each message. Callers never pass SQL,
 * values or credentials.
 */
#ifndef PGSLEUTH_COMMON_LOG_H
#define PGSLEUTH_COMMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages above this level are dropped; set once, before threads start. Default: INFO. */
void log_set_level(enum log_level level);

/* Whether a line that is drawn again and again stands on the terminal: messages then wipe it. */
void log_set_drawn_line(bool stands);

/* Control bytes in the formatted text are printed as '?', so that no peer can forge a line. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
