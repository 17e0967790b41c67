/* Whether repeats are an N+1: by names, by the growth of their number, by what the grammar tells.
 */
#include "detectors/ledger.h"
#include "detectors/rules/repeats.h"

enum { TREND_MIN_UNITS = 5, PAIRS_MIN_UNITS = 3 };

static bool ends_in_id(struct span name)
{
    return span_cut_end(&name, "_id") && name.len > 0;
}

/* author_id and authors.id, or one name on both sides. */
static bool names_agree(struct span parent, struct span child)
{
    if (parent.len == 0 || child.len == 0)
        return false;
    return span_equal(parent, child) || (span_is(parent, "id") && ends_in_id(child)) ||
           (ends_in_id(parent) && span_is(child, "id"));
}

struct span repeat_parent_column(const struct repeat *e)
{
    return e->has_lineage ? statement_column_name(e->parent, e->column) : span_of(NULL, 0);
}

/* The column that the child's key is compared with: the one whose name agrees, else the first
 * equality. */
struct span repeat_key_column(const struct repeat *e)
{
    struct span parent = repeat_parent_column(e);
    struct span first = span_of(NULL, 0);
    struct statement_predicate p;
    for (unsigned i = 0; statement_predicate_at(e->child, i, &p); i++) {
        if (p.op != PREDICATE_EQ && p.op != PREDICATE_IN)
            continue;
        if (names_agree(parent, p.column))
            return p.column;
        if (first.len == 0)
            first = p.column;
    }
    return first;
}

bool repeat_agrees_by_name(const struct repeat *e)
{
    return names_agree(repeat_parent_column(e), repeat_key_column(e));
}

bool repeat_is_to_one(const struct repeat *e)
{
    struct span key = repeat_key_column(e);
    return ends_in_id(repeat_parent_column(e)) && key.len > 0 && !ends_in_id(key);
}

/* Repeats that grow one for one with the parent's rows are its loop, whatever the values look like.
 */
static bool follows_rows(const struct repeat *e)
{
    size_t n = e->seen < REPEAT_MAX_PAIRS ? (size_t)e->seen : REPEAT_MAX_PAIRS;
    if (n < TREND_MIN_UNITS)
        return false;
    double sx = 0;
    double sy = 0;
    double sxx = 0;
    double sxy = 0;
    double syy = 0;
    for (size_t i = 0; i < n; i++) {
        const struct repeat_pair *p = &e->pairs[i];
        sx += p->rows;
        sy += p->n;
        sxx += p->rows * p->rows;
        sxy += p->rows * p->n;
        syy += p->n * p->n;
    }
    double vx = (double)n * sxx - sx * sx;
    double vy = (double)n * syy - sy * sy;
    double cov = (double)n * sxy - sx * sy;
    if (vx <= 0 || vy <= 0)
        return false;
    double slope = cov / vx;
    return slope >= 0.8 && slope <= 1.2 && cov * cov >= 0.9 * vx * vy;
}

static size_t points_of(const struct repeat *e, bool time,
                        struct growth_point out[GROWTH_MAX_POINTS])
{
    size_t n = e->seen < GROWTH_MAX_POINTS ? (size_t)e->seen : GROWTH_MAX_POINTS;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct growth_point){e->pairs[i].rows, time ? e->pairs[i].ms : e->pairs[i].n};
    return n;
}

struct growth repeat_growth(const struct repeat *e)
{
    struct growth_point points[GROWTH_MAX_POINTS];
    return growth_of(points, points_of(e, false, points));
}

struct growth repeat_latency(const struct repeat *e)
{
    struct growth_point points[GROWTH_MAX_POINTS];
    return growth_of(points, points_of(e, true, points));
}

/* What grammar and catalog know that the values do not: these are no loops over rows. */
bool repeat_is_something_else(const struct repeat *e)
{
    const struct statement *s = e->child;
    enum sql_verb verb = statement_verb(s);
    bool reads = verb == SQL_VERB_SELECT || verb == SQL_VERB_WITH || verb == SQL_VERB_TABLE ||
                 verb == SQL_VERB_VALUES;
    return s->chatter != NULL || !reads || statement_has(s, FACT_NO_FROM) ||
           statement_has(s, FACT_ONLY_CATALOG) || statement_has(s, FACT_SKIP_LOCKED) ||
           statement_has(s, FACT_MANY_KEYS);
}

/* A page of a whole table: what changes from one to the next is where it begins, not whose it is.
 */
static bool is_page(const struct statement *s)
{
    return statement_has(s, FACT_LIMIT) && !statement_has(s, FACT_WHERE);
}

struct repeat_verdict repeat_judge(const struct det_settings *set, const struct repeat *e)
{
    const struct repeat_verdict none = {.is_n_plus_one = false};
    if (e->units == 0 || repeat_is_something_else(e))
        return none;
    bool in_order = e->followed * 2 >= e->proven && e->proven > 0;
    bool dense = e->dense * 2 > e->proven;
    bool shown = repeat_agrees_by_name(e) || (in_order && !dense) || follows_rows(e);
    if (e->proven > 0 && shown)
        return (struct repeat_verdict){true, 0.98, BASIS_VALUE_LINEAGE};
    if (e->pairs_proven >= PAIRS_MIN_UNITS && e->pairs_proven + e->proven == e->units)
        return (struct repeat_verdict){true, 0.9, BASIS_VALUE_LINEAGE};
    bool sure_borders = e->endpoint->confidence > UNIT_BY_GAP || e->units > e->proven;
    bool many = histogram_percentile(&e->n_each, 0.95) >= (uint64_t)set->n_plus_one_min_count;
    if (!sure_borders || !many || is_page(e->child))
        return none;
    if (e->matched_rows * 2 >= e->units)
        return (struct repeat_verdict){true, 0.85, BASIS_ROW_MATCH};
    return (struct repeat_verdict){true, 0.6, BASIS_REPETITION};
}
