#include "detectors/facts/facts_parts.h"

#include <stdio.h>

/* --- columns --- */

static uint8_t table_of_alias(const struct facts_builder *b, const char *alias)
{
    for (unsigned i = 0; i < b->n_relations; i++) {
        if (strcmp(b->relations[i].name, alias) == 0)
            return b->relations[i].table;
    }
    return FACTS_NO_TABLE;
}

static const char *field(json_t *fields, size_t from_end)
{
    size_t n = json_array_size(fields);
    return n < from_end
               ? ""
               : facts_text(facts_node_is(json_array_get(fields, n - from_end), "String"), "sval");
}

static void add_column(struct facts_builder *b, enum record_predicate_op op, json_t *column_ref)
{
    json_t *fields = json_object_get(column_ref, "fields");
    const char *column = field(fields, 1);
    size_t len = strlen(column);
    if (len == 0 || len > FACTS_COLUMN_MAX || b->n_predicates == FACTS_MAX_PREDICATES)
        return;
    struct facts_predicate p = {.op = (uint8_t)op, .table = FACTS_NO_TABLE};
    if (json_array_size(fields) > 1)
        p.table = table_of_alias(b, field(fields, 2));
    else if (b->n_relations == 1)
        p.table = b->relations[0].table;
    memcpy(p.column, column, len);
    for (unsigned i = 0; i < b->n_predicates; i++) {
        if (memcmp(&b->predicates[i], &p, sizeof(p)) == 0)
            return;
    }
    b->predicates[b->n_predicates++] = p;
}

/* Every column below a condition whose form says nothing for an index. */
static void add_columns_below(struct facts_builder *b, json_t *tree)
{
    size_t i;
    const char *key;
    json_t *value;
    json_array_foreach(tree, i, value)
    {
        add_columns_below(b, value);
    }
    json_object_foreach(tree, key, value)
    {
        if (strcmp(key, "ColumnRef") == 0)
            add_column(b, PREDICATE_OTHER, value);
        else if (strcmp(key, "subselect") != 0)
            add_columns_below(b, value);
    }
}

/* --- one comparison --- */

static const struct comparison {
    const char *kind;
    const char *operator;
    enum record_predicate_op op;
} comparisons[] = {
    {"AEXPR_OP", "=", PREDICATE_EQ},
    {"AEXPR_OP", "<", PREDICATE_RANGE},
    {"AEXPR_OP", "<=", PREDICATE_RANGE},
    {"AEXPR_OP", ">", PREDICATE_RANGE},
    {"AEXPR_OP", ">=", PREDICATE_RANGE},
    {"AEXPR_OP", "~~", PREDICATE_LIKE},
    {"AEXPR_OP", "~~*", PREDICATE_LIKE},
    {"AEXPR_IN", "=", PREDICATE_IN},
    {"AEXPR_OP_ANY", "=", PREDICATE_IN},
    {"AEXPR_LIKE", "~~", PREDICATE_LIKE},
    {"AEXPR_ILIKE", "~~*", PREDICATE_LIKE},
    {"AEXPR_BETWEEN", "BETWEEN", PREDICATE_RANGE},
    {"AEXPR_BETWEEN_SYM", "BETWEEN SYMMETRIC", PREDICATE_RANGE},
};

static enum record_predicate_op class_of(json_t *a_expr)
{
    const char *kind = facts_text(a_expr, "kind");
    const char *operator= facts_last_name(json_object_get(a_expr, "name"));
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (strcmp(comparisons[i].kind, kind) == 0 &&
            strcmp(comparisons[i].operator, operator) == 0)
            return comparisons[i].op;
    }
    return PREDICATE_OTHER;
}

/* A side that is a column, or a row of columns as in (a, b) = (1, 2). */
static bool is_columns(json_t *side)
{
    json_t *row = json_object_get(facts_node_is(side, "RowExpr"), "args");
    if (row == NULL)
        return facts_node_is(side, "ColumnRef") != NULL;
    size_t i;
    json_t *item;
    json_array_foreach(row, i, item)
    {
        if (facts_node_is(item, "ColumnRef") == NULL)
            return false;
    }
    return true;
}

static void add_columns(struct facts_builder *b, enum record_predicate_op op, json_t *side)
{
    add_column(b, op, facts_node_is(side, "ColumnRef"));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(facts_node_is(side, "RowExpr"), "args"), i, item)
    {
        add_column(b, op, facts_node_is(item, "ColumnRef"));
    }
}

static void add_comparison(struct facts_builder *b, json_t *a_expr)
{
    enum record_predicate_op op = class_of(a_expr);
    json_t *left = json_object_get(a_expr, "lexpr");
    json_t *right = json_object_get(a_expr, "rexpr");
    bool left_is_columns = is_columns(left);
    bool right_is_columns = is_columns(right);
    if (op == PREDICATE_EQ && left_is_columns && right_is_columns) {
        add_columns(b, PREDICATE_JOIN, left);
        add_columns(b, PREDICATE_JOIN, right);
    } else if (op != PREDICATE_OTHER && left_is_columns && !facts_contains(right, "ColumnRef")) {
        add_columns(b, op, left);
    } else if ((op == PREDICATE_EQ || op == PREDICATE_RANGE) && right_is_columns &&
               !facts_contains(left, "ColumnRef")) {
        add_columns(b, op, right); /* SQLAlchemy's lazy loads: $1 = t.column */
    } else {
        add_columns_below(b, left);
        add_columns_below(b, right);
    }
}

