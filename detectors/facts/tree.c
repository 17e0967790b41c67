#include "detectors/facts/facts_parts.h"

json_t *facts_node(json_t *node, const char **type)
{
    void *member = json_object_iter(node);
    if (member == NULL || json_object_size(node) != 1)
        return NULL;
    *type = json_object_iter_key(member);
    return json_object_iter_value(member);
}

json_t *facts_node_is(json_t *node, const char *type)
{
    return json_object_size(node) == 1 ? json_object_get(node, type) : NULL;
}

const char *facts_text(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

const char *facts_last_name(json_t *list)
{
    size_t n = json_array_size(list);
    return n == 0 ? "" : facts_text(facts_node_is(json_array_get(list, n - 1), "String"), "sval");
}

static bool any_contains(json_t *tree, const char *type)
{
    size_t i;
    json_t *value;
    json_array_foreach(tree, i, value)
    {
        if (facts_contains(value, type))
            return true;
    }
    return false;
}

bool facts_contains(json_t *tree, const char *type)
{
    if (json_is_array(tree))
        return any_contains(tree, type);
    const char *key;
    json_t *value;
    json_object_foreach(tree, key, value)
    {
        if (strcmp(key, type) == 0)
            return true;
        if (strcmp(key, "SubLink") != 0 && facts_contains(value, type))
            return true;
    }
    return false;
}
