#include "config/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

int cfg_fail(struct cfg_error *err, int result, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    for (char *c = err->text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return result;
}

static bool is_name_byte(uint8_t c)
{
    return c < 0x80 && (isalnum(c) || c == '_' || c == '.' || c == '-');
}

const char *cfg_show_name(char shown[CFG_SHOWN_MAX], struct span name)
{
    size_t keep = 0;
    while (keep < name.len && keep < CFG_SHOWN_MAX - 4 && is_name_byte(name.data[keep]))
        keep++;
    snprintf(shown, CFG_SHOWN_MAX, "%.*s%s", (int)keep, (const char *)name.data,
             keep < name.len ? "..." : "");
    return shown;
}

const char *cfg_show_value(char shown[CFG_SHOWN_MAX], const char *value, bool secret)
{
    if (secret || strstr(value, "://") != NULL || strchr(value, '@') != NULL) {
        snprintf(shown, CFG_SHOWN_MAX, "the value");
        return shown;
    }
    size_t len = strlen(value);
    size_t keep = len;
    if (len > CFG_SHOWN_MAX - 6) {
        keep = CFG_SHOWN_MAX - 6;
        while (keep > 0 && ((unsigned char)value[keep] & 0xc0) == 0x80)
            keep--; /* do not cut a UTF-8 character in two */
    }
    snprintf(shown, CFG_SHOWN_MAX, "\"%.*s%s\"", (int)keep, value, keep < len ? "..." : "");
    return shown;
}
