#include "detectors/overflow.h"

#include "detectors/audit_parts.h"

const struct overflow_text overflow_texts[OVERFLOWS] = {
#define OVERFLOW(name_, one_, many_)                                                               \
    [OVERFLOW_##name_] = {.name = #name_, .one = (one_), .many = (many_)},
#include "detectors/overflows.def"
#undef OVERFLOW
};

static uint64_t lost_evidence(const struct audit *a)
{
    uint64_t lost = 0;
    for (int i = 0; i < DETECTOR_COUNT; i++) {
        if (det_detectors[i]->lost != NULL && a->states[i] != NULL)
            lost += det_detectors[i]->lost(a->states[i]);
    }
    return lost;
}

void overflow_count(const struct audit *a, uint64_t out[OVERFLOWS])
{
    const struct sessions *s = &a->sessions;
    for (int i = 0; i < OVERFLOWS; i++)
        out[i] = 0;
    out[OVERFLOW_statements] = a->catalogue.overflowed;
    out[OVERFLOW_descriptions] = a->catalogue.lost_descriptions;
    out[OVERFLOW_samples] = a->catalogue.lost_samples;
    out[OVERFLOW_tags] = a->lost_tags;
    out[OVERFLOW_endpoints] = a->ledger->overflowed;
    out[OVERFLOW_usages] = a->ledger->lost_usages;
    out[OVERFLOW_sessions] = s->lost;
    out[OVERFLOW_traces] = s->cut_traces;
    out[OVERFLOW_requests] = a->cut_units;
    out[OVERFLOW_transactions] = a->lost_transactions;
    out[OVERFLOW_values] = s->room.lost_values;
    out[OVERFLOW_evidence] = lost_evidence(a);
    out[OVERFLOW_routes] = a->routes.overflowed;
    out[OVERFLOW_targets] = a->routes.lost_targets;
    out[OVERFLOW_memory] = a->arena.refused + a->names.refused;
}
