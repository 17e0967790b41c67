/*
 * Leaves of the report tree: texts, numbers and times made into JSON values, always in the same
 * way, so that equal results give equal bytes.
 *
 * Every function gives a new reference, or NULL when there is no memory; rpt_put and rpt_add take
 * that NULL, so that a tree is built as a straight list of keys with one check at its end.
 */
#ifndef PGSLEUTH_REPORT_VALUE_H
#define PGSLEUTH_REPORT_VALUE_H

#include "common/strbuf.h"

#include <jansson.h>

enum {
    RPT_TEXT_MAX = 64 * 1024,  /* bytes taken from one text; a longer one is cut and marked */
    RPT_REAL_DIGITS = 15,      /* significant digits of every number written */
    RPT_TIME_LAST_YEAR = 9999, /* RFC 3339 has four digits */
};

/* Set a key of *object, or append to *list; `value` is stolen. When `value` is NULL or there is no
 * memory, the container is freed and becomes NULL; further calls do nothing. */
void rpt_put(json_t **object, const char *key, json_t *value);
void rpt_add(json_t **list, json_t *value);

/* Append text that nobody vouches for: invalid UTF-8 and control bytes become U+FFFD, CR is
 * dropped; newlines and tabs stay. */
void rpt_clean(struct strbuf *out, struct span text);

/* Such a text as a value. rpt_string takes a C string, NULL giving null. */
json_t *rpt_text(struct span text);
json_t *rpt_string(const char *text);

/* Program text: tabs expanded, trailing spaces and blank lines at either end cut, common indent
 * taken off, one newline at the end. That is what a literal block of YAML can hold unchanged. NULL
 * gives null. */
json_t *rpt_code(const char *text);

/* A count; capped at what JSON readers take for a 64-bit integer. */
json_t *rpt_count(uint64_t n);

/* A number at three decimals; null when it is not finite. */
json_t *rpt_number(double v);

/* The same, but negative means not known and gives null. */
json_t *rpt_known(double v);

/* Microseconds as milliseconds. */
json_t *rpt_ms(uint64_t us);

/* n / of as a number, null when `of` is 0. */
json_t *rpt_ratio(double n, double of);

/* A 64-bit identity as 16 hexadecimal digits. */
json_t *rpt_hex(uint64_t id);

/* Wall time as RFC 3339 in UTC with milliseconds; null before 1970 or after the year 9999. */
json_t *rpt_time(int64_t wall_us);

#endif
