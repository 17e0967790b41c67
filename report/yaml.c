#include "report/yaml.h"

#include "report/error.h"
#include "report/utf8.h"
#include "report/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <yaml.h>

enum { MAX_DEPTH = 32, REAL_SIZE = 400 };

/* --- events --- */

static int emit(yaml_emitter_t *e, yaml_event_t *event, int made)
{
    /* The emitter owns the event whether it succeeds or not. */
    if (!made)
        return RPT_E_NO_MEMORY;
    if (yaml_emitter_emit(e, event))
        return RPT_OK;
    /* A write fails only when the buffer is full. */
    return e->error == YAML_EMITTER_ERROR ? RPT_E_EMIT : RPT_E_NO_MEMORY;
}

/* libyaml copies scalars but takes them without const. */
union text {
    const char *in;
    yaml_char_t *out;
};

static int emit_scalar(yaml_emitter_t *e, const char *text, size_t len, yaml_scalar_style_t style)
{
    yaml_event_t event;
    union text value = {.in = text};
    int plain = style == YAML_PLAIN_SCALAR_STYLE;
    if (len > INT32_MAX)
        return RPT_E_EMIT;
    return emit(e, &event,
                yaml_scalar_event_initialize(&event, NULL, NULL, value.out, (int)len, plain, !plain,
                                             style));
}

