#include "detectors/advisor/plan.h"

static const char *text_of(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *node, const char *key)
{
    return json_number_value(json_object_get(node, key));
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

static bool is_filtering_scan(const json_t *node)
{
    return strcmp(text_of(node, "Node Type"), "Seq Scan") == 0 &&
           text_of(node, "Filter")[0] != '\0' && text_of(node, "Relation Name")[0] != '\0' &&
           !is_foreign_ground(text_of(node, "Schema"));
}

static void consider(struct advisor_plan *plan, const json_t *node, double workers)
{
    double cost = number_of(node, "Total Cost");
    if (!is_filtering_scan(node) || (plan->has_scan && cost <= plan->scan.cost))
        return;
    bool parallel = json_is_true(json_object_get(node, "Parallel Aware")) && workers > 0;
    plan->has_scan = true;
    plan->scan = (struct advisor_scan){
        .schema = text_of(node, "Schema"),
        .table = text_of(node, "Relation Name"),
        .alias = text_of(node, "Alias"),
        .filter = text_of(node, "Filter"),
        .cost = cost,
        .kept_rows = number_of(node, "Plan Rows") * (parallel ? parallel_divisor(workers) : 1.0),
    };
}

/* The depth is bounded by what jansson reads. */
static void walk(struct advisor_plan *plan, const json_t *node, double workers)
{
    double planned = number_of(node, "Workers Planned");
    if (planned > 0)
        workers = planned;
    consider(plan, node, workers);
    size_t i;
    json_t *child;
    json_array_foreach(json_object_get(node, "Plans"), i, child)
    {
        walk(plan, child, workers);
    }
}

int advisor_plan_read(struct span json, struct advisor_plan *out)
{
    *out = (struct advisor_plan){.root = json_loadb((const char *)json.data, json.len, 0, NULL)};
    json_t *top = json_object_get(json_array_get(out->root, 0), "Plan");
    if (!json_is_object(top))
        return -1;
    out->total_cost = number_of(top, "Total Cost");
    walk(out, top, 0);
    return 0;
}

void advisor_plan_fini(struct advisor_plan *plan)
{
    json_decref(plan->root);
    *plan = (struct advisor_plan){.root = NULL};
}
