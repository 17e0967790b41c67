#include "report/manifest.h"

#include "detectors/checklist.h"
#include "wire/sql_route.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, ROUTE_MAX = 512, NAME_MAX_BYTES = 128, DEPTH_MAX = 4 };

struct reader {
    struct result *result;
    struct arena *arena;
};

/* A copy in the arena, cut; NULL for what is no text or is empty, and without room. */
static const char *text_of(struct reader *m, const json_t *value)
{
    struct span s = span_of(json_string_value(value), json_string_length(value));
    return s.len > 0 ? arena_text(m->arena, span_head(s, MANIFEST_MAX_TEXT)) : NULL;
}

/* --- the application --- */

static void add_setting(struct reader *m, const char *name, const char *value)
{
    struct application *a = &m->result->application;
    if (a->n_settings == APPLICATION_MAX_SETTINGS)
        return;
    struct application_setting s = {
        .name = arena_text(m->arena, span_of_text(name)),
        .value = arena_text(m->arena, span_head(span_of_text(value), MANIFEST_MAX_TEXT)),
    };
    if (s.name != NULL && s.value != NULL)
        a->settings[a->n_settings++] = s;
}

static void add_leaf(struct reader *m, const char *name, const json_t *value)
{
    char number[40];
    switch (json_typeof(value)) {
    case JSON_STRING:
        add_setting(m, name, json_string_value(value));
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        add_setting(m, name, number);
        break;
    case JSON_REAL:
        snprintf(number, sizeof(number), "%g", json_real_value(value));
        add_setting(m, name, number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        add_setting(m, name, json_is_true(value) ? "true" : "false");
        break;
    default:
        break; /* unknown there, too */
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than DEPTH_MAX */
static void add_settings(struct reader *m, const char *prefix, json_t *map, int depth)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
    {
        char name[NAME_MAX_BYTES];
        int n = snprintf(name, sizeof(name), "%s.%s", prefix, key);
        if (n < 0 || (size_t)n >= sizeof(name))
            continue;
        if (json_is_object(value) && depth < DEPTH_MAX)
            add_settings(m, name, value, depth + 1);
        else
            add_leaf(m, name, value);
    }
}

static void read_application(struct reader *m, json_t *root)
{
    struct application *a = &m->result->application;
    a->known = true;
    a->pooled = json_is_object(json_object_get(root, "pool"));
    a->framework = text_of(m, json_object_get(root, "framework"));
    a->python = text_of(m, json_object_get(root, "python"));
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(root, "middleware"), i, one)
    {
        const char *name = text_of(m, one);
        if (name != NULL && a->n_middleware < APPLICATION_MAX_MIDDLEWARE)
            a->middleware[a->n_middleware++] = name;
    }
    static const char *const maps[] = {"pool", "databases", "packages"};
    for (size_t k = 0; k < sizeof(maps) / sizeof(maps[0]); k++)
        add_settings(m, maps[k], json_object_get(root, maps[k]), 1);
}

/* --- routes --- */

/* How well a route of the manifest fits one that was seen: by its text, or but for the names of
 * parameters. */
enum fit { FIT_NONE, FIT_SHAPE, FIT_EXACT };

static struct span next_segment(struct span *rest)
{
    struct span segment = span_head(*rest, span_find_byte(*rest, '/'));
    *rest = span_skip(*rest, segment.len < rest->len ? segment.len + 1 : segment.len);
    return segment;
}

static bool is_parameter(struct span s)
{
    return s.len > 2 && s.data[0] == '{' && s.data[s.len - 1] == '}';
}

static enum fit compare(struct span told, struct span seen)
{
    if (span_equal(told, seen))
        return FIT_EXACT;
    while (told.len > 0 && seen.len > 0) {
        struct span a = next_segment(&told);
        struct span b = next_segment(&seen);
        if (!span_equal(a, b) && !(is_parameter(a) && is_parameter(b)))
            return FIT_NONE;
    }
    return told.len == 0 && seen.len == 0 ? FIT_SHAPE : FIT_NONE;
}

static bool is_method(const json_t *route, const char *method)
{
    const char *told = json_string_value(json_object_get(route, "method"));
    return told != NULL && (method == NULL || strcmp(told, "*") == 0 || strcmp(told, method) == 0);
}

static enum fit fit_of(const json_t *route, const struct endpoint *e)
{
    uint8_t readable[ROUTE_MAX];
    const json_t *path = json_object_get(route, "route");
    struct span raw = span_of(json_string_value(path), json_string_length(path));
    if (raw.len == 0 || !is_method(route, e->method))
        return FIT_NONE;
    size_t n = sql_route_readable(raw, readable, sizeof(readable));
    return compare(span_of(readable, n), span_of_text(e->route));
}

static bool same_function(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "file"), json_object_get(b, "file")) != 0 &&
           json_equal(json_object_get(a, "line"), json_object_get(b, "line")) != 0;
}

/* The route that fits best; NULL when none does, or when others fit as well. */
static const json_t *route_of(const json_t *routes, const struct endpoint *e)
{
    const json_t *found = NULL;
    enum fit best = FIT_NONE;
    bool several = false;
    for (size_t i = 0; i < json_array_size(routes) && i < MANIFEST_MAX_ROUTES; i++) {
        const json_t *route = json_array_get(routes, i);
        enum fit fit = fit_of(route, e);
        if (fit == FIT_NONE || fit < best)
            continue;
        several = fit == best && (several || !same_function(route, found));
        best = fit;
        found = route;
    }
    return several ? NULL : found;
}

static struct handler handler_of(struct reader *m, const json_t *route)
{
    const json_t *line = json_object_get(route, "line");
    struct handler h = {
        .file = text_of(m, json_object_get(route, "file")),
        .function = text_of(m, json_object_get(route, "function")),
    };
    json_int_t n = json_integer_value(line);
    if (n < 1 || n > 100000000)
        h.file = NULL;
    else
        h.line = (unsigned)n;
    return h;
}

static void find_handler(struct reader *m, const json_t *routes, struct endpoint_result *e)
{
    const json_t *route = e->endpoint->route != NULL ? route_of(routes, e->endpoint) : NULL;
    if (route == NULL)
        return;
    e->handler = handler_of(m, route);
    for (size_t i = 0; e->handler.file != NULL && i < e->n_findings; i++)
        e->findings[i]->handler = &e->handler;
}

static bool fail(char *error, size_t size, const char *why, int line)
{
    if (line > 0)
        snprintf(error, size, "line %d: %s", line, why);
    else
        snprintf(error, size, "%s", why);
    return false;
}

bool rpt_manifest(struct result *r, struct span text, char *error, size_t error_size)
{
    json_error_t at;
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL)
        return fail(error, error_size, "it is no JSON", at.line);
    bool ours = json_integer_value(json_object_get(root, "version")) == VERSION &&
                json_is_array(json_object_get(root, "routes"));
    if (ours) {
        struct reader m = {.result = r, .arena = &r->arena};
        read_application(&m, root);
        for (size_t i = 0; i < r->n_endpoints; i++)
            find_handler(&m, json_object_get(root, "routes"), &r->endpoints[i]);
        checklist_judge(r, NULL, r->checklist);
    }
    json_decref(root);
    return ours || fail(error, error_size,
                        "it is no manifest of version 1; write_manifest() of the "
                        "tag helper writes one",
                        0);
}
