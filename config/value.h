/*
 * Values of the options: from the text that people write, and back to it. One syntax for all
 * sources. Internal to config/.
 */
#ifndef PGSLEUTH_CONFIG_VALUE_H
#define PGSLEUTH_CONFIG_VALUE_H

#include "config/option.h"

/* Longest text value, without terminator. */
#define CFG_TEXT_MAX 4096

/*
 * Parse `text` as a value of `option`. On CFG_OK value->text, when not NULL, belongs to the caller.
 * Otherwise nothing is owned and *err begins with `where` and a colon; CFG_E_TYPE, CFG_E_RANGE or
 * CFG_E_NO_MEMORY.
 */
int cfg_value_parse(const struct cfg_option *option, const char *text, const char *where,
                    struct cfg_value *value, struct cfg_error *err)
    __attribute__((warn_unused_result));

/* Append the value in the syntax that cfg_value_parse reads; secrets too: the caller masks. */
void cfg_value_format(const struct cfg_option *option, struct cfg_value value, struct strbuf *out);

/* Append "1..64", "100ms..10m" or "error, warning, info, debug"; nothing when there is no bound. */
void cfg_range_format(const struct cfg_option *option, struct strbuf *out);

#endif
