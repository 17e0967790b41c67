#include "detectors/applications.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(uint8_t c)
{
    return c != '\0' && strchr(" -_.:#/@", c) != NULL;
}

/* "worker-17" is worker, "web.1" is web; "shop2" and "17" stay. */
static struct span without_number(struct span name)
{
    size_t n = name.len;
    while (n > 0 && is_digit(name.data[n - 1]))
        n--;
    if (n == name.len || n == 0 || !is_separator(name.data[n - 1]))
        return name;
    while (n > 0 && is_separator(name.data[n - 1]))
        n--;
    return n > 0 ? span_head(name, n) : name;
}

const char *applications_get(struct applications *a, struct span name)
{
    name = without_number(span_head(name, APPLICATION_NAME_SIZE - 1));
    name = span_head(name, name.len > 0 ? span_find_byte(name, '\0') : 0);
    if (name.len == 0)
        return NULL;
    for (size_t i = 0; i < a->n; i++)
        if (span_is(name, a->names[i]))
            return a->names[i];
    if (a->n == APPLICATIONS_MAX)
        return NULL;
    memcpy(a->names[a->n], name.data, name.len); /* the rest of it is zeros */
    return a->names[a->n++];
}
