#include "detectors/improvement.h"

#include "detectors/claims.h"
#include "detectors/rules/measure.h"
#include "detectors/text.h"

#include <math.h>

#define SLOW_MS      100
#define WORTH_SAYING 1.05
/* Student's t for 97.5 % with one degree of freedom less than there are parts. */
#define T_OF_PARTS 2.365

static double clamp_share(double share)
{
    const double most = 1 - IMPROVEMENT_REST;
    return share < 0 ? 0 : share > most ? most : share;
}

double improvement_speedup(double saved_ms, double wall_ms)
{
    return wall_ms > 0 ? 1 / (1 - clamp_share(saved_ms / wall_ms)) : 1;
}

static double wall_ms_of(const struct endpoint *e)
{
    return (double)e->wall_us / 1000;
}

/* --- one finding --- */

/* How sure the mean share is, by its spread over the parts of the run. */
static void fill_interval(struct finding *f, const struct claims_union *u)
{
    double mean = 0;
    double squares = 0;
    for (int i = 0; i < ENDPOINT_PARTS; i++)
        mean += u->share[i] / ENDPOINT_PARTS;
    for (int i = 0; i < ENDPOINT_PARTS; i++)
        squares += (u->share[i] - mean) * (u->share[i] - mean);
    double half = T_OF_PARTS * sqrt(squares / (ENDPOINT_PARTS - 1) / ENDPOINT_PARTS);
    f->ci_known = u->spread_known;
    f->ci_low = 1 / (1 - clamp_share(mean - half));
    f->ci_high = 1 / (1 - clamp_share(mean + half));
}

static void by_claims(struct finding *f)
{
    struct claims_union u = claims_of(f->endpoint, f->claims);
    double wall_ms = wall_ms_of(f->endpoint);
    f->saved_ms = (double)u.db_us / 1000;
    f->removable = u.statements;
    double with_gaps_ms = f->saved_ms + (double)u.gap_us / 1000;
    f->avoidable = clamp_share(f->saved_ms / wall_ms);
    f->after_ms = f->before_ms * (1 - f->avoidable);
    f->after_gap_ms = f->before_ms * (1 - clamp_share(with_gaps_ms / wall_ms));
    f->kind = GAIN_ESTIMATED;
    f->method = "p95 of the unit less the share of all units' time that the removed statements "
                "take (measured, union of intervals); the dearest of them stays for the statement "
                "that replaces them";
    fill_interval(f, &u);
}

static void by_rule(struct finding *f)
{
    f->avoidable = clamp_share(f->saved_ms / wall_ms_of(f->endpoint));
    f->after_ms = f->before_ms * (1 - f->avoidable);
}

static const char *range_of(struct arena *arena, const struct finding *f)
{
    double most = f->after_gap_ms > 0 ? f->before_ms / f->after_gap_ms : 0;
    const char *ci =
        f->ci_known ? det_text(arena, ", 95 %% CI %.1f-%.1f", f->ci_low, f->ci_high) : "";
    const char *gaps =
        most > 0 ? det_text(arena, ", up to %.1fx with the client's time between", most) : "";
    return det_text(arena, "%s%s", ci != NULL ? ci : "", gaps != NULL ? gaps : "");
}

/* The rule's own words follow those on time. */
static void put_into_words(struct arena *arena, struct finding *f)
{
    char before[DET_MS_MAX];
    char after[DET_MS_MAX];
    const char *rest = f->expected_improvement;
    double speedup = f->after_ms > 0 ? f->before_ms / f->after_ms : 1;
    if (speedup < WORTH_SAYING)
        return;
    f->expected_improvement =
        det_text(arena, "%.1fx faster %s (%s%s): p95 %s -> %s%s%s", speedup, f->endpoint->name,
                 improvement_kind_name(f->kind), range_of(arena, f), det_ms(f->before_ms, before),
                 det_ms(f->after_ms, after), rest != NULL ? "; " : "", rest != NULL ? rest : "");
}

/* Slow requests that a cure would make much faster are worth more than their counts say. */
static void raise_by_share(struct arena *arena, struct finding *f)
{
    const struct measure m = {
        .what = "of the time of requests that take 100 ms and more (p95) can be avoided",
        .value = f->avoidable,
        .levels = {0, 0.10, 0.25, 0.50},
        .confidence = f->confidence,
    };
    enum confidence_basis basis = f->basis;
    enum severity before = f->severity;
    const char *by = f->severity_by;
    if (f->kind == GAIN_MODELLED || f->before_ms < SLOW_MS)
        return;
    measure_judge(arena, f, &m);
    f->basis = basis;
    measure_cap(f, f->at_most);
    if (f->severity > before)
        return;
    f->severity = before;
    f->severity_by = by;
}

void improvement_judge(struct arena *arena, struct finding *f)
{
    if (wall_ms_of(f->endpoint) <= 0)
        return;
    if (f->claims != 0)
        by_claims(f);
    else if (f->saved_ms > 0 && f->method != NULL)
        by_rule(f);
    else
        return;
    put_into_words(arena, f);
    raise_by_share(arena, f);
}

/* --- an endpoint --- */

static bool has_no_claims(const struct finding *f)
{
    return f->claims == 0 && f->avoidable >= 0 && f->saved_ms > 0;
}

/* Whether an earlier finding without claims has spoken of the same statement. */
static bool is_said(struct finding *const *findings, size_t i)
{
    const struct statement *s = findings[i]->statements[0].statement;
    for (size_t k = 0; k < i; k++) {
        const struct finding *other = findings[k];
        if (has_no_claims(other) && other->n_statements == 1 && other->statements[0].statement == s)
            return true;
    }
    return false;
}

/* What is saved by rules that claim no exchange: different statements do not share time, findings
 * on one statement may, and so may one on several statements with any other. */
static struct improvement without_claims(struct finding *const *findings, size_t n)
{
    struct improvement single = {.kind = GAIN_UNKNOWN};
    struct improvement several = {.kind = GAIN_UNKNOWN};
    for (size_t i = 0; i < n; i++) {
        const struct finding *f = findings[i];
        if (!has_no_claims(f))
            continue;
        if (f->n_statements == 1 && !is_said(findings, i)) {
            single.saved_ms += f->saved_ms;
            single.kind = f->kind > single.kind ? f->kind : single.kind;
        } else if (f->n_statements != 1 && f->saved_ms > several.saved_ms) {
            several.saved_ms = f->saved_ms;
            several.kind = f->kind;
        }
    }
    return several.saved_ms > single.saved_ms ? several : single;
}

struct improvement improvement_of(const struct endpoint *e, struct finding *const *findings,
                                  size_t n)
{
    uint64_t cases = 0;
    for (size_t i = 0; i < n; i++)
        cases |= findings[i]->claims;
    struct claims_union u = claims_of(e, cases);
    struct improvement out = {
        .kind = u.db_us > 0 ? GAIN_ESTIMATED : GAIN_UNKNOWN,
        .saved_ms = (double)u.db_us / 1000,
        .saved_gap_ms = (double)(u.db_us + u.gap_us) / 1000,
        .wall_ms = wall_ms_of(e),
        .statements = u.statements,
    };
    /* Whether the two meet in the same statements is not known: the larger one is sure. */
    struct improvement others = without_claims(findings, n);
    if (others.saved_ms > out.saved_ms) {
        out.kind = others.kind;
        out.saved_ms = others.saved_ms;
        out.saved_gap_ms = others.saved_ms;
    }
    double db_ms = (double)e->db_us / 1000;
    out.saved_ms = out.saved_ms < db_ms ? out.saved_ms : db_ms;
    return out;
}
