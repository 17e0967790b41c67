/*
 * What the application says of itself at its start: its manifest, as the report takes it in.
 * All of it lives in the arena of the result. Empty when there is none.
 */
#ifndef PGSLEUTH_DETECTORS_MANIFEST_H
#define PGSLEUTH_DETECTORS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

enum {
    APPLICATION_MAX_MIDDLEWARE = 64,
    APPLICATION_MAX_SETTINGS = 128,
};

/* The function that serves a route; file NULL when that is not known. */
struct handler {
    const char *file;
    unsigned line; /* from 1 */
    const char *function;
};

/* "pool.size" -> "5". */
struct application_setting {
    const char *name;
    const char *value;
};

struct application {
    bool known;
    bool pooled; /* it names a pool of connections */
    const char *framework;
    const char *python;
    const char *middleware[APPLICATION_MAX_MIDDLEWARE]; /* in their order, outermost first */
    size_t n_middleware;
    struct application_setting settings[APPLICATION_MAX_SETTINGS];
    size_t n_settings;
};

#endif
