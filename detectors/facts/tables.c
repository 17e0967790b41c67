#include "detectors/facts/facts_parts.h"

#include <stdio.h>

/* What counts at any depth, by the name of a member or, with `value`, by its text. */
static const struct deep_mark {
    const char *key;
    const char *value;
    uint32_t flag;
} deep_marks[] = {
    {"JoinExpr", NULL, FACT_JOIN},
    {"SubLink", NULL, FACT_SUBQUERY},
    {"RangeSubselect", NULL, FACT_SUBQUERY},
    {"withClause", NULL, FACT_CTE},
    {"lockingClause", NULL, FACT_FOR_UPDATE},
    {"subLinkType", "EXISTS_SUBLINK", FACT_EXISTS},
    {"waitPolicy", "LockWaitSkip", FACT_SKIP_LOCKED},
    {"kind", "AEXPR_OP_ANY", FACT_MANY_KEYS},
};

static bool is_cte(const struct facts_builder *b, const char *name)
{
    for (unsigned i = 0; i < b->n_ctes; i++) {
        if (strcmp(b->ctes[i], name) == 0)
            return true;
    }
    return false;
}

uint8_t facts_add_table(struct facts_builder *b, json_t *range_var)
{
    const char *schema = facts_text(range_var, "schemaname");
    const char *name = facts_text(range_var, "relname");
    if (name[0] == '\0' || (schema[0] == '\0' && is_cte(b, name)))
        return FACTS_NO_TABLE;
    char full[FACTS_NAME_MAX + 1];
    int len = snprintf(full, sizeof(full), "%s%s%s", schema, schema[0] != '\0' ? "." : "", name);
    if (len < 0 || (size_t)len >= sizeof(full))
        return FACTS_NO_TABLE;
    for (unsigned i = 0; i < b->n_tables; i++) {
        if (strcmp(b->tables[i], full) == 0)
            return (uint8_t)i;
    }
    if (b->n_tables == FACTS_MAX_TABLES)
        return FACTS_NO_TABLE;
    memcpy(b->tables[b->n_tables], full, sizeof(full));
    return (uint8_t)b->n_tables++;
}

static void add_cte(struct facts_builder *b, json_t *cte)
{
    const char *name = facts_text(cte, "ctename");
    if (name[0] != '\0' && b->n_ctes < FACTS_MAX_CTES)
        b->ctes[b->n_ctes++] = name;
}

void facts_add_ctes(struct facts_builder *b, json_t *statement)
{
    json_t *ctes = json_object_get(json_object_get(statement, "withClause"), "ctes");
    size_t i;
    json_t *cte;
    json_array_foreach(ctes, i, cte)
    {
        add_cte(b, facts_node_is(cte, "CommonTableExpr"));
    }
}

/* Without RECURSIVE the name of a CTE means, in its own query, the table it hides: it becomes known
 * only afterwards. */
static void walk_with(struct facts_builder *b, json_t *statement)
{
    json_t *with = json_object_get(statement, "withClause");
    if (with == NULL)
        return;
    bool recursive = json_is_true(json_object_get(with, "recursive"));
    if (recursive)
        facts_add_ctes(b, statement);
    size_t i;
    json_t *cte;
    json_array_foreach(json_object_get(with, "ctes"), i, cte)
    {
        facts_walk(b, cte);
        if (!recursive)
            add_cte(b, facts_node_is(cte, "CommonTableExpr"));
    }
}

static void mark(struct facts_builder *b, const char *key, json_t *value)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; i < sizeof(deep_marks) / sizeof(deep_marks[0]); i++) {
        const struct deep_mark *m = &deep_marks[i];
        if (strcmp(key, m->key) != 0)
            continue;
        if (m->value == NULL || (text != NULL && strcmp(text, m->value) == 0))
            b->flags |= m->flag;
    }
}

static void walk_object(struct facts_builder *b, json_t *object)
{
    unsigned outer_ctes = b->n_ctes;
    walk_with(b, object);
    facts_add_table(b, object);
    if (strcmp(facts_text(object, "kind"), "AEXPR_IN") == 0 &&
        strcmp(facts_last_name(json_object_get(object, "name")), "=") == 0) {
        json_t *list = facts_node_is(json_object_get(object, "rexpr"), "List");
        if (json_array_size(json_object_get(list, "items")) > 1)
            b->flags |= FACT_MANY_KEYS;
    }
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        mark(b, key, value);
        /* FOR UPDATE OF names aliases as if they were tables. */
        if (strcmp(key, "withClause") != 0 && strcmp(key, "lockedRels") != 0)
            facts_walk(b, value);
    }
    b->n_ctes = outer_ctes;
}

void facts_walk(struct facts_builder *b, json_t *tree)
{
    if (json_is_object(tree)) {
        walk_object(b, tree);
        return;
    }
    size_t i;
    json_t *value;
    json_array_foreach(tree, i, value)
    {
        facts_walk(b, value);
    }
}

static bool is_catalog(const char *table)
{
    /* "pg_" is the prefix of the server's own tables, which are found without their schema. */
    return (strncmp(table, "pg_", 3) == 0 && strncmp(table, "pg_temp", 7) != 0) ||
           strncmp(table, "information_schema.", 19) == 0;
}

bool facts_only_catalog(const struct facts_builder *b)
{
    for (unsigned i = 0; i < b->n_tables; i++) {
        if (!is_catalog(b->tables[i]))
            return false;
    }
    return b->n_tables > 0;
}