static int emit_plain(yaml_emitter_t *e, const char *text)
{
    return emit_scalar(e, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

/* --- texts --- */

/* Words that a reader turns into something other than a text (YAML 1.1 and careless readers). */
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"y",   "n",    "yes",   "no",   "on",  "off",
                                        "inf", "true", "false", "null", "nan", "infinity"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* An identifier: PASS, value_lineage, PA001. A run of hexadecimal digits is none, since the next
 * fingerprint may be all decimal ones, and a column of them should look alike. */
static bool is_identifier(const char *text, size_t len)
{
    return len > 0 && strchr(LETTERS, text[0]) != NULL && strspn(text, LETTERS DIGITS "_") == len &&
           strspn(text, DIGITS "abcdef") != len && !is_reserved(text);
}

/* "85/100" and "--/100", which the format writes plain. */
static bool is_score(const char *text, size_t len)
{
    static const char end[] = "/100";
    size_t head = len > sizeof end - 1 ? len - (sizeof end - 1) : 0;
    if (head == 0 || head > 3 || strcmp(text + head, end) != 0)
        return false;
    return strspn(text, DIGITS) == head || (head == 2 && strncmp(text, "--", head) == 0);
}

/* Whether a literal block can hold a text and give it back unchanged. libyaml would fall back to
 * one quoted line by itself for spaces at the end of a line and for characters it thinks
 * unprintable; this also keeps out the line breaks that only YAML 1.1 knows, which a block would
 * turn into newlines, and indents that need an explicit number. */
static bool fits_literal(struct span text)
{
    uint32_t code, before = '\n';
    if (text.len == 0 || text.data[0] == ' ' || text.data[0] == '\n')
        return false;
    if (span_find_byte(text, '\n') == text.len)
        return false;
    while (rpt_utf8_next(&text, &code)) {
        if (code != '\n' && (rpt_is_control(code) || code > 0xFFFF))
            return false;
        if (code == '\n' && before == ' ')
            return false;
        before = code;
    }
    return before != ' ';
}

static int emit_text(yaml_emitter_t *e, const char *text, size_t len)
{
    yaml_scalar_style_t style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    if (is_identifier(text, len) || is_score(text, len))
        style = YAML_PLAIN_SCALAR_STYLE;
    else if (fits_literal(span_of(text, len)))
        style = YAML_LITERAL_SCALAR_STYLE;
    return emit_scalar(e, text, len, style);
}

/* --- numbers --- */

/* The digits that the JSON rendering has, always with a point and never with an exponent: YAML 1.1
 * takes 1e20 for a text. */
static int emit_real(yaml_emitter_t *e, double v)
{
    char text[REAL_SIZE];
    snprintf(text, sizeof text, "%.*g", RPT_REAL_DIGITS, v);
    if (strchr(text, 'e') != NULL)
        snprintf(text, sizeof text, v > -1 && v < 1 ? "%.20f" : "%.1f", v);
    else if (strchr(text, '.') == NULL)
        snprintf(text, sizeof text, "%.1f", v);
    return emit_plain(e, text);
}

static int emit_integer(yaml_emitter_t *e, json_int_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, v);
    return emit_plain(e, text);
}

/* --- the tree --- */

static int emit_value(yaml_emitter_t *e, const json_t *value, unsigned depth);

static int emit_list(yaml_emitter_t *e, const json_t *list, unsigned depth)
{
    yaml_event_t event;
    yaml_sequence_style_t style =
        json_array_size(list) > 0 ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    int rc = emit(e, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
    for (size_t i = 0; rc == RPT_OK && i < json_array_size(list); i++)
        rc = emit_value(e, json_array_get(list, i), depth + 1);
    if (rc != RPT_OK)
        return rc;
    return emit(e, &event, yaml_sequence_end_event_initialize(&event));
}

static int emit_map(yaml_emitter_t *e, json_t *map, unsigned depth)
{
    yaml_event_t event;
    yaml_mapping_style_t style =
        json_object_size(map) > 0 ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    int rc = emit(e, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
    void *at = json_object_iter(map);
    for (; rc == RPT_OK && at != NULL; at = json_object_iter_next(map, at)) {
        const char *key = json_object_iter_key(at);
        rc = emit_text(e, key, strlen(key));
        if (rc == RPT_OK)
            rc = emit_value(e, json_object_iter_value(at), depth + 1);
    }
    if (rc != RPT_OK)
        return rc;
    return emit(e, &event, yaml_mapping_end_event_initialize(&event));
}

/* jansson's iterators take a map without const, and read it only. */
union map {
    const json_t *in;
    json_t *out;
};

static int emit_value(yaml_emitter_t *e, const json_t *value, unsigned depth)
{
    union map map = {.in = value};
    if (depth > MAX_DEPTH || value == NULL)
        return RPT_E_EMIT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return emit_map(e, map.out, depth);
    case JSON_ARRAY:
        return emit_list(e, value, depth);
    case JSON_STRING:
        return emit_text(e, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return emit_integer(e, json_integer_value(value));
    case JSON_REAL:
        return emit_real(e, json_real_value(value));
    case JSON_TRUE:
        return emit_plain(e, "true");
    case JSON_FALSE:
        return emit_plain(e, "false");
    case JSON_NULL:
        return emit_plain(e, "null");
    }
    return RPT_E_EMIT;
}

static int emit_document(yaml_emitter_t *e, const json_t *tree)
{
    yaml_event_t event;
    int rc = emit(e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    if (rc == RPT_OK)
        rc = emit(e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    if (rc == RPT_OK)
        rc = emit_value(e, tree, 0);
    if (rc == RPT_OK)
        rc = emit(e, &event, yaml_document_end_event_initialize(&event, 1));
    if (rc == RPT_OK)
        rc = emit(e, &event, yaml_stream_end_event_initialize(&event));
    return rc;
}

static int append(void *out, unsigned char *data, size_t len)
{
    struct strbuf *b = out;
    strbuf_add(b, data, len);
    return b->failed ? 0 : 1;
}

int rpt_yaml(const json_t *tree, struct strbuf *out)
{
    yaml_emitter_t e;
    if (!json_is_object(tree) && !json_is_array(tree))
        return RPT_E_EMIT;
    if (!yaml_emitter_initialize(&e))
        return RPT_E_NO_MEMORY;
    yaml_emitter_set_output(&e, append, out);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    yaml_emitter_set_indent(&e, 2);
    int rc = emit_document(&e, tree);
    yaml_emitter_delete(&e);
    return rc;
}
