#include "detectors/facts/facts_parts.h"

/* Clauses that count where they stand in the outermost statement. */
static const struct clause_mark {
    const char *key;
    uint32_t flag;
} clause_marks[] = {
    {"whereClause", FACT_WHERE},   {"groupClause", FACT_GROUP_BY},
    {"sortClause", FACT_ORDER_BY}, {"distinctClause", FACT_DISTINCT},
    {"limitOffset", FACT_OFFSET},  {"returningList", FACT_RETURNING},
};

/* Aggregates that Python applications use; others are known by how they are called. */
static const char *const aggregates[] = {
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "array_agg",
    "string_agg",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "bool_and",
    "bool_or",
    "every",
    "bit_and",
    "bit_or",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "variance",
    "var_pop",
    "var_samp",
    "corr",
    "covar_pop",
    "covar_samp",
    "regr_slope",
    "mode",
    "xmlagg",
    "range_agg",
    "percentile_cont",
    "percentile_disc",
    "regr_count",
    "regr_r2",
    "bit_xor",
    "jsonb_object_agg",
    "range_intersect_agg",
};

static const char *const aggregate_marks[] = {"agg_star", "agg_distinct", "agg_order", "agg_filter",
                                              "agg_within_group"};

static void mark_clauses(struct facts_builder *b, json_t *statement)
{
    for (size_t i = 0; i < sizeof(clause_marks) / sizeof(clause_marks[0]); i++) {
        if (json_object_get(statement, clause_marks[i].key) != NULL)
            b->flags |= clause_marks[i].flag;
    }
    /* LIMIT ALL and LIMIT NULL are a null constant: no limit. */
    json_t *limit = json_object_get(statement, "limitCount");
    json_t *constant = facts_node_is(limit, "A_Const");
    if (limit != NULL && !json_is_true(json_object_get(constant, "isnull")))
        b->flags |= FACT_LIMIT;
}

static bool is_aggregate(json_t *call)
{
    for (size_t i = 0; i < sizeof(aggregate_marks) / sizeof(aggregate_marks[0]); i++) {
        if (json_object_get(call, aggregate_marks[i]) != NULL)
            return true;
    }
    const char *name = facts_last_name(json_object_get(call, "funcname"));
    for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]); i++) {
        if (strcmp(aggregates[i], name) == 0)
            return true;
    }
    return false;
}

struct aggregate_use {
    bool any;
    bool count;
};

/* Aggregates of this query level: not those of a subquery, nor window calls. */
static void find_aggregates(json_t *tree, struct aggregate_use *use)
{
    size_t i;
    const char *key;
    json_t *value;
    json_array_foreach(tree, i, value)
    {
        find_aggregates(value, use);
    }
    json_object_foreach(tree, key, value)
    {
        if (strcmp(key, "SubLink") == 0)
            continue;
        find_aggregates(value, use);
        if (strcmp(key, "FuncCall") != 0 || json_object_get(value, "over") != NULL ||
            !is_aggregate(value))
            continue;
        use->any = true;
        if (strcmp(facts_last_name(json_object_get(value, "funcname")), "count") == 0)
            use->count = true;
    }
}

static bool has_star(json_t *targets)
{
    size_t i;
    json_t *target;
    json_array_foreach(targets, i, target)
    {
        json_t *value = json_object_get(facts_node_is(target, "ResTarget"), "val");
        json_t *fields = json_object_get(facts_node_is(value, "ColumnRef"), "fields");
        size_t n = json_array_size(fields);
        if (n > 0 && facts_node_is(json_array_get(fields, n - 1), "A_Star") != NULL)
            return true;
    }
    return false;
}

static void read_targets(struct facts_builder *b, json_t *targets)
{
    b->n_targets = (uint32_t)json_array_size(targets);
    if (has_star(targets))
        b->flags |= FACT_STAR;
}

/* Without GROUP BY a single aggregate makes the whole result one row: the server allows no plain
 * column beside it. */
static void mark_aggregates(struct facts_builder *b, json_t *select)
{
    struct aggregate_use use = {false, false};
    find_aggregates(json_object_get(select, "targetList"), &use);
    if (json_object_get(select, "groupClause") != NULL)
        return;
    if (use.any)
        b->flags |= FACT_ONLY_AGGREGATES;
    if (use.count)
        b->flags |= FACT_COUNT;
}

static void read_from_and_where(struct facts_builder *b, json_t *from, json_t *where)
{
    facts_add_from(b, from);
    if (b->n_relations > 1)
        b->flags |= FACT_JOIN;
    facts_add_predicates(b, where);
    facts_add_join_predicates(b, from);
}

/* The targets of UNION and its like are those of its first arm; no arm's condition holds for the
 * whole, so that there are no predicates. */
