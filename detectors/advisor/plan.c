#include "detectors/advisor/plan.h"

/* From so many rows on a sort of what an index found is worth an index of its own. */
enum { MANY_SORTED_ROWS = 1000, MANY_TIMES = 10 };

/* What stands above a node, as far as it says what an index would be good for. */
struct above {
    double workers;
    double limit_rows; /* 0 without a LIMIT that reaches this node */
    const json_t *sort_keys;
    double sort_cost;
};

static const char *text_of(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *node, const char *key)
{
    return json_number_value(json_object_get(node, key));
}

static bool is_type(const json_t *node, const char *type)
{
    return strcmp(text_of(node, "Node Type"), type) == 0;
}

/* The server's own tables and a session's temporary ones get no index from us. */
static bool is_foreign_ground(const char *schema)
{
    return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

/* A parallel node's rows are those of one worker. The planner divides by the workers and the share
 * that the leader has time for (PostgreSQL's get_parallel_divisor). */
static double parallel_divisor(double workers)
{
    double leader = 1.0 - 0.3 * workers;
    return workers + (leader > 0 ? leader : 0);
}

static double rows_of(const json_t *node, double workers)
{
    bool parallel = json_is_true(json_object_get(node, "Parallel Aware")) && workers > 0;
    return number_of(node, "Plan Rows") * (parallel ? parallel_divisor(workers) : 1.0);
}

static const char *condition_of(const json_t *node)
{
    const char *condition = text_of(node, "Recheck Cond");
    return condition[0] != '\0' ? condition : text_of(node, "Index Cond");
}

/* Whether many rows are read and sorted of which only the first are wanted. */
static bool is_sorted_for_few(const json_t *node, const struct above *above, double rows)
{
    if (above->sort_keys == NULL || rows <= above->limit_rows)
        return false;
    if (is_type(node, "Seq Scan"))
        return true;
    bool indexed = is_type(node, "Bitmap Heap Scan") || is_type(node, "Index Scan");
    return indexed && rows >= MANY_SORTED_ROWS && rows >= MANY_TIMES * above->limit_rows;
}

static void consider(struct advisor_plan *plan, const json_t *node, const struct above *above)
{
    if (text_of(node, "Relation Name")[0] == '\0' || is_foreign_ground(text_of(node, "Schema")))
        return;
    double rows = rows_of(node, above->workers);
    bool sorted = is_sorted_for_few(node, above, rows);
    bool filters = is_type(node, "Seq Scan") && text_of(node, "Filter")[0] != '\0';
    double cost = sorted ? above->sort_cost : number_of(node, "Total Cost");
    if (!(sorted || filters) || (plan->has_scan && cost <= plan->scan.cost))
        return;
    plan->has_scan = true;
    plan->scan = (struct advisor_scan){
        .node = sorted ? "Sort" : "Seq Scan",
        .schema = text_of(node, "Schema"),
        .table = text_of(node, "Relation Name"),
        .alias = text_of(node, "Alias"),
        .filter = text_of(node, "Filter"),
        .condition = condition_of(node),
        .sort_keys = sorted ? above->sort_keys : NULL,
        .cost = cost,
        .kept_rows = sorted ? above->limit_rows : rows,
    };
}

/* What the children of a node are told. A LIMIT reaches through a sort and through the node that
 * gathers what workers sorted; anything else in between needs all the rows. */
static struct above below(const json_t *node, struct above above)
{
    double planned = number_of(node, "Workers Planned");
    if (planned > 0)
        above.workers = planned;
    if (is_type(node, "Limit")) {
        above.limit_rows = number_of(node, "Plan Rows");
        above.sort_keys = NULL;
    } else if (is_type(node, "Sort") && above.limit_rows > 0 && above.sort_keys == NULL) {
        above.sort_keys = json_object_get(node, "Sort Key");
        above.sort_cost = number_of(node, "Total Cost");
    } else if (!is_type(node, "Gather Merge") && !is_type(node, "Gather")) {
        above.limit_rows = 0;
        above.sort_keys = NULL;
    }
    return above;
}

static void note_deleted(struct advisor_plan *plan, const json_t *node)
{
    if (plan->deleted.table[0] == '\0' && is_type(node, "ModifyTable") &&
        strcmp(text_of(node, "Operation"), "Delete") == 0)
        plan->deleted =
            (struct advisor_deleted){text_of(node, "Schema"), text_of(node, "Relation Name")};
}

/* The depth is bounded by what jansson reads. */
static void walk(struct advisor_plan *plan, const json_t *node, const struct above *above)
{
    consider(plan, node, above);
    note_deleted(plan, node);
    struct above next = below(node, *above);
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        walk(plan, child, &next);
    }
}

static json_t *top_of(const struct advisor_plan *plan)
{
    return json_object_get(json_array_get(plan->root, 0), "Plan");
}

int advisor_plan_read(struct span json, struct advisor_plan *out)
{
    *out = (struct advisor_plan){.root = json_loadb((const char *)json.data, json.len, 0, NULL),
                                 .deleted = {"", ""}};
    const json_t *top = top_of(out);
    if (!json_is_object(top))
        return -1;
    out->total_cost = number_of(top, "Total Cost");
    walk(out, top, &(struct above){0});
    return 0;
}

static const char *index_node(const json_t *node, const char *prefix)
{
    if (strncmp(text_of(node, "Index Name"), prefix, strlen(prefix)) == 0)
        return text_of(node, "Node Type");
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        const char *found = index_node(child, prefix);
        if (found != NULL)
            return strncmp(found, "Bitmap", 6) == 0 ? "Bitmap Heap Scan" : found;
    }
    return NULL;
}

const char *advisor_plan_index_node(const struct advisor_plan *plan, const char *prefix)
{
    return index_node(top_of(plan), prefix);
}

static bool reads_whole(const json_t *node, const char *table, const char *alias)
{
    if (is_type(node, "Seq Scan") && strcmp(text_of(node, "Relation Name"), table) == 0 &&
        strcmp(text_of(node, "Alias"), alias) == 0)
        return true;
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        if (reads_whole(child, table, alias))
            return true;
    }
    return false;
}

bool advisor_plan_reads_whole(const struct advisor_plan *plan, const char *table, const char *alias)
{
    return reads_whole(top_of(plan), table, alias);
}

void advisor_plan_fini(struct advisor_plan *plan)
{
    json_decref(plan->root);
    *plan = (struct advisor_plan){.root = NULL};
}
