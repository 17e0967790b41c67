#include "detectors/routes.h"

#include "wire/values.h"

enum { OK = 200, NOT_MODIFIED = 304, NOT_FOUND = 404, TOO_MANY = 429 };

#define OTHER_NAME    "{name}"
#define UNKNOWN_ROUTE "{not found}"

/* A place in paths: what was seen right behind one prefix. */
struct place {
    uint64_t key;
    uint32_t children;
};

void routes_init(struct routes *r, struct arena *arena)
{
    *r = (struct routes){.arena = arena};
    r->end = &r->first;
    map64_init(&r->by_key, ROUTES_MAX);
    map64_init(&r->targets, ROUTES_MAX_TARGETS);
    map64_init(&r->segments, ROUTES_MAX_SEGMENTS);
}

void routes_fini(struct routes *r)
{
    map64_fini(&r->by_key);
    map64_fini(&r->segments);
    map64_fini(&r->targets);
}

static struct place *place_behind(struct routes *r, const struct place *before, struct span segment)
{
    uint64_t key = wire_hash_combine(before->key, wire_value_hash_text(segment));
    struct place *p = map64_get(&r->segments, key);
    if (p != NULL)
        return p;
    p = r->segments.count < ROUTES_MAX_SEGMENTS ? arena_alloc(r->arena, sizeof(*p)) : NULL;
    if (p == NULL || map64_put(&r->segments, key, p) != MAP64_OK)
        return NULL;
    *p = (struct place){.key = key};
    return p;
}

static bool is_known(const struct routes *r, const struct place *before, struct span segment)
{
    return map64_get(&r->segments, wire_hash_combine(before->key, wire_value_hash_text(segment))) !=
           NULL;
}

/* Step behind a segment, which becomes OTHER_NAME where too many were seen. */
static struct place *step(struct routes *r, struct place *at, struct span *segment)
{
    bool literal = segment->len > 0 && segment->data[0] != '{';
    if (literal && !is_known(r, at, *segment)) {
        if (at->children >= ROUTES_MAX_CHILDREN)
            *segment = span_of_text(OTHER_NAME);
        else
            at->children++;
    }
    return place_behind(r, at, *segment);
}

static size_t append(char *out, size_t at, struct span text)
{
    size_t n = text.len < RECORD_ROUTE_MAX - at ? text.len : RECORD_ROUTE_MAX - at;
    if (n > 0)
        memcpy(out + at, text.data, n);
    return at + n;
}

/* Rewrite a path by what was learnt; its length, or 0 when no more can be learnt. */
static size_t learn(struct routes *r, struct place *root, struct span path, char *out)
{
    size_t len = 0;
    struct place *at = root;
    while (path.len > 0 && path.data[0] == '/') {
        path = span_skip(path, 1);
        struct span segment = span_head(path, span_find_byte(path, '/'));
        path = span_skip(path, segment.len);
        at = step(r, at, &segment);
        if (at == NULL)
            return 0;
        len = append(out, len, span_of_text("/"));
        len = append(out, len, segment);
    }
    return path.len == 0 ? len : append(out, len, path);
}

static uint64_t key_of(struct span method, struct span route)
{
    return wire_hash_combine(wire_value_hash_text(method), wire_value_hash_text(route));
}

static struct http_route *new_route(struct routes *r, struct span method, struct span route)
{
    uint64_t key = key_of(method, route);
    struct http_route *found = map64_get(&r->by_key, key);
    if (found != NULL || r->by_key.count >= ROUTES_MAX)
        return found;
    found = arena_alloc(r->arena, sizeof(*found));
    if (found == NULL || map64_put(&r->by_key, key, found) != MAP64_OK)
        return NULL;
    found->key = key;
    found->method = arena_text(r->arena, method);
    found->route = arena_text(r->arena, route);
    if (found->method == NULL || found->route == NULL)
        found->method = found->route = ""; /* no memory for its name */
    *r->end = found;
    r->end = &found->next;
    return found;
}

static struct http_route *find(struct routes *r, struct span method, struct span path,
                               uint16_t status)
{
    struct http_route *known = map64_get(&r->by_key, key_of(method, path));
    if (known != NULL)
        return known;
    if (status == NOT_FOUND)
        return new_route(r, method, span_of_text(UNKNOWN_ROUTE));
    static const struct place nowhere = {.key = 1};
    struct place *root = place_behind(r, &nowhere, method);
    char text[RECORD_ROUTE_MAX];
    size_t len = root != NULL ? learn(r, root, path, text) : 0;
    return len > 0 ? new_route(r, method, span_of(text, len)) : NULL;
}

/* --- what HTTP tells of cost --- */

static void count_coding(struct route_coding *c, const struct record_http *http)
{
    const uint32_t wanted = HTTP_TAKES_CODING | HTTP_TEXT;
    if (http->status != OK || (http->facts & wanted) != wanted || (http->facts & HTTP_STREAM) != 0)
        return;
    if ((http->facts & HTTP_CODED) != 0) {
        c->coded++;
        return;
    }
    c->plain++;
    c->plain_bytes += http->response_bytes;
    c->samples += http->sampled > 0;
    c->sampled_bytes += http->sampled;
    c->compressed_bytes += http->compressed < http->sampled ? http->compressed : http->sampled;
}