static void add_null_test(struct facts_builder *b, json_t *null_test)
{
    json_t *column = facts_node_is(json_object_get(null_test, "arg"), "ColumnRef");
    if (column != NULL)
        add_column(b, PREDICATE_NULL, column);
    else
        add_columns_below(b, null_test);
}

/* --- conditions --- */

static json_t *and_parts(json_t *condition)
{
    json_t *bool_expr = facts_node_is(condition, "BoolExpr");
    if (strcmp(facts_text(bool_expr, "boolop"), "AND_EXPR") != 0)
        return NULL;
    return json_object_get(bool_expr, "args");
}

void facts_add_predicates(struct facts_builder *b, json_t *condition)
{
    json_t *parts = and_parts(condition);
    if (parts != NULL) {
        size_t i;
        json_t *part;
        json_array_foreach(parts, i, part)
        {
            facts_add_predicates(b, part);
        }
        return;
    }
    json_t *inside;
    if ((inside = facts_node_is(condition, "A_Expr")) != NULL)
        add_comparison(b, inside);
    else if ((inside = facts_node_is(condition, "NullTest")) != NULL)
        add_null_test(b, inside);
    else
        add_columns_below(b, condition);
}

void facts_add_equalities_of_columns(struct facts_builder *b, json_t *condition)
{
    size_t i;
    json_t *part;
    json_array_foreach(and_parts(condition), i, part)
    {
        facts_add_equalities_of_columns(b, part);
    }
    json_t *a_expr = facts_node_is(condition, "A_Expr");
    if (a_expr != NULL && class_of(a_expr) == PREDICATE_EQ &&
        is_columns(json_object_get(a_expr, "lexpr")) &&
        is_columns(json_object_get(a_expr, "rexpr")))
        add_comparison(b, a_expr);
}

/* --- FROM --- */

static void add_range_var(struct facts_builder *b, json_t *range_var)
{
    const char *alias = facts_text(json_object_get(range_var, "alias"), "aliasname");
    uint8_t table = facts_add_table(b, range_var);
    if (b->n_relations == FACTS_MAX_RELATIONS)
        return;
    b->relations[b->n_relations++] = (struct facts_relation){
        .name = alias[0] != '\0' ? alias : facts_text(range_var, "relname"),
        .table = table,
    };
}

void facts_add_relation(struct facts_builder *b, json_t *item)
{
    const char *type = "";
    json_t *inside = facts_node(item, &type);
    if (inside == NULL)
        return;
    if (strcmp(type, "RangeVar") == 0) {
        add_range_var(b, inside);
    } else if (strcmp(type, "JoinExpr") == 0) {
        facts_add_relation(b, json_object_get(inside, "larg"));
        facts_add_relation(b, json_object_get(inside, "rarg"));
    } else if (b->n_relations < FACTS_MAX_RELATIONS) {
        b->relations[b->n_relations++] = (struct facts_relation){
            .name = facts_text(json_object_get(inside, "alias"), "aliasname"),
            .table = FACTS_NO_TABLE,
        };
    }
}

void facts_add_from(struct facts_builder *b, json_t *from)
{
    size_t i;
    json_t *item;
    json_array_foreach(from, i, item)
    {
        facts_add_relation(b, item);
    }
}

/* USING (x) is x = x of the two sides; a side that is itself a join does not tell whose x it is. */
static void add_using(struct facts_builder *b, json_t *join, const char *side)
{
    json_t *range_var = facts_node_is(json_object_get(join, side), "RangeVar");
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(join, "usingClause"), i, name)
    {
        const char *column = facts_text(facts_node_is(name, "String"), "sval");
        if (range_var == NULL || strlen(column) > FACTS_COLUMN_MAX ||
            b->n_predicates == FACTS_MAX_PREDICATES)
            continue;
        struct facts_predicate *p = &b->predicates[b->n_predicates++];
        *p = (struct facts_predicate){.op = PREDICATE_JOIN, .table = facts_add_table(b, range_var)};
        memcpy(p->column, column, strlen(column));
    }
}

static void add_join(struct facts_builder *b, json_t *join)
{
    if (join == NULL)
        return;
    add_join(b, facts_node_is(json_object_get(join, "larg"), "JoinExpr"));
    add_join(b, facts_node_is(json_object_get(join, "rarg"), "JoinExpr"));
    add_using(b, join, "larg");
    add_using(b, join, "rarg");
    /* What an outer join's ON asks of one side does not bound the result. */
    if (strcmp(facts_text(join, "jointype"), "JOIN_INNER") == 0)
        facts_add_predicates(b, json_object_get(join, "quals"));
    else
        facts_add_equalities_of_columns(b, json_object_get(join, "quals"));
}

void facts_add_join_predicates(struct facts_builder *b, json_t *from)
{
    size_t i;
    json_t *item;
    json_array_foreach(from, i, item)
    {
        add_join(b, facts_node_is(item, "JoinExpr"));
    }
}
