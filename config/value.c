#include "config/value.h"

#include "config/dsn.h"
#include "config/error.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* One text on its way to a value, with all that a refusal has to tell. */
struct attempt {
    const struct cfg_option *option;
    const char *text;
    const char *where;
    struct cfg_error *err;
};

struct suffix {
    const char *text;
    int64_t factor;
};

static const struct suffix ms_suffixes[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct suffix byte_suffixes[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

static int refuse(const struct attempt *a, int result, const char *reason)
{
    char shown[CFG_SHOWN_MAX];
    bool secret = (a->option->flags & CFG_SECRET) != 0;
    return cfg_fail(a->err, result, "%s: %s %s", a->where, cfg_show_value(shown, a->text, secret),
                    reason);
}

/* "0 is out of range 1..64": a number needs no quotes. */
static int refuse_range(const struct attempt *a)
{
    struct strbuf range;
    strbuf_init(&range, 128);
    cfg_range_format(a->option, &range);
    int result = cfg_fail(a->err, CFG_E_RANGE, "%s: %.40s is out of range %s", a->where, a->text,
                          strbuf_text(&range));
    strbuf_fini(&range);
    return result;
}

/* `reason`, and the range in brackets. */
static int refuse_type(const struct attempt *a, const char *reason)
{
    struct strbuf text;
    strbuf_init(&text, 256);
    strbuf_printf(&text, "%s (", reason);
    cfg_range_format(a->option, &text);
    strbuf_putc(&text, ')');
    int result = refuse(a, CFG_E_TYPE, strbuf_text(&text));
    strbuf_fini(&text);
    return result;
}

/*
 * A whole number in decimal, and where it ends. False when there is none. One that does not fit
 * is given as the nearest that does, and no option has so wide a range.
 */
static bool read_whole(const char *text, int64_t *number, const char **end)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (*digits < '0' || *digits > '9')
        return false; /* strtoll would skip blanks */
    char *stop = NULL;
    errno = 0;
    *number = strtoll(text, &stop, 10);
    *end = stop;
    return true;
}

static int store_in_range(const struct attempt *a, int64_t number, struct cfg_value *value)
{
    if (number < a->option->min || number > a->option->max)
        return refuse_range(a);
    value->number = number;
    return CFG_OK;
}

static int parse_integer(const struct attempt *a, struct cfg_value *value)
{
    int64_t number = 0;
    const char *end = NULL;
    if (!read_whole(a->text, &number, &end) || *end != '\0')
        return refuse_type(a, "is not an integer");
    return store_in_range(a, number, value);
}

/* The factor of a suffix, or 0. */
static int64_t factor_of(const char *suffix, const struct suffix *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].text, suffix) == 0)
            return list[i].factor;
    return 0;
}

static int parse_duration(const struct attempt *a, struct cfg_value *value)
{
    int64_t number = 0;
    const char *end = NULL;
    bool is_number = read_whole(a->text, &number, &end);
    if (is_number && *end == '\0')
        return store_in_range(a, number, value);
    int64_t factor = is_number ? factor_of(end, ms_suffixes, 4) : 0;
    if (factor == 0)
        return refuse_type(a, "is not a duration such as 250ms, 5s, 2m or 1h");
    int64_t number_ms = 0;
    if (__builtin_mul_overflow(number, factor, &number_ms))
        return refuse_range(a);
    if (a->option->unit == CFG_UNIT_MS)
        return store_in_range(a, number_ms, value);
    if (number_ms % 1000 != 0)
        return refuse(a, CFG_E_TYPE, "is not a whole number of seconds");
    return store_in_range(a, number_ms / 1000, value);
}

static int parse_bytes(const struct attempt *a, struct cfg_value *value)
{
    int64_t number = 0;
    const char *end = NULL;
    bool is_number = read_whole(a->text, &number, &end);
    int64_t factor = 0;
    if (is_number)
        factor = *end == '\0' ? 1 : factor_of(end, byte_suffixes, 4);
    if (factor == 0)
        return refuse_type(a, "is not a size such as 4096, 64KiB or 1MiB");
    int64_t bytes = 0;
    if (__builtin_mul_overflow(number, factor, &bytes))
        return refuse_range(a);
    bool wants_power = (a->option->flags & CFG_POWER_OF_TWO) != 0;
    if (wants_power && bytes >= a->option->min && (bytes & (bytes - 1)) != 0)
        return refuse(a, CFG_E_RANGE, "is not a power of two");
    return store_in_range(a, bytes, value);
}

