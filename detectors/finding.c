#include "detectors/finding.h"

#include "detectors/detector.h"
#include "wire/values.h"

const char *severity_name(enum severity s)
{
    static const char *const names[SEVERITIES] = {"low", "medium", "high", "critical"};
    return s < SEVERITIES ? names[s] : "";
}

const char *confidence_basis_name(enum confidence_basis b)
{
    switch (b) {
    case BASIS_VALUE_LINEAGE:
        return "value_lineage";
    case BASIS_ROW_MATCH:
        return "row_match";
    case BASIS_REPETITION:
        return "repetition";
    case BASIS_PLAN:
        return "plan";
    case BASIS_MEASURED:
        return "measured";
    }
    return "";
}

void finding_once(struct finding *f)
{
    f->occurrences.min = f->occurrences.p50 = f->occurrences.p95 = f->occurrences.max = 1;
}

const char *stack_name(enum stack s)
{
    switch (s) {
    case STACK_DJANGO:
        return "django";
    case STACK_SQLALCHEMY:
        return "sqlalchemy";
    case STACK_ASYNCPG:
        return "asyncpg";
    case STACK_UNKNOWN:
        break;
    }
    return "unknown";
}

const char *improvement_kind_name(enum improvement_kind k)
{
    switch (k) {
    case GAIN_UNKNOWN:
        break;
    case GAIN_MEASURED:
        return "measured";
    case GAIN_ESTIMATED:
        return "estimated";
    case GAIN_MODELLED:
        return "modelled";
    }
    return "not_estimated";
}

static bool make_room(struct findings *f)
{
    if (f->count < f->size)
        return true;
    size_t size = f->size > 0 ? f->size * 2 : 32;
    struct finding **items = arena_alloc(f->arena, size * sizeof(struct finding *));
    if (items == NULL)
        return false;
    if (f->count > 0)
        memcpy(items, f->items, f->count * sizeof(struct finding *));
    f->items = items;
    f->size = size;
    return true;
}

struct finding *findings_add(struct findings *f, const struct detector *d, const struct endpoint *e,
                             const struct statement *subject)
{
    bool room = f->count < FINDINGS_MAX && make_room(f);
    struct finding *out = room ? arena_alloc(f->arena, sizeof(*out)) : NULL;
    if (out == NULL) {
        f->lost++;
        return NULL;
    }
    uint64_t rule = wire_value_hash_text(span_of_text(d->id));
    *out = (struct finding){
        .detector = d,
        .endpoint = e,
        .fingerprint = wire_hash_combine(wire_hash_combine(rule, e->key), statement_key(subject)),
        .requests = endpoint_requests(e),
        .at_most = SEVERITY_CRITICAL,
        .wasted_ms_p95 = -1,
        .before_ms = (double)histogram_percentile(endpoint_latency(e), 0.95) / 1000,
        .after_ms = -1,
        .after_gap_ms = -1,
        .avoidable = -1,
    };
    f->items[f->count++] = out;
    return out;
}
