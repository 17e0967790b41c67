/*
 * A YAML 1.1 reader over libyaml's parser, for reading our own reports back into a tree. Plain
 * scalars resolve as a YAML 1.1 reader does for what reports hold: null, booleans, integers, reals.
 */
#ifndef PGSLEUTH_TESTS_REPORT_YAML_READER_H
#define PGSLEUTH_TESTS_REPORT_YAML_READER_H

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

static inline json_t *reader_plain(const char *text)
{
    static const char *const yes[] = {"yes", "true", "on", "y"};
    static const char *const no[] = {"no", "false", "off", "n"};
    char *end;
    if (*text == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0)
        return json_null();
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0)
            return json_true();
        if (strcasecmp(text, no[i]) == 0)
            return json_false();
    }
    errno = 0;
    long long whole = strtoll(text, &end, 0);
    if (*end == '\0' && errno == 0)
        return json_integer(whole);
    double real = strtod(text, &end);
    if (*end == '\0' && strchr(text, '.') != NULL)
        return json_real(real);
    return json_string(text);
}

static inline json_t *reader_value(yaml_document_t *d, int index)
{
    yaml_node_t *node = yaml_document_get_node(d, index);
    json_t *out = NULL;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            return reader_plain((const char *)node->data.scalar.value);
        return json_stringn((const char *)node->data.scalar.value, node->data.scalar.length);
    case YAML_SEQUENCE_NODE:
        out = json_array();
        for (int *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
            json_array_append_new(out, reader_value(d, *i));
        return out;
    case YAML_MAPPING_NODE:
        out = json_object();
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
             p++) {
            yaml_node_t *key = yaml_document_get_node(d, p->key);
            json_object_set_new(out, (const char *)key->data.scalar.value,
                                reader_value(d, p->value));
        }
        return out;
    case YAML_NO_NODE:
        break;
    }
    return NULL;
}

/* NULL when it is no YAML. */
static inline json_t *yaml_read(const char *text, size_t len)
{
    yaml_parser_t parser;
    yaml_document_t document;
    json_t *out = NULL;
    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &document)) {
        if (yaml_document_get_root_node(&document) != NULL)
            out = reader_value(&document, 1);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return out;
}

#endif