/* strtod would also take blanks, hexadecimal, "inf" and "nan". */
static int parse_real(const struct attempt *a, struct cfg_value *value)
{
    char *end = NULL;
    bool plain = a->text[0] != '\0' && a->text[strspn(a->text, "0123456789.+-eE")] == '\0';
    double real = plain ? strtod(a->text, &end) : 0;
    if (!plain || end == a->text || *end != '\0')
        return refuse_type(a, "is not a number");
    if (!isfinite(real) || real < (double)a->option->min || real > (double)a->option->max)
        return refuse_range(a);
    value->real = real;
    return CFG_OK;
}

/* The next number of the list and where it ends; false when there is none. */
static bool read_level(const char *text, double *level, const char **end)
{
    char *stop = NULL;
    if (strspn(text, "0123456789.") == 0)
        return false;
    *level = strtod(text, &stop);
    *end = stop;
    return stop != text && isfinite(*level);
}

static int parse_levels(const struct attempt *a, struct cfg_value *value)
{
    double levels[4] = {INFINITY, INFINITY, INFINITY, INFINITY};
    const char *at = a->text;
    bool off = strcmp(at, "off") == 0;
    for (int i = 0; i < 4 && !off; i++) {
        const char *end = NULL;
        if (!read_level(at, &levels[i], &end) || *end != (i < 3 ? ',' : '\0'))
            return refuse(a, CFG_E_TYPE, "is not four numbers such as 2,3,10,50, or off");
        at = end + 1;
        if (i > 0 && levels[i] < levels[i - 1])
            return refuse(a, CFG_E_RANGE, "has a level below the one before it");
    }
    value->levels = (struct levels){levels[0], levels[1], levels[2], levels[3]};
    return CFG_OK;
}

/* As parse_levels stores them: four that rise, or never reached. */
static bool levels_in_range(struct levels l)
{
    if (l.low == INFINITY)
        return l.medium == INFINITY && l.high == INFINITY && l.critical == INFINITY;
    return l.low >= 0 && l.medium >= l.low && l.high >= l.medium && l.critical >= l.high &&
           l.critical < INFINITY;
}

bool cfg_in_range(const struct cfg_options *options, enum cfg_id id)
{
    const struct cfg_option *option = &cfg_option_table[id];
    struct cfg_value value = cfg_get(options, option);
    switch (option->type) {
    case CFG_TYPE_INTEGER:
    case CFG_TYPE_DURATION:
    case CFG_TYPE_BYTES:
        return value.number >= option->min && value.number <= option->max;
    case CFG_TYPE_REAL: /* so that no NaN passes */
        return value.real >= (double)option->min && value.real <= (double)option->max;
    case CFG_TYPE_LEVELS:
        return levels_in_range(value.levels);
    default:
        return true;
    }
}

static int parse_bool(const struct attempt *a, struct cfg_value *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(a->text, words[i]) == 0) {
            value->number = i % 2;
            return CFG_OK;
        }
    }
    return refuse(a, CFG_E_TYPE, "is not true or false");
}

static int parse_enum(const struct attempt *a, struct cfg_value *value)
{
    struct span choice = cfg_choice(a->option->choices, 0);
    for (int i = 0; choice.len > 0; choice = cfg_choice(a->option->choices, ++i)) {
        if (span_is(choice, a->text)) {
            value->number = i;
            return CFG_OK;
        }
    }
    struct strbuf reason;
    strbuf_init(&reason, 256);
    strbuf_puts(&reason, "is not one of ");
    cfg_range_format(a->option, &reason);
    int result = refuse(a, CFG_E_TYPE, strbuf_text(&reason));
    strbuf_fini(&reason);
    return result;
}

static int parse_text(const struct attempt *a, struct cfg_value *value)
{
    size_t len = strnlen(a->text, CFG_TEXT_MAX + 1);
    if (len > CFG_TEXT_MAX)
        return refuse(a, CFG_E_RANGE, "is longer than 4096 bytes");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)a->text[i] < 0x20 || a->text[i] == 0x7f)
            return refuse(a, CFG_E_TYPE, "has a control character in it");
    /* One that strayed into the wrong option: whoever uses that would repeat its password. */
    if (a->option->type != CFG_TYPE_URL && strstr(a->text, "://") != NULL)
        return refuse(a, CFG_E_TYPE, "is a URL, which has no place here");
    value->text = a->option->type == CFG_TYPE_URL ? cfg_url_normalise(a->text) : strdup(a->text);
    if (value->text == NULL)
        return cfg_fail(a->err, CFG_E_NO_MEMORY, "%s: out of memory", a->where);
    return CFG_OK;
}

