#include "detectors/rules/route_finding.h"

#include "detectors/advice_parts.h"
#include "detectors/text.h"

struct finding *route_finding(struct findings *out, const struct detector *d,
                              const struct http_route *route, const struct measure *m,
                              uint64_t seen)
{
    static const struct statement nothing;
    struct finding *f = measure_reached(m) ? findings_add(out, d, route->endpoint, &nothing) : NULL;
    if (f == NULL)
        return NULL;
    measure_judge(out->arena, f, m);
    f->requests_seen = seen;
    f->requests = route->requests;
    finding_once(f);
    f->queries_before = histogram_percentile(&route->endpoint->statements_each, 0.50);
    f->queries_after = f->queries_before;
    return f;
}

void route_advice(struct arena *arena, struct finding *f, const char *fastapi, const char *django)
{
    const struct usage *u = f->endpoint->usages;
    f->sqlalchemy = fastapi;
    f->asyncpg = fastapi;
    f->django = django;
    advice_choose(arena, f, u != NULL ? u->statement : NULL);
    if (f->stack == STACK_UNKNOWN || f->stack == STACK_SQLALCHEMY)
        f->optimized_code = det_text(arena,
                                     "# Assumes FastAPI: the traffic does not show the framework. "
                                     "See the variants.\n%s",
                                     fastapi);
}
