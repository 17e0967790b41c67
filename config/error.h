/*
 * Making the one line of a struct cfg_error. Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_ERROR_H
#define PGSLEUTH_CONFIG_ERROR_H

#include "config/config.h"

/* Room for a name or a short value as it is shown in a message, with its terminator. */
#define CFG_SHOWN_MAX 64

/* Write the line, with control bytes made harmless, and return `result`. */
int cfg_fail(struct cfg_error *err, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The part of a name that somebody wrote which is safe to repeat: letters, digits, `_.-` only, cut
 * at the first other byte with "..." behind it, because a mistyped command may have a password
 * there.
 */
const char *cfg_show_name(char shown[CFG_SHOWN_MAX], struct span name);

/*
 * A value in quotes, cut when long; "the value" when `secret`, or when it looks like a URL that
 * was given to the wrong option.
 */
const char *cfg_show_value(char shown[CFG_SHOWN_MAX], const char *value, bool secret);

#endif