int cfg_value_parse(const struct cfg_option *option, const char *text, const char *where,
                    struct cfg_value *value, struct cfg_error *err)
{
    static int (*const parsers[])(const struct attempt *, struct cfg_value *) = {
        [CFG_TYPE_STRING] = parse_text,       [CFG_TYPE_PATH] = parse_text,
        [CFG_TYPE_URL] = parse_text,          [CFG_TYPE_BOOL] = parse_bool,
        [CFG_TYPE_ENUM] = parse_enum,         [CFG_TYPE_INTEGER] = parse_integer,
        [CFG_TYPE_DURATION] = parse_duration, [CFG_TYPE_BYTES] = parse_bytes,
        [CFG_TYPE_REAL] = parse_real,         [CFG_TYPE_LEVELS] = parse_levels,
    };
    *value = (struct cfg_value){0};
    const struct attempt a = {.option = option, .text = text, .where = where, .err = err};
    return parsers[option->type](&a, value);
}

/* With the largest suffix that divides it, 3600000 ms as "1h"; zero with the smallest. */
static void format_with(const struct suffix *list, size_t count, int64_t number, struct strbuf *out)
{
    size_t best = 0;
    for (size_t i = 0; i < count && number != 0; i++)
        if (number % list[i].factor == 0)
            best = i;
    strbuf_printf(out, "%" PRId64 "%s", number / list[best].factor, list[best].text);
}

static void format_duration(const struct cfg_option *option, int64_t number, struct strbuf *out)
{
    if (option->unit == CFG_UNIT_MS)
        format_with(ms_suffixes, 4, number, out);
    else if (number == 0)
        strbuf_puts(out, "0s");
    else
        format_with(ms_suffixes, 4, number * 1000, out);
}

void cfg_value_format(const struct cfg_option *option, struct cfg_value value, struct strbuf *out)
{
    switch (option->type) {
    case CFG_TYPE_STRING:
    case CFG_TYPE_PATH:
    case CFG_TYPE_URL:
        strbuf_puts(out, value.text);
        break;
    case CFG_TYPE_BOOL:
        strbuf_puts(out, value.number != 0 ? "true" : "false");
        break;
    case CFG_TYPE_ENUM:
        strbuf_add_span(out, cfg_choice(option->choices, (int)value.number));
        break;
    case CFG_TYPE_INTEGER:
        strbuf_printf(out, "%" PRId64, value.number);
        break;
    case CFG_TYPE_DURATION:
        format_duration(option, value.number, out);
        break;
    case CFG_TYPE_BYTES:
        format_with(byte_suffixes, 4, value.number, out);
        break;
    case CFG_TYPE_REAL:
        strbuf_printf(out, "%.15g", value.real);
        break;
    case CFG_TYPE_LEVELS:
        if (isfinite(value.levels.low))
            strbuf_printf(out, "%.15g,%.15g,%.15g,%.15g", value.levels.low, value.levels.medium,
                          value.levels.high, value.levels.critical);
        else
            strbuf_puts(out, "off");
        break;
    }
}

static void format_choices(const char *choices, struct strbuf *out)
{
    struct span choice = cfg_choice(choices, 0);
    for (int i = 0; choice.len > 0; choice = cfg_choice(choices, ++i)) {
        if (i > 0)
            strbuf_puts(out, ", ");
        strbuf_add_span(out, choice);
    }
}

void cfg_range_format(const struct cfg_option *option, struct strbuf *out)
{
    if (option->type == CFG_TYPE_ENUM) {
        format_choices(option->choices, out);
    } else if (option->type == CFG_TYPE_BOOL) {
        strbuf_puts(out, "true, false");
    } else if (option->type == CFG_TYPE_LEVELS) {
        strbuf_puts(out, "low,medium,high,critical");
    } else if (!cfg_option_is_text(option)) {
        cfg_value_format(
            option, (struct cfg_value){.number = option->min, .real = (double)option->min}, out);
        strbuf_puts(out, "..");
        cfg_value_format(
            option, (struct cfg_value){.number = option->max, .real = (double)option->max}, out);
    }
}