static void read_set_operation(struct facts_builder *b, json_t *select)
{
    b->flags |= FACT_SET_OPERATION;
    json_t *arm = json_object_get(select, "larg");
    while (json_object_get(arm, "larg") != NULL)
        arm = json_object_get(arm, "larg");
    read_targets(b, json_object_get(arm, "targetList"));
}

static void read_select(struct facts_builder *b, json_t *select)
{
    if (json_object_get(select, "larg") != NULL) {
        read_set_operation(b, select);
        return;
    }
    json_t *from = json_object_get(select, "fromClause");
    json_t *values = json_object_get(select, "valuesLists");
    if (values != NULL)
        b->verb = SQL_VERB_VALUES;
    if (from == NULL)
        b->flags |= FACT_NO_FROM;
    read_targets(b, json_object_get(select, "targetList"));
    mark_aggregates(b, select);
    read_from_and_where(b, from, json_object_get(select, "whereClause"));
}

/* UPDATE and DELETE: the table itself, then FROM or USING. The rows that come back are those of
 * RETURNING. */
static void read_write(struct facts_builder *b, json_t *write)
{
    json_t *target = json_pack("{s:O}", "RangeVar", json_object_get(write, "relation"));
    facts_add_relation(b, target);
    json_decref(target); /* names live on in the tree */
    json_t *from = json_object_get(write, "fromClause");
    if (from == NULL)
        from = json_object_get(write, "usingClause");
    b->n_targets = (uint32_t)json_array_size(json_object_get(write, "returningList"));
    read_from_and_where(b, from, json_object_get(write, "whereClause"));
}

static void read_insert(struct facts_builder *b, json_t *insert)
{
    facts_add_table(b, json_object_get(insert, "relation"));
    b->n_targets = (uint32_t)json_array_size(json_object_get(insert, "returningList"));
}

static void read_merge(struct facts_builder *b, json_t *merge)
{
    json_t *target = json_pack("{s:O}", "RangeVar", json_object_get(merge, "relation"));
    facts_add_relation(b, target);
    json_decref(target);
    facts_add_relation(b, json_object_get(merge, "sourceRelation"));
    facts_add_predicates(b, json_object_get(merge, "joinCondition"));
}

static const struct statement_form {
    const char *type;
    enum sql_verb verb; /* EMPTY: a wrapper, the verb is the text's */
    const char *inner;  /* member that holds the wrapped statement */
    void (*read)(struct facts_builder *b, json_t *inside);
} statement_forms[] = {
    {"SelectStmt", SQL_VERB_SELECT, NULL, read_select},
    {"InsertStmt", SQL_VERB_INSERT, NULL, read_insert},
    {"UpdateStmt", SQL_VERB_UPDATE, NULL, read_write},
    {"DeleteStmt", SQL_VERB_DELETE, NULL, read_write},
    {"MergeStmt", SQL_VERB_MERGE, NULL, read_merge},
    {"ExplainStmt", SQL_VERB_EMPTY, "query", NULL},
    {"DeclareCursorStmt", SQL_VERB_EMPTY, "query", NULL},
    {"PrepareStmt", SQL_VERB_EMPTY, "query", NULL},
    {"CopyStmt", SQL_VERB_EMPTY, "query", NULL},
    {"CreateTableAsStmt", SQL_VERB_EMPTY, "query", NULL},
};

static const struct statement_form *form_of(const char *type)
{
    for (size_t i = 0; i < sizeof(statement_forms) / sizeof(statement_forms[0]); i++) {
        if (strcmp(statement_forms[i].type, type) == 0)
            return &statement_forms[i];
    }
    return NULL;
}

static void read_outermost(struct facts_builder *b, json_t *node, enum sql_verb verb)
{
    const char *type = "";
    json_t *inside = facts_node(node, &type);
    const struct statement_form *form = inside != NULL ? form_of(type) : NULL;
    if (form == NULL)
        return;
    if (form->inner != NULL) {
        read_outermost(b, json_object_get(inside, form->inner), verb);
        return;
    }
    b->verb = form->verb;
    facts_add_ctes(b, inside);
    mark_clauses(b, inside);
    form->read(b, inside);
    b->n_ctes = 0;
    if (verb != SQL_VERB_EMPTY)
        b->verb = verb;
}

void facts_read_statement(struct facts_builder *b, json_t *node)
{
    const char *type = "";
    facts_node(node, &type);
    const struct statement_form *form = form_of(type);
    enum sql_verb outer = form != NULL && form->inner != NULL ? b->verb : SQL_VERB_EMPTY;
    read_outermost(b, node, outer);
    facts_walk(b, node);
    if (facts_only_catalog(b))
        b->flags |= FACT_ONLY_CATALOG;
}
