#include "report/slug.h"

#include "common/map64.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUFFIX_LEN = 9, BASE_MAX = RPT_SLUG_MAX - SUFFIX_LEN };

struct slug {
    char text[RPT_SLUG_MAX + 1];
    size_t len;
    bool suffixed;
};

struct rpt_slugs {
    size_t count;
    struct slug items[];
};

/* What a byte of a name becomes: itself, '-' for a mark of routes, 0 when it is lost. */
static char slug_byte(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
        return c;
    return strchr(" /{}<>:#-", c) != NULL ? '-' : '\0';
}

static void slug_of(struct slug *s, const char *name)
{
    bool lossy = name == NULL || *name == '\0';
    for (; name != NULL && *name != '\0'; name++) {
        char c = slug_byte(*name);
        lossy |= c == '\0';
        if (c == '\0')
            c = '-';
        if (c == '-' && (s->len == 0 || s->text[s->len - 1] == '-'))
            continue;
        if (s->len == BASE_MAX) {
            lossy = true;
            break;
        }
        s->text[s->len++] = c;
    }
    while (s->len > 0 && s->text[s->len - 1] == '-')
        s->len--;
    if (s->len == 0)
        s->len = (size_t)snprintf(s->text, sizeof s->text, "endpoint");
    s->text[s->len] = '\0';
    s->suffixed = lossy;
}

/* FNV-1a: two names with one hash only get suffixes they did not need. */
static uint64_t hash_of(const struct slug *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < s->len; i++)
        h = (h ^ (uint8_t)s->text[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Mark every name that another one equals, whichever came first. */
static bool mark_equal(struct rpt_slugs *s)
{
    struct map64 seen;
    bool ok = true;
    map64_init(&seen, s->count + 1);
    for (size_t i = 0; ok && i < s->count; i++) {
        uint64_t h = hash_of(&s->items[i]);
        struct slug *first = map64_get(&seen, h);
        if (first != NULL)
            first->suffixed = s->items[i].suffixed = true;
        else
            ok = map64_put(&seen, h, &s->items[i]) == MAP64_OK;
    }
    map64_fini(&seen);
    return ok;
}

struct rpt_slugs *rpt_slugs_new(const struct result *r)
{
    struct rpt_slugs *s = calloc(1, sizeof *s + r->n_endpoints * sizeof s->items[0]);
    if (s == NULL)
        return NULL;
    s->count = r->n_endpoints;
    for (size_t i = 0; i < s->count; i++)
        slug_of(&s->items[i], r->endpoints[i].endpoint->name);
    if (!mark_equal(s)) {
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct slug *item = &s->items[i];
        uint32_t top = (uint32_t)(r->endpoints[i].endpoint->key >> 32);
        if (item->suffixed)
            snprintf(item->text + item->len, SUFFIX_LEN + 1, "-%08" PRIx32, top);
    }
    return s;
}

void rpt_slugs_free(struct rpt_slugs *s)
{
    free(s);
}

const char *rpt_slug(const struct rpt_slugs *s, size_t i)
{
    assert(i < s->count);
    return s->items[i].text;
}
