#include "detectors/rules/measure.h"

#include "detectors/text.h"

double measure_ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

double measure_share(uint64_t part, uint64_t whole)
{
    double share = measure_ratio(part, whole);
    return share < 1 ? share : 1;
}

bool measure_reached(const struct measure *m)
{
    return m->value >= m->levels.low;
}

static enum severity level_of(const struct measure *m, double *from)
{
    const double from_each[SEVERITIES] = {m->levels.low, m->levels.medium, m->levels.high,
                                          m->levels.critical};
    int level = SEVERITY_CRITICAL;
    while (level > SEVERITY_LOW && m->value < from_each[level])
        level--;
    *from = from_each[level];
    return (enum severity)level;
}

const struct measure *measure_highest(const struct measure *all, size_t n)
{
    const struct measure *best = NULL;
    for (size_t i = 0; i < n; i++) {
        double from;
        if (measure_reached(&all[i]) &&
            (best == NULL || level_of(&all[i], &from) > level_of(best, &from)))
            best = &all[i];
    }
    return best;
}

/* Counts as they are, shares and small times with what matters of them. */
static int decimals_of(double value)
{
    if (value >= 100 || value == (double)(int64_t)value)
        return 0;
    return value < 1 ? 2 : 1;
}

void measure_judge(struct arena *arena, struct finding *f, const struct measure *m)
{
    double from;
    f->severity = level_of(m, &from);
    f->confidence = m->confidence;
    f->basis = BASIS_MEASURED;
    f->severity_by = det_text(arena, "%.*f %s: %s from %.*f on", decimals_of(m->value), m->value,
                              m->what, severity_name(f->severity), decimals_of(from), from);
}

void measure_raise(struct arena *arena, struct finding *f, const char *why)
{
    if (f->severity >= f->at_most)
        return;
    f->severity++;
    f->severity_by = det_text(arena, "%s; one level more since %s", f->severity_by, why);
}

void measure_lower(struct arena *arena, struct finding *f, const char *why)
{
    if (f->severity == SEVERITY_LOW)
        return;
    f->severity--;
    f->severity_by = det_text(arena, "%s; one level less since %s", f->severity_by, why);
}

void measure_cap(struct finding *f, enum severity most)
{
    f->at_most = most;
    if (f->severity > most)
        f->severity = most;
}
