#include "report/yaml_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

/* A container that is being filled; of a mapping, the key whose value comes next. */
struct level {
    json_t *container; /* the tree's, but for the first, which is `root` */
    char *key;         /* owned; NULL: a key comes next */
};

struct reader {
    yaml_parser_t parser;
    struct rpt_yaml_error *error;
    struct level levels[RPT_YAML_MAX_DEPTH];
    size_t depth;
    size_t values;
    json_t *root; /* owned; NULL until the document's value has begun */
    bool seen;    /* a document */
};

static bool refuse(struct reader *r, yaml_mark_t mark, const char *what)
{
    snprintf(r->error->text, sizeof(r->error->text), "%zu:%zu: %s", mark.line + 1, mark.column + 1,
             what);
    return false;
}

static bool refuse_broken(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        snprintf(r->error->text, sizeof(r->error->text), "out of memory");
        return false;
    }
    /* libyaml's own words are fixed texts: none quotes the file. */
    return refuse(r, p->problem_mark, p->problem != NULL ? p->problem : "not YAML");
}

/* --- scalars --- */

/* A number as JSON writes it, but for a sign or a point that stands alone. */
static bool looks_like_number(const char *text)
{
    text += *text == '-';
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (digits > 1 && text[0] == '0'))
        return false;
    return text[digits + strspn(text + digits, "0123456789.eE+-")] == '\0';
}

static json_t *number(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (*end == '\0')
        return errno == 0 ? json_integer(whole) : json_string(text);
    errno = 0;
    double real = strtod(text, &end);
    return *end == '\0' && errno == 0 ? json_real(real) : json_string(text);
}

static json_t *plain(const char *text)
{
    if (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    return looks_like_number(text) ? number(text) : json_string(text);
}

static json_t *scalar(const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text) : json_string(text);
}

/* --- the tree --- */

static struct level *innermost(struct reader *r)
{
    return r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
}

/* Put a value where it belongs; it is the reader's from now on. */
static bool place(struct reader *r, json_t *value, yaml_mark_t mark)
{
    struct level *in = innermost(r);
    if (value == NULL)
        return refuse(r, mark, "out of memory");
    if (++r->values > RPT_YAML_MAX_VALUES) {
        json_decref(value);
        return refuse(r, mark, "too many values");
    }
    if (in == NULL) {
        r->root = value;
        return true;
    }
    int put = json_is_array(in->container) ? json_array_append_new(in->container, value)
                                           : json_object_set_new(in->container, in->key, value);
    free(in->key);
    in->key = NULL;
    return put == 0 || refuse(r, mark, "out of memory");
}

static bool open_level(struct reader *r, json_t *container, yaml_mark_t mark)
{
    if (container != NULL && r->depth == RPT_YAML_MAX_DEPTH) {
        json_decref(container);
        return refuse(r, mark, "nested too deep");
    }
    if (!place(r, container, mark))
        return false;
    r->levels[r->depth++] = (struct level){.container = container};
    return true;
}

static bool wants_key(struct reader *r)
{
    const struct level *in = innermost(r);
    return in != NULL && json_is_object(in->container) && in->key == NULL;
}

static bool take_key(struct reader *r, const yaml_event_t *e)
{
    struct level *in = innermost(r);
    const char *text = (const char *)e->data.scalar.value;
    if (e->type != YAML_SCALAR_EVENT || strlen(text) != e->data.scalar.length)
        return refuse(r, e->start_mark, "a key is a text");
    if (json_object_get(in->container, text) != NULL)
        return refuse(r, e->start_mark, "duplicate key");
    in->key = strdup(text);
    return in->key != NULL || refuse(r, e->start_mark, "out of memory");
}

/* --- events --- */

static bool has_oddity(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL;
    default:
        return false;
    }
}

static bool begin_document(struct reader *r, yaml_mark_t mark)
{
    if (r->seen)
        return refuse(r, mark, "a second document is not taken");
    r->seen = true;
    return true;
}

static bool take(struct reader *r, const yaml_event_t *e)
{
    if (has_oddity(e))
        return refuse(r, e->start_mark, "anchors, aliases and tags are not taken");
    bool content = e->type == YAML_SCALAR_EVENT || e->type == YAML_SEQUENCE_START_EVENT ||
                   e->type == YAML_MAPPING_START_EVENT;
    if (content && wants_key(r))
        return take_key(r, e);
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(r, e->start_mark);
    case YAML_SCALAR_EVENT:
        if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
            return refuse(r, e->start_mark, "a NUL byte is not taken");
        return place(r, scalar(e), e->start_mark);
    case YAML_SEQUENCE_START_EVENT:
        return open_level(r, json_array(), e->start_mark);
    case YAML_MAPPING_START_EVENT:
        return open_level(r, json_object(), e->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return true;
    default:
        return true;
    }
}

static bool read_all(struct reader *r)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return refuse_broken(r);
        bool end = event.type == YAML_STREAM_END_EVENT;
        bool ok = take(r, &event);
        yaml_event_delete(&event);
        if (end || !ok)
            return ok;
    }
}

json_t *rpt_yaml_read(struct span text, struct rpt_yaml_error *error)
{
    struct reader r = {.error = error};
    static const unsigned char nothing[1];
    *error = (struct rpt_yaml_error){{0}};
    if (text.len > RPT_YAML_MAX_BYTES) {
        snprintf(error->text, sizeof(error->text), "larger than 256 MiB");
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        snprintf(error->text, sizeof(error->text), "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, text.len > 0 ? text.data : nothing, text.len);
    bool ok = read_all(&r);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < r.depth; i++)
        free(r.levels[i].key);
    if (ok)
        return r.root != NULL ? r.root : json_null();
    json_decref(r.root);
    return NULL;
}