/* The body that was last sent for a target; NULL without room. */
static uint64_t *last_body(struct routes *r, uint64_t key)
{
    uint64_t *body = map64_get(&r->targets, key);
    if (body != NULL)
        return body;
    bool full = r->targets.count >= ROUTES_MAX_TARGETS;
    body = full ? NULL : arena_alloc(r->arena, sizeof(*body));
    if (body == NULL || map64_put(&r->targets, key, body) != MAP64_OK) {
        r->lost_targets++;
        return NULL;
    }
    return body;
}

static void count_repeat(struct routes *r, struct http_route *route, const struct record_http *http)
{
    struct route_caching *c = &route->caching;
    if (http->target == 0 || http->body == 0 || http->response_bytes == 0)
        return;
    uint64_t *body = last_body(r, wire_hash_combine(route->key, http->target));
    if (body == NULL)
        return;
    if (*body == http->body) {
        c->repeated++;
        c->repeated_bytes += http->response_bytes;
        c->repeated_us += http->total_us;
    }
    *body = http->body;
}

static void count_caching(struct routes *r, struct http_route *route,
                          const struct record_http *http)
{
    const unsigned cut = HTTP_CUT | HTTP_TUNNEL;
    struct route_caching *c = &route->caching;
    const uint32_t facts = http->facts;
    c->leaks += (facts & HTTP_PUBLIC) != 0 && (facts & (HTTP_SETS_COOKIE | HTTP_AUTHORIZED)) != 0;
    if (strcmp(route->method, "GET") != 0 || (http->http_flags & cut) != 0 ||
        (facts & HTTP_NO_STORE) != 0 || (http->status != OK && http->status != NOT_MODIFIED))
        return;
    c->answers++;
    c->bytes += http->response_bytes;
    c->not_modified += http->status == NOT_MODIFIED;
    c->validators += (facts & HTTP_VALIDATOR) != 0;
    c->lasting += (facts & HTTP_LASTS) != 0;
    if (http->status == OK)
        count_repeat(r, route, http);
}

static void count_connection(struct route_connections *c, const struct record_http *http)
{
    bool client_closes = (http->facts & HTTP_CLIENT_CLOSES) != 0;
    c->first += (http->http_flags & HTTP_FIRST) != 0;
    c->client_closing += client_closes;
    c->closed += (http->http_flags & HTTP_LAST) != 0 && !client_closes;
}

/* As learn(), without learning. */
static size_t rewrite(const struct routes *r, struct place at, struct span path, char *out)
{
    size_t len = 0;
    while (path.len > 0 && path.data[0] == '/') {
        path = span_skip(path, 1);
        struct span segment = span_head(path, span_find_byte(path, '/'));
        path = span_skip(path, segment.len);
        if (!is_known(r, &at, segment))
            segment = span_of_text(OTHER_NAME);
        at.key = wire_hash_combine(at.key, wire_value_hash_text(segment));
        len = append(out, len, span_of_text("/"));
        len = append(out, len, segment);
    }
    return append(out, len, path);
}

struct http_route *routes_expect(const struct routes *r, const struct record_http_begin *http)
{
    struct span method = record_tail(&http->h, sizeof(*http), 0, http->method_len);
    struct span path = record_tail(&http->h, sizeof(*http), http->method_len, http->route_len);
    struct http_route *known = map64_get(&r->by_key, key_of(method, path));
    if (known != NULL)
        return known;
    struct place root = {.key = wire_hash_combine(1, wire_value_hash_text(method))};
    char text[RECORD_ROUTE_MAX];
    size_t len = rewrite(r, root, path, text);
    return map64_get(&r->by_key, key_of(method, span_of(text, len)));
}

struct http_route *routes_add(struct routes *r, const struct record_http *http)
{
    struct span method = record_tail(&http->h, sizeof(*http), 0, http->method_len);
    struct span path = record_tail(&http->h, sizeof(*http), http->method_len, http->route_len);
    struct http_route *route = find(r, method, path, http->status);
    if (route == NULL) {
        r->overflowed++;
        return NULL;
    }
    unsigned class = http->status / 100U;
    route->requests++;
    route->alone += (http->http_flags & HTTP_ALONE) != 0;
    route->cut += (http->http_flags & HTTP_CUT) != 0;
    route->by_status[class < ROUTE_STATUS_CLASSES ? class : 0]++;
    route->request_bytes += http->request_bytes;
    route->response_bytes += http->response_bytes;
    route->limited += http->status == TOO_MANY;
    route->limits_told += (http->facts & HTTP_LIMITS_RATE) != 0;
    count_coding(&route->coding, http);
    count_caching(r, route, http);
    count_connection(&route->connections, http);
    if ((http->http_flags & (HTTP_CUT | HTTP_TUNNEL)) == 0) {
        histogram_add(&route->first_us, r->arena, http->first_us);
        histogram_add(&route->total_us, r->arena, http->total_us);
    }
    return route;
}

double routes_compressed(const struct http_route *route)
{
    const struct route_coding *c = &route->coding;
    return c->sampled_bytes > 0 ? (double)c->compressed_bytes / (double)c->sampled_bytes : 1;
}

double routes_transfer_waste(const struct http_route *route)
{
    if (route->response_bytes == 0)
        return 0;
    double all = (double)route->response_bytes;
    double left = 1 - (1 - routes_compressed(route)) * (double)route->coding.plain_bytes / all;
    double resent = (double)route->caching.repeated_bytes / all;
    return 1 - left * (1 - resent);
}
